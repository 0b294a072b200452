//! `mynah jobs` lists jobs that are waiting, held or failed; `mynah jobs retry`, `skip` and `unskip` change them. They
//! use the running service, or its ledger if no service is running.

use clap::{Args, Subcommand};
use mynah_actors::router::{self, Decision};
use mynah_domain::{
    JobId, JobState,
    ports::{Ledger, LedgerError},
};
use serde_json::{Value, json};

use super::{
    Failure,
    confirm::confirm,
    print_json, print_line,
    reach::{self, Reach},
    table, users,
};
use crate::{
    control::{
        self, PAGE,
        ahead::Timetable,
        choice::{choose, decide_all},
        configured::Configured,
        names::Names,
        wire::{Choice, Filter, Job, Jobs, Outcome, Query},
    },
    settings::Settings,
    telemetry::logging::{self},
};

/// How many characters of a post to show for a job without a reason.
const EXCERPT: usize = 60;

/// How many jobs to show.
const DEFAULT_LIMIT: usize = 50;

#[derive(Debug, Args)]
pub(super) struct JobsArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: ListArgs,
}

/// Which jobs to list.
#[derive(Debug, PartialEq, Eq, Args)]
struct ListArgs {
    /// Only jobs in these comma-separated states; by default all but published and skipped
    #[arg(long, value_name = "STATES", value_parser = known_states)]
    state: Option<String>,
    /// Only jobs of this target: its id, such as `x:example_es`, or its account
    #[arg(long)]
    target: Option<String>,
    /// Only jobs of this source: its name, its id, such as `x:example`, or its account
    #[arg(long)]
    source: Option<String>,
    /// Only jobs of this post, in any state
    #[arg(long, value_name = "ID")]
    post: Option<String>,
    /// Only jobs with these words in the post, its translation or the reason
    #[arg(long, value_name = "WORDS")]
    words: Option<String>,
    /// Show the newest first
    #[arg(long)]
    newest: bool,
    /// The maximum number of jobs to show
    #[arg(long, default_value_t = DEFAULT_LIMIT, value_name = "N")]
    limit: usize,
    /// Only jobs after this one, to continue the previous list
    #[arg(long, value_name = "JOB")]
    after: Option<i64>,
}

impl Default for ListArgs {
    fn default() -> Self {
        Self {
            state: None,
            target: None,
            source: None,
            post: None,
            words: None,
            newest: false,
            limit: DEFAULT_LIMIT,
            after: None,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Retry held and failed jobs, translating them if needed; also skipped ones if chosen by number or kind
    Retry(Chosen),
    /// Skip jobs that are not in progress; parts that are already published stay
    Skip(SkipArgs),
    /// Undo a skip: the jobs are again what they were before
    Unskip(Chosen),
}

#[derive(Debug, Args)]
struct SkipArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, Args)]
struct Chosen {
    /// The jobs' numbers
    #[arg(value_name = "JOB", conflicts_with = "filter", required_unless_present = "filter")]
    ids: Vec<i64>,
    #[command(flatten)]
    filter: ChosenBy,
}

#[derive(Debug, Args)]
#[group(id = "filter", multiple = true)]
struct ChosenBy {
    /// All jobs in these comma-separated states
    #[arg(long, value_name = "STATES", value_parser = known_states)]
    state: Option<String>,
    /// All jobs of this target
    #[arg(long)]
    target: Option<String>,
    /// All jobs of this source
    #[arg(long)]
    source: Option<String>,
    /// All jobs held for this kind of reason: `gate`, `too_long`, `refused`, …; for a retry also skipped ones:
    /// `other_language`, `already_in_language`, `withheld`, `catch_up`
    #[arg(long)]
    kind: Option<String>,
}

fn known_states(list: &str) -> Result<String, String> {
    control::states(list).map(|_| list.to_owned()).map_err(|error| error.to_string())
}

pub(super) async fn jobs(args: JobsArgs, json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let JobsArgs { action, list } = args;
    if action.is_some() && list != ListArgs::default() {
        // Otherwise, `mynah jobs --target example_es retry --state held` would retry the held jobs of all targets.
        return Err(Failure::Usage(
            "options before retry, skip or unskip choose no jobs; write them after it".into(),
        ));
    }
    match action {
        Some(Action::Retry(chosen)) => {
            decide(choice(chosen, Decision::Retry)?, Decision::Retry, json, settings).await
        }
        Some(Action::Skip(SkipArgs { chosen, yes })) => {
            let choice = choice(chosen, Decision::Skip)?;
            if !yes {
                confirm(&question(&choice))?;
            }
            decide(choice, Decision::Skip, json, settings).await
        }
        Some(Action::Unskip(chosen)) => {
            decide(choice(chosen, Decision::Unskip)?, Decision::Unskip, json, settings).await
        }
        None => show(list, json, settings).await,
    }
}

/// What to ask before jobs are skipped.
fn question(choice: &Choice) -> String {
    let which = match choice {
        Choice { ids: Some(ids), .. } if ids.len() == 1 => format!("job {}", ids[0]),
        Choice { ids: Some(ids), .. } => format!("{} jobs", ids.len()),
        Choice { filter, .. } => {
            let Filter { state, target, source, kind } = filter.clone().unwrap_or_default();
            let states: Vec<&str> = state.iter().map(|state| state.as_str()).collect();
            let parts = [
                Some("all".to_owned()),
                Some(states.join(" and ")).filter(|states| !states.is_empty()),
                Some("jobs".to_owned()),
                target.map(|target| format!("of {target}")),
                source.map(|source| format!("of the source {source}")),
                kind.map(|kind| format!("of the kind {kind}")),
            ];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
    };
    format!("Skip {which}? They are not published; `mynah jobs unskip` undoes it.")
}

async fn show(args: ListArgs, json: bool, settings: &Settings) -> Result<(), Failure> {
    let mut query = Query {
        state: args.state,
        target: args.target,
        source: args.source,
        post: args.post,
        words: args.words,
        newest_first: args.newest,
        limit: None,
        after: args.after,
    };
    let reach = reach(settings).await?;
    let mut all = Jobs { jobs: Vec::new(), next: None };
    while all.jobs.len() < args.limit {
        query.limit = Some((args.limit - all.jobs.len()).min(PAGE));
        let page = page(&reach, &query, settings).await?;
        all.jobs.extend(page.jobs);
        all.next = page.next;
        if page.next.is_none() {
            break;
        }
        query.after = page.next;
    }
    if json {
        print_json(&json!(all));
        return Ok(());
    }
    if all.jobs.is_empty() {
        print_line("no matching jobs");
        return Ok(());
    }
    table::print(["JOB", "POST", "TARGET", "STATE", "SINCE", "REASON"], all.jobs.into_iter().map(row));
    if let Some(next) = all.next {
        print_line(format_args!("There are more: use --after {next} to continue, or a larger --limit."));
    }
    Ok(())
}

/// Fails if the service has never run, instead of creating an empty ledger.
pub(super) async fn reach(settings: &Settings) -> Result<Reach, Failure> {
    if !settings.place().may_exist() {
        let data_dir = settings.data_dir.display();
        return Err(Failure::Work(format!(
            "nothing is on record in {data_dir} yet; check data_dir, or start with `mynah run`"
        )));
    }
    reach::reach(settings).await
}

async fn page(reach: &Reach, query: &Query, settings: &Settings) -> Result<Jobs, Failure> {
    match reach {
        Reach::Service(service) => {
            let mut url = service.url(&["api", "jobs"]);
            url.query_pairs_mut().extend_pairs(pairs_of(query));
            service.get(url).await
        }
        Reach::Ledger(ledger) => {
            let failed = |error: &dyn std::fmt::Display| Failure::Work(error.to_string());
            let filter = control::filter(query, &Names::of(settings)).map_err(|error| failed(&error))?;
            let limit = query.limit.unwrap_or(PAGE);
            let timetable = Timetable::of(&Configured::of(settings, &[]).targets);
            control::list(&**ledger, &filter, query.after.map(JobId), limit, &timetable)
                .await
                .map_err(|error| failed(&error))
        }
    }
}

/// The query as the API reads it, whatever fields it has.
fn pairs_of(query: &Query) -> Vec<(String, String)> {
    // A struct of strings, numbers and flags always serializes to an object.
    let Value::Object(fields) = json!(query) else { return Vec::new() };
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields.into_iter().map(|(name, value)| (name, text(value))).collect()
}

fn row(job: Job) -> [String; 6] {
    let state = match &job.kind {
        Some(kind) => format!("{} ({kind})", job.state),
        None => job.state.to_string(),
    };
    let messages: Vec<&str> =
        job.messages.iter().map(|one| one.url.as_ref().unwrap_or(&one.id).as_str()).collect();
    let rejected = job.rejected.as_ref().map(|rejected| excerpt(&rejected.text));
    let text = if job.text_removed { "(text removed)".to_owned() } else { excerpt(&job.text) };
    let reason = match (job.reason, rejected) {
        (Some(reason), Some(rejected)) => format!("{reason}: {rejected}"),
        (Some(reason), None) => reason,
        (None, _) if !messages.is_empty() => format!("{} {text}", messages.join(" ")),
        (None, _) => text,
    };
    let reason = match (job.next_at, &job.waits_for, job.not_before) {
        (Some(next), Some(why), not_before) if not_before != Some(next) => {
            format!("next at {next:.0} ({why}): {reason}")
        }
        (_, _, Some(moment)) => format!("until {moment:.0}: {reason}"),
        _ => reason,
    };
    [job.id.to_string(), job.post, job.target, state, format!("{:.0}", job.updated_at), reason]
}

/// The beginning of a text, in quotes.
pub(super) fn excerpt(text: &str) -> String {
    let head: String = text.chars().take(EXCERPT).collect();
    if head.len() < text.len() { format!("“{head}…”") } else { format!("“{head}”") }
}

async fn decide(choice: Choice, decision: Decision, json: bool, settings: &Settings) -> Result<(), Failure> {
    let outcome = match reach(settings).await? {
        Reach::Service(service) => {
            let word = match decision {
                Decision::Retry => "retry",
                Decision::Skip => "skip",
                Decision::Unskip => "unskip",
            };
            service.post(service.url(&["api", "jobs", word]), &choice).await?
        }
        Reach::Ledger(ledger) => on_ledger(&*ledger, choice, decision, settings).await?,
    };
    report(&outcome, decision, json)
}

fn choice(Chosen { ids, filter }: Chosen, decision: Decision) -> Result<Choice, Failure> {
    if !ids.is_empty() {
        return Ok(Choice { ids: Some(ids), filter: None });
    }
    let wrong = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    let state: Vec<JobState> =
        filter.state.as_deref().map_or(Ok(Vec::new()), control::states).map_err(|e| wrong(&e))?;
    let filter = Filter { state, target: filter.target, source: filter.source, kind: filter.kind };
    let choice = Choice { ids: None, filter: Some(filter) };
    // Mistakes that do not depend on the targets count as wrong usage.
    let mut without_target = choice.clone();
    if let Some(filter) = &mut without_target.filter
        && (filter.target.is_some() || filter.source.is_some())
    {
        filter.target = Some("x:any".to_owned());
        filter.source = None;
    }
    choose(without_target, decision, &Names::default()).map_err(|error| wrong(&error))?;
    Ok(choice)
}

async fn on_ledger(
    ledger: &dyn Ledger,
    choice: Choice,
    decision: Decision,
    settings: &Settings,
) -> Result<Outcome, Failure> {
    let chosen =
        choose(choice, decision, &Names::of(settings)).map_err(|error| Failure::Work(error.to_string()))?;
    let author = users::author();
    let act = async |jobs: Vec<JobId>| -> Result<_, LedgerError> {
        Ok(router::decide(ledger, &jobs, decision, &author).await?.0)
    };
    decide_all(ledger, chosen, act).await.map_err(|error| Failure::Work(error.to_string()))
}

fn report(outcome: &Outcome, decision: Decision, json: bool) -> Result<(), Failure> {
    let changed = match outcome.changed {
        1 => "1 job".to_owned(),
        many => format!("{many} jobs"),
    };
    if json {
        print_json(&json!(outcome));
    } else {
        print_line(match decision {
            Decision::Retry => format!("{changed} will be retried"),
            Decision::Skip => format!("{changed} skipped"),
            Decision::Unskip => format!("{changed} restored"),
        });
    }
    if outcome.refused_in_all == 0 {
        return Ok(());
    }
    let lines: Vec<String> =
        outcome.refused.iter().map(|refused| format!("\n  {}: {}", refused.id, refused.why)).collect();
    let more = match outcome.refused_in_all.saturating_sub(outcome.refused.len() as u64) {
        0 => String::new(),
        more => format!("\n  … and {more} more"),
    };
    let count = outcome.refused_in_all;
    let jobs = if count == 1 {
        "1 job was not changed".to_owned()
    } else {
        format!("{count} jobs were not changed")
    };
    Err(Failure::Work(format!("{jobs}:{}{more}", lines.concat())))
}
