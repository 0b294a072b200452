//! Operators inspect and change jobs and pauses through the admin API of a running service, or on the ledger itself if
//! no service is running. Both ways share this module, so that names, filters and decisions mean the same in both.
//!
//! - [`names`]: resolves the names of sources and targets.
//! - [`ahead`]: when jobs may go on, and what they wait for.
//! - [`choice`]: selects jobs, and retries or skips them a page at a time.
//! - [`forget`]: removes the texts of posts.
//! - [`configured`]: the part of the settings that requests need.
//! - [`overview`]: the health of accounts and engines, and what is degraded.
//! - [`instances`]: which instances share the ledger, and what each holds.
//! - [`news`]: lets all instances do what one was asked.
//! - [`people`]: the users, and what people decided.
//! - [`reloads`]: how the last reloads went.
//! - [`review`]: drafts, and decisions of people about them.
//! - [`measure`]: collects measurements.
//! - [`vitals`]: checks whether the service can work right now.
//! - [`wire`]: the JSON that the API, the commands and scripts exchange.

pub mod ahead;
pub mod choice;
pub mod configured;
pub mod costs;
pub mod forget;
pub mod instances;
pub mod measure;
pub mod names;
pub mod news;
pub mod overview;
pub mod people;
pub mod reloads;
pub mod review;
pub mod vitals;
pub mod wire;

use ahead::Timetable;
use jiff::Timestamp;
use mynah_domain::{
    JobId, JobState, PostId,
    ports::{
        Ledger, LedgerError,
        ledger::{JobFilter, JobLine},
    },
};
use names::Names;

/// The most jobs to read or change at once: limits memory, and how long other users of the ledger wait.
pub const PAGE: usize = 500;

/// A request that cannot be understood. The text explains what is valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRequest(pub String);

/// Reads a comma-separated list of states.
///
/// # Errors
/// An unknown state; the error lists the valid ones.
pub fn states(list: &str) -> Result<Vec<JobState>, InvalidRequest> {
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| {
            JobState::from_name(name).ok_or_else(|| {
                let all = JobState::ALL.map(JobState::as_str).join(", ");
                InvalidRequest(format!("unknown state {name:?}; valid states: {all}"))
            })
        })
        .collect()
}

/// The states that a listing shows by default.
pub fn unfinished() -> Vec<JobState> {
    let done = [JobState::Published, JobState::Skipped];
    JobState::ALL.into_iter().filter(|state| !done.contains(state)).collect()
}

/// The filter for a listing.
///
/// # Errors
/// An unknown state, target or source.
pub fn filter(query: &wire::Query, names: &Names) -> Result<JobFilter, InvalidRequest> {
    let states = match query.state.as_deref() {
        // A query for one post shows its jobs in every state.
        None if query.post.is_some() => Vec::new(),
        None => unfinished(),
        Some(list) => states(list)?,
    };
    Ok(JobFilter {
        ids: Vec::new(),
        states,
        targets: names.chosen(query.target.as_deref(), query.source.as_deref())?,
        post: query.post.clone().map(PostId),
        kind: None,
        words: query.words.clone().filter(|words| !words.trim().is_empty()),
        newest_first: query.newest_first,
    })
}

/// A page of jobs.
///
/// # Errors
/// The ledger cannot be read.
pub async fn list(
    ledger: &dyn Ledger,
    filter: &JobFilter,
    after: Option<JobId>,
    limit: usize,
    timetable: &Timetable,
) -> Result<wire::Jobs, LedgerError> {
    let limit = limit.clamp(1, PAGE);
    // One extra line shows whether there is another page.
    let mut lines = ledger.jobs(filter, after, limit + 1).await?;
    let more = lines.len() > limit;
    lines.truncate(limit);
    let next = lines.last().filter(|_| more).map(|last| last.id.0);
    let now = Timestamp::now();
    let job = |line: JobLine| {
        let (next_at, waits_for) = timetable.next(&line, now).unzip();
        wire::Job { next_at, waits_for, ..wire::Job::from(line) }
    };
    Ok(wire::Jobs { jobs: lines.into_iter().map(job).collect(), next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_a_listing_shows_unfinished_jobs() {
        let all = filter(&wire::Query::default(), &Names::default()).unwrap();
        assert!(all.states.contains(&JobState::Failed) && !all.states.contains(&JobState::Published));
        let post = wire::Query { post: Some("7".into()), ..wire::Query::default() };
        assert!(filter(&post, &Names::default()).unwrap().states.is_empty());
        let named = wire::Query { state: Some("held, failed".into()), ..wire::Query::default() };
        assert_eq!(filter(&named, &Names::default()).unwrap().states, [JobState::Held, JobState::Failed]);
        let wrong = wire::Query { state: Some("hold".into()), ..wire::Query::default() };
        assert!(filter(&wrong, &Names::default()).unwrap_err().0.contains("valid states: queued, "));
    }
}
