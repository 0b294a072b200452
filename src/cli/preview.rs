//! `mynah preview` shows what a text or a post would become: translations, length, price and problems. It publishes and
//! records nothing; only the engines are really called.

use std::{
    io::{BufRead as _, IsTerminal as _, Read as _},
    rc::Rc,
    sync::Arc,
};

use clap::Args;
use jiff::Timestamp;
use mynah_actors::translator::{
    cascade::{CallContext, EngineCascade},
    task::Task,
};
use mynah_domain::{
    JobEvent, Language, MediaPolicy, Money, Post, PostId, PostKind, Skip, SourceProfile, Style, Target,
    TargetId, TooLong, Wordless, filters::Filters, ports::Engine, tariff::Tariff, text::Masking,
};
use serde::Serialize;
use serde_json::json;

use super::{
    Failure, SettingsArgs,
    output::{self, print_note},
    print_json, print_line,
    scratch::Scratch,
    tally::Tally,
};
use crate::{
    app,
    control::names::Names,
    settings::{self, InForce, Needed, Origin, Settings, SettingsSources, SourceSettings, kinds::Refusal},
    telemetry::logging::{self, printable},
};

/// The longest text that is read: a post has at most 25,000 characters.
const LONGEST: u64 = 100_000;

/// The maximum that is read with `--lines`, in bytes.
const LONGEST_OF_LINES: u64 = 1 << 30;

/// How many texts are translated at once.
const AT_ONCE: usize = 20;

/// Networks' prices are in millionths of a US dollar.
const PER_DOLLAR: f64 = 1_000_000.0;

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
    /// Only these languages, also ones that no target has; works without a settings file
    #[arg(long, value_delimiter = ',', value_name = "CODES")]
    to: Vec<Language>,
    /// The source whose settings and targets to use, by its name or account, if there are several
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// The language of the text; by default that of the source
    #[arg(long, value_name = "CODE")]
    from: Option<Language>,
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

#[derive(Serialize)]
struct TargetPreview {
    language: String,
    /// `None` for a language that no target has.
    account: Option<String>,
    engine: Option<String>,
    text: Option<String>,
    weighted_length: usize,
    /// The maximum weight of a publication there.
    #[serde(skip)]
    most: usize,
    parts: Vec<String>,
    /// The network's charge for publishing it, in US dollars; engines bill separately.
    price: f64,
    findings: Vec<Finding>,
    /// Why it is not republished there.
    skipped: Option<Skip>,
    /// Why it would not be published now.
    reason: Option<String>,
}

#[derive(Serialize)]
struct Finding {
    rule: String,
    message: String,
}

pub(super) async fn preview(args: &PreviewArgs, sources: &SettingsArgs, json: bool) -> Result<(), Failure> {
    logging::init_for_command();
    let settings = &load(args, sources)?;
    let targets = targets(args, settings)?;
    let (engines, asked) = if args.source_only {
        (Vec::new(), Vec::new())
    } else {
        app::prepare_engines(settings).await;
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
    if args.to.is_empty() || sources.has_file() {
        return narrowed(settings::load(&sources)?, args);
    }
    if args.source.is_some() {
        return Err(Failure::Usage(
            "--source names a source of a settings file, and there is none; name a settings file with --config, or \
             leave --source out"
                .into(),
        ));
    }
    if args.post.is_some() {
        return Err(Failure::Usage(
            "a post is read with the keys of its source; name a settings file with --config, or pipe a text to \
             standard input"
                .into(),
        ));
    }
    without_file(args, &sources)
}

/// The settings with only the source to preview, in the language that `--from` names, and with its targets.
fn narrowed(mut settings: Settings, args: &PreviewArgs) -> Result<Settings, Failure> {
    let names = Names::of(&settings);
    let source = match (&args.source, settings.sources.as_slice()) {
        (None, [only]) => only.clone(),
        (None, _) => {
            let all: Vec<String> = settings.sources.iter().map(|source| source.label()).collect();
            return Err(Failure::Usage(format!(
                "there are several sources; name one with --source: {}",
                all.join(", ")
            )));
        }
        (Some(name), all) => {
            let id = names.source(name).map_err(|error| Failure::Usage(error.to_string()))?;
            let chosen = all.iter().find(|source| source.id() == id);
            chosen.cloned().ok_or_else(|| Failure::Usage(format!("there is no source {name:?}")))?
        }
    };
    let id = source.id();
    let language = args.from.unwrap_or(source.language);
    let source = Arc::new(SourceSettings { language, ..(*source).clone() });
    settings.targets.retain(|target| target.source.id() == id && target.language != language);
    if settings.targets.is_empty() && args.to.is_empty() {
        return Err(Failure::Usage(format!(
            "{} has no target in another language than {}; correct --from, or name languages with --to",
            source.label(),
            language.name()
        )));
    }
    for target in &mut settings.targets {
        target.source = source.clone();
    }
    settings.sources = vec![source];
    Ok(settings)
}

/// The settings of a preview without a settings file: these languages, and every engine that can be used here.
fn without_file(args: &PreviewArgs, sources: &SettingsSources) -> Result<Settings, Failure> {
    let is_set = |variable: &&str| {
        let variables = [(*variable).to_owned(), format!("{variable}_FILE")];
        variables.iter().any(|name| sources.env.get(name).is_some_and(|value| !value.is_empty()))
    };
    let usable = sources.engines.iter().filter(|kind| {
        let secrets = kind.secrets();
        secrets.is_empty() || secrets.iter().any(is_set)
    });
    let order: Vec<String> = usable.map(|kind| format!("{:?}", kind.name())).collect();
    let targets: Vec<String> = (1..)
        .zip(&args.to)
        .map(|(number, language)| {
            format!("[[targets]]\nlanguage = \"{language}\"\naccount = \"preview_{number}\"\n")
        })
        .collect();
    let text = format!(
        "[source]\naccount = \"preview\"\nlanguage = \"{}\"\n[engine]\norder = [{}]\n{}",
        args.from.unwrap_or_else(Language::english),
        order.join(", "),
        targets.concat()
    );
    let mut settings = settings::load_text(sources, &text)?;
    let is_chosen_here =
        |one: &InForce| one.key == "engine.order" && matches!(one.origin, Origin::File { .. });
    if settings.in_force().iter().any(is_chosen_here) {
        // One that is not installed here is no mistake: nobody asked for it.
        let transport = settings.transport;
        settings.engine.order.retain(|engine| engine.factory(transport).is_ok());
    }
    if !args.source_only && app::engines(&settings).is_err() {
        return Err(Failure::Usage(no_engine(&settings)));
    }
    for target in &mut settings.targets {
        target.account.clear();
    }
    Ok(settings)
}

/// The source to preview, the only one in narrowed settings.
fn source(settings: &Settings) -> &SourceSettings {
    #[expect(clippy::indexing_slicing, reason = "settings have at least one source")]
    &settings.sources[0]
}

/// What to do so that an engine can be used.
fn no_engine(settings: &Settings) -> String {
    let languages: Vec<&str> = settings.targets.iter().map(|target| target.language.name()).collect();
    let keys = settings.engine.unused.iter().filter_map(|kind| kind.secrets().first());
    let keys = keys.map(|variable| format!("set {variable} to your key"));
    let pairs = app::language_pairs(settings);
    let others = settings.engine.order.iter().filter_map(|engine| engine.more_languages(&pairs));
    let fixes: Vec<String> = keys.chain(others).collect();
    format!(
        "no engine that can be used here translates {} to {}; {}",
        source(settings).language.name(),
        languages.join(" and "),
        fixes.join(", or ")
    )
}

/// The targets to preview: with `--to` these languages, otherwise all targets. A language that no target has gets the
/// defaults of a new one.
fn targets(args: &PreviewArgs, settings: &Settings) -> Result<Vec<Target>, Failure> {
    let configured = app::targets(settings).map_err(|error| Failure::Work(error.to_string()))?;
    if args.to.is_empty() {
        return Ok(configured);
    }
    let source = Arc::new(app::source_profile(source(settings)));
    let of = |language: &Language| -> Vec<Target> {
        let known: Vec<Target> =
            configured.iter().filter(|target| target.language == *language).cloned().collect();
        if known.is_empty() { vec![new_target(*language, source.clone())] } else { known }
    };
    Ok(args.to.iter().flat_map(of).collect())
}

fn new_target(language: Language, source: Arc<SourceProfile>) -> Target {
    Target {
        id: TargetId::new(source.network.name(), &format!("preview-{language}")),
        network: source.network.clone(),
        source,
        language,
        account: String::new(),
        style: Style::default(),
        masking: Masking::default(),
        filters: Filters::default(),
        media: MediaPolicy::None,
        too_long: TooLong::Thread,
        wordless: Wordless::default(),
        link_card: true,
    }
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
    (masking.mentions, masking.hashtags) = Default::default();
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

fn empty(target: &Target) -> TargetPreview {
    TargetPreview {
        language: target.language.to_string(),
        account: Some(target.account.clone()).filter(|account| !account.is_empty()),
        engine: None,
        text: None,
        weighted_length: 0,
        most: target.network.limits().text,
        parts: Vec::new(),
        price: 0.0,
        findings: Vec::new(),
        skipped: None,
        reason: None,
    }
}

fn outcome(task: Task, target: &Target) -> TargetPreview {
    let (preview, network) = (empty(target), &*target.network);
    match task.outcome {
        Some(JobEvent::Translated(translation)) => {
            let text = translation.parts.join(" ");
            TargetPreview {
                engine: Some(translation.engine),
                weighted_length: network.weigh(&text),
                price: dollars(translation.parts.iter().map(|part| network.price_of(part)).sum()),
                text: Some(text),
                parts: translation.parts,
                ..preview
            }
        }
        outcome => {
            let reason = match outcome {
                Some(JobEvent::Held(hold)) => Some(hold.reason),
                Some(JobEvent::HandedBack { reason, .. } | JobEvent::Failed { reason }) => Some(reason),
                _ => None,
            };
            let Some(rejected) = task.rejected else { return TargetPreview { reason, ..preview } };
            let findings = rejected
                .findings
                .into_iter()
                .map(|finding| Finding { rule: finding.rule.to_owned(), message: finding.message })
                .collect();
            let weighted_length = rejected.text.as_deref().map_or(0, |text| network.weigh(text));
            TargetPreview {
                engine: Some(rejected.engine),
                weighted_length,
                text: rejected.text,
                findings,
                reason,
                ..preview
            }
        }
    }
}

fn dollars(price: Money) -> f64 {
    f64::from(u32::try_from(price.micros()).unwrap_or(u32::MAX)) / PER_DOLLAR
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

/// A text as a post of the source; `number` distinguishes texts that are translated together.
fn given(number: usize, text: &str) -> Post {
    Post {
        id: PostId(format!("preview-{number}")),
        position: 0,
        text: text.to_owned(),
        entities: None,
        language: None,
        kind: PostKind::Original,
        created_at: Timestamp::now(),
        media: Vec::new(),
        has_poll: false,
        warning: None,
        is_sensitive: false,
        card: None,
        versions: Vec::new(),
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

/// Untrusted text, indented and fit for a terminal.
fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {}", printable(line))).collect();
    lines.join("\n")
}
