//! `mynah demo` shows the whole pipeline on this machine alone: the sandbox's X has a small timeline, engines on this machine
//! translate it ([`engines`]), and Mynah publishes each language on an account of its own, on X, on Bluesky and on Mastodon.
//! The command prints the translations as they are published.

mod engines;

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
    sync::Arc,
    time::Instant,
};

use clap::Args;
use log::LevelFilter;
use mynah_actors::events::Event;
use mynah_domain::{Language, Post, TargetId};
use mynah_sandbox::{Network, Sandbox};

use super::{
    Failure,
    once::publish_all,
    output, print_line,
    sandbox::{self, Plan, PlannedTarget},
    scratch::Scratch,
    signals::Signals,
    summary::Summary,
};
use crate::{
    settings::{self, Settings, SettingsSources},
    telemetry::logging::{self, LogFormat, Stream, printable},
};

/// The sample timeline, in the binary so that the demo needs no files.
const TIMELINE: &str = include_str!("../../examples/timeline.jsonl");

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Keep serving the page after everything is published
    #[arg(long)]
    keep: bool,
    /// The languages to translate to: the first on X, the next on Bluesky, then on Mastodon, and again; by default three that
    /// can be translated to here
    #[arg(long, value_delimiter = ',', value_name = "CODES")]
    targets: Vec<Language>,
}

pub(super) async fn demo(args: DemoArgs) -> Result<(), Failure> {
    logging::init(LevelFilter::Warn, &[], Stream::Stderr, LogFormat::default());
    let engines = engines::choose(args.targets).await?;
    let folder = Scratch::new("demo")?;
    let plan = Plan {
        accounts: vec!["harbour_city".to_owned()],
        targets: PlannedTarget::in_turn(&engines.languages, &Network::ALL),
        engines: engines.order,
        engines_of: engines.by_language,
        start: "beginning",
    };
    let explanation = engines.explanation.join(" ");
    let sandbox = sandbox::start(&plan, timeline(folder.path())?, explanation).await?;
    let settings = plan_settings(&plan, &sandbox, folder.path(), engines.models.as_deref())?;

    print_line(format_args!(
        "@harbour_city in other languages: {}. The sandbox stands in for the networks.",
        plan.targets
            .iter()
            .map(|target| format!("{} on {}", target.language.name(), target.network.title()))
            .collect::<Vec<_>>()
            .join(", ")
    ));
    for sentence in &engines.explanation {
        print_line(printable(sentence));
    }
    print_line("");
    let started = Instant::now();
    let mut table = Table::new(&settings);
    let summary = publish_all(&settings, |event, _| table.show(event)).await?;
    let took = started.elapsed();
    table.finish();
    close(&summary, took, &sandbox, args.keep).await?;
    sandbox.stop().await;
    summary.trouble().map_or(Ok(()), |trouble| Err(Failure::Work(trouble)))
}

async fn close(
    summary: &Summary,
    took: std::time::Duration,
    sandbox: &Sandbox,
    keep: bool,
) -> Result<(), Failure> {
    print_line(summary.report(took));
    if keep {
        print_line(format_args!("\nSee them side by side: {}\nPress Ctrl-C to stop.", sandbox.url()));
        Signals::new()?.next().await;
    } else {
        print_line("\nTo see all accounts side by side in the browser, run: mynah demo --keep");
    }
    Ok(())
}

fn timeline(folder: &Path) -> Result<Vec<mynah_sandbox::TimelinePost>, Failure> {
    let file = folder.join("timeline.jsonl");
    fs::write(&file, TIMELINE).map_err(|error| Failure::Work(format!("{}: {error}", file.display())))?;
    mynah_sandbox::load_timeline(&file).map_err(|error| Failure::Work(error.to_string()))
}

/// Loads the settings from a file, so that the demo works exactly like a real service.
fn plan_settings(
    plan: &Plan,
    sandbox: &Sandbox,
    folder: &Path,
    models: Option<&Path>,
) -> Result<Settings, Failure> {
    let file = folder.join("config.toml");
    let text = plan.config(&sandbox.url(), &folder.join("data"));
    fs::write(&file, text).map_err(|error| Failure::Work(format!("{}: {error}", file.display())))?;
    let mut env: HashMap<String, String> = plan.secrets().into_iter().collect();
    // Only read: the demo's own folder is temporary.
    if let Some(models) = models.and_then(Path::to_str) {
        env.insert("MYNAH__ENGINE__FIREFOX__MODELS_DIR".into(), models.into());
    }
    Ok(settings::load(&SettingsSources { file: Some(file), env, ..SettingsSources::default() })?)
}

/// Prints each post with its translations when the last of them is published.
struct Table {
    languages: HashMap<TargetId, Language>,
    order: Vec<TargetId>,
    rows: BTreeMap<u64, Row>,
    color: bool,
}

struct Row {
    post: Arc<Post>,
    cells: HashMap<TargetId, Option<String>>,
}

impl Table {
    fn new(settings: &Settings) -> Self {
        let targets =
            settings.targets.iter().map(|target| (target.id(), target.language)).collect::<Vec<_>>();
        Self {
            order: targets.iter().map(|(id, _)| id.clone()).collect(),
            languages: targets.into_iter().collect(),
            rows: BTreeMap::new(),
            color: output::has_colors(),
        }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Recorded(post, jobs, _) => {
                let cells = jobs
                    .iter()
                    .map(|(target, skip)| {
                        (target.clone(), skip.map(|why| format!("(skipped: {})", why.as_str())))
                    })
                    .collect();
                self.rows.insert(post.position, Row { post: post.clone(), cells });
            }
            Event::Published(post, target, translation, _) => {
                self.fill(post, target, translation.parts.join("  ⏎  "));
            }
            Event::Skipped(post, target, why) => {
                self.fill(post, target, format!("(skipped: {})", why.as_str()));
            }
            Event::Drafted(post, target) => self.fill(post, target, "(waits for review)".into()),
            Event::Held(post, target, hold) => self.fill(post, target, format!("(held: {})", hold.reason)),
            Event::Failed(post, target, reason) => self.fill(post, target, format!("(failed: {reason})")),
        }
        // Keeps the source's order: prints complete posts up to the first incomplete one.
        while self.rows.values().next().is_some_and(|row| row.cells.values().all(Option::is_some)) {
            if let Some((_, row)) = self.rows.pop_first() {
                self.print(&row);
            }
        }
    }

    fn fill(&mut self, post: &Post, target: &TargetId, text: String) {
        if let Some(row) = self.rows.get_mut(&post.position) {
            row.cells.insert(target.clone(), Some(text));
        }
    }

    fn finish(&mut self) {
        for row in std::mem::take(&mut self.rows).into_values() {
            self.print(&row);
        }
    }

    fn print(&self, row: &Row) {
        let (bold, dim, plain) = if self.color { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        print_line(format_args!("{bold}{}{plain}", printable(&row.post.text)));
        let mut texts: Vec<&Option<String>> =
            self.order.iter().filter_map(|target| row.cells.get(target)).collect();
        texts.dedup();
        if let [Some(same)] = texts.as_slice() {
            print_line(format_args!("  {dim}{same}{plain}\n"));
            return;
        }
        for target in &self.order {
            let language = self.languages.get(target).map_or("?", |language| language.code());
            let text =
                row.cells.get(target).cloned().flatten().unwrap_or_else(|| "(not published yet)".to_owned());
            print_line(format_args!("  {dim}{language:<3}{plain} {}", printable(&text)));
        }
        print_line("");
    }
}
