//! Which jobs a person means, and deciding about all of them a bounded number at a time.

use mynah_actors::router::{Decided, Decision};
use mynah_domain::{
    JobId, JobState, Skip, TargetId,
    job::HoldKind,
    ports::{Ledger, LedgerError, ledger::JobFilter},
};

use super::{
    NotUnderstood, PAGE, names,
    wire::{Choice, Filter, Outcome, Refused},
};

/// The jobs that are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// These.
    Ids(Vec<JobId>),
    /// All that the filter lets through.
    Filter(JobFilter),
}

/// Understands which jobs are meant.
///
/// # Errors
/// Says what is missing or not understood. A filter must name something: nobody means every job there is by a slip.
pub fn choose(choice: Choice, decision: Decision, targets: &[TargetId]) -> Result<Chosen, NotUnderstood> {
    match (choice.ids, choice.filter) {
        (Some(ids), None) if !ids.is_empty() => Ok(Chosen::Ids(ids.into_iter().map(JobId).collect())),
        (None, Some(filter)) => filtered(filter, decision, targets).map(Chosen::Filter),
        _ => Err(NotUnderstood(
            "say which jobs are meant: by their numbers, or by state, target or kind, and not by both".into(),
        )),
    }
}

fn filtered(filter: Filter, decision: Decision, targets: &[TargetId]) -> Result<JobFilter, NotUnderstood> {
    if filter == Filter::default() {
        return Err(NotUnderstood("name at least a state, a target or a kind".into()));
    }
    let applies_to = decision.applies_to();
    if let Some(state) = filter.state.iter().find(|state| !applies_to.contains(state)) {
        let names: Vec<&str> = applies_to.iter().map(|state| state.as_str()).collect();
        let what = match decision {
            Decision::Retry => "retried",
            Decision::Skip => "skipped",
        };
        return Err(NotUnderstood(format!("{state} jobs cannot be {what}; these can: {}", names.join(", "))));
    }
    let mut kinds = HoldKind::ALL.map(HoldKind::as_str).to_vec();
    if decision == Decision::Retry {
        kinds.extend(Skip::RETRYABLE.map(Skip::as_str));
    }
    if let Some(kind) = filter.kind.as_deref().filter(|kind| !kinds.contains(kind)) {
        return Err(NotUnderstood(format!("nothing is held for {kind:?}; there are {}", kinds.join(", "))));
    }
    let states = match filter.kind.as_deref() {
        _ if !filter.state.is_empty() => filter.state,
        Some(kind) if Skip::is_retryable(kind) => vec![JobState::Skipped],
        // A retry of everything on a target must not publish what was skipped there over the years.
        _ => applies_to.iter().copied().filter(|state| *state != JobState::Skipped).collect(),
    };
    Ok(JobFilter {
        states,
        target: filter.target.as_deref().map(|name| names::target(name, targets)).transpose()?,
        kind: filter.kind,
        ..JobFilter::default()
    })
}

/// Decides about all that is chosen, `PAGE` jobs at a time; `act` changes them.
///
/// # Errors
/// Where the ledger cannot be read, or `act` fails; what was changed before stays so.
pub async fn decide_all<E: From<LedgerError>>(
    ledger: &dyn Ledger,
    chosen: Chosen,
    mut act: impl AsyncFnMut(Vec<JobId>) -> Result<Vec<Decided>, E>,
) -> Result<Outcome, E> {
    let mut outcome = Outcome::default();
    match chosen {
        Chosen::Ids(ids) => {
            for page in ids.chunks(PAGE) {
                add(&mut outcome, act(page.to_vec()).await?);
            }
        }
        Chosen::Filter(filter) => {
            let mut after = None;
            loop {
                let page: Vec<JobId> =
                    ledger.jobs(&filter, after, PAGE).await?.iter().map(|job| job.id).collect();
                let Some(last) = page.last() else { break };
                after = Some(*last);
                add(&mut outcome, act(page).await?);
            }
        }
    }
    Ok(outcome)
}

fn add(outcome: &mut Outcome, decided: Vec<Decided>) {
    for (id, result) in decided {
        match result {
            Ok(()) => outcome.changed += 1,
            Err(why) => {
                outcome.refused_in_all += 1;
                if outcome.refused.len() < PAGE {
                    outcome.refused.push(Refused { id: id.0, why: why.to_string() });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use mynah_actors::router::{self, Refusal};
    use mynah_domain::{
        Hold, JobEvent, Post, PostId, PostKind, Translation,
        ports::{
            SystemClock,
            ledger::{Change, Progress, RecordPage, RecordPost},
        },
    };

    use super::*;
    use crate::ledger::SqliteLedger;

    /// A ledger with so many queued jobs, and their numbers.
    async fn ledger(folder: &tempfile::TempDir, jobs: u64) -> (SqliteLedger, Vec<JobId>) {
        let file = folder.path().join("ledger.sqlite");
        let ledger = SqliteLedger::open(&file, Arc::new(SystemClock)).unwrap();
        let posts = (1..=jobs).map(|position| RecordPost {
            post: Arc::new(Post {
                id: PostId(position.to_string()),
                position,
                text: "Hello".into(),
                entities: None,
                language: None,
                kind: PostKind::Original,
                created_at: Timestamp::UNIX_EPOCH,
                media: vec![],
                versions: vec![],
            }),
            jobs: vec![(TargetId::new("x", "town_es"), None)],
            unreadable: None,
        });
        let page =
            RecordPage { source: "x:town".into(), posts: posts.collect(), progress: Progress::default() };
        ledger.record(page).await.unwrap();
        let all = ledger.jobs(&JobFilter::default(), None, usize::MAX).await.unwrap();
        (ledger, all.into_iter().map(|job| job.id).collect())
    }

    #[actix_rt::test]
    async fn however_many_are_meant_they_are_taken_a_page_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, jobs) = ledger(&folder, 1201).await;
        let chosen = Chosen::Filter(JobFilter { states: vec![JobState::Queued], ..JobFilter::default() });
        let mut pages = Vec::new();
        let outcome = decide_all(&ledger, chosen, async |page: Vec<JobId>| {
            pages.push(page.len());
            let decided = router::decide(&ledger, &page, Decision::Skip).await?;
            Ok::<_, LedgerError>(decided.0)
        });
        let outcome = outcome.await.unwrap();
        assert_eq!((outcome.changed, outcome.refused_in_all), (1201, 0));
        assert_eq!(pages, [500, 500, 201]);
        let again = decide_all(&ledger, Chosen::Ids(jobs), async |page: Vec<JobId>| {
            Ok::<_, LedgerError>(router::decide(&ledger, &page, Decision::Skip).await?.0)
        });
        let again = again.await.unwrap();
        assert_eq!((again.changed, again.refused.len(), again.refused_in_all), (0, PAGE, 1201));
    }

    #[actix_rt::test]
    async fn a_decision_does_what_a_job_allows_and_says_why_not() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, jobs) = ledger(&folder, 4).await;
        let translated = || {
            JobEvent::Translated(Translation {
                parts: vec!["Hola".into()],
                engine: "test".into(),
                alts: vec![],
            })
        };
        let refused = || JobEvent::Held(Hold { kind: HoldKind::Refused, reason: "no".into(), until: None });
        let begun = JobEvent::PartBegun { part: 0, text: "Hola".into() };
        let (lease, publish) = (JobEvent::LeasedForTranslation, JobEvent::LeasedForPublication);
        let ways = [
            vec![vec![refused()]],
            vec![vec![lease.clone()], vec![translated(), refused()]],
            vec![vec![lease.clone()], vec![translated(), publish], vec![begun, refused()]],
            vec![vec![lease]],
        ];
        for (job, way) in jobs.iter().zip(ways) {
            let mut token = 0;
            for events in way {
                let change = Change { job: *job, token, events };
                token = ledger.advance(vec![change]).await.unwrap().remove(0).unwrap().token;
            }
        }
        let decide = async |decision: Decision| router::decide(&ledger, &jobs, decision).await.unwrap();
        let (skipped, _) = decide(Decision::Skip).await;
        let outcomes: Vec<_> = skipped.into_iter().map(|(_, outcome)| outcome).collect();
        let in_hand = Refusal::PastSkipping(JobState::Translating);
        assert_eq!(outcomes, [Ok(()), Ok(()), Err(Refusal::Unanswered), Err(in_hand)]);
        let (retried, lines) = decide(Decision::Retry).await;
        let outcomes: Vec<_> = retried.into_iter().map(|(_, outcome)| outcome).collect();
        let for_good = || Err(Refusal::SkippedForGood("by_hand".into()));
        let not = |state| Err(Refusal::NothingToRetry(state));
        assert_eq!(outcomes, [for_good(), for_good(), Ok(()), not(JobState::Translating)]);
        assert_eq!(lines.into_iter().collect::<Vec<_>>(), [TargetId::new("x", "town_es")]);
        let states: Vec<JobState> = ledger
            .jobs(&JobFilter::default(), None, 9)
            .await
            .unwrap()
            .into_iter()
            .map(|job| job.state)
            .collect();
        assert_eq!(states[2..], [JobState::Ready, JobState::Translating]);
    }

    fn choice(json: &str) -> Result<Chosen, String> {
        let choice: Choice = serde_json::from_str(json).map_err(|error| error.to_string())?;
        choose(choice, Decision::Retry, &[TargetId::new("x", "town_es")]).map_err(|error| error.to_string())
    }

    #[test]
    fn jobs_are_meant_by_number_or_by_what_they_have_in_common() {
        assert_eq!(choice(r#"{"ids": [3, 1]}"#), Ok(Chosen::Ids(vec![JobId(3), JobId(1)])));
        let by_kind = JobFilter {
            states: vec![JobState::Held, JobState::Failed],
            kind: Some("gate".into()),
            target: Some(TargetId::new("x", "town_es")),
            ..JobFilter::default()
        };
        let filter = r#"{"filter": {"kind": "gate", "target": "town_es"}}"#;
        assert_eq!(choice(filter), Ok(Chosen::Filter(by_kind)));
    }

    #[test]
    fn skipped_jobs_are_meant_only_where_they_are_named() {
        let states = |filter: &str| match choice(&format!(r#"{{"filter": {filter}}}"#)) {
            Ok(Chosen::Filter(filter)) => filter.states,
            other => panic!("{other:?}"),
        };
        for kind in ["other_language", "already_in_language", "withheld"] {
            assert_eq!(states(&format!(r#"{{"kind": "{kind}"}}"#)), [JobState::Skipped]);
        }
        assert_eq!(states(r#"{"state": ["skipped"]}"#), [JobState::Skipped]);
        for filter in
            [r#"{"target": "town_es"}"#, r#"{"kind": "gate"}"#, r#"{"kind": "stalled", "target": "town_es"}"#]
        {
            assert_eq!(states(filter), [JobState::Held, JobState::Failed], "{filter}");
        }
        for kind in ["reply", "by_hand", "wordless"] {
            choice(&format!(r#"{{"filter": {{"kind": "{kind}"}}}}"#)).unwrap_err();
        }
    }

    #[test]
    fn a_slip_means_no_job_at_all() {
        for (json, why) in [
            ("{}", "say which jobs"),
            (r#"{"ids": []}"#, "say which jobs"),
            (r#"{"ids": [1], "filter": {"state": ["held"]}}"#, "not by both"),
            (r#"{"filter": {}}"#, "at least a state"),
            (
                r#"{"filter": {"state": ["queued"]}}"#,
                "queued jobs cannot be retried; these can: held, failed, skipped",
            ),
            (r#"{"filter": {"kind": "gte"}}"#, "there are cap, gate, "),
            (r#"{"filter": {"target": "town_de"}}"#, "there are x:town_es"),
            (r#"{"filter": {"stat": ["held"]}}"#, "unknown field"),
        ] {
            let told = choice(json).unwrap_err();
            assert!(told.contains(why), "{json}: {told}");
        }
    }
}
