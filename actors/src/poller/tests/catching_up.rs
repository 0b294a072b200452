//! What is republished after the source was not read for a while.

use mynah_domain::catch_up::{CatchUp, CatchUpPolicy};

use super::*;

/// No posts.
const NONE: [u64; 0] = [];

/// A clock that stands still at another time.
struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// A poller that has read posts 1 to 3 at noon, and wants so many of the newest posts after a break.
async fn followed(latest: u32) -> Bench {
    let mut bench = Bench::new(Start::Beginning);
    bench.parts.eligibility.catch_up = catching_up(latest);
    bench.poll(&Rc::new(Fake::new(|_, _| Ok(page([3, 2, 1], None))))).await;
    assert_eq!(skipped(&bench, 1..=3), NONE, "the first poll has nothing to catch up with");
    bench
}

fn catching_up(latest: u32) -> CatchUpPolicy {
    CatchUpPolicy { which: CatchUp::Latest(latest), ..CatchUpPolicy::default() }
}

/// Lets so many hours pass since noon.
fn at_noon_plus(bench: &mut Bench, hours: u64) {
    bench.parts.clock = Arc::new(At(Noon.now() + Duration::from_hours(hours)));
}

/// Which of these posts are skipped because newer ones are enough. All of them must be on record.
fn skipped(bench: &Bench, posts: std::ops::RangeInclusive<u64>) -> Vec<u64> {
    let is_skipped = |id: &u64| {
        let record = bench.ledger.record_of(&id.to_string()).unwrap_or_else(|| panic!("{id} is lost"));
        record.jobs == [(es(), Some(Skip::CatchUp))]
    };
    posts.filter(is_skipped).collect()
}

#[actix_rt::test]
async fn after_a_break_only_the_newest_posts_are_republished_and_the_others_are_on_record() {
    for (latest, expected) in [(0, &[4, 5, 6, 7, 8, 9][..]), (2, &[4, 5, 6, 7]), (6, &[])] {
        let mut bench = followed(latest).await;
        at_noon_plus(&mut bench, 7);
        let pages = |request: &PageRequest, _| match request.continuation.as_deref() {
            None => Ok(page([9, 8, 7], Some("older"))),
            Some(_) => Ok(page([6, 5, 4], None)),
        };
        bench.poll(&Rc::new(Fake::new(pages))).await;
        assert_eq!(skipped(&bench, 4..=9), expected, "latest {latest}");
        let source = Rc::new(Fake::new(|_, _| Ok(page([10], None))));
        bench.poll(&source).await;
        assert_eq!(skipped(&bench, 10..=10), NONE, "the break is over");
    }
}

#[actix_rt::test]
async fn a_short_break_skips_nothing() {
    let mut bench = followed(1).await;
    at_noon_plus(&mut bench, 6);
    bench.poll(&Rc::new(Fake::new(|_, _| Ok(page([9, 8], None))))).await;
    assert_eq!(skipped(&bench, 8..=9), NONE);
    at_noon_plus(&mut bench, 12);
    bench.poll(&Rc::new(Fake::new(|_, _| Ok(page([11, 10], None))))).await;
    assert_eq!(skipped(&bench, 10..=11), NONE, "every poll counts as a reading");
}

#[actix_rt::test]
async fn a_backfill_that_is_interrupted_decides_no_post_twice() {
    let mut bench = followed(3).await;
    at_noon_plus(&mut bench, 7);
    let first = |request: &PageRequest, _| match request.continuation.as_deref() {
        None => Ok(page([9, 8], Some("older"))),
        Some(_) => Err(SourceError::Account("403".into())),
    };
    bench.parts.patience = 1;
    bench.poll(&Rc::new(Fake::new(first))).await;
    assert_eq!(bench.ledger.watermark(), Some(3), "the backfill is not complete");
    // By now, the beginning of the backfill is long ago, and some of its posts come again.
    at_noon_plus(&mut bench, 9);
    let rest = |request: &PageRequest, _| {
        assert_eq!(request.before, Some(PostId("8".into())));
        Ok(page([9, 8, 7, 6, 5, 4], None))
    };
    bench.poll(&Rc::new(Fake::new(rest))).await;
    assert_eq!(skipped(&bench, 4..=9), [4, 5, 6]);
    assert_eq!(bench.ledger.watermark(), Some(9));
}

#[actix_rt::test]
async fn a_thread_is_republished_from_its_start_across_pages() {
    let mut bench = followed(1).await;
    at_noon_plus(&mut bench, 7);
    let in_thread = |id: u64, parent: u64| Post {
        kind: PostKind::Thread { parent: PostId(parent.to_string()) },
        ..post(id)
    };
    let pages = move |request: &PageRequest, _| match request.continuation.as_deref() {
        None => {
            Ok(Page { posts: vec![in_thread(9, 7), post(8), in_thread(7, 5)], ..page([], Some("older")) })
        }
        Some(_) => Ok(Page { posts: vec![in_thread(6, 4), post(5), post(4)], ..page([], None) }),
    };
    bench.poll(&Rc::new(Fake::new(pages))).await;
    assert_eq!(skipped(&bench, 4..=9), [4, 6, 8]);
}

#[actix_rt::test]
async fn without_a_record_of_the_last_reading_the_newest_post_on_record_counts() {
    let mut bench = Bench::new(Start::Beginning);
    bench.poll(&Rc::new(Fake::new(|_, _| Ok(page([3, 2, 1], None))))).await;
    assert_eq!(bench.ledger.last_checkpoint().unwrap().read_at, None, "nobody needs it");
    bench.parts.eligibility.catch_up = catching_up(1);
    bench.poll(&Rc::new(Fake::new(|_, _| Ok(page([9, 8], None))))).await;
    assert_eq!(skipped(&bench, 8..=9), [8], "post 3 is years old");
    assert_eq!(bench.ledger.last_checkpoint().unwrap().read_at, Some(Noon.now()));
}

#[actix_rt::test]
async fn what_is_not_republished_anyway_does_not_count() {
    let mut bench = followed(1).await;
    at_noon_plus(&mut bench, 7);
    let reply = Post { kind: PostKind::Reply { to: None }, ..post(9) };
    let posts =
        move |_: &PageRequest, _| Ok(Page { posts: vec![reply.clone(), post(8), post(7)], ..page([], None) });
    bench.poll(&Rc::new(Fake::new(posts))).await;
    assert_eq!(skipped(&bench, 7..=9), [7]);
    assert_eq!(bench.ledger.record_of("9").unwrap().jobs, [(es(), Some(Skip::Reply))]);
}
