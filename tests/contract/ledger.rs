//! What every ledger must do. An adapter runs it by `ledger_contract!(Bench)` with a way to make and reopen one.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use mynah_domain::{
    Hold, Job, JobEvent, JobState, Post, PostId, PostKind, Skip, TargetId, Translation,
    job::HoldKind,
    ports::{
        Clock, Ledger,
        ledger::{
            Advanced, Change, ChangeError, JobFilter, JobLine, Mark, Progress, Raw, RecordPage, RecordPost,
            Recorded, Walk, edited_reason,
        },
    },
};

/// A place where a ledger is kept.
pub(crate) trait Bench {
    fn new(clock: Arc<TestClock>) -> Self;
    /// Opens it, or opens it again after the one before was dropped.
    fn open(&self) -> Box<dyn Ledger>;
}

/// A clock that stands where it is put.
pub(crate) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub(crate) fn at(moment: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(moment.parse().unwrap())))
    }

    pub(crate) fn set(&self, moment: &str) {
        *self.0.lock().unwrap() = moment.parse().unwrap();
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub(crate) const SOURCE: &str = "x:town";

pub(crate) fn target(name: &str) -> TargetId {
    TargetId::new("x", name)
}

pub(crate) fn post(position: u64) -> Arc<Post> {
    Arc::new(Post {
        id: PostId(position.to_string()),
        position,
        text: format!("Post {position}"),
        entities: None,
        language: Some("en".into()),
        kind: PostKind::Original,
        created_at: Timestamp::UNIX_EPOCH,
        media: vec![],
        versions: vec![],
    })
}

pub(crate) fn mark(position: u64) -> Mark {
    Mark { id: PostId(position.to_string()), position }
}

/// A whole poll that found these posts, for these targets.
pub(crate) fn page(positions: impl IntoIterator<Item = u64>, targets: &[&str]) -> RecordPage {
    let posts: Vec<RecordPost> = positions
        .into_iter()
        .map(|at| RecordPost {
            post: post(at),
            jobs: targets.iter().map(|name| (target(name), None)).collect(),
            unreadable: None,
        })
        .collect();
    let newest = posts.iter().map(|record| record.post.position).max();
    RecordPage {
        source: SOURCE.into(),
        posts,
        progress: Progress { floor: newest.map(mark), ..Progress::default() },
    }
}

pub(crate) async fn line(ledger: &dyn Ledger, name: &str) -> Vec<Job> {
    ledger.open_jobs(&target(name), None, 1000).await.unwrap()
}

pub(crate) async fn change(
    ledger: &dyn Ledger,
    job: &Job,
    token: i64,
    events: Vec<JobEvent>,
) -> Result<Advanced, ChangeError> {
    ledger.advance(vec![Change { job: job.id, token, events }]).await.unwrap().pop().unwrap()
}

pub(crate) fn translated() -> JobEvent {
    JobEvent::Translated(Translation { parts: vec!["Hola".into()], engine: "test".into(), alts: vec![] })
}

pub(crate) fn begun(part: u32) -> JobEvent {
    JobEvent::PartBegun { part, text: "Hola".into() }
}

pub(crate) fn sent(part: u32, id: &str) -> JobEvent {
    JobEvent::PartSent { part, remote_id: PostId(id.into()) }
}

/// Takes a fresh job to where its publisher has it; answers its token.
pub(crate) async fn to_publishing(ledger: &dyn Ledger, job: &Job) -> i64 {
    let leased = change(ledger, job, job.token, vec![JobEvent::LeasedForTranslation]).await.unwrap();
    change(ledger, job, leased.token, vec![translated()]).await.unwrap();
    change(ledger, job, leased.token, vec![JobEvent::LeasedForPublication]).await.unwrap().token
}

pub(crate) async fn a_page_is_recorded_once_however_often_it_comes<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    let first = ledger.record(page([3, 2, 1], &["es", "ca"])).await.unwrap();
    assert_eq!(first, Recorded { posts: 3, jobs: 6, ..Recorded::default() });
    assert_eq!(ledger.record(page([3, 2, 1], &["es", "ca"])).await.unwrap(), Recorded::default());
    let positions: Vec<u64> = line(&*ledger, "es").await.iter().map(|job| job.post.position).collect();
    assert_eq!(positions, [1, 2, 3]);
    assert_eq!(*line(&*ledger, "ca").await[0].post, *post(1));
}

pub(crate) async fn what_is_recorded_outlives_the_process<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    let recorded = page([1], &["es"]);
    let progress = recorded.progress.clone();
    ledger.record(recorded).await.unwrap();
    ledger.remember("x:user_id:town", "7").await.unwrap();
    drop(ledger);
    let ledger = bench.open();
    assert_eq!(line(&*ledger, "es").await.len(), 1);
    assert_eq!(ledger.progress(SOURCE).await.unwrap(), Some(progress));
    assert_eq!(ledger.progress("x:other").await.unwrap(), None);
    assert_eq!(ledger.fact("x:user_id:town").await.unwrap().as_deref(), Some("7"));
}

pub(crate) async fn jobs_of_an_unfinished_walk_wait_until_it_is_whole<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let mut walk = page([9, 8], &["es"]);
    let stretch = Walk { newest: mark(9), oldest: mark(8) };
    walk.progress = Progress { floor: Some(mark(1)), walk: Some(stretch), start: None };
    ledger.record(walk).await.unwrap();
    let positions = |jobs: Vec<Job>| jobs.iter().map(|job| job.post.position).collect::<Vec<_>>();
    assert_eq!(positions(line(&*ledger, "es").await), [1]);
    let mut rest = page([5], &["es"]);
    rest.progress = Progress { floor: Some(mark(9)), ..Progress::default() };
    ledger.record(rest).await.unwrap();
    assert_eq!(positions(line(&*ledger, "es").await), [1, 5, 8, 9]);
}

pub(crate) async fn a_walk_that_nobody_finishes_keeps_back_no_other_source<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    let mut left = page([6, 5], &["es"]);
    left.source = "x:left".into();
    let stretch = Walk { newest: mark(6), oldest: mark(5) };
    left.progress = Progress { walk: Some(stretch), ..Progress::default() };
    ledger.record(left).await.unwrap();
    ledger.record(page([9, 8, 2], &["es"])).await.unwrap();
    let positions: Vec<u64> = line(&*ledger, "es").await.iter().map(|job| job.post.position).collect();
    assert_eq!(positions, [2, 8, 9]);
    let first = ledger.open_jobs(&target("es"), Some(2), 1).await.unwrap();
    assert_eq!(first[0].post.position, 8, "what waits takes no room in a piece");
}

pub(crate) async fn what_speaks_against_the_record_is_refused_and_spoils_no_other<B: Bench>() {
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
    assert!(ledger.publications(jobs[0].id).await.unwrap().is_empty(), "all of a change or none");
    change(&*ledger, &jobs[0], token, vec![begun(0), sent(0, "77")]).await.unwrap();
    wrong(vec![sent(0, "78")]).await;
    wrong(vec![JobEvent::PartAbsent { part: 0 }]).await;
    let again = Change { job: jobs[0].id, token, events: vec![begun(0)] };
    let other = Change { job: jobs[1].id, token: 0, events: vec![JobEvent::LeasedForTranslation] };
    let answers = ledger.advance(vec![again, other]).await.unwrap();
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
    let long =
        Translation { parts: vec!["Hola".into(), "Adiós".into()], engine: "test".into(), alts: vec![] };
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

pub(crate) async fn parts_are_handed_out_wherever_their_job_went_since<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.pop().unwrap();
    let token = to_publishing(&*ledger, &job).await;
    let failed = JobEvent::Failed { reason: "given up".into() };
    let anew = JobEvent::Released { translated: false };
    change(&*ledger, &job, token, vec![begun(0), sent(0, "77"), failed, anew]).await.unwrap();
    let again = line(&*ledger, "es").await.pop().unwrap();
    assert_eq!(again.state, JobState::Queued);
    assert_eq!(again.publications, ledger.publications(job.id).await.unwrap());
    assert_eq!(again.publications.len(), 1);
}

pub(crate) async fn a_line_is_read_in_bounded_pieces<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page(1..=2500, &["es"])).await.unwrap();
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let piece = ledger.open_jobs(&target("es"), after, 1000).await.unwrap();
        assert!(piece.len() <= 1000);
        let Some(last) = piece.last() else { break };
        after = Some(last.post.position);
        seen.extend(piece.iter().map(|job| job.post.position));
    }
    assert_eq!(seen, (1..=2500).collect::<Vec<_>>());
}

pub(crate) async fn a_skipped_job_is_on_record_and_in_no_line<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    let mut skipped = page([1], &["es"]);
    skipped.posts[0].jobs[0].1 = Some(Skip::Reply);
    assert_eq!(
        ledger.record(skipped).await.unwrap(),
        Recorded { posts: 1, skipped: 1, ..Recorded::default() }
    );
    assert!(line(&*ledger, "es").await.is_empty());
    assert_eq!(ledger.counts().await.unwrap()[&(target("es"), JobState::Skipped)], 1);
}

pub(crate) async fn a_job_goes_the_whole_way<B: Bench>() {
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
    let said = ledger.publication_of(&PostId("1".into()), &target("es")).await.unwrap();
    assert_eq!(said, Some(PostId("77".into())));
    assert_eq!(ledger.publication_of(&PostId("1".into()), &target("ca")).await.unwrap(), None);
}

pub(crate) async fn who_comes_back_from_the_dead_changes_nothing<B: Bench>() {
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

pub(crate) async fn a_wrong_step_changes_nothing_and_spoils_no_other<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1, 2], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let changes = vec![
        Change {
            job: jobs[0].id,
            token: 0,
            events: vec![JobEvent::LeasedForTranslation, JobEvent::Published],
        },
        Change { job: jobs[1].id, token: 0, events: vec![JobEvent::LeasedForTranslation] },
        Change { job: mynah_domain::JobId(999), token: 0, events: vec![JobEvent::Published] },
    ];
    let answers = ledger.advance(changes).await.unwrap();
    assert!(matches!(answers[0], Err(ChangeError::Illegal { .. })));
    assert!(answers[1].is_ok());
    assert_eq!(answers[2], Err(ChangeError::NoSuchJob(mynah_domain::JobId(999))));
    let states: Vec<JobState> = line(&*ledger, "es").await.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Queued, JobState::Translating]);
}

pub(crate) async fn a_hold_with_a_moment_stays_in_line_and_one_for_a_person_leaves_it<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1, 2], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let until: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    let hold = |until| JobEvent::Held(Hold { kind: HoldKind::Cap, reason: "cap".into(), until });
    change(&*ledger, &jobs[0], 0, vec![hold(Some(until))]).await.unwrap();
    change(&*ledger, &jobs[1], 0, vec![hold(None)]).await.unwrap();
    let left = line(&*ledger, "es").await;
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].state, left[0].not_before), (JobState::Held, Some(until)));
    let again = vec![JobEvent::Released { translated: false }, JobEvent::LeasedForTranslation];
    assert_eq!(change(&*ledger, &jobs[0], 0, again).await.unwrap().state, JobState::Translating);
}

pub(crate) async fn what_was_in_hand_is_taken_up_after_a_crash<B: Bench>() {
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
    assert_eq!(ledger.recover().await.unwrap(), 3);
    let line_now = line(&*ledger, "es").await;
    let states: Vec<JobState> = line_now.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Queued, JobState::Unknown, JobState::Ready, JobState::Queued]);
    assert_eq!(line_now[1].publications.len(), 1, "what may be on the account is known");
    let late = change(&*ledger, &jobs[1], token, vec![sent(0, "77")]).await;
    assert!(matches!(late, Err(ChangeError::Stale { .. })), "{late:?}");
    assert_eq!(ledger.recover().await.unwrap(), 0, "once is enough");
}

pub(crate) async fn what_a_limit_held_is_looked_at_anew_after_a_start<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1, 2, 3], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let hold = |kind| JobEvent::Held(Hold { kind, reason: "held".into(), until: Some(Timestamp::MAX) });
    change(&*ledger, &jobs[0], 0, vec![hold(HoldKind::Cap)]).await.unwrap();
    change(&*ledger, &jobs[1], 0, vec![hold(HoldKind::Refused)]).await.unwrap();
    change(&*ledger, &jobs[2], 0, vec![hold(HoldKind::Quota)]).await.unwrap();
    assert_eq!(ledger.recover().await.unwrap(), 0, "nothing was in hand");
    let states: Vec<JobState> = line(&*ledger, "es").await.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Queued, JobState::Held, JobState::Queued]);
}

pub(crate) async fn what_waited_for_another_try_is_tried_at_once_after_a_start<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.pop().unwrap();
    let leased = change(&*ledger, &job, 0, vec![JobEvent::LeasedForTranslation]).await.unwrap();
    let back = JobEvent::HandedBack { not_before: Some(Timestamp::MAX), reason: "no engine".into() };
    change(&*ledger, &job, leased.token, vec![back]).await.unwrap();
    ledger.recover().await.unwrap();
    let waiting = line(&*ledger, "es").await.pop().unwrap();
    assert_eq!((waiting.state, waiting.attempt, waiting.not_before), (JobState::Queued, 0, None));
}

pub(crate) async fn only_what_was_begun_counts_against_the_caps<B: Bench>() {
    let clock = TestClock::at("2026-11-30T23:59:00Z");
    let ledger = B::new(clock.clone()).open();
    ledger.record(page([1, 2, 3], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let mut tokens = Vec::new();
    for job in &jobs {
        tokens.push(to_publishing(&*ledger, job).await);
    }
    change(&*ledger, &jobs[0], tokens[0], vec![begun(0), sent(0, "1"), JobEvent::Published]).await.unwrap();
    change(&*ledger, &jobs[1], tokens[1], vec![begun(0), JobEvent::PartAbsent { part: 0 }]).await.unwrap();
    let spent = async |target_name: &str| ledger.spent(&target(target_name), clock.now()).await.unwrap();
    assert_eq!((spent("es").await.today, spent("es").await.this_month), (1, 1));
    clock.set("2026-12-01T00:00:00Z");
    change(&*ledger, &jobs[2], tokens[2], vec![begun(0)]).await.unwrap();
    assert_eq!((spent("es").await.today, spent("es").await.this_month), (1, 1));
    assert_eq!(spent("ca").await.today, 0);
    clock.set("2026-11-30T23:59:00Z");
    assert_eq!(
        (spent("es").await.today, spent("es").await.this_month),
        (2, 2),
        "a clock put back frees nothing"
    );
}

pub(crate) async fn messages_on_record_are_told_from_others<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.pop().unwrap();
    let token = to_publishing(&*ledger, &job).await;
    change(&*ledger, &job, token, vec![begun(0), sent(0, "77"), JobEvent::Published]).await.unwrap();
    let asked = [PostId("76".into()), PostId("77".into())];
    assert_eq!(ledger.recorded(&target("es"), &asked).await.unwrap(), [PostId("77".into())]);
    assert!(ledger.recorded(&target("ca"), &asked).await.unwrap().is_empty());
}

pub(crate) async fn an_intent_remembers_the_newest_message_of_its_account<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([3, 2, 1], &["es", "ca"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let mut after = Vec::new();
    // Ids grow in length, too: 1000 is newer than 999.
    for (job, id) in jobs.iter().zip(["999", "1000", "1001"]) {
        let token = to_publishing(&*ledger, job).await;
        change(&*ledger, job, token, vec![begun(0), sent(0, id), JobEvent::Published]).await.unwrap();
        after.push(ledger.publications(job.id).await.unwrap()[0].after.clone());
    }
    assert_eq!(after, [None, Some(PostId("999".into())), Some(PostId("1000".into()))]);
    let other = line(&*ledger, "ca").await.remove(0);
    let token = to_publishing(&*ledger, &other).await;
    change(&*ledger, &other, token, vec![begun(0)]).await.unwrap();
    assert_eq!(ledger.publications(other.id).await.unwrap()[0].after, None, "another account");
}

pub(crate) async fn where_a_post_stands_on_a_target_is_told<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.remove(0);
    to_publishing(&*ledger, &job).await;
    let state =
        async |post: &str, name: &str| ledger.state_of(&PostId(post.into()), &target(name)).await.unwrap();
    assert_eq!(state("1", "es").await, Some(JobState::Publishing));
    assert_eq!(state("1", "ca").await, None);
    assert_eq!(state("2", "es").await, None);
}

pub(crate) async fn jobs_are_listed_by_what_is_asked_for<B: Bench>() {
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    let ledger = B::new(clock.clone()).open();
    let mut recorded = page([1, 2, 3], &["es", "ca"]);
    recorded.posts[0].jobs[1].1 = Some(Skip::Reply);
    ledger.record(recorded).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    clock.set("2026-11-23T13:00:00Z");
    let finding = Hold { kind: HoldKind::Gate, reason: "a link was lost".into(), until: None };
    change(&*ledger, &jobs[0], 0, vec![JobEvent::Held(finding)]).await.unwrap();
    change(&*ledger, &jobs[1], 0, vec![JobEvent::Failed { reason: "it kills".into() }]).await.unwrap();
    let token = to_publishing(&*ledger, &jobs[2]).await;
    change(&*ledger, &jobs[2], token, vec![begun(0)]).await.unwrap();

    let list = async |filter: JobFilter| ledger.jobs(&filter, None, 100).await.unwrap();
    let ids = |lines: &[JobLine]| lines.iter().map(|line| line.id).collect::<Vec<_>>();
    let all = list(JobFilter::default()).await;
    assert_eq!(all.len(), 6);
    assert!(ids(&all).is_sorted());
    let held = list(JobFilter { states: vec![JobState::Held], ..JobFilter::default() }).await;
    let [held] = &held[..] else { panic!("{held:?}") };
    assert_eq!((held.id, held.post.0.as_str(), held.text.as_str()), (jobs[0].id, "1", "Post 1"));
    assert_eq!((held.kind.as_deref(), held.reason.as_deref()), (Some("gate"), Some("a link was lost")));
    assert_eq!((held.updated_at, held.token, held.unanswered), (clock.now(), 0, 0));
    let states = vec![JobState::Failed, JobState::Held];
    let troubled = JobFilter { states, target: Some(target("es")), ..JobFilter::default() };
    assert_eq!(ids(&list(troubled.clone()).await), [jobs[0].id, jobs[1].id]);
    assert!(list(JobFilter { target: Some(target("ca")), ..troubled }).await.is_empty());
    let by_kind = |kind: &str| JobFilter { kind: Some(kind.into()), ..JobFilter::default() };
    assert_eq!(list(by_kind("reply")).await[0].state, JobState::Skipped);
    assert_eq!(list(JobFilter { post: Some(PostId("2".into())), ..JobFilter::default() }).await.len(), 2);
    let sent = list(JobFilter { ids: vec![jobs[2].id], ..JobFilter::default() }).await.remove(0);
    assert_eq!(
        (sent.unanswered, sent.token, sent.translation.unwrap().parts),
        (1, token, vec!["Hola".to_owned()])
    );

    let words = |words: &str| JobFilter { words: Some(words.into()), ..JobFilter::default() };
    assert_eq!(ids(&list(words("pOST 2")).await).len(), 2);
    assert_eq!(ids(&list(words("A LINK was")).await), [jobs[0].id]);
    assert_eq!(ids(&list(words("hola")).await), [jobs[2].id]);
    assert!(list(words("%")).await.is_empty(), "no sign has a meaning of its own");

    let newest = JobFilter { newest_first: true, ..JobFilter::default() };
    let first = ledger.jobs(&newest, None, 4).await.unwrap();
    let rest = ledger.jobs(&newest, Some(first[3].id), 4).await.unwrap();
    assert_eq!(ids(&[first, rest].concat()), ids(&all).into_iter().rev().collect::<Vec<_>>());

    let first = ledger.jobs(&JobFilter::default(), None, 4).await.unwrap();
    let rest = ledger.jobs(&JobFilter::default(), Some(first[3].id), 4).await.unwrap();
    assert_eq!(ids(&[first, rest].concat()), ids(&all));
}

pub(crate) async fn what_was_said_last_is_told_first<B: Bench>() {
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    let ledger = B::new(clock.clone()).open();
    ledger.record(page([1, 2, 3], &["es", "ca"])).await.unwrap();
    let (es, ca) = (line(&*ledger, "es").await, line(&*ledger, "ca").await);
    for (minute, job) in [&es[0], &ca[0], &es[1], &es[2]].into_iter().enumerate() {
        clock.set(&format!("2026-11-23T12:0{minute}:00Z"));
        let token = to_publishing(&*ledger, job).await;
        let sent = JobEvent::PartSent { part: 0, remote_id: PostId(format!("{minute}0")) };
        change(&*ledger, job, token, vec![begun(0), sent, JobEvent::Published]).await.unwrap();
    }
    let said = async |targets: &[&str], limit| {
        let targets: Vec<_> = targets.iter().map(|name| target(name)).collect();
        let lines = ledger.last_said(&targets, limit).await.unwrap();
        lines.into_iter().map(|line| line.id).collect::<Vec<_>>()
    };
    assert_eq!(said(&["es", "ca"], 9).await, [es[2].id, es[1].id, ca[0].id, es[0].id]);
    assert_eq!(said(&["es", "ca"], 2).await, [es[2].id, es[1].id]);
    assert_eq!(said(&["ca"], 2).await, [ca[0].id]);
    assert!(said(&[], 2).await.is_empty());
}

pub(crate) async fn what_is_published_is_told_with_its_post_the_newest_first<B: Bench>() {
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    let ledger = B::new(clock.clone()).open();
    ledger.record(page([1, 2, 3], &["es", "ca"])).await.unwrap();
    let (es, ca) = (line(&*ledger, "es").await, line(&*ledger, "ca").await);
    for (minute, job) in [&es[0], &ca[0], &es[2]].into_iter().enumerate() {
        clock.set(&format!("2026-11-23T12:0{minute}:00Z"));
        let token = to_publishing(&*ledger, job).await;
        let sent = JobEvent::PartSent { part: 0, remote_id: PostId(format!("{minute}0")) };
        change(&*ledger, job, token, vec![begun(0), sent, JobEvent::Published]).await.unwrap();
    }
    to_publishing(&*ledger, &es[1]).await;
    let mut expected = [(es[0].id, 1, "es"), (ca[0].id, 1, "ca"), (es[2].id, 3, "es")];
    expected.sort_by(|a, b| b.cmp(a));
    let all = ledger.published(None, 9).await.unwrap();
    let seen: Vec<_> = all.iter().map(|said| (said.id, said.post.position, said.target.clone())).collect();
    assert_eq!(seen, expected.map(|(id, position, name)| (id, position, target(name))));
    assert_eq!(all[0].post, *post(3));
    assert_eq!(all[0].translation.parts, ["Hola"]);
    assert_eq!(all[0].at, clock.now());
    assert_eq!(ledger.published(None, 2).await.unwrap(), all[..2]);
    assert_eq!(ledger.published(Some(all[1].id), 9).await.unwrap(), all[2..]);
}

pub(crate) async fn what_may_be_on_the_account_is_not_skipped<B: Bench>() {
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

pub(crate) async fn only_a_job_skipped_by_a_guess_is_released<B: Bench>() {
    const ALL: [Skip; 12] = [
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
    ];
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    let mut recorded = page(1..=12, &["es"]);
    for (record, skip) in recorded.posts.iter_mut().zip(ALL) {
        record.jobs[0].1 = Some(skip);
    }
    ledger.record(recorded).await.unwrap();
    let all = ledger.jobs(&JobFilter::default(), None, 100).await.unwrap();
    for (job, skip) in all.iter().zip(ALL) {
        let released = vec![JobEvent::Released { translated: false }];
        let change = Change { job: job.id, token: job.token, events: released };
        let answer = ledger.advance(vec![change]).await.unwrap().remove(0);
        if Skip::RETRYABLE.contains(&skip) {
            assert_eq!(answer.unwrap().state, JobState::Queued, "{skip:?}");
        } else {
            assert!(matches!(answer, Err(ChangeError::Illegal { .. })), "{skip:?}: {answer:?}");
        }
    }
    drop(ledger);
    let ledger = bench.open();
    let jobs = line(&*ledger, "es").await;
    assert_eq!(jobs.iter().map(|job| job.post.position).collect::<Vec<_>>(), [1, 2, 3]);
    let counts = ledger.counts().await.unwrap();
    let count = |state| counts.get(&(target("es"), state)).copied();
    assert_eq!((count(JobState::Queued), count(JobState::Skipped)), (Some(3), Some(9)));
    // The whole way, and skipped by hand this time.
    to_publishing(&*ledger, &jobs[0]).await;
    let by_hand = vec![JobEvent::Skipped(Skip::ByHand)];
    change(&*ledger, &jobs[1], 0, by_hand).await.unwrap();
    let again = change(&*ledger, &jobs[1], 0, vec![JobEvent::Released { translated: false }]).await;
    assert!(matches!(again, Err(ChangeError::Illegal { .. })), "{again:?}");
}

/// A page of posts and the versions that each of them names.
fn edited_page(posts: &[(u64, &[u64])], targets: &[&str]) -> RecordPage {
    let mut edited = page(posts.iter().map(|(position, _)| *position), targets);
    for (record, (_, versions)) in edited.posts.iter_mut().zip(posts) {
        let versions = versions.iter().map(|id| PostId(id.to_string())).collect();
        record.post = Arc::new(Post { versions, ..(*record.post).clone() });
    }
    edited
}

/// A page of one post that could not be read.
fn raw_page(position: u64, targets: &[&str]) -> RecordPage {
    let mut raw = page([position], targets);
    let reason = format!("post {position} could not be read");
    raw.posts[0].unreadable = Some(Raw { json: "{\"id\":7}".into(), reason });
    raw
}

fn positions(jobs: &[Job]) -> Vec<u64> {
    jobs.iter().map(|job| job.post.position).collect()
}

async fn all_jobs(ledger: &dyn Ledger) -> Vec<JobLine> {
    ledger.jobs(&JobFilter::default(), None, 100).await.unwrap()
}

pub(crate) async fn an_edited_post_has_one_publication_whatever_version_comes_first<B: Bench>() {
    type Page<'a> = &'a [(u64, &'a [u64])];
    let cases: [(&[Page<'_>], u64); 10] = [
        (&[&[(2, &[1, 2]), (1, &[])]], 2),
        (&[&[(2, &[1, 2]), (1, &[1, 2])]], 2),
        (&[&[(3, &[1, 2, 3]), (2, &[]), (1, &[])]], 3),
        (&[&[(1, &[])], &[(2, &[1, 2])]], 1),
        (&[&[(2, &[1, 2])], &[(1, &[])]], 2),
        (&[&[(1, &[])], &[(2, &[1, 2])], &[(3, &[1, 2, 3])]], 1),
        (&[&[(1, &[])], &[(3, &[1, 2, 3])], &[(2, &[])]], 1),
        (&[&[(2, &[1, 2])], &[(3, &[1, 2, 3])]], 2),
        (&[&[(2, &[1, 2])], &[(3, &[2, 3])], &[(4, &[3, 4])]], 2),
        (&[&[(1, &[])], &[(1, &[1, 2])], &[(2, &[])]], 1),
    ];
    for (pages, published) in cases {
        let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
        for posts in pages {
            // Each page comes to another process.
            bench.open().record(edited_page(posts, &["es", "ca"])).await.unwrap();
        }
        let ledger = bench.open();
        for name in ["es", "ca"] {
            assert_eq!(positions(&line(&*ledger, name).await), [published], "{pages:?}");
        }
        let other = |job: &JobLine| job.post != PostId(published.to_string());
        for job in all_jobs(&*ledger).await.into_iter().filter(other) {
            assert_eq!((job.state, job.kind.as_deref()), (JobState::Skipped, Some("edited")), "{pages:?}");
            assert_eq!(job.reason, Some(edited_reason(&PostId(published.to_string()))), "{pages:?}");
        }
    }
}

pub(crate) async fn posts_that_are_no_versions_of_each_other_are_all_published<B: Bench>() {
    let cases: [&[(u64, &[u64])]; 5] = [
        &[(2, &[]), (1, &[])],
        &[(2, &[2]), (1, &[1])],
        &[(4, &[3, 4]), (2, &[1, 2])],
        &[(4, &[3, 4]), (2, &[])],
        &[(4, &[]), (2, &[1, 2])],
    ];
    for posts in cases {
        let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
        let recorded = ledger.record(edited_page(posts, &["es"])).await.unwrap();
        assert_eq!((recorded.jobs, recorded.edited), (2, vec![]), "{posts:?}");
    }
    // An id means another post on another source.
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(edited_page(&[(1, &[])], &["es"])).await.unwrap();
    let other = RecordPage { source: "x:other".into(), ..edited_page(&[(2, &[1, 2])], &["es"]) };
    assert_eq!(ledger.record(other).await.unwrap().jobs, 1);
}

pub(crate) async fn a_thread_finds_what_any_version_of_its_parent_became<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(edited_page(&[(2, &[1, 2])], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.pop().unwrap();
    let token = to_publishing(&*ledger, &job).await;
    change(&*ledger, &job, token, vec![begun(0), sent(0, "77"), JobEvent::Published]).await.unwrap();
    ledger.record(edited_page(&[(3, &[1, 2, 3])], &["es"])).await.unwrap();
    for version in ["1", "2", "3"] {
        let id = PostId(version.into());
        let became = ledger.publication_of(&id, &target("es")).await.unwrap();
        assert_eq!(became, Some(PostId("77".into())), "{version}");
        assert_eq!(
            ledger.state_of(&id, &target("es")).await.unwrap(),
            Some(JobState::Published),
            "{version}"
        );
        assert_eq!(ledger.post(&id).await.unwrap().unwrap().position, 2, "{version}");
    }
    let unknown = PostId("4".into());
    assert_eq!(ledger.publication_of(&unknown, &target("es")).await.unwrap(), None);
    assert_eq!(ledger.post(&unknown).await.unwrap(), None);
}

pub(crate) async fn an_unreadable_post_is_held_with_its_raw_form_and_never_handed_out<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    let recorded = ledger.record(raw_page(1, &["es", "ca"])).await.unwrap();
    assert_eq!(recorded, Recorded { posts: 1, held: 2, ..Recorded::default() });
    drop(ledger);
    let ledger = bench.open();
    ledger.recover().await.unwrap();
    let jobs = all_jobs(&*ledger).await;
    for job in &jobs {
        assert_eq!((job.state, job.kind.as_deref()), (JobState::Held, Some("unreadable")));
        assert_eq!(job.reason.as_deref(), Some("post 1 could not be read"));
        assert_eq!(job.raw.as_deref(), Some("{\"id\":7}"));
    }
    assert!(ledger.to_reread(SOURCE, 9).await.unwrap().is_empty());
    retry(&*ledger, &jobs[0]).await;
    assert!(line(&*ledger, "es").await.is_empty());
    assert_eq!(ledger.to_reread(SOURCE, 9).await.unwrap(), [PostId("1".into())]);
    assert!(ledger.to_reread(SOURCE, 0).await.unwrap().is_empty());
    assert!(ledger.to_reread("x:other", 9).await.unwrap().is_empty());
}

async fn retry(ledger: &dyn Ledger, job: &JobLine) {
    let events = vec![JobEvent::Released { translated: false }];
    let released = ledger.advance(vec![Change { job: job.id, token: job.token, events }]).await.unwrap();
    assert!(released[0].is_ok(), "{released:?}");
}

pub(crate) async fn a_post_that_can_be_read_at_last_goes_on_in_its_place<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(raw_page(1, &["es", "ca", "eu"])).await.unwrap();
    ledger.record(page([2], &["es"])).await.unwrap();
    let jobs = all_jobs(&*ledger).await;
    retry(&*ledger, &jobs[0]).await;
    let again = ledger.record(raw_page(1, &["es", "ca", "eu"])).await.unwrap();
    assert_eq!(again, Recorded { held: 1, ..Recorded::default() }, "it is held as before");
    retry(&*ledger, &jobs[0]).await;
    let mut readable = page([1], &["es", "ca"]);
    readable.posts[0].jobs[1].1 = Some(Skip::Reply);
    let read = ledger.record(readable).await.unwrap();
    assert_eq!(read, Recorded { jobs: 1, skipped: 1, reread: 1, ..Recorded::default() });
    assert_eq!(positions(&line(&*ledger, "es").await), [1, 2]);
    let states: Vec<_> = all_jobs(&*ledger).await.iter().map(|job| (job.state, job.raw.clone())).collect();
    let expected = [JobState::Queued, JobState::Skipped, JobState::Held, JobState::Queued];
    assert_eq!(states, expected.map(|state| (state, None)));
}

pub(crate) async fn a_readable_version_takes_over_from_one_that_cannot_be_read<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(raw_page(1, &["es", "ca"])).await.unwrap();
    let by_hand = &all_jobs(&*ledger).await[1];
    let skip =
        Change { job: by_hand.id, token: by_hand.token, events: vec![JobEvent::Skipped(Skip::ByHand)] };
    assert!(ledger.advance(vec![skip]).await.unwrap()[0].is_ok());
    let taken_over = ledger.record(edited_page(&[(2, &[1, 2])], &["es", "ca"])).await.unwrap();
    assert_eq!(taken_over, Recorded { posts: 1, jobs: 1, skipped: 2, ..Recorded::default() });
    assert_eq!(positions(&line(&*ledger, "es").await), [2]);
    assert!(line(&*ledger, "ca").await.is_empty(), "a person decided there");
    assert_eq!(ledger.state_of(&PostId("1".into()), &target("es")).await.unwrap(), Some(JobState::Queued));
    let back = ledger.record(page([1], &["es", "ca"])).await.unwrap();
    assert_eq!(back, Recorded { reread: 1, ..Recorded::default() }, "it is published once");
    ledger.record(raw_page(3, &["es"])).await.unwrap();
    let unreadable = ledger.record(edited_page(&[(4, &[2, 4])], &["es"])).await.unwrap();
    assert_eq!(unreadable.edited, [PostId("4".into())]);
}

/// Runs the whole suite on one adapter.
#[macro_export]
macro_rules! ledger_contract {
    ($bench:ty) => {
        $crate::ledger_contract!($bench:
            a_page_is_recorded_once_however_often_it_comes
            what_is_recorded_outlives_the_process
            jobs_of_an_unfinished_walk_wait_until_it_is_whole
            a_walk_that_nobody_finishes_keeps_back_no_other_source
            what_speaks_against_the_record_is_refused_and_spoils_no_other
            a_part_begun_is_not_begun_again_before_its_outcome_is_known
            a_job_is_not_published_before_every_part_of_its_translation_is
            parts_are_handed_out_wherever_their_job_went_since
            a_line_is_read_in_bounded_pieces
            a_skipped_job_is_on_record_and_in_no_line
            a_job_goes_the_whole_way
            who_comes_back_from_the_dead_changes_nothing
            a_wrong_step_changes_nothing_and_spoils_no_other
            a_hold_with_a_moment_stays_in_line_and_one_for_a_person_leaves_it
            what_was_in_hand_is_taken_up_after_a_crash
            what_a_limit_held_is_looked_at_anew_after_a_start
            what_waited_for_another_try_is_tried_at_once_after_a_start
            what_was_said_last_is_told_first
            what_is_published_is_told_with_its_post_the_newest_first
            only_what_was_begun_counts_against_the_caps
            messages_on_record_are_told_from_others
            an_intent_remembers_the_newest_message_of_its_account
            where_a_post_stands_on_a_target_is_told
            jobs_are_listed_by_what_is_asked_for
            what_may_be_on_the_account_is_not_skipped
            only_a_job_skipped_by_a_guess_is_released
            an_edited_post_has_one_publication_whatever_version_comes_first
            posts_that_are_no_versions_of_each_other_are_all_published
            a_thread_finds_what_any_version_of_its_parent_became
            an_unreadable_post_is_held_with_its_raw_form_and_never_handed_out
            a_post_that_can_be_read_at_last_goes_on_in_its_place
            a_readable_version_takes_over_from_one_that_cannot_be_read
        );
    };
    ($bench:ty: $($behaviour:ident)*) => {$(
        #[actix_rt::test]
        async fn $behaviour() {
            contract::ledger::$behaviour::<$bench>().await;
        }
    )*};
}
