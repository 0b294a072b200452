//! `mynah review` lists the translations that wait for a person, and carries out what the person decides. It uses the
//! running service, or its ledger if no service is running.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{self, IsTerminal as _, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
    sync::Arc,
};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use mynah_actors::router::{self, Review};
use mynah_domain::{JobState, Target, ports::Ledger};
use serde::Serialize;
use serde_json::json;

use super::{Failure, jobs, print_json, print_line, reach::Reach, table};
use crate::{
    app,
    control::{
        names::Names,
        review::{Desk, ReviewError, decided},
        wire::{self, Decided, Draft, DraftQuery, Drafts, Finding},
    },
    settings::Settings,
    telemetry::logging::{self, printable},
};

/// The most bytes of a text to read from a file: no network has longer ones.
const TEXT_MOST: u64 = 1024 * 1024;

/// How many drafts to list.
const DEFAULT_LIMIT: usize = 50;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ReviewArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only translations for this target
    #[arg(long)]
    target: Option<String>,
    /// Only translations of this source's posts
    #[arg(long)]
    source: Option<String>,
    /// The maximum number to show
    #[arg(long, default_value_t = DEFAULT_LIMIT, value_name = "N")]
    limit: usize,
    /// Only jobs after this one, to continue the previous list
    #[arg(long, value_name = "JOB")]
    after: Option<i64>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show a post, its translation, what is wrong with it, and what was decided
    Show {
        /// The job's number
        #[arg(value_name = "JOB")]
        job: i64,
    },
    /// Publish translations as they are
    Approve {
        /// The jobs' numbers, each perhaps with the token that `show` prints: 7@12345
        #[arg(value_name = "JOB", required = true)]
        jobs: Vec<Looked>,
        /// Approve although something is wrong, for this reason
        #[arg(long = "override", value_name = "REASON")]
        reason: Option<String>,
    },
    /// Replace the words of a translation; the text comes from a file, from standard input, or from your editor
    Edit(EditArgs),
    /// Translate again
    Again {
        /// The job's number, perhaps with its token: 7@12345
        #[arg(value_name = "JOB")]
        job: Looked,
        /// What to do better, for a language model; up to 500 characters
        #[arg(long, value_name = "TEXT")]
        hint: Option<String>,
        /// Ask only this engine
        #[arg(long, value_name = "NAME")]
        engine: Option<String>,
    },
    /// Do not publish translations; `mynah jobs unskip` undoes it
    Skip {
        /// The jobs' numbers, each perhaps with its token: 7@12345
        #[arg(value_name = "JOB", required = true)]
        jobs: Vec<Looked>,
    },
}

#[derive(Debug, Args)]
struct EditArgs {
    /// The job's number, perhaps with its token: 7@12345
    #[arg(value_name = "JOB")]
    job: Looked,
    /// Read the text from this file; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "part")]
    file: Option<PathBuf>,
    /// One message of the translation; repeat it for each message of a thread
    #[arg(long, value_name = "TEXT")]
    part: Vec<String>,
    /// The alt text of a medium; repeat it for each medium, in order, empty for none
    #[arg(long, value_name = "TEXT")]
    alt: Vec<String>,
    /// The warning
    #[arg(long, value_name = "TEXT")]
    warning: Option<String>,
    /// Accept what the checks find, for this reason
    #[arg(long = "override", value_name = "REASON")]
    reason: Option<String>,
    /// Approve the new words at once
    #[arg(long)]
    approve: bool,
}

/// A job, perhaps as it was under a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Looked {
    job: i64,
    token: Option<i64>,
}

impl FromStr for Looked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no number"));
        Ok(match text.split_once('@') {
            Some((job, token)) => Self { job: number(job)?, token: Some(number(token)?) },
            None => Self { job: number(text)?, token: None },
        })
    }
}

pub(super) async fn review(args: ReviewArgs, json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let office = Office::open(settings).await?;
    match args.action {
        None => office.list(args.list, json).await,
        Some(Action::Show { job }) => {
            let draft = office.show(job).await?;
            if json {
                print_json(&json!(draft));
            } else {
                print_line(described(&draft).trim_end());
            }
            Ok(())
        }
        Some(Action::Approve { jobs, reason }) => {
            let mut made = Made::default();
            for looked in jobs {
                let decided = async {
                    let token = office.token_of(looked).await?;
                    let asked = wire::Approve { token, reason: reason.clone() };
                    office.approve(looked.job, asked).await
                };
                made.add(looked.job, decided.await);
            }
            made.report("approved", json)
        }
        Some(Action::Skip { jobs }) => {
            let mut made = Made::default();
            for looked in jobs {
                let decided = async {
                    let asked = wire::Skip { token: office.token_of(looked).await? };
                    office.skip(looked.job, asked).await
                };
                made.add(looked.job, decided.await);
            }
            made.report("skipped", json)
        }
        Some(Action::Again { job, hint, engine }) => {
            let mut made = Made::default();
            let asked = wire::Again { token: office.token_of(job).await?, hint, engine };
            made.add(job.job, office.again(job.job, asked).await);
            made.report("will be translated again", json)
        }
        Some(Action::Edit(edit)) => office.edit_by(edit, json).await,
    }
}

/// The decisions of a command.
#[derive(Default)]
struct Made {
    decided: Vec<Decided>,
    refused: Vec<wire::Refused>,
}

impl Made {
    fn add(&mut self, job: i64, outcome: Result<Decided, Failure>) {
        match outcome {
            Ok(decided) => self.decided.push(decided),
            Err(failure) => self.refused.push(wire::Refused { id: job, why: failure.to_string() }),
        }
    }

    fn report(&self, what: &str, json: bool) -> Result<(), Failure> {
        if json {
            print_json(&json!({"decided": self.decided, "refused": self.refused}));
        } else {
            for Decided { job, .. } in &self.decided {
                print_line(format_args!("job {job} {what}"));
            }
        }
        if self.refused.is_empty() {
            return Ok(());
        }
        let lines = self.refused.iter().map(|refused| format!("\n  {}: {}", refused.id, refused.why));
        Err(Failure::Work(format!("not changed:{}", lines.collect::<String>())))
    }
}

/// Where drafts are decided about.
struct Office<'a> {
    settings: &'a Settings,
    reach: Reach,
    /// What drafts are judged by, if no service does it.
    targets: Vec<Target>,
    engines: Vec<Arc<str>>,
}

fn failed(error: &ReviewError) -> Failure {
    Failure::Work(error.to_string())
}

impl<'a> Office<'a> {
    async fn open(settings: &'a Settings) -> Result<Self, Failure> {
        let reach = jobs::reach(settings).await?;
        let targets = match &reach {
            Reach::Service(_) => Vec::new(),
            Reach::Ledger(_) => app::targets(settings).map_err(|error| Failure::Work(error.to_string()))?,
        };
        Ok(Self { settings, reach, targets, engines: settings.engine.names() })
    }

    fn desk<'b>(&'b self, ledger: &'b dyn Ledger) -> Desk<'b> {
        Desk { ledger, targets: &self.targets, engines: &self.engines }
    }

    async fn list(&self, args: ListArgs, json: bool) -> Result<(), Failure> {
        let ListArgs { target, source, limit, after } = args;
        let query = DraftQuery { target, source, limit: Some(limit), after };
        let list: Drafts = match &self.reach {
            Reach::Service(service) => {
                let mut url = service.url(&["api", "review"]);
                let texts = [("target", &query.target), ("source", &query.source)];
                let texts = texts.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
                let numbers =
                    [("limit", Some(limit.to_string())), ("after", after.map(|job| job.to_string()))];
                let numbers = numbers.into_iter().filter_map(|(name, value)| Some((name, value?)));
                url.query_pairs_mut().extend_pairs(texts.chain(numbers));
                service.get(url).await?
            }
            Reach::Ledger(ledger) => {
                let list = self.desk(&**ledger).list(&query, &Names::of(self.settings)).await;
                list.map_err(|error| failed(&error))?
            }
        };
        if json {
            print_json(&json!(list));
            return Ok(());
        }
        if list.drafts.is_empty() {
            print_line("no translation waits for review");
            return Ok(());
        }
        let now = Timestamp::now();
        let rows = list.drafts.into_iter().map(|draft| {
            let finding = match draft.findings.as_slice() {
                [] => String::new(),
                [only] => only.message.clone(),
                [first, others @ ..] => format!("{} (and {} more)", first.message, others.len()),
            };
            let words = if draft.translation.is_empty() { draft.text } else { draft.translation };
            [draft.job.to_string(), draft.post, draft.target, age(draft.since, now), finding, words]
        });
        table::print(["JOB", "POST", "TARGET", "AGE", "FINDING", "WORDS"], rows);
        if let Some(next) = list.next {
            print_line(format_args!("There are more: use --after {next} to continue, or a larger --limit."));
        }
        Ok(())
    }

    async fn show(&self, job: i64) -> Result<Draft, Failure> {
        match &self.reach {
            Reach::Service(service) => service.get(service.url(&["api", "review", &job.to_string()])).await,
            Reach::Ledger(ledger) => self.desk(&**ledger).show(job).await.map_err(|error| failed(&error)),
        }
    }

    /// The token that the person looked at, or the present one.
    async fn token_of(&self, looked: Looked) -> Result<i64, Failure> {
        match looked.token {
            Some(token) => Ok(token),
            None => Ok(self.show(looked.job).await?.token),
        }
    }

    async fn approve(&self, job: i64, asked: wire::Approve) -> Result<Decided, Failure> {
        match &self.reach {
            Reach::Service(_) => self.post(job, "approve", &asked).await,
            Reach::Ledger(ledger) => decide(&**ledger, Desk::approve(job, asked, None)).await,
        }
    }

    async fn skip(&self, job: i64, asked: wire::Skip) -> Result<Decided, Failure> {
        match &self.reach {
            Reach::Service(_) => self.post(job, "skip", &asked).await,
            Reach::Ledger(ledger) => decide(&**ledger, Ok(Desk::skip(job, asked, None))).await,
        }
    }

    async fn again(&self, job: i64, asked: wire::Again) -> Result<Decided, Failure> {
        match &self.reach {
            Reach::Service(_) => self.post(job, "again", &asked).await,
            Reach::Ledger(ledger) => {
                decide(&**ledger, self.desk(&**ledger).again(job, asked, None).await).await
            }
        }
    }

    async fn edit(&self, job: i64, asked: wire::Edit) -> Result<Decided, Failure> {
        match &self.reach {
            Reach::Service(_) => self.post(job, "edit", &asked).await,
            Reach::Ledger(ledger) => {
                decide(&**ledger, self.desk(&**ledger).edit(job, asked, None).await).await
            }
        }
    }

    async fn post(&self, job: i64, action: &str, body: &impl Serialize) -> Result<Decided, Failure> {
        let Reach::Service(service) = &self.reach else {
            return Err(Failure::Work("no service is running; try again".into()));
        };
        service.post(service.url(&["api", "review", &job.to_string(), action]), body).await
    }

    async fn edit_by(&self, args: EditArgs, json: bool) -> Result<(), Failure> {
        let EditArgs { job: looked, file, part, alt, warning, reason, approve } = args;
        let draft = self.show(looked.job).await?;
        if draft.state != JobState::Review {
            let state = draft.state;
            return Err(Failure::Work(format!(
                "the state of job {} is {state}, so there is no translation to decide about",
                looked.job
            )));
        }
        let is_beside = !alt.is_empty() || warning.is_some();
        // What the editor saved stays until it is accepted.
        let mut saved = None;
        let text = match file {
            _ if !part.is_empty() => None,
            Some(file) => Some(read(&file)?),
            None if is_beside => None,
            None if !io::stdin().is_terminal() => Some(read(Path::new("-"))?),
            None => {
                let (path, text) = written(&draft)?;
                saved = Some(path);
                Some(text)
            }
        };
        let asked = wire::Edit {
            token: looked.token.unwrap_or(draft.token),
            text,
            parts: (!part.is_empty()).then_some(part),
            alts: (!alt.is_empty()).then_some(alt),
            warning,
            card: None,
            reason,
            approve,
        };
        let edited = self.edit(looked.job, asked).await;
        match (&edited, saved) {
            (Ok(_), Some(path)) => drop(fs::remove_file(path)),
            (Err(failure), Some(path)) => {
                let (job, path) = (looked.job, path.display());
                return Err(Failure::Work(format!(
                    "{failure}\nyour text is in {path}; correct it, then: mynah review edit {job} --file {path}"
                )));
            }
            _ => {}
        }
        let mut made = Made::default();
        made.add(looked.job, edited);
        made.report(
            if approve { "edited and approved" } else { "edited; `mynah review approve` publishes it" },
            json,
        )
    }
}

async fn decide(ledger: &dyn Ledger, review: Result<Review, ReviewError>) -> Result<Decided, Failure> {
    let review = review.map_err(|error| failed(&error))?;
    let reviewed = router::review(ledger, &[review], Timestamp::now()).await;
    let (reviewed, _) = reviewed.map_err(|error| Failure::Work(error.to_string()))?;
    decided(reviewed.into_iter().next()).map_err(|error| failed(&error))
}

/// The text in a file, or on standard input.
fn read(file: &Path) -> Result<String, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::Work(format!("{}: {error}", file.display()));
    let mut bytes = Vec::new();
    let done = if file == Path::new("-") {
        io::stdin().take(TEXT_MOST + 1).read_to_end(&mut bytes)
    } else {
        fs::File::open(file).and_then(|open| open.take(TEXT_MOST + 1).read_to_end(&mut bytes))
    };
    done.map_err(|error| wrong(&error))?;
    if bytes.len() as u64 > TEXT_MOST {
        return Err(wrong(
            &"the text is larger than 1 MiB; no network has longer ones than 25,000 characters",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong(&"the text is not UTF-8; save it as UTF-8"))?;
    let characters = text.chars().count();
    if characters > CHARACTERS_MOST {
        return Err(wrong(&format!(
            "the text has {characters} characters, and none may have more than {CHARACTERS_MOST}"
        )));
    }
    Ok(text)
}

/// The most characters of a text.
const CHARACTERS_MOST: usize = 25_000;

/// Lets the person edit a draft in the editor of their choice. Returns where the text is, and the text.
fn written(draft: &Draft) -> Result<(PathBuf, String), Failure> {
    let path = std::env::temp_dir().join(format!("mynah-review-{}-{}.txt", draft.job, fastrand::u64(..)));
    let wrong = |error: &dyn std::fmt::Display| Failure::Work(format!("{}: {error}", path.display()));
    let before = draft.parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| wrong(&error))?;
    file.write_all(before.as_bytes()).map_err(|error| wrong(&error))?;
    drop(file);
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| "vi".into());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let ended = Command::new(program).args(words).arg(&path).status();
    let ended = ended.map_err(|error| {
        Failure::Work(format!("cannot start the editor {program:?}: {error}; set EDITOR, or use --file"))
    })?;
    if !ended.success() {
        return Err(Failure::Work(format!(
            "the editor failed, so nothing was changed; your text is in {}",
            path.display()
        )));
    }
    let text = read(&path)?;
    if text.trim() == before.trim() {
        // Nothing in it is new.
        let _ = fs::remove_file(&path);
        return Err(Failure::Work("the text is as before, so nothing was changed".into()));
    }
    Ok((path, text))
}

/// How long ago, in the largest unit.
fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A draft for a person. Its texts are from others, so they are made printable.
fn described(draft: &Draft) -> String {
    let lines = |text: &str| -> String {
        let lines = text.lines().map(|line| format!("  {}\n", printable(line)));
        lines.collect()
    };
    let mut out = String::new();
    let mut write = |text: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = out.write_fmt(text);
    };
    let Draft { job, token, state, post, target, .. } = draft;
    write(format_args!("job {job}@{token}  {state}  post {}  for {target}\n", printable(post)));
    if draft.set_aside {
        write(format_args!("It gave its place in the line up: it is published late.\n"));
    }
    if let Some(warning) = &draft.warning {
        write(format_args!("\nWARNING\n{}", lines(warning)));
    }
    write(format_args!("\nPOST\n{}", lines(&draft.text)));
    let engine = draft.engine.as_deref().filter(|engine| !engine.is_empty()).unwrap_or("none");
    write(format_args!("\nTRANSLATION ({})\n", printable(engine)));
    if let Some(warning) = &draft.translated_warning {
        write(format_args!("  warning: {}\n", printable(warning)));
    }
    for (number, part) in (1..).zip(&draft.parts) {
        write(format_args!(
            " {number} of {}, length {} of {}\n{}",
            draft.parts.len(),
            part.length,
            part.limit,
            lines(&part.text)
        ));
    }
    if let Some(card) = &draft.card {
        write(format_args!("  card: {}: {}\n", printable(&card.title), printable(&card.description)));
    }
    for (number, medium) in (1..).zip(&draft.media) {
        let own = medium.alt.as_deref().unwrap_or("none");
        let translation = medium.translation.as_deref().unwrap_or("none");
        write(format_args!(
            "  {} {number}: {}\n   alt text: {}\n   translated: {}\n",
            printable(&medium.kind),
            printable(medium.url.as_deref().unwrap_or_default()),
            printable(own),
            printable(translation)
        ));
    }
    if !draft.findings.is_empty() {
        write(format_args!("\nFINDINGS\n"));
    }
    for Finding { about, rule, message, is_final, .. } in &draft.findings {
        let end = if *is_final { " (nobody can override this)" } else { "" };
        write(format_args!("  {}: {} [{}]{end}\n", printable(about), printable(message), printable(rule)));
    }
    if let Some(reason) = &draft.accepted {
        write(format_args!("  accepted: {}\n", printable(reason)));
    }
    if !draft.decisions.is_empty() {
        write(format_args!("\nDECISIONS\n"));
    }
    for wire::DraftDecision { at, who, action, note } in &draft.decisions {
        let who = who.as_deref().unwrap_or("somebody");
        let note = note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        write(format_args!("  {at:.0}  {}  {}{}\n", action.as_str(), printable(who), printable(&note)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_with_or_without_the_token_that_the_person_looked_at() {
        assert_eq!("7".parse(), Ok(Looked { job: 7, token: None }));
        assert_eq!("7@123".parse(), Ok(Looked { job: 7, token: Some(123) }));
        for wrong in ["", "seven", "7@", "@7", "7@x"] {
            assert!(wrong.parse::<Looked>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_age_has_one_unit() {
        let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        for (since, expected) in [
            ("2026-11-27T11:59:18Z", "42s"),
            ("2026-11-27T11:18:00Z", "42m"),
            ("2026-11-26T13:00:00Z", "23h"),
            ("2026-11-20T12:00:00Z", "7d"),
            ("2026-11-27T12:00:09Z", "0s"),
        ] {
            assert_eq!(age(since.parse().unwrap(), now), expected);
        }
    }
}
