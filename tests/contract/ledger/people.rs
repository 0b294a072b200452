//! Users, their sessions, and what people decided.

use std::sync::Arc;

use jiff::Timestamp;
use mynah_domain::{
    JobEvent, JobState, Skip,
    people::{Author, DecisionRecord, Role, Session, TokenHash, User},
    ports::{
        Ledger,
        ledger::{Change, MAX_SESSIONS},
    },
};

use super::{Bench, TestClock, line, page};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + seconds).unwrap()
}

fn hash(number: usize) -> TokenHash {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    TokenHash(hash)
}

fn user(name: &str, token: usize) -> User {
    User { name: name.parse().unwrap(), role: Role::Review, token: hash(token), since: at(0) }
}

/// What the administrator did at this second.
fn did(action: &str, subject: &str, second: i64) -> DecisionRecord {
    Author { who: Some("admin".into()), at: at(second) }.decides(action, subject)
}

fn session(id: usize, user: &User, until: i64) -> Session {
    Session { id: hash(id), user: user.name.key(), token: user.token, until: at(until) }
}

/// The decisions on record, oldest first.
async fn recorded(ledger: &dyn Ledger) -> Vec<DecisionRecord> {
    let listed = ledger.decisions(None, 1000).await.unwrap();
    listed.into_iter().rev().map(|listed| listed.record).collect()
}

fn bench<B: Bench>() -> (B, Arc<TestClock>) {
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    (B::new(clock.clone()), clock)
}

pub(crate) async fn a_user_survives_the_process_and_a_name_is_used_once<B: Bench>() {
    let (bench, _) = bench::<B>();
    let ledger = bench.open();
    assert_eq!(ledger.users().await.unwrap(), []);
    let ana = user("Ana", 1);
    assert!(ledger.add_user(ana.clone(), did("add_user", "Ana", 1)).await.unwrap());
    assert!(ledger.add_user(ana.clone(), did("add_user", "Ana", 1)).await.unwrap(), "the same call again");
    assert!(!ledger.add_user(user("ANA", 2), did("add_user", "ANA", 2)).await.unwrap());
    assert!(ledger.add_user(user("Ben", 3), did("add_user", "Ben", 3)).await.unwrap());
    drop(ledger);
    let ledger = bench.open();
    let users = ledger.users().await.unwrap();
    assert_eq!(users, [ana, user("Ben", 3)]);
    assert_eq!(users[0].name.as_str(), "Ana");
    assert_eq!(recorded(&*ledger).await, [did("add_user", "Ana", 1), did("add_user", "Ben", 3)]);
}

pub(crate) async fn a_user_without_a_token_has_no_sessions_either<B: Bench>() {
    let (bench, _) = bench::<B>();
    let ledger = bench.open();
    let (ana, ben) = (user("Ana", 1), user("Ben", 2));
    for (second, one) in [(1, &ana), (2, &ben)] {
        assert!(ledger.add_user(one.clone(), did("add_user", one.name.as_str(), second)).await.unwrap());
        ledger.open_session(session(10 + one.token.0[7] as usize, one, 900), at(3)).await.unwrap();
    }
    let name = "ana".parse().unwrap();
    assert!(ledger.renew_user(&name, hash(5), did("renew_user", "ana", 4)).await.unwrap());
    assert!(ledger.renew_user(&name, hash(5), did("renew_user", "ana", 4)).await.unwrap(), "again");
    assert_eq!(ledger.users().await.unwrap()[0].token, hash(5));
    assert_eq!(ledger.session(hash(11)).await.unwrap(), None);
    assert_eq!(ledger.session(hash(12)).await.unwrap(), Some(session(12, &ben, 900)));
    let name = "BEN".parse().unwrap();
    assert!(ledger.remove_user(&name, did("remove_user", "BEN", 5)).await.unwrap());
    assert!(ledger.remove_user(&name, did("remove_user", "BEN", 5)).await.unwrap(), "the same call again");
    assert!(!ledger.remove_user(&name, did("remove_user", "BEN", 6)).await.unwrap(), "another call");
    assert!(!ledger.renew_user(&name, hash(6), did("renew_user", "BEN", 7)).await.unwrap());
    assert_eq!(ledger.session(hash(12)).await.unwrap(), None);
    assert_eq!(ledger.users().await.unwrap(), [User { token: hash(5), ..ana }]);
    let actions: Vec<String> = recorded(&*ledger).await.into_iter().map(|record| record.action).collect();
    assert_eq!(actions, ["add_user", "add_user", "renew_user", "remove_user"], "only what was done");
}

pub(crate) async fn sessions_end_and_their_number_is_bounded<B: Bench>() {
    let (bench, _) = bench::<B>();
    let ledger = bench.open();
    let ana = user("Ana", 1);
    let open = async |id, until, now| ledger.open_session(session(id, &ana, until), at(now)).await.unwrap();
    open(1, 100, 0).await;
    open(1, 100, 0).await;
    assert_eq!(ledger.session(hash(1)).await.unwrap(), Some(session(1, &ana, 100)));
    assert_eq!(ledger.session(hash(2)).await.unwrap(), None);
    ledger.close_session(hash(1)).await.unwrap();
    ledger.close_session(hash(1)).await.unwrap();
    assert_eq!(ledger.session(hash(1)).await.unwrap(), None);
    open(3, 100, 0).await;
    open(4, 300, 100).await;
    assert_eq!(ledger.session(hash(3)).await.unwrap(), None, "it had ended");
    for id in 10..10 + MAX_SESSIONS {
        open(id, 400, 200).await;
    }
    assert_eq!(ledger.session(hash(4)).await.unwrap(), None, "it would have ended first");
    assert!(ledger.session(hash(10)).await.unwrap().is_some());
}

pub(crate) async fn a_decision_about_a_job_is_recorded_with_the_change<B: Bench>() {
    let (bench, _) = bench::<B>();
    let ledger = bench.open();
    ledger.record(page([1, 2], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let skip = |job: usize, token| Change::new(jobs[job].id, token, vec![JobEvent::Skipped(Skip::ByHand)]);
    // The token of the second job is not its own.
    let changes: Arc<[Change]> = [skip(0, jobs[0].token), skip(1, jobs[1].token + 1)].into();
    let records: Arc<[DecisionRecord]> = [0, 1].map(|job| did("skip", "x:es", 1).about(jobs[job].id)).into();
    for attempt in ["once", "the same call again"] {
        let answers = ledger.advance_decided(changes.clone(), records.clone()).await.unwrap();
        assert_eq!(answers[0].as_ref().unwrap().state, JobState::Skipped);
        assert!(answers[1].is_err());
        assert_eq!(recorded(&*ledger).await, records[..1], "{attempt}");
    }
}

pub(crate) async fn decisions_are_listed_newest_first_and_removed_by_age<B: Bench>() {
    let (bench, _) = bench::<B>();
    let ledger = bench.open();
    ledger.remember_decided("paused:poller", "yes", did("pause", "poller", 1)).await.unwrap();
    ledger.remember_decided("paused:poller", "yes", did("pause", "poller", 1)).await.unwrap();
    assert_eq!(ledger.fact("paused:poller").await.unwrap().as_deref(), Some("yes"));
    let nobody =
        DecisionRecord { who: None, ..did("restart_actor", "cache", 2).with_detail("nul: \u{1f600}") };
    ledger.record_decision(nobody.clone()).await.unwrap();
    ledger.record_decision(nobody.clone()).await.unwrap();
    ledger.record_decision(did("reload", "", 3)).await.unwrap();
    let all = ledger.decisions(None, 10).await.unwrap();
    let records: Vec<_> = all.iter().map(|listed| listed.record.clone()).collect();
    assert_eq!(records, [did("reload", "", 3), nobody.clone(), did("pause", "poller", 1)]);
    assert!(all.is_sorted_by(|one, next| one.number > next.number));
    assert_eq!(ledger.decisions(None, 1).await.unwrap(), all[..1]);
    assert_eq!(ledger.decisions(Some(all[0].number), 1).await.unwrap(), all[1..2]);
    assert_eq!(ledger.forget_decisions(at(2)).await.unwrap(), 1);
    assert_eq!(recorded(&*ledger).await, [nobody, did("reload", "", 3)]);
}
