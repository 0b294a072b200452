//! `mynah preview`: what would be said of a text or a post, at what length and price, and what stands in its way.
//! Nothing is published, and nothing is written down; only engines are really asked.

use std::{
    io::{BufRead as _, Read as _},
    rc::Rc,
};

use clap::Args;
use jiff::Timestamp;
use mynah_actors::translator::{cascade::CallContext, task::Task};
use mynah_domain::{JobEvent, Post, PostId, PostKind, Skip, SourceProfile, Target, ports::Engine};
use serde::Serialize;
use serde_json::json;

use super::{Failure, SettingsArgs, print_json, print_line as say, scratch::Scratch};
use crate::{
    app,
    settings::{Needed, Settings, kinds::Refusal},
    telemetry::logging::{self, printable},
};

/// The longest text that is read: a post has 25,000 characters at most.
const LONGEST: u64 = 100_000;

/// The most that is read of a number of texts, in bytes.
const LONGEST_OF_LINES: u64 = 1 << 30;

/// How many texts are asked for at once.
const AT_ONCE: usize = 20;

/// Networks' prices are in millionths of a US dollar.
const PER_DOLLAR: f64 = 1_000_000.0;

#[derive(Debug, Args)]
pub(super) struct PreviewArgs {
    /// A post, by its number or its link; without it, a text is read from standard input
    post: Option<String>,
    /// Ask no engine: only what is read and protected
    #[arg(long)]
    source_only: bool,
    /// Take each line of standard input as a text of its own and print a line of JSON for each: try a glossary on a
    /// year of posts
    #[arg(long, conflicts_with = "post")]
    lines: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

impl PreviewArgs {
    /// Only a post has to be fetched from the network, and only a translation asked of an engine.
    pub(super) fn needed(&self) -> Needed {
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
    targets: Vec<Said>,
}

#[derive(Serialize)]
struct Source {
    text: String,
    weighted_length: usize,
    /// The most that a post of its network may weigh.
    #[serde(skip)]
    most: usize,
    entities: Vec<Thing>,
}

#[derive(Serialize)]
struct Thing {
    kind: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Said {
    language: String,
    account: String,
    engine: Option<String>,
    text: Option<String>,
    weighted_length: usize,
    /// The most that one publication there may weigh.
    #[serde(skip)]
    most: usize,
    parts: Vec<String>,
    /// In US dollars, what the network charges for publishing it; engines are billed by themselves.
    price: f64,
    findings: Vec<Finding>,
    /// Why it is not said there at all.
    skipped: Option<Skip>,
    /// Why it would not be published now.
    reason: Option<String>,
}

#[derive(Serialize)]
struct Finding {
    rule: String,
    message: String,
}

pub(super) async fn preview(args: &PreviewArgs, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let targets = app::targets(settings).map_err(|error| Failure::Work(error.to_string()))?;
    let (engines, asked) = if args.source_only {
        (Vec::new(), Vec::new())
    } else {
        (app::engines(settings).map_err(Failure::Work)?(), targets.clone())
    };
    let kept_by = targets.first();
    if args.lines {
        return lines(&asked, kept_by, &engines, settings).await;
    }
    let post = match &args.post {
        Some(which) => fetch(which, settings).await?,
        None => given(0, &read_text()?),
    };
    for preview in of(&[post], &asked, kept_by, &engines, settings).await {
        if args.json {
            print_json(&json!(preview));
        } else {
            show(&preview);
        }
    }
    Ok(())
}

/// A preview of each line, some at a time: engines do several texts in one call.
async fn lines(
    targets: &[Target],
    kept_by: Option<&Target>,
    engines: &[Rc<dyn Engine>],
    settings: &Settings,
) -> Result<(), Failure> {
    let mut lines = std::io::stdin().lock().take(LONGEST_OF_LINES).lines();
    loop {
        let some: Result<Vec<String>, _> = lines.by_ref().take(AT_ONCE).collect();
        let some = some
            .map_err(|error| Failure::Usage(format!("a line cannot be read: {error}; it must be UTF-8")))?;
        if some.is_empty() {
            return Ok(());
        }
        let posts: Vec<Post> = some
            .iter()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(number, line)| given(number, line))
            .collect();
        for preview in of(&posts, targets, kept_by, engines, settings).await {
            print_json(&json!(preview));
        }
    }
}

/// What would become of each of `posts`.
async fn of(
    posts: &[Post],
    targets: &[Target],
    kept_by: Option<&Target>,
    engines: &[Rc<dyn Engine>],
    settings: &Settings,
) -> Vec<Preview> {
    let mut said = said(posts, targets, engines, settings).await.into_iter();
    let source = app::source_profile(settings);
    let preview = |post: &Post| Preview {
        source: Source {
            text: post.text.clone(),
            weighted_length: source.network.weigh(&post.text),
            most: source.network.limits().text,
            entities: protected(post, &source, kept_by),
        },
        targets: said.by_ref().take(targets.len()).collect(),
    };
    posts.iter().map(preview).collect()
}

/// What would be protected, as the first target has it: all of its things, whatever becomes of them.
fn protected(post: &Post, source: &SourceProfile, target: Option<&Target>) -> Vec<Thing> {
    let mut masking = target.map(|target| target.masking.clone()).unwrap_or_default();
    (masking.mentions, masking.hashtags) = Default::default();
    let things = masking.mask(&post.text, &post.entities_by(&*source.network)).protected.into_iter();
    things.map(|thing| Thing { kind: thing.kind.as_str(), text: thing.text }).collect()
}

/// For each of `posts`, and for each target, what would be said.
async fn said(
    posts: &[Post],
    targets: &[Target],
    engines: &[Rc<dyn Engine>],
    settings: &Settings,
) -> Vec<Said> {
    let eligibility = app::eligibility(settings);
    let wanted: Vec<(&Post, &Target, Option<Skip>)> = posts
        .iter()
        .flat_map(|post| targets.iter().map(move |target| (post, target)))
        .map(|(post, target)| (post, target, eligibility.skip_reason(post, target)))
        .collect();
    let mut tasks: Vec<Task> = (wanted.iter())
        .filter(|(_, _, skip)| skip.is_none())
        .map(|(post, target, _)| Task::new(post, Vec::new(), (*target).clone()))
        .collect();
    app::cascade(settings).translate(&mut tasks, |_| 1, engines, CallContext::default()).await;
    let mut tasks = tasks.into_iter();
    (wanted.into_iter())
        .filter_map(|(_, target, skip)| match skip {
            Some(skip) => Some(Said { skipped: Some(skip), ..nothing(target) }),
            None => tasks.next().map(|task| outcome(task, target)),
        })
        .collect()
}

fn nothing(target: &Target) -> Said {
    Said {
        language: target.language.to_string(),
        account: target.account.clone(),
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

fn outcome(task: Task, target: &Target) -> Said {
    let (said, network) = (nothing(target), &*target.network);
    match task.outcome {
        Some(JobEvent::Translated(translation)) => {
            let text = translation.parts.join(" ");
            Said {
                engine: Some(translation.engine),
                weighted_length: network.weigh(&text),
                price: dollars(translation.parts.iter().map(|part| network.price_of(part)).sum()),
                text: Some(text),
                parts: translation.parts,
                ..said
            }
        }
        outcome => {
            let reason = match outcome {
                Some(JobEvent::Held(hold)) => Some(hold.reason),
                Some(JobEvent::HandedBack { reason, .. } | JobEvent::Failed { reason }) => Some(reason),
                _ => None,
            };
            let Some(rejected) = task.rejected else { return Said { reason, ..said } };
            let findings = rejected
                .findings
                .into_iter()
                .map(|finding| Finding { rule: finding.rule.to_owned(), message: finding.message })
                .collect();
            let weighted_length = rejected.text.as_deref().map_or(0, |text| network.weigh(text));
            Said {
                engine: Some(rejected.engine),
                weighted_length,
                text: rejected.text,
                findings,
                reason,
                ..said
            }
        }
    }
}

fn dollars(price: u32) -> f64 {
    f64::from(price) / PER_DOLLAR
}

fn read_text() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().take(LONGEST + 1).read_to_string(&mut text);
    match read {
        Err(error) => Err(Failure::Usage(format!("the text cannot be read: {error}; it must be UTF-8"))),
        Ok(_) if text.len() as u64 > LONGEST => {
            Err(Failure::Usage(format!("the text has more than {LONGEST} bytes; no post is as long")))
        }
        Ok(_) if text.trim().is_empty() => {
            Err(Failure::Usage("there is no text; write it to standard input, or name a post".into()))
        }
        // The end of the line is the terminal's, not the text's.
        Ok(_) => Ok(text.trim_end_matches(['\n', '\r']).to_owned()),
    }
}

/// A text as if it were a post of the source; `number` tells those apart that are asked for together.
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
        versions: Vec::new(),
    }
}

async fn fetch(which: &str, settings: &Settings) -> Result<Post, Failure> {
    let source = &settings.source;
    let id = source
        .network
        .post_named(which)
        .map_err(|Refusal { what, fix }| Failure::Usage(format!("{what}; {fix}")))?;
    let scratch = Scratch::new("preview")?;
    let ledger = app::open_ledger_in(scratch.path()).map_err(|error| Failure::Work(error.to_string()))?;
    source.connection.post(&id, ledger).await.map_err(Failure::Work)
}

fn show(preview: &Preview) {
    let source = &preview.source;
    say(format_args!("{} of {}", source.weighted_length, source.most));
    say(indented(&source.text));
    for thing in &source.entities {
        say(format_args!("  kept: {} {}", thing.kind, printable(&thing.text)));
    }
    for said in &preview.targets {
        say("");
        let engine = said.engine.as_deref().unwrap_or("-");
        let Said { language, account, weighted_length, most, price, .. } = said;
        if let Some(skip) = said.skipped {
            say(format_args!("{language} @{account}: not said there ({})", skip.as_str()));
            continue;
        }
        let parts = match said.parts.len() {
            0 => "not published".to_owned(),
            1 => format!("${price:.3}"),
            many => format!("{many} parts, ${price:.3}"),
        };
        say(format_args!("{language} @{account}: {weighted_length} of {most}, {engine}, {parts}"));
        match (&said.text, said.parts.is_empty()) {
            (Some(text), true) => say(indented(text)),
            _ => said.parts.iter().for_each(|part| say(indented(part))),
        }
        for finding in &said.findings {
            say(format_args!("  {}: {}", finding.rule, printable(&finding.message)));
        }
        if let (Some(reason), true) = (&said.reason, said.findings.is_empty()) {
            say(format_args!("  {}", printable(reason)));
        }
    }
}

/// Text from outside, fit for a terminal, line by line.
fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {}", printable(line))).collect();
    lines.join("\n")
}
