//! Recording a source's page: posts, their versions, and unreadable posts.

use mynah_domain::{
    JobEvent, JobState, PostId, Skip,
    ports::ledger::{Change, JobLine, RecordPage, Recorded, edited_reason},
};

use super::{
    Bench, SOURCE, TestClock, all_jobs, edited_page, line, page, positions, post, raw_page, retry, target,
};

pub(crate) async fn recording_a_page_again_changes_nothing<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    let first = ledger.record(page([3, 2, 1], &["es", "ca"])).await.unwrap();
    assert_eq!(first, Recorded { posts: 3, jobs: 6, ..Recorded::default() });
    assert_eq!(ledger.record(page([3, 2, 1], &["es", "ca"])).await.unwrap(), Recorded::default());
    assert_eq!(positions(&line(&*ledger, "es").await), [1, 2, 3]);
    assert_eq!(*line(&*ledger, "ca").await[0].post, *post(1));
}

pub(crate) async fn records_survive_the_process<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    let recorded = page([1], &["es"]);
    let checkpoint = recorded.checkpoint.clone();
    ledger.record(recorded).await.unwrap();
    drop(ledger);
    let ledger = bench.open();
    assert_eq!(line(&*ledger, "es").await.len(), 1);
    assert_eq!(ledger.checkpoint(SOURCE).await.unwrap(), Some(checkpoint));
    assert_eq!(ledger.checkpoint("x:other").await.unwrap(), None);
}

pub(crate) async fn a_skipped_job_is_recorded_but_not_in_its_line<B: Bench>() {
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

pub(crate) async fn an_edited_post_has_one_publication_whichever_version_arrives_first<B: Bench>() {
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
            // Another process records each page.
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

pub(crate) async fn unrelated_posts_are_all_published<B: Bench>() {
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
    // The same id is another post on another source.
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(edited_page(&[(1, &[])], &["es"])).await.unwrap();
    let other = RecordPage { source: "x:other".into(), ..edited_page(&[(2, &[1, 2])], &["es"]) };
    assert_eq!(ledger.record(other).await.unwrap().jobs, 1);
}

pub(crate) async fn an_unreadable_post_is_held_with_its_raw_form<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    let recorded = ledger.record(raw_page(1, &["es", "ca"])).await.unwrap();
    assert_eq!(recorded, Recorded { posts: 1, held: 2, ..Recorded::default() });
    drop(ledger);
    let ledger = bench.open();
    ledger.recover(&[target("es"), target("ca")]).await.unwrap();
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

pub(crate) async fn a_post_that_becomes_readable_continues_in_its_place<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(raw_page(1, &["es", "ca", "eu"])).await.unwrap();
    ledger.record(page([2], &["es"])).await.unwrap();
    let jobs = all_jobs(&*ledger).await;
    retry(&*ledger, &jobs[0]).await;
    let again = ledger.record(raw_page(1, &["es", "ca", "eu"])).await.unwrap();
    assert_eq!(again, Recorded { held: 1, ..Recorded::default() }, "it should be held as before");
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

pub(crate) async fn a_readable_version_takes_over_from_an_unreadable_one<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(raw_page(1, &["es", "ca"])).await.unwrap();
    let by_hand = &all_jobs(&*ledger).await[1];
    let skip = Change::new(by_hand.id, by_hand.token, vec![JobEvent::Skipped(Skip::ByHand)]);
    assert!(ledger.advance([skip].into()).await.unwrap()[0].is_ok());
    let taken_over = ledger.record(edited_page(&[(2, &[1, 2])], &["es", "ca"])).await.unwrap();
    assert_eq!(taken_over, Recorded { posts: 1, jobs: 1, skipped: 2, ..Recorded::default() });
    assert_eq!(positions(&line(&*ledger, "es").await), [2]);
    assert!(line(&*ledger, "ca").await.is_empty(), "a person already decided about that one");
    assert_eq!(ledger.state_of(&PostId("1".into()), &target("es")).await.unwrap(), Some(JobState::Queued));
    let back = ledger.record(page([1], &["es", "ca"])).await.unwrap();
    assert_eq!(back, Recorded { reread: 1, ..Recorded::default() }, "it should be published once");
    ledger.record(raw_page(3, &["es"])).await.unwrap();
    let unreadable = ledger.record(edited_page(&[(4, &[2, 4])], &["es"])).await.unwrap();
    assert_eq!(unreadable.edited, [PostId("4".into())]);
}
