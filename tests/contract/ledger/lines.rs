//! Handing out jobs of a line: their order and the pieces.

use std::sync::Arc;

use jiff::Timestamp;
use mynah_domain::{
    Hold, JobEvent, JobState, Post,
    job::HoldKind,
    ports::ledger::{Backfill, Checkpoint, LinePosition},
};

use super::{Bench, SOURCE, TestClock, change, line, mark, page, page_of, positions, target};

pub(crate) async fn a_line_is_read_in_bounded_pieces<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page(1..=2500, &["es"])).await.unwrap();
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let piece = ledger.open_jobs(&target("es"), after, 1000).await.unwrap();
        assert!(piece.len() <= 1000);
        let Some(last) = piece.last() else { break };
        after = Some(LinePosition::of(last));
        seen.extend(piece.iter().map(|job| job.post.position));
    }
    assert_eq!(seen, (1..=2500).collect::<Vec<_>>());
}

pub(crate) async fn equal_positions_at_the_edge_of_a_piece_are_not_lost<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    let mut same = page([1, 2, 3], &["es"]);
    for record in &mut same.posts {
        record.post = Arc::new(Post { position: 7, ..(*record.post).clone() });
    }
    ledger.record(same).await.unwrap();
    let (mut after, mut seen) = (None, 0);
    loop {
        let piece = ledger.open_jobs(&target("es"), after, 2).await.unwrap();
        let Some(last) = piece.last() else { break };
        after = Some(LinePosition::of(last));
        seen += piece.len();
    }
    assert_eq!(seen, 3);
}

pub(crate) async fn jobs_of_a_backfill_wait_until_it_is_complete<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let mut piece = page([9, 8], &["es"]);
    let stretch = Backfill { newest: mark(9), oldest: mark(8) };
    piece.checkpoint =
        Checkpoint { watermark: Some(mark(1)), backfill: Some(stretch), ..Checkpoint::default() };
    ledger.record(piece).await.unwrap();
    assert_eq!(positions(&line(&*ledger, "es").await), [1]);
    let mut rest = page([5], &["es"]);
    rest.checkpoint = Checkpoint { watermark: Some(mark(9)), ..Checkpoint::default() };
    ledger.record(rest).await.unwrap();
    assert_eq!(positions(&line(&*ledger, "es").await), [1, 5, 8, 9]);
}

pub(crate) async fn an_unfinished_backfill_holds_back_no_other_source<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    let mut left = page_of("x:left", [6, 5], &["es"]);
    let stretch = Backfill { newest: mark(6), oldest: mark(5) };
    left.checkpoint = Checkpoint { backfill: Some(stretch), ..Checkpoint::default() };
    ledger.record(left).await.unwrap();
    ledger.record(page([9, 8, 2], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    assert_eq!(positions(&jobs), [2, 8, 9]);
    let first = ledger.open_jobs(&target("es"), Some(LinePosition::of(&jobs[0])), 1).await.unwrap();
    assert_eq!(first[0].post.position, 8, "waiting jobs must not count towards a piece");
}

pub(crate) async fn a_timed_hold_stays_in_line_and_a_hold_for_a_person_leaves_it<B: Bench>() {
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

pub(crate) async fn lines_of_two_sources_are_independent<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    // One source's positions are counts, the other's are microseconds. The first source's backfill is unfinished.
    let far = 1_800_000_000_000_000_000;
    ledger.record(page_of("feed:town", [1, 2], &["es"])).await.unwrap();
    let mut open = page_of("x:city", [far + 9, far + 8], &["ca"]);
    let backfill = Backfill { newest: mark(far + 9), oldest: mark(far + 8) };
    open.checkpoint =
        Checkpoint { watermark: Some(mark(far)), backfill: Some(backfill), ..Checkpoint::default() };
    ledger.record(open).await.unwrap();
    assert_eq!(positions(&line(&*ledger, "es").await), [1, 2]);
    assert!(line(&*ledger, "ca").await.is_empty(), "earlier posts may be missing");

    let mut rest = page_of("x:city", [far + 1], &["ca"]);
    rest.checkpoint = Checkpoint { watermark: Some(mark(far + 9)), ..Checkpoint::default() };
    ledger.record(rest).await.unwrap();
    let mut open = page_of("feed:town", [9, 8], &["es"]);
    let backfill = Backfill { newest: mark(9), oldest: mark(8) };
    open.checkpoint =
        Checkpoint { watermark: Some(mark(2)), backfill: Some(backfill), ..Checkpoint::default() };
    ledger.record(open).await.unwrap();
    let city = line(&*ledger, "ca").await;
    assert_eq!(positions(&city), [far + 1, far + 8, far + 9]);
    let town = line(&*ledger, "es").await;
    assert_eq!(positions(&town), [1, 2], "only jobs after its own source's watermark wait");
    let behind = ledger.open_jobs(&target("es"), Some(LinePosition::of(&town[0])), 9).await.unwrap();
    assert_eq!(positions(&behind), [2]);
    assert_eq!((&*town[0].source, &*city[0].source), ("feed:town", "x:city"));
}

pub(crate) async fn a_job_names_its_source<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    // The same id is another post on another source.
    let mut other = page_of("feed:town", [1], &["ca"]);
    other.posts[0].post = Arc::new(Post { text: "Another post".into(), ..(*other.posts[0].post).clone() });
    ledger.record(page([1], &["es"])).await.unwrap();
    ledger.record(other).await.unwrap();
    drop(ledger);
    let ledger = bench.open();
    for (name, source, text) in [("es", SOURCE, "Post 1"), ("ca", "feed:town", "Another post")] {
        let job = line(&*ledger, name).await.remove(0);
        assert_eq!((&*job.source, job.post.text.as_str()), (source, text));
        let post = ledger.post(&job.source, &job.post.id).await.unwrap().unwrap();
        assert_eq!(post.text, text);
    }
}
