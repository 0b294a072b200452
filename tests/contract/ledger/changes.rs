//! Changes of jobs' states: leases, repeats, and changes that contradict the record.

use jiff::Timestamp;
use mynah_domain::{
    Hold, JobEvent, JobId, JobState, PostId, Reply, Skip, Translation,
    job::{HoldKind, RejectedTranslation},
    ports::{
        Ledger,
        ledger::{Change, ChangeError, JobFilter, JobLine},
    },
};

use super::{Bench, TestClock, all_jobs, begun, change, line, page, sent, target, to_publishing, translated};

pub(crate) async fn a_job_passes_through_all_states<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.pop().unwrap();
    let token = to_publishing(&*ledger, &job).await;
    assert_eq!(line(&*ledger, "es").await[0].translation.as_ref().unwrap().parts, ["Hola"]);
    change(&*ledger, &job, token, vec![begun(0)]).await.unwrap();
    assert_eq!(ledger.publications(job.id).await.unwrap()[0].remote_id, None);
    let done = change(&*ledger, &job, token, vec![sent(0, "77"), JobEvent::Published]).await.unwrap();
    assert_eq!(done.state, JobState::Published);
    assert!(line(&*ledger, "es").await.is_empty());
    let became = ledger.publication_of(&PostId("1".into()), &target("es")).await.unwrap();
    assert_eq!(became, Some(Reply::behind(PostId("77".into()), None)));
    assert_eq!(ledger.publication_of(&PostId("1".into()), &target("ca")).await.unwrap(), None);
}

pub(crate) async fn a_stale_lease_changes_nothing<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.pop().unwrap();
    let first = change(&*ledger, &job, 0, vec![JobEvent::LeasedForTranslation]).await.unwrap();
    let back = JobEvent::HandedBack { not_before: None, reason: "died".into() };
    change(&*ledger, &job, first.token, vec![back]).await.unwrap();
    let second = change(&*ledger, &job, first.token, vec![JobEvent::LeasedForTranslation]).await.unwrap();
    assert!(second.token > first.token);
    assert_eq!(second.attempt, 2);
    let late = change(&*ledger, &job, first.token, vec![translated()]).await;
    assert!(matches!(late, Err(ChangeError::Stale { .. })), "{late:?}");
    assert_eq!(line(&*ledger, "es").await[0].state, JobState::Translating);
}

pub(crate) async fn an_illegal_step_changes_nothing_and_affects_no_other<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1, 2], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let changes = [
        Change::new(jobs[0].id, 0, vec![JobEvent::LeasedForTranslation, JobEvent::Published]),
        Change::new(jobs[1].id, 0, vec![JobEvent::LeasedForTranslation]),
        Change::new(JobId(999), 0, vec![JobEvent::Published]),
    ];
    let answers = ledger.advance(changes.into()).await.unwrap();
    assert!(matches!(answers[0], Err(ChangeError::Illegal { .. })));
    assert!(answers[1].is_ok());
    assert_eq!(answers[2], Err(ChangeError::NoSuchJob(JobId(999))));
    let states: Vec<JobState> = line(&*ledger, "es").await.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Queued, JobState::Translating]);
}

pub(crate) async fn a_change_that_contradicts_the_record_is_refused<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1, 2], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let token = to_publishing(&*ledger, &jobs[0]).await;
    let wrong = async |events: Vec<JobEvent>| {
        let answer = change(&*ledger, &jobs[0], token, events).await;
        assert!(matches!(answer, Err(ChangeError::Illegal { .. })), "{answer:?}");
    };
    wrong(vec![sent(0, "77")]).await;
    wrong(vec![begun(0), JobEvent::Published]).await;
    assert!(
        ledger.publications(jobs[0].id).await.unwrap().is_empty(),
        "a change is applied completely or not at all"
    );
    change(&*ledger, &jobs[0], token, vec![begun(0), sent(0, "77")]).await.unwrap();
    wrong(vec![sent(0, "78")]).await;
    wrong(vec![JobEvent::PartAbsent { part: 0 }]).await;
    let again = Change::new(jobs[0].id, token, vec![begun(0)]);
    let other = Change::new(jobs[1].id, 0, vec![JobEvent::LeasedForTranslation]);
    let answers = ledger.advance([again, other].into()).await.unwrap();
    assert!(matches!(answers[0], Err(ChangeError::Illegal { .. })), "{answers:?}");
    assert!(answers[1].is_ok());
    assert_eq!(ledger.publications(jobs[0].id).await.unwrap()[0].remote_id, Some(PostId("77".into())));
    change(&*ledger, &jobs[0], token, vec![sent(0, "77"), JobEvent::Published]).await.unwrap();
}

pub(crate) async fn a_part_begun_is_not_begun_again_before_its_outcome_is_known<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.pop().unwrap();
    let token = to_publishing(&*ledger, &job).await;
    change(&*ledger, &job, token, vec![begun(0)]).await.unwrap();
    let again = change(&*ledger, &job, token, vec![begun(0)]).await;
    assert!(matches!(again, Err(ChangeError::Illegal { .. })), "{again:?}");
    change(&*ledger, &job, token, vec![JobEvent::PartAbsent { part: 0 }, begun(0)]).await.unwrap();
    assert_eq!(ledger.publications(job.id).await.unwrap().len(), 1);
}

pub(crate) async fn a_job_is_not_published_before_every_part_of_its_translation_is<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.pop().unwrap();
    let long = Translation {
        parts: vec!["Hola".into(), "Adiós".into()],
        engine: "test".into(),
        alts: vec![],
        warning: None,
        card: None,
    };
    let leased =
        vec![JobEvent::LeasedForTranslation, JobEvent::Translated(long), JobEvent::LeasedForPublication];
    let token = change(&*ledger, &job, 0, leased).await.unwrap().token;
    for events in [vec![JobEvent::Published], vec![begun(0), sent(0, "77"), JobEvent::Published]] {
        let answer = change(&*ledger, &job, token, events).await;
        assert!(matches!(answer, Err(ChangeError::Illegal { .. })), "{answer:?}");
    }
    let all = vec![begun(0), sent(0, "77"), begun(1), sent(1, "78"), JobEvent::Published];
    assert_eq!(change(&*ledger, &job, token, all).await.unwrap().state, JobState::Published);
}

pub(crate) async fn a_job_that_may_be_on_the_account_is_not_skipped<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1, 2], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let by_hand = || vec![JobEvent::Skipped(Skip::ByHand)];
    let token = to_publishing(&*ledger, &jobs[0]).await;
    let lost = JobEvent::NotSent { reason: "lost".into(), not_before: None };
    change(&*ledger, &jobs[0], token, vec![begun(0), lost]).await.unwrap();
    let skipped = change(&*ledger, &jobs[0], token, by_hand()).await;
    assert!(matches!(skipped, Err(ChangeError::Illegal { .. })), "{skipped:?}");
    let known = vec![
        JobEvent::LeasedForPublication,
        sent(0, "77"),
        JobEvent::NotSent { reason: "no".into(), not_before: None },
    ];
    let token = change(&*ledger, &jobs[0], token, known).await.unwrap().token;
    assert_eq!(change(&*ledger, &jobs[0], token, by_hand()).await.unwrap().state, JobState::Skipped);
    assert_eq!(change(&*ledger, &jobs[1], 0, by_hand()).await.unwrap().state, JobState::Skipped);
    assert!(line(&*ledger, "es").await.is_empty());
}

pub(crate) async fn only_a_job_skipped_on_a_guess_is_released<B: Bench>() {
    const ALL: [Skip; 15] = [
        Skip::OtherLanguage,
        Skip::AlreadyInLanguage,
        Skip::Withheld,
        Skip::Reply,
        Skip::Repost,
        Skip::Quote,
        Skip::OptedOut,
        Skip::Excluded,
        Skip::NotIncluded,
        Skip::Wordless,
        Skip::ByHand,
        Skip::Edited,
        Skip::CatchUp,
        Skip::Poll,
        Skip::Repeated,
    ];
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    let mut recorded = page(1..=15, &["es"]);
    for (record, skip) in recorded.posts.iter_mut().zip(ALL) {
        record.jobs[0].1 = Some(skip);
    }
    ledger.record(recorded).await.unwrap();
    let all = ledger.jobs(&JobFilter::default(), None, 100).await.unwrap();
    for (job, skip) in all.iter().zip(ALL) {
        let released = vec![JobEvent::Released { translated: false }];
        let change = Change::new(job.id, job.token, released);
        let answer = ledger.advance([change].into()).await.unwrap().remove(0);
        if Skip::RETRYABLE.contains(&skip) {
            assert_eq!(answer.unwrap().state, JobState::Queued, "{skip:?}");
        } else {
            assert!(matches!(answer, Err(ChangeError::Illegal { .. })), "{skip:?}: {answer:?}");
        }
    }
    drop(ledger);
    let ledger = bench.open();
    let jobs = line(&*ledger, "es").await;
    assert_eq!(jobs.iter().map(|job| job.post.position).collect::<Vec<_>>(), [1, 2, 3, 13]);
    let counts = ledger.counts().await.unwrap();
    let count = |state| counts.get(&(target("es"), state)).copied();
    assert_eq!((count(JobState::Queued), count(JobState::Skipped)), (Some(4), Some(11)));
    // Through all states again, and this time a person skips it.
    to_publishing(&*ledger, &jobs[0]).await;
    let by_hand = vec![JobEvent::Skipped(Skip::ByHand)];
    change(&*ledger, &jobs[1], 0, by_hand).await.unwrap();
    let again = change(&*ledger, &jobs[1], 0, vec![JobEvent::Released { translated: false }]).await;
    assert!(matches!(again, Err(ChangeError::Illegal { .. })), "{again:?}");
}

pub(crate) async fn only_a_skip_by_a_person_is_undone_and_the_job_is_as_before<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page(1..=5, &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let gate = Hold { kind: HoldKind::Gate, reason: "a link was lost".into(), until: None };
    let cap = Hold { kind: HoldKind::Cap, reason: "the cap".into(), until: Some(Timestamp::MAX) };
    let failed = JobEvent::Failed { reason: "given up".into() };
    let befores: [&[JobEvent]; 4] = [&[], &[JobEvent::Held(gate)], &[JobEvent::Held(cap)], &[failed]];
    for (job, before) in jobs.iter().zip(befores) {
        if !before.is_empty() {
            change(&*ledger, job, 0, before.to_vec()).await.unwrap();
        }
        let was = picture(&*ledger, job.id).await.0;
        change(&*ledger, job, 0, vec![JobEvent::Skipped(Skip::ByHand)]).await.unwrap();
        let skipped = picture(&*ledger, job.id).await.0;
        let restored = [JobEvent::Restored { translated: false }].into_iter();
        let restored = restored.chain(skipped.before_skip.and_then(|before| before.event(None))).collect();
        change(&*ledger, job, 0, restored).await.unwrap();
        let is = picture(&*ledger, job.id).await.0;
        assert_eq!(
            (is.state, is.kind, is.reason, is.not_before),
            (was.state, was.kind, was.reason, was.not_before)
        );
    }
    let again = change(&*ledger, &jobs[1], 0, vec![JobEvent::Restored { translated: false }]).await;
    assert!(matches!(again, Err(ChangeError::Illegal { .. })), "{again:?}");
    change(&*ledger, &jobs[4], 0, vec![JobEvent::Skipped(Skip::OtherLanguage)]).await.unwrap();
    let guess = change(&*ledger, &jobs[4], 0, vec![JobEvent::Restored { translated: false }]).await;
    assert!(matches!(guess, Err(ChangeError::Illegal { .. })), "{guess:?}");
}

pub(crate) async fn a_translation_that_is_not_published_is_shown_until_there_is_another<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.remove(0);
    let rejected = RejectedTranslation { text: "Demasiado largo".into(), engine: "test".into() };
    let hold = Hold { kind: HoldKind::TooLong, reason: "too long".into(), until: None };
    let events =
        vec![JobEvent::LeasedForTranslation, JobEvent::Rejected(rejected.clone()), JobEvent::Held(hold)];
    let token = change(&*ledger, &job, 0, events).await.unwrap().token;
    let line = picture(&*ledger, job.id).await.0;
    assert_eq!((line.state, line.rejected, line.translation), (JobState::Held, Some(rejected), None));
    let words = JobFilter { words: Some("demasiado".into()), ..JobFilter::default() };
    assert_eq!(ledger.jobs(&words, None, 9).await.unwrap().len(), 1);
    let again = vec![JobEvent::Released { translated: false }, JobEvent::LeasedForTranslation, translated()];
    change(&*ledger, &job, token, again).await.unwrap();
    let ready = picture(&*ledger, job.id).await.0;
    assert!(ready.rejected.is_none() && ready.translation.is_some());
}

/// Makes a change twice, as if the first answer had been lost. Returns the job's token.
async fn make_twice(ledger: &dyn Ledger, clock: &TestClock, change: Change) -> i64 {
    let events = change.events().to_vec();
    let first = ledger.advance([change.clone()].into()).await.unwrap();
    assert!(first[0].is_ok(), "{events:?}: {first:?}");
    let before = picture(ledger, change.job()).await;
    clock.pass();
    assert_eq!(ledger.advance([change.clone()].into()).await.unwrap(), first, "{events:?}");
    assert_eq!(picture(ledger, change.job()).await, before, "{events:?}");
    before.0.token
}

/// Everything on record about a job.
async fn picture(ledger: &dyn Ledger, job: JobId) -> (JobLine, Vec<mynah_domain::Publication>) {
    let filter = JobFilter { ids: vec![job], ..JobFilter::default() };
    let line = ledger.jobs(&filter, None, 1).await.unwrap().remove(0);
    (line, ledger.publications(job).await.unwrap())
}

pub(crate) async fn a_repeated_change_is_applied_once<B: Bench>() {
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    let ledger = B::new(clock.clone()).open();
    ledger.record(page([1, 2], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let not_before = Some(Timestamp::MAX);
    let back = JobEvent::HandedBack { not_before, reason: "no engine".into() };
    let not_sent = JobEvent::NotSent { not_before, reason: "no network".into() };
    let lost = JobEvent::OutcomeLost { not_before, reason: "no answer".into() };
    let hold = JobEvent::Held(Hold { kind: HoldKind::Gate, reason: "a link was lost".into(), until: None });
    let failed = JobEvent::Failed { reason: "given up".into() };
    let released = JobEvent::Released { translated: false };
    let (lease, pull) = (JobEvent::LeasedForTranslation, JobEvent::LeasedForPublication);
    let absent = JobEvent::PartAbsent { part: 0 };
    let one = [
        vec![lease.clone()],
        vec![back],
        vec![lease.clone()],
        vec![translated()],
        vec![pull.clone()],
        vec![JobEvent::Untouched],
        vec![pull.clone()],
        vec![begun(0)],
        vec![absent.clone()],
        vec![begun(0)],
        vec![absent, begun(0)],
        vec![lost],
        vec![pull.clone()],
        vec![sent(0, "77")],
        vec![not_sent],
        vec![pull.clone()],
        vec![JobEvent::Published],
    ];
    let other = [
        vec![hold],
        vec![released.clone()],
        vec![failed],
        vec![released],
        vec![JobEvent::Skipped(Skip::ByHand)],
    ];
    let at_once = vec![lease, translated(), pull, begun(0), sent(0, "78"), JobEvent::Published];
    for (job, steps) in [(&jobs[0], &one[..]), (&jobs[1], &other[..])] {
        let mut token = job.token;
        for events in steps {
            token = make_twice(&*ledger, &clock, Change::new(job.id, token, events.clone())).await;
        }
    }
    ledger.record(page([3], &["es"])).await.unwrap();
    let third = line(&*ledger, "es").await.remove(0);
    make_twice(&*ledger, &clock, Change::new(third.id, third.token, at_once)).await;
    let states: Vec<JobState> = all_jobs(&*ledger).await.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Published, JobState::Skipped, JobState::Published]);
}

pub(crate) async fn a_repeated_change_is_recognized_after_a_restart<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.remove(0);
    let lease = Change::new(job.id, job.token, vec![JobEvent::LeasedForTranslation]);
    let first = ledger.advance([lease.clone()].into()).await.unwrap();
    drop(ledger);
    assert_eq!(bench.open().advance([lease].into()).await.unwrap(), first);
}

pub(crate) async fn only_one_of_two_callers_with_the_same_token_gets_the_lease<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.remove(0);
    let lease = || Change::new(job.id, job.token, vec![JobEvent::LeasedForTranslation]);
    let (one, other) = (lease(), lease());
    let granted = ledger.advance([one.clone()].into()).await.unwrap().remove(0).unwrap();
    assert_eq!(Some(granted.token), one.new_token());
    for _ in 0..2 {
        let refused = ledger.advance([other.clone()].into()).await.unwrap().remove(0);
        let stale = ChangeError::Stale { job: job.id, current: granted.token, offered: job.token };
        assert_eq!(refused, Err(stale));
    }
}

pub(crate) async fn a_repeat_after_other_changes_changes_nothing<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1, 2], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let lease = Change::new(jobs[0].id, 0, vec![JobEvent::LeasedForTranslation]);
    let leased = ledger.advance([lease.clone()].into()).await.unwrap().remove(0).unwrap();
    let back = JobEvent::HandedBack { not_before: None, reason: "no engine".into() };
    let back = Change::new(jobs[0].id, leased.token, vec![back]);
    ledger.advance([back.clone()].into()).await.unwrap().remove(0).unwrap();
    let late = ledger.advance([lease].into()).await.unwrap().remove(0);
    assert!(matches!(late, Err(ChangeError::Stale { .. })), "{late:?}");
    change(&*ledger, &jobs[0], leased.token, vec![JobEvent::LeasedForTranslation]).await.unwrap();
    let late = ledger.advance([back].into()).await.unwrap().remove(0);
    assert!(matches!(late, Err(ChangeError::Stale { .. })), "{late:?}");

    let lease = Change::new(jobs[1].id, 0, vec![JobEvent::LeasedForTranslation]);
    ledger.advance([lease.clone()].into()).await.unwrap().remove(0).unwrap();
    ledger.recover(&[target("es")]).await.unwrap();
    let late = ledger.advance([lease].into()).await.unwrap().remove(0);
    assert!(matches!(late, Err(ChangeError::Stale { .. })), "{late:?}");
}
