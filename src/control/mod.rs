//! What a person may look at and decide, whether a service runs or not: the admin API does it on the running one, the
//! commands do it on the ledger itself where none runs. Both must mean the same by a name, a filter and a decision.
//!
//! - [`names`]: what a person calls a target, the poller or all of them.
//! - [`choice`]: which jobs are meant, and deciding about them in bounded pieces.
//! - [`measure`]: what was measured.
//! - [`vitals`]: whether the service could do its work right now.
//! - [`wire`]: the JSON that goes between the API, the commands and scripts.

pub mod choice;
pub mod measure;
pub mod names;
pub mod vitals;
pub mod wire;

use mynah_domain::{
    JobId, JobState, PostId, TargetId,
    ports::{Ledger, LedgerError, ledger::JobFilter},
};

/// The most jobs that are looked at or changed at once: bounds memory, and how long the ledger serves nobody else.
pub const PAGE: usize = 500;

/// What a person asked for is not understood. The text says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotUnderstood(pub String);

/// Reads a list of states, parted by commas.
///
/// # Errors
/// Names the states there are.
pub fn states(list: &str) -> Result<Vec<JobState>, NotUnderstood> {
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| {
            JobState::from_name(name).ok_or_else(|| {
                let all = JobState::ALL.map(JobState::as_str).join(", ");
                NotUnderstood(format!("there is no state {name:?}; there are {all}"))
            })
        })
        .collect()
}

/// What is not done: the states that are listed where nobody names any.
pub fn undone() -> Vec<JobState> {
    let done = [JobState::Published, JobState::Skipped];
    JobState::ALL.into_iter().filter(|state| !done.contains(state)).collect()
}

/// The filter of a listing.
///
/// # Errors
/// Says what is not understood.
pub fn filter(query: &wire::Query, targets: &[TargetId]) -> Result<JobFilter, NotUnderstood> {
    let states = match query.state.as_deref() {
        // Who asks for one post wants to know all about it.
        None if query.post.is_some() => Vec::new(),
        None => undone(),
        Some(list) => states(list)?,
    };
    Ok(JobFilter {
        ids: Vec::new(),
        states,
        target: query.target.as_deref().map(|name| names::target(name, targets)).transpose()?,
        post: query.post.clone().map(PostId),
        kind: None,
        words: query.words.clone().filter(|words| !words.trim().is_empty()),
        newest_first: query.newest_first,
    })
}

/// A page of jobs.
///
/// # Errors
/// Where the ledger cannot be read.
pub async fn list(
    ledger: &dyn Ledger,
    filter: &JobFilter,
    after: Option<JobId>,
    limit: usize,
) -> Result<wire::Jobs, LedgerError> {
    let limit = limit.clamp(1, PAGE);
    // One more than is shown tells whether there are more.
    let mut lines = ledger.jobs(filter, after, limit + 1).await?;
    let more = lines.len() > limit;
    lines.truncate(limit);
    let next = lines.last().filter(|_| more).map(|last| last.id.0);
    Ok(wire::Jobs { jobs: lines.into_iter().map(wire::Job::from).collect(), next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_without_a_word_is_what_is_not_done() {
        let all = filter(&wire::Query::default(), &[]).unwrap();
        assert!(all.states.contains(&JobState::Failed) && !all.states.contains(&JobState::Published));
        let post = wire::Query { post: Some("7".into()), ..wire::Query::default() };
        assert!(filter(&post, &[]).unwrap().states.is_empty());
        let named = wire::Query { state: Some("held, failed".into()), ..wire::Query::default() };
        assert_eq!(filter(&named, &[]).unwrap().states, [JobState::Held, JobState::Failed]);
        let wrong = wire::Query { state: Some("hold".into()), ..wire::Query::default() };
        assert!(filter(&wrong, &[]).unwrap_err().0.contains("there are queued, "));
    }
}
