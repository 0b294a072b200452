//! Recovery of jobs that were in progress when a process ended.

use jiff::Timestamp;
use mynah_domain::{Hold, JobEvent, JobState, job::HoldKind, ports::ledger::ChangeError};

use super::{Bench, TestClock, begun, change, line, page, sent, target, to_publishing};

pub(crate) async fn jobs_in_progress_are_recovered_after_a_crash<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    ledger.record(page([1, 2, 3, 4], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    change(&*ledger, &jobs[0], 0, vec![JobEvent::LeasedForTranslation]).await.unwrap();
    let token = to_publishing(&*ledger, &jobs[1]).await;
    change(&*ledger, &jobs[1], token, vec![begun(0)]).await.unwrap();
    to_publishing(&*ledger, &jobs[2]).await;
    drop(ledger);

    let ledger = bench.open();
    assert_eq!(ledger.recover(&[target("es")]).await.unwrap(), 3);
    let line_now = line(&*ledger, "es").await;
    let states: Vec<JobState> = line_now.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Queued, JobState::Unknown, JobState::Ready, JobState::Queued]);
    assert_eq!(
        line_now[1].publications.len(),
        1,
        "the publication that may be on the account is still recorded"
    );
    let late = change(&*ledger, &jobs[1], token, vec![sent(0, "77")]).await;
    assert!(matches!(late, Err(ChangeError::Stale { .. })), "{late:?}");
    assert_eq!(ledger.recover(&[target("es")]).await.unwrap(), 0, "a second recovery should find nothing");
}

pub(crate) async fn jobs_held_by_a_limit_are_checked_again_after_a_start<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1, 2, 3], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let hold = |kind| JobEvent::Held(Hold { kind, reason: "held".into(), until: Some(Timestamp::MAX) });
    change(&*ledger, &jobs[0], 0, vec![hold(HoldKind::Cap)]).await.unwrap();
    change(&*ledger, &jobs[1], 0, vec![hold(HoldKind::Refused)]).await.unwrap();
    change(&*ledger, &jobs[2], 0, vec![hold(HoldKind::Quota)]).await.unwrap();
    assert_eq!(ledger.recover(&[target("es")]).await.unwrap(), 0, "nothing was in progress");
    let states: Vec<JobState> = line(&*ledger, "es").await.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Queued, JobState::Held, JobState::Queued]);
}

pub(crate) async fn waiting_retries_are_due_after_a_start<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.pop().unwrap();
    let leased = change(&*ledger, &job, 0, vec![JobEvent::LeasedForTranslation]).await.unwrap();
    let back = JobEvent::HandedBack { not_before: Some(Timestamp::MAX), reason: "no engine".into() };
    change(&*ledger, &job, leased.token, vec![back]).await.unwrap();
    ledger.recover(&[target("es")]).await.unwrap();
    let waiting = line(&*ledger, "es").await.pop().unwrap();
    assert_eq!((waiting.state, waiting.attempt, waiting.not_before), (JobState::Queued, 0, None));
}

pub(crate) async fn only_jobs_of_the_named_targets_are_recovered<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1, 2], &["es", "ca"])).await.unwrap();
    let (es, ca) = (line(&*ledger, "es").await, line(&*ledger, "ca").await);
    let ours = to_publishing(&*ledger, &es[0]).await;
    let theirs = to_publishing(&*ledger, &ca[0]).await;
    let hold =
        JobEvent::Held(Hold { kind: HoldKind::Cap, reason: "cap".into(), until: Some(Timestamp::MAX) });
    change(&*ledger, &ca[1], 0, vec![hold]).await.unwrap();
    assert_eq!(ledger.recover(&[]).await.unwrap(), 0);
    assert_eq!(ledger.recover(&[target("es"), target("eu")]).await.unwrap(), 1);
    assert_eq!(line(&*ledger, "es").await[0].state, JobState::Ready);
    let late = change(&*ledger, &es[0], ours, vec![begun(0)]).await;
    assert!(matches!(late, Err(ChangeError::Stale { .. })), "{late:?}");
    let states: Vec<JobState> = line(&*ledger, "ca").await.iter().map(|job| job.state).collect();
    assert_eq!(
        states,
        [JobState::Publishing, JobState::Held],
        "jobs of other targets should keep their leases"
    );
    change(&*ledger, &ca[0], theirs, vec![begun(0)]).await.unwrap();
}
