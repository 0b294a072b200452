//! Removing texts.

use std::sync::Arc;

use mynah_domain::{
    Hold, JobEvent, JobState, Media, MediaKind, Post, PostId, Skip,
    job::{HoldKind, RejectedTranslation},
    ports::{
        Ledger,
        ledger::{Change, ChangeError, JobLine, NotForgotten, RecordPage, Recorded, Removed},
    },
};

use super::{
    Bench, TestClock, account, all_jobs, begun, change, edited_page, line, page, raw_page, sent, target,
    to_publishing,
};

fn id(post: &str) -> PostId {
    PostId(post.into())
}

/// A page of posts with everything that has text.
fn wordy(positions: impl IntoIterator<Item = u64>) -> RecordPage {
    let mut wordy = page(positions, &["es", "ca"]);
    for record in &mut wordy.posts {
        let alt = Media {
            key: "k".into(),
            kind: MediaKind::Photo,
            url: Some("https://a/b".into()),
            alt: Some("A cat".into()),
        };
        record.post = Arc::new(Post { media: vec![alt], ..(*record.post).clone() });
    }
    wordy
}

/// Publishes the first job of `es` and skips that of `ca`.
async fn settle(ledger: &dyn Ledger) {
    let job = &line(ledger, "es").await[0];
    let token = to_publishing(ledger, job).await;
    change(ledger, job, token, vec![begun(0), sent(0, "90"), JobEvent::Published]).await.unwrap();
    let job = &line(ledger, "ca").await[0];
    let rejected = RejectedTranslation { text: "No".into(), engine: "test".into() };
    let hold = Hold { kind: HoldKind::Gate, reason: "“No” is not right".into(), until: None };
    let events = [JobEvent::LeasedForTranslation, JobEvent::Rejected(rejected), JobEvent::Held(hold)];
    let leased = change(ledger, job, 0, events.into()).await.unwrap();
    change(ledger, job, leased.token, vec![JobEvent::Skipped(Skip::ByHand)]).await.unwrap();
}

fn has_text(job: &JobLine) -> bool {
    let texts = [job.translation.is_some(), job.rejected.is_some(), job.before_skip.is_some()];
    !job.text.is_empty() || job.reason.is_some() || job.raw.is_some() || texts.contains(&true)
}

pub(crate) async fn a_forgotten_post_has_no_text_and_everything_else<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    ledger.record(wordy([1, 2])).await.unwrap();
    settle(&*ledger).await;
    let before = all_jobs(&*ledger).await;
    assert!(before.iter().all(has_text) && !before[0].is_forgotten);
    let parts = ledger.publications(before[0].id).await.unwrap();
    let removed = ledger.forget(&id("1")).await.unwrap();
    assert_eq!(removed, Ok(Removed { posts: 1, jobs: 2 }));
    ledger.compact().await.unwrap();
    drop(ledger);

    let ledger = bench.open();
    let after = all_jobs(&*ledger).await;
    for (before, after) in before.iter().zip(&after).take(2) {
        assert!(after.is_forgotten && !has_text(after), "{after:?}");
        assert_eq!((after.id, &after.post, after.state), (before.id, &before.post, before.state));
        assert_eq!(
            (after.token, &after.kind, &after.messages),
            (before.token, &before.kind, &before.messages)
        );
        assert_eq!(after.updated_at, before.updated_at);
    }
    assert_eq!(after[2..], before[2..], "the other post is as it was");
    let post = ledger.post("x:town", &id("1")).await.unwrap().unwrap();
    assert_eq!((post.text.as_str(), &post.media[..], post.position), ("", &[][..], 1));
    let mut expected = parts.clone();
    expected[0].text = String::new();
    assert_eq!(ledger.publications(before[0].id).await.unwrap(), expected);
    assert_eq!(ledger.recorded(&account("es"), &[id("90")]).await.unwrap(), [id("90")]);
    let reply = ledger.publication_of(&id("1"), &target("es")).await.unwrap().unwrap();
    assert_eq!(reply.parent, id("90"), "a thread continues");
    assert!(ledger.published(None, 9).await.unwrap().is_empty());
}

pub(crate) async fn a_forgotten_post_is_never_published_again<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(wordy([1])).await.unwrap();
    settle(&*ledger).await;
    ledger.forget(&id("1")).await.unwrap().unwrap();
    assert_eq!(ledger.record(wordy([1])).await.unwrap(), Recorded::default(), "the source shows it again");
    let jobs = all_jobs(&*ledger).await;
    let released = |translated| vec![JobEvent::Released { translated }];
    let restored = |translated| vec![JobEvent::Restored { translated }];
    for events in [released(false), restored(false), released(true), restored(true)] {
        for job in &jobs {
            let change = Change::new(job.id, job.token, events.clone());
            let answer = ledger.advance([change].into()).await.unwrap().remove(0);
            assert!(matches!(answer, Err(ChangeError::Illegal { .. })), "{events:?}: {answer:?}");
        }
    }
    let edited = edited_page(&[(2, &[1, 2])], &["es", "ca"]);
    let recorded = ledger.record(edited).await.unwrap();
    assert_eq!((recorded.edited, recorded.jobs), (vec![id("2")], 0));
    assert!(line(&*ledger, "es").await.is_empty() && line(&*ledger, "ca").await.is_empty());
    let edit = all_jobs(&*ledger).await.remove(2);
    assert!(edit.is_forgotten && edit.text.is_empty(), "a later edit is not stored either: {edit:?}");
}

pub(crate) async fn a_post_with_work_left_is_not_forgotten<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(wordy([1])).await.unwrap();
    assert_eq!(ledger.forget(&id("7")).await.unwrap(), Err(NotForgotten::NoSuchPost));
    let before = all_jobs(&*ledger).await;
    let unsettled = ledger.forget(&id("1")).await.unwrap().unwrap_err();
    let jobs = before.iter().map(|job| (job.id, job.target.clone(), JobState::Queued)).collect();
    assert_eq!(unsettled, NotForgotten::Unsettled(jobs));
    settle(&*ledger).await;
    ledger.record(raw_page(2, &["es"])).await.unwrap();
    assert!(ledger.forget(&id("2")).await.unwrap().is_err(), "a person has to decide about it first");
    let failed = all_jobs(&*ledger).await[2].clone();
    let skip = vec![JobEvent::Skipped(Skip::ByHand)];
    ledger.advance([Change::new(failed.id, failed.token, skip)].into()).await.unwrap().remove(0).unwrap();
    for _ in 0..2 {
        assert_eq!(ledger.forget(&id("2")).await.unwrap(), Ok(Removed { posts: 1, jobs: 1 }));
    }
    assert!(all_jobs(&*ledger).await[2].raw.is_none());
    let readable = ledger.record(page([2], &["es"])).await.unwrap();
    assert_eq!(readable, Recorded::default(), "its readable form comes too late");
}

pub(crate) async fn all_versions_of_a_post_are_forgotten_together<B: Bench>() {
    for asked in ["1", "2"] {
        let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
        ledger.record(wordy([1])).await.unwrap();
        ledger.record(edited_page(&[(2, &[1, 2])], &["es", "ca"])).await.unwrap();
        assert!(ledger.forget(&id(asked)).await.unwrap().is_err());
        settle(&*ledger).await;
        assert_eq!(ledger.forget(&id(asked)).await.unwrap(), Ok(Removed { posts: 2, jobs: 4 }));
        let jobs = all_jobs(&*ledger).await;
        assert!(jobs.iter().all(|job| job.is_forgotten && job.text.is_empty()), "{jobs:?}");
        assert_eq!(
            jobs[2].reason.as_deref(),
            Some("this is a version of post 1, whose job decides what is published")
        );
    }
}

pub(crate) async fn texts_go_when_their_jobs_were_settled_long_ago<B: Bench>() {
    let clock = TestClock::at("2025-01-01T00:00:00Z");
    let bench = B::new(clock.clone());
    let ledger = bench.open();
    ledger.record(wordy([1, 2, 3])).await.unwrap();
    for _ in 0..2 {
        settle(&*ledger).await;
        clock.set("2026-01-01T00:00:00Z");
    }
    let forgotten = async || -> Vec<bool> {
        all_jobs(&*ledger).await.chunks(2).map(|jobs| jobs.iter().all(|job| job.is_forgotten)).collect()
    };
    let moment = |moment: &str| moment.parse().unwrap();
    assert_eq!(ledger.forget_before(moment("2025-01-01T00:00:00Z"), 9).await.unwrap(), 0);
    assert_eq!(ledger.forget_before(moment("2026-01-01T00:00:00Z"), 0).await.unwrap(), 0);
    assert_eq!(ledger.forget_before(moment("2026-01-01T00:00:00Z"), 9).await.unwrap(), 1);
    assert_eq!(forgotten().await, [true, false, false]);
    settle(&*ledger).await;
    clock.set("2028-01-01T00:00:00Z");
    assert_eq!(ledger.forget_before(moment("2027-01-01T00:00:00Z"), 1).await.unwrap(), 1);
    assert_eq!(forgotten().await, [true, true, false], "the oldest first");
    assert_eq!(ledger.forget_before(moment("2027-01-01T00:00:00Z"), 9).await.unwrap(), 1);
    assert_eq!(ledger.forget_before(moment("2027-01-01T00:00:00Z"), 9).await.unwrap(), 0);
    ledger.compact().await.unwrap();
    let counts = ledger.counts().await.unwrap();
    assert_eq!(
        (counts[&(target("es"), JobState::Published)], counts[&(target("ca"), JobState::Skipped)]),
        (3, 3)
    );
}
