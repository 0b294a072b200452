//! Selects the jobs that an operator wants to retry or skip, by number or filter. Decisions run a page at a time, so
//! that a selection of any size takes bounded memory.

use mynah_actors::router::{Decided, Decision};
use mynah_domain::{
    JobId, JobState, Skip,
    job::HoldKind,
    ports::{Ledger, LedgerError, ledger::JobFilter},
};

use super::{
    InvalidRequest, PAGE,
    names::Names,
    wire::{Choice, Filter, Outcome, Refused},
};

/// The selected jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// Jobs with these numbers.
    Ids(Vec<JobId>),
    /// All jobs that match the filter.
    Filter(JobFilter),
}

/// Checks and resolves a choice of jobs.
///
/// # Errors
/// Something is missing or unknown. An empty filter is an error: a typo must never select every job.
pub fn choose(choice: Choice, decision: Decision, names: &Names) -> Result<Chosen, InvalidRequest> {
    match (choice.ids, choice.filter) {
        (Some(ids), None) if !ids.is_empty() => Ok(Chosen::Ids(ids.into_iter().map(JobId).collect())),
        (None, Some(filter)) => filtered(filter, decision, names).map(Chosen::Filter),
        _ => Err(InvalidRequest(
            "choose jobs either by number, or by state, source, target or kind, but not both".into(),
        )),
    }
}

fn filtered(filter: Filter, decision: Decision, names: &Names) -> Result<JobFilter, InvalidRequest> {
    if filter == Filter::default() {
        return Err(InvalidRequest("name at least a state, a source, a target or a kind".into()));
    }
    let applies_to = decision.applies_to();
    if let Some(state) = filter.state.iter().find(|state| !applies_to.contains(state)) {
        let names: Vec<&str> = applies_to.iter().map(|state| state.as_str()).collect();
        let what = match decision {
            Decision::Retry => "retried",
            Decision::Skip => "skipped",
            Decision::Unskip => "restored",
        };
        return Err(InvalidRequest(format!(
            "{state} jobs cannot be {what}; these can: {}",
            names.join(", ")
        )));
    }
    let kinds: Vec<&str> = match decision {
        Decision::Retry => {
            HoldKind::ALL.map(HoldKind::as_str).into_iter().chain(Skip::RETRYABLE.map(Skip::as_str)).collect()
        }
        Decision::Skip => HoldKind::ALL.map(HoldKind::as_str).to_vec(),
        Decision::Unskip => vec![Skip::ByHand.as_str()],
    };
    if let Some(kind) = filter.kind.as_deref().filter(|kind| !kinds.contains(kind)) {
        return Err(InvalidRequest(format!("unknown kind {kind:?}; valid kinds: {}", kinds.join(", "))));
    }
    let states = match filter.kind.as_deref() {
        _ if !filter.state.is_empty() => filter.state,
        Some(kind) if Skip::is_retryable(kind) => vec![JobState::Skipped],
        _ if decision == Decision::Unskip => vec![JobState::Skipped],
        // A retry of a whole target must not publish years of skipped posts.
        _ => applies_to.iter().copied().filter(|state| *state != JobState::Skipped).collect(),
    };
    Ok(JobFilter {
        states,
        targets: names.chosen(filter.target.as_deref(), filter.source.as_deref())?,
        kind: match decision {
            // Most skips are decided by the settings, which no undo changes.
            Decision::Unskip => Some(Skip::ByHand.as_str().to_owned()),
            Decision::Retry | Decision::Skip => filter.kind,
        },
        ..JobFilter::default()
    })
}

/// Calls `act` to change all chosen jobs, `PAGE` jobs at a time.
///
/// # Errors
/// The ledger cannot be read, or `act` fails; earlier pages stay changed.
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
        AccountId, Hold, JobEvent, Post, PostId, PostKind, PublicationKey, TargetId, Translation,
        people::Author,
        ports::{
            SystemClock,
            ledger::{Change, Checkpoint, RecordPage, RecordPost},
        },
    };

    use super::*;
    use crate::ledger;

    /// A ledger with `jobs` queued jobs, and their numbers.
    async fn ledger(folder: &tempfile::TempDir, jobs: u64) -> (Arc<dyn Ledger>, Vec<JobId>) {
        let file = folder.path().join("ledger.sqlite");
        let ledger = ledger::open(&file, Arc::new(SystemClock)).unwrap();
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
                has_poll: false,
                warning: None,
                is_sensitive: false,
                card: None,
                versions: vec![],
            }),
            jobs: vec![(TargetId::new("x", "town_es"), None)],
            unreadable: None,
        });
        let page = RecordPage {
            source: "x:town".into(),
            posts: posts.collect(),
            checkpoint: Checkpoint::default(),
            settles: None,
        };
        ledger.record(page).await.unwrap();
        let all = ledger.jobs(&JobFilter::default(), None, usize::MAX).await.unwrap();
        (ledger, all.into_iter().map(|job| job.id).collect())
    }

    fn nobody() -> Author {
        Author { who: None, at: Timestamp::UNIX_EPOCH }
    }

    #[actix_rt::test]
    async fn any_number_of_jobs_is_changed_a_page_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, jobs) = ledger(&folder, 1201).await;
        let chosen = Chosen::Filter(JobFilter { states: vec![JobState::Queued], ..JobFilter::default() });
        let mut pages = Vec::new();
        let outcome = decide_all(&*ledger, chosen, async |page: Vec<JobId>| {
            pages.push(page.len());
            let decided = router::decide(&*ledger, &page, Decision::Skip, &nobody()).await?;
            Ok::<_, LedgerError>(decided.0)
        });
        let outcome = outcome.await.unwrap();
        assert_eq!((outcome.changed, outcome.refused_in_all), (1201, 0));
        assert_eq!(pages, [500, 500, 201]);
        let again = decide_all(&*ledger, Chosen::Ids(jobs), async |page: Vec<JobId>| {
            Ok::<_, LedgerError>(router::decide(&*ledger, &page, Decision::Skip, &nobody()).await?.0)
        });
        let again = again.await.unwrap();
        assert_eq!((again.changed, again.refused.len(), again.refused_in_all), (0, PAGE, 1201));
    }

    #[actix_rt::test]
    async fn a_decision_changes_the_jobs_it_may_and_explains_each_refusal() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, jobs) = ledger(&folder, 4).await;
        let translated = || {
            JobEvent::Translated(Translation {
                parts: vec!["Hola".into()],
                engine: "test".into(),
                alts: vec![],
                warning: None,
                card: None,
            })
        };
        let refused = || JobEvent::Held(Hold { kind: HoldKind::Refused, reason: "no".into(), until: None });
        let begun = JobEvent::PartBegun {
            part: 0,
            account: AccountId::from("x:town_es"),
            text: "Hola".into(),
            key: PublicationKey::new(Timestamp::UNIX_EPOCH),
            reply: None,
            cost: None,
        };
        let (lease, publish) = (JobEvent::LeasedForTranslation, JobEvent::LeasedForPublication);
        let histories = [
            vec![vec![refused()]],
            vec![vec![lease.clone()], vec![translated(), refused()]],
            vec![vec![lease.clone()], vec![translated(), publish], vec![begun, refused()]],
            vec![vec![lease]],
        ];
        for (job, history) in jobs.iter().zip(histories) {
            let mut token = 0;
            for events in history {
                let change = Change::new(*job, token, events);
                token = ledger.advance([change].into()).await.unwrap().remove(0).unwrap().token;
            }
        }
        let decide =
            async |decision: Decision| router::decide(&*ledger, &jobs, decision, &nobody()).await.unwrap();
        let (skipped, _) = decide(Decision::Skip).await;
        let outcomes: Vec<_> = skipped.into_iter().map(|(_, outcome)| outcome).collect();
        let in_progress = Refusal::PastSkipping(JobState::Translating);
        assert_eq!(outcomes, [Ok(()), Ok(()), Err(Refusal::Unanswered), Err(in_progress)]);
        let (retried, lines) = decide(Decision::Retry).await;
        let outcomes: Vec<_> = retried.into_iter().map(|(_, outcome)| outcome).collect();
        let final_skip = || Err(Refusal::SkippedByHand);
        let not_retryable = |state| Err(Refusal::NothingToRetry(state));
        assert_eq!(outcomes, [final_skip(), final_skip(), Ok(()), not_retryable(JobState::Translating)]);
        assert_eq!(lines.into_iter().collect::<Vec<_>>(), [TargetId::new("x", "town_es")]);
        let states: Vec<JobState> = ledger
            .jobs(&JobFilter::default(), None, 9)
            .await
            .unwrap()
            .into_iter()
            .map(|job| job.state)
            .collect();
        assert_eq!(states[2..], [JobState::Ready, JobState::Translating]);
        let (restored, _) = decide(Decision::Unskip).await;
        let outcomes: Vec<_> = restored.into_iter().map(|(_, outcome)| outcome).collect();
        let not_skipped = |state| Err(Refusal::NotSkipped(state));
        let others = [not_skipped(JobState::Ready), not_skipped(JobState::Translating)];
        assert_eq!(outcomes, [[Ok(()), Ok(())], others].concat());
        let all = ledger.jobs(&JobFilter::default(), None, 2).await.unwrap();
        let reasons: Vec<_> = all.iter().map(|job| (job.state, job.reason.as_deref())).collect();
        assert_eq!(reasons, [(JobState::Held, Some("no")); 2]);
    }

    fn choice(json: &str) -> Result<Chosen, String> {
        let choice: Choice = serde_json::from_str(json).map_err(|error| error.to_string())?;
        choose(choice, Decision::Retry, &Names::of_targets(&[TargetId::new("x", "town_es")]))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn jobs_are_chosen_by_number_or_by_filter() {
        assert_eq!(choice(r#"{"ids": [3, 1]}"#), Ok(Chosen::Ids(vec![JobId(3), JobId(1)])));
        let by_kind = JobFilter {
            states: vec![JobState::Held, JobState::Failed],
            kind: Some("gate".into()),
            targets: vec![TargetId::new("x", "town_es")],
            ..JobFilter::default()
        };
        let filter = r#"{"filter": {"kind": "gate", "target": "town_es"}}"#;
        assert_eq!(choice(filter), Ok(Chosen::Filter(by_kind)));
    }

    #[test]
    fn skipped_jobs_are_chosen_only_by_name() {
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
    fn an_invalid_choice_selects_no_jobs() {
        for (json, why) in [
            ("{}", "choose jobs either"),
            (r#"{"ids": []}"#, "choose jobs either"),
            (r#"{"ids": [1], "filter": {"state": ["held"]}}"#, "not both"),
            (r#"{"filter": {}}"#, "at least a state"),
            (
                r#"{"filter": {"state": ["queued"]}}"#,
                "queued jobs cannot be retried; these can: held, failed, skipped",
            ),
            (r#"{"filter": {"kind": "gte"}}"#, "valid kinds: cap, budget, gate, "),
            (r#"{"filter": {"target": "town_de"}}"#, "valid targets: x:town_es"),
            (r#"{"filter": {"stat": ["held"]}}"#, "unknown field"),
        ] {
            let error = choice(json).unwrap_err();
            assert!(error.contains(why), "{json}: {error}");
        }
    }
}
