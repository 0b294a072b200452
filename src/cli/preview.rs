//! `mynah preview` shows what a text or a post would become: translations, length, price and problems. It publishes and
//! records nothing; only the engines are really called.

use std::{
    io::{BufRead as _, IsTerminal as _, Read as _},
    rc::Rc,
    sync::Arc,
};

use clap::Args;
use mynah_actors::translator::{
    cascade::{CallContext, EngineCascade},
    task::Task,
};
use mynah_domain::{MediaPolicy, Money, Post, Skip, SourceProfile, Target, ports::Engine, tariff::Tariff};
use serde::Serialize;
use serde_json::json;

use super::{
    Failure, SettingsArgs,
    output::{self, print_note},
    print_json, print_line,
    scratch::Scratch,
    tally::Tally,
    trial::{
        self, LONGEST, TargetPreview, TrialArgs, dollars, empty, given, indented, no_engine, outcome, source,
    },
};
use crate::{
    app,
    settings::{Needed, Settings, kinds::Refusal},
    telemetry::logging::{self, printable},
};

/// The maximum that is read with `--lines`, in bytes.
const LONGEST_OF_LINES: u64 = 1 << 30;

/// How many texts are translated at once.
const AT_ONCE: usize = 20;

#[derive(Debug, Args)]
pub(super) struct PreviewArgs {
    /// A post's id or link; without it, reads a text from standard input
    post: Option<String>,
    /// Call no engine; show only the text and what is protected
    #[arg(long)]
    source_only: bool,
    /// Read each line of standard input as one text and print one line of JSON for each, for example to try a glossary
    /// on a year of posts
    #[arg(long, conflicts_with = "post")]
    lines: bool,
    #[command(flatten)]
    trial: TrialArgs,
}

impl PreviewArgs {
    /// Only a post needs the network, and only a translation needs an engine.
    fn needed(&self) -> Needed {
        match self {
            Self { post: Some(_), .. } => Needed::All,
            Self { source_only: true, .. } => Needed::Nothing,
            _ => Needed::Engines,
        }
    }
}

#[derive(Serialize)]
struct Preview {
    source: Source,
    targets: Vec<TargetPreview>,
    /// What the post costs on all targets; not with `--lines`, where one call translates several texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Cost>,
}

/// What a post costs on all targets, in US dollars.
#[derive(Serialize)]
struct Cost {
    publishing: f64,
    /// What the engines charged for this preview.
    translating: f64,
    total: f64,
    /// Engines whose prices are unknown, so that they are not included.
    unknown_prices: Vec<String>,
}

#[derive(Serialize)]
struct Source {
    text: String,
    weighted_length: usize,
    /// The maximum weight of a post on its network.
    #[serde(skip)]
    most: usize,
    entities: Vec<ProtectedThing>,
}

#[derive(Serialize)]
struct ProtectedThing {
    kind: &'static str,
    text: String,
}

pub(super) async fn preview(args: &PreviewArgs, sources: &SettingsArgs, json: bool) -> Result<(), Failure> {
    logging::init_for_command();
    let settings = &load(args, sources)?;
    let targets = trial::targets(&args.trial, settings)?;
    let (engines, asked) = if args.source_only {
        (Vec::new(), Vec::new())
    } else {
        (app::engines(settings).map_err(Failure::Work)?(), targets.clone())
    };
    let protecting = targets.first();
    if args.post.is_none() && std::io::stdin().is_terminal() {
        print_note("Type or paste a text, then press Enter and Ctrl-D.");
    }
    if args.lines {
        return lines(&asked, protecting, &engines, settings).await;
    }
    let post = match &args.post {
        Some(which) => fetch(which, settings).await?,
        None => given(0, &read_text()?),
    };
    let tally = Arc::new(Tally::default());
    let cascade = app::paid_by(settings, tally.clone());
    for mut preview in of(std::slice::from_ref(&post), &asked, protecting, &engines, settings, &cascade).await
    {
        preview.cost = Some(cost(&preview, &post, &asked, settings, tally.total()));
        if json {
            print_json(&json!(preview));
        } else {
            show(&preview);
        }
    }
    Ok(())
}

fn load(args: &PreviewArgs, sources: &SettingsArgs) -> Result<Settings, Failure> {
    let sources = sources.sources(args.needed())?;
    if args.post.is_some() && args.trial.needs_no_file(&sources) {
        return Err(Failure::Usage(
            "a post is read with the keys of its source; name a settings file with --config, or pipe a text to \
             standard input"
                .into(),
        ));
    }
    let settings = trial::load(&args.trial, &sources)?;
    if args.trial.needs_no_file(&sources) && !args.source_only && app::engines(&settings).is_err() {
        return Err(Failure::Usage(no_engine(&settings)));
    }
    Ok(settings)
}

/// Prints a preview of each line, several at a time, because engines translate several texts in one call.
async fn lines(
    targets: &[Target],
    protecting: Option<&Target>,
    engines: &[Rc<dyn Engine>],
    settings: &Settings,
) -> Result<(), Failure> {
    let mut lines = std::io::stdin().lock().take(LONGEST_OF_LINES).lines();
    let cascade = app::cascade(settings);
    loop {
        let some: Result<Vec<String>, _> = lines.by_ref().take(AT_ONCE).collect();
        let some =
            some.map_err(|error| Failure::Usage(format!("cannot read a line: {error}; it must be UTF-8")))?;
        // Engines may cost money, so nothing is translated that nobody reads.
        if some.is_empty() || output::is_closed() {
            return Ok(());
        }
        let posts: Vec<Post> = some
            .iter()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(number, line)| given(number, line))
            .collect();
        for preview in of(&posts, targets, protecting, engines, settings, &cascade).await {
            print_json(&json!(preview));
        }
    }
}

/// Previews of `posts`.
async fn of(
    posts: &[Post],
    targets: &[Target],
    protecting: Option<&Target>,
    engines: &[Rc<dyn Engine>],
    settings: &Settings,
    cascade: &EngineCascade,
) -> Vec<Preview> {
    let mut previews = target_previews(posts, targets, engines, settings, cascade).await.into_iter();
    let source = app::source_profile(source(settings));
    let preview = |post: &Post| Preview {
        source: Source {
            text: post.text.clone(),
            weighted_length: source.network.weigh(&post.text),
            most: source.network.limits().text,
            entities: protected(post, &source, protecting),
        },
        targets: previews.by_ref().take(targets.len()).collect(),
        cost: None,
    };
    posts.iter().map(preview).collect()
}

/// What a post costs on all targets: what the networks charge for its parts and alt texts, and what the engines charged.
fn cost(preview: &Preview, post: &Post, targets: &[Target], settings: &Settings, translating: Money) -> Cost {
    let alts =
        post.media.iter().filter(|medium| medium.alt.as_ref().is_some_and(|alt| !alt.trim().is_empty()));
    let alts = alts.count() as u64;
    let of_target = |target: &Target, shown: &TargetPreview| {
        let parts: Money = shown.parts.iter().map(|part| target.network.price_of(part)).sum();
        let configured = settings.targets.iter().find(|configured| configured.id() == target.id);
        let prices = configured.map(|configured| configured.connection.prices()).unwrap_or_default();
        let copies = target.media != MediaPolicy::None && !shown.parts.is_empty();
        parts + prices.alt_text.times(if copies { alts } else { 0 })
    };
    let publishing =
        targets.iter().zip(&preview.targets).map(|(target, shown)| of_target(target, shown)).sum();
    let order = settings.engine.order.iter();
    let unknown = order.filter(|engine| matches!(engine.tariff(), Tariff::Unknown { .. }));
    Cost {
        publishing: dollars(publishing),
        translating: dollars(translating),
        total: dollars(publishing + translating),
        unknown_prices: unknown.map(|engine| engine.name().to_owned()).collect(),
    }
}

/// What would be protected under the first target's rules: everything, whatever happens to it later.
fn protected(post: &Post, source: &SourceProfile, target: Option<&Target>) -> Vec<ProtectedThing> {
    let mut masking = target.map(|target| target.masking.clone()).unwrap_or_default();
    (masking.links, masking.mentions, masking.hashtags) = Default::default();
    let things = masking.mask(&post.text, &post.entities_by(&*source.network)).protected.into_iter();
    things.map(|thing| ProtectedThing { kind: thing.kind.as_str(), text: thing.text }).collect()
}

/// What each target would publish for each of `posts`.
async fn target_previews(
    posts: &[Post],
    targets: &[Target],
    engines: &[Rc<dyn Engine>],
    settings: &Settings,
    cascade: &EngineCascade,
) -> Vec<TargetPreview> {
    let eligibility = app::eligibility(source(settings));
    let wanted: Vec<(&Post, &Target, Option<Skip>)> = posts
        .iter()
        .flat_map(|post| targets.iter().map(move |target| (post, target)))
        .map(|(post, target)| (post, target, eligibility.skip_reason(post, target)))
        .collect();
    let mut tasks: Vec<Task> = (wanted.iter())
        .filter(|(_, _, skip)| skip.is_none())
        .map(|(post, target, _)| Task::new(post, Vec::new(), (*target).clone()))
        .collect();
    cascade.translate(&mut tasks, |_| 1, engines, CallContext::default()).await;
    let mut tasks = tasks.into_iter();
    (wanted.into_iter())
        .filter_map(|(_, target, skip)| match skip {
            Some(skip) => Some(TargetPreview { skipped: Some(skip), ..empty(target) }),
            None => tasks.next().map(|task| outcome(task, target)),
        })
        .collect()
}

fn read_text() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().take(LONGEST + 1).read_to_string(&mut text);
    match read {
        Err(error) => Err(Failure::Usage(format!("cannot read the text: {error}; it must be UTF-8"))),
        Ok(_) if text.len() as u64 > LONGEST => {
            Err(Failure::Usage(format!("the text has more than {LONGEST} bytes; no post is that long")))
        }
        Ok(_) if text.trim().is_empty() => {
            Err(Failure::Usage("there is no text; pipe one to standard input, or name a post".into()))
        }
        // The final line break belongs to the terminal, not to the text.
        Ok(_) => Ok(text.trim_end_matches(['\n', '\r']).to_owned()),
    }
}

async fn fetch(which: &str, settings: &Settings) -> Result<Post, Failure> {
    let source = source(settings);
    let id = source
        .network
        .post_named(which)
        .map_err(|Refusal { what, fix }| Failure::Usage(format!("{what}; {fix}")))?;
    let scratch = Scratch::new("preview")?;
    let opened = if source.connection.renews_tokens() {
        // The tokens are replaced meanwhile, and the next ones must be on record.
        app::open_ledger(settings).await
    } else {
        app::open_ledger_in(scratch.path())
    };
    let ledger = opened.map_err(|error| Failure::Work(error.to_string()))?;
    source.connection.post(&id, ledger).await.map_err(Failure::Work)
}

fn show(preview: &Preview) {
    let source = &preview.source;
    print_line(format_args!("{} of {}", source.weighted_length, source.most));
    print_line(indented(&source.text));
    for thing in &source.entities {
        print_line(format_args!("  protected: {} {}", thing.kind, printable(&thing.text)));
    }
    for target in &preview.targets {
        print_line("");
        let engine = target.engine.as_deref().unwrap_or("-");
        let TargetPreview { language, account, weighted_length, most, price, .. } = target;
        let account = account.as_ref().map(|account| format!(" @{account}")).unwrap_or_default();
        if let Some(skip) = target.skipped {
            print_line(format_args!("{language}{account}: not republished ({})", skip.as_str()));
            continue;
        }
        let parts = match target.parts.len() {
            0 => "not published".to_owned(),
            1 => format!("${price:.3}"),
            many => format!("{many} parts, ${price:.3}"),
        };
        print_line(format_args!("{language}{account}: {weighted_length} of {most}, {engine}, {parts}"));
        match (&target.text, target.parts.is_empty()) {
            (Some(text), true) => print_line(indented(text)),
            _ => target.parts.iter().for_each(|part| print_line(indented(part))),
        }
        for link in &target.removed_links {
            print_line(format_args!("  link removed: {}", printable(link)));
        }
        for finding in &target.findings {
            print_line(format_args!("  {}: {}", finding.rule, printable(&finding.message)));
        }
        if let (Some(reason), true) = (&target.reason, target.findings.is_empty()) {
            print_line(format_args!("  {}", printable(reason)));
        }
    }
    if let Some(Cost { publishing, translating, total, unknown_prices }) = &preview.cost
        && !preview.targets.is_empty()
    {
        print_line("");
        print_line(format_args!(
            "in all ${total:.4}: publishing ${publishing:.3}, translating ${translating:.4}"
        ));
        for engine in unknown_prices {
            print_line(format_args!("  without {engine}, whose price is unknown"));
        }
    }
}
