//! Listings for people.

use std::sync::Arc;

use jiff::Timestamp;
use mynah_domain::{
    Hold, JobEvent, JobState, Post, PostId, Skip,
    job::HoldKind,
    ports::{
        Clock as _,
        ledger::{HeldJobs, JobFilter, JobLine},
    },
};

use super::{
    Bench, SOURCE, TestClock, account, begun, begun_on, change, line, page, post, target, to_publishing,
};

pub(crate) async fn jobs_are_listed_by_filter<B: Bench>() {
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
    let troubled = JobFilter { states, targets: vec![target("es")], ..JobFilter::default() };
    assert_eq!(ids(&list(troubled.clone()).await), [jobs[0].id, jobs[1].id]);
    assert!(list(JobFilter { targets: vec![target("ca")], ..troubled }).await.is_empty());
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
    assert!(list(words("%")).await.is_empty(), "wildcards must have no effect");

    let newest = JobFilter { newest_first: true, ..JobFilter::default() };
    let first = ledger.jobs(&newest, None, 4).await.unwrap();
    let rest = ledger.jobs(&newest, Some(first[3].id), 4).await.unwrap();
    assert_eq!(ids(&[first, rest].concat()), ids(&all).into_iter().rev().collect::<Vec<_>>());

    let first = ledger.jobs(&JobFilter::default(), None, 4).await.unwrap();
    let rest = ledger.jobs(&JobFilter::default(), Some(first[3].id), 4).await.unwrap();
    assert_eq!(ids(&[first, rest].concat()), ids(&all));
}

pub(crate) async fn the_latest_publication_is_listed_first<B: Bench>() {
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    let ledger = B::new(clock.clone()).open();
    ledger.record(page([1, 2, 3], &["es", "ca"])).await.unwrap();
    let (es, ca) = (line(&*ledger, "es").await, line(&*ledger, "ca").await);
    for (minute, job) in [&es[0], &ca[0], &es[1], &es[2]].into_iter().enumerate() {
        clock.set(&format!("2026-11-23T12:0{minute}:00Z"));
        let token = to_publishing(&*ledger, job).await;
        let sent = JobEvent::PartSent { part: 0, remote_id: PostId(format!("{minute}0")) };
        let begun = begun_on(job.target.as_str().trim_start_matches("x:"), 0);
        change(&*ledger, job, token, vec![begun, sent, JobEvent::Published]).await.unwrap();
    }
    let last = async |accounts: &[&str], limit| {
        let accounts: Vec<_> = accounts.iter().map(|name| account(name)).collect();
        let lines = ledger.last_published(&accounts, limit).await.unwrap();
        lines.into_iter().map(|line| line.id).collect::<Vec<_>>()
    };
    assert_eq!(last(&["es", "ca"], 9).await, [es[2].id, es[1].id, ca[0].id, es[0].id]);
    assert_eq!(last(&["es", "ca"], 2).await, [es[2].id, es[1].id]);
    assert_eq!(last(&["ca"], 2).await, [ca[0].id]);
    assert!(last(&[], 2).await.is_empty());
}

pub(crate) async fn publications_are_listed_with_their_posts_newest_first<B: Bench>() {
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    let ledger = B::new(clock.clone()).open();
    ledger.record(page([1, 2, 3], &["es", "ca"])).await.unwrap();
    let (es, ca) = (line(&*ledger, "es").await, line(&*ledger, "ca").await);
    for (minute, job) in [&es[0], &ca[0], &es[2]].into_iter().enumerate() {
        clock.set(&format!("2026-11-23T12:0{minute}:00Z"));
        let token = to_publishing(&*ledger, job).await;
        let sent = JobEvent::PartSent { part: 0, remote_id: PostId(format!("{minute}0")) };
        let begun = begun_on(job.target.as_str().trim_start_matches("x:"), 0);
        change(&*ledger, job, token, vec![begun, sent, JobEvent::Published]).await.unwrap();
    }
    to_publishing(&*ledger, &es[1]).await;
    let mut expected = [(es[0].id, 1, "es"), (ca[0].id, 1, "ca"), (es[2].id, 3, "es")];
    expected.sort_by(|a, b| b.cmp(a));
    let all = ledger.published(None, 9).await.unwrap();
    let seen: Vec<_> = all.iter().map(|job| (job.id, job.post.position, job.target.clone())).collect();
    assert_eq!(seen, expected.map(|(id, position, name)| (id, position, target(name))));
    assert_eq!(all[0].post, *post(3));
    assert_eq!(all[0].translation.parts, ["Hola"]);
    assert_eq!(all[0].at, clock.now());
    assert_eq!(ledger.published(None, 2).await.unwrap(), all[..2]);
    assert_eq!(ledger.published(Some(all[1].id), 9).await.unwrap(), all[2..]);
}

pub(crate) async fn jobs_that_were_held_long_ago_are_counted_by_target<B: Bench>() {
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    let ledger = B::new(clock.clone()).open();
    ledger.record(page([1, 2, 3], &["es", "ca"])).await.unwrap();
    let (es, ca) = (line(&*ledger, "es").await, line(&*ledger, "ca").await);
    let finding = || Hold { kind: HoldKind::Gate, reason: "a link was lost".into(), until: None };
    for (hour, job) in [(13, &es[0]), (14, &es[1]), (15, &ca[0]), (16, &es[2])] {
        clock.set(&format!("2026-11-23T{hour}:00:00Z"));
        change(&*ledger, job, 0, vec![JobEvent::Held(finding())]).await.unwrap();
    }
    change(&*ledger, &ca[1], 0, vec![JobEvent::Failed { reason: "it kills".into() }]).await.unwrap();
    let at = |time: &str| format!("2026-11-23T{time}Z").parse().unwrap();
    let held = async |until: &str| ledger.held_since(at(until)).await.unwrap();
    assert!(held("12:59:59").await.is_empty());
    let some = held("15:00:00").await;
    assert_eq!(some[&target("es")], HeldJobs { jobs: 2, oldest: at("13:00:00") });
    assert_eq!(some[&target("ca")], HeldJobs { jobs: 1, oldest: at("15:00:00") });
    assert_eq!(held("16:00:00").await[&target("es")].jobs, 3);
}

pub(crate) async fn the_times_of_the_last_posts_are_listed_by_source<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    let time = |number: u64| format!("2026-11-2{number}T12:00:00Z").parse::<Timestamp>().unwrap();
    let mut recorded = page([3, 1, 4, 2], &["es"]);
    for record in &mut recorded.posts {
        record.post = Arc::new(Post { created_at: time(record.post.position), ..(*record.post).clone() });
    }
    ledger.record(recorded).await.unwrap();
    assert_eq!(ledger.post_times(SOURCE, 3).await.unwrap(), [4, 3, 2].map(time));
    assert_eq!(ledger.post_times(SOURCE, 9).await.unwrap().len(), 4);
    assert!(ledger.post_times("net:nobody", 9).await.unwrap().is_empty());
    // A post of a source whose clock is ahead was written when it was recorded.
    let written: Vec<Timestamp> = line(&*ledger, "es").await.iter().map(|job| job.written_at).collect();
    assert_eq!(written, [1, 2, 3, 3].map(time));
    let mut listed = ledger.jobs(&JobFilter::default(), None, 9).await.unwrap();
    listed.sort_by(|one, other| one.post.0.cmp(&other.post.0));
    assert_eq!(listed.iter().map(|line| line.written_at).collect::<Vec<_>>(), written);
}
