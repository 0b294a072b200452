//! Publications: what was begun on an account, its outcome, and replies to it.

use mynah_domain::{JobEvent, JobState, PostId, PublicationKey, Reply, ports::Clock as _};

use super::{
    Bench, SOURCE, TestClock, account, begun, begun_on, change, edited_page, line, page, page_of, sent,
    target, to_publishing,
};

pub(crate) async fn parts_are_listed_whatever_state_their_job_is_in<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.pop().unwrap();
    let token = to_publishing(&*ledger, &job).await;
    let failed = JobEvent::Failed { reason: "given up".into() };
    let again = JobEvent::Released { translated: false };
    change(&*ledger, &job, token, vec![begun(0), sent(0, "77"), failed, again]).await.unwrap();
    let again = line(&*ledger, "es").await.pop().unwrap();
    assert_eq!(again.state, JobState::Queued);
    assert_eq!(again.publications, ledger.publications(job.id).await.unwrap());
    assert_eq!(again.publications.len(), 1);
}

pub(crate) async fn only_begun_publications_count_against_the_caps<B: Bench>() {
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
    let spent = async |target_name: &str| ledger.spent(&account(target_name), clock.now()).await.unwrap();
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

pub(crate) async fn recorded_messages_are_distinguished_from_others<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.pop().unwrap();
    let token = to_publishing(&*ledger, &job).await;
    change(&*ledger, &job, token, vec![begun(0), sent(0, "77"), JobEvent::Published]).await.unwrap();
    let asked = [PostId("76".into()), PostId("77".into())];
    assert_eq!(ledger.recorded(&account("es"), &asked).await.unwrap(), [PostId("77".into())]);
    assert!(ledger.recorded(&account("ca"), &asked).await.unwrap().is_empty());
}

pub(crate) async fn an_intent_records_the_newest_message_of_its_account<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([3, 2, 1], &["es", "ca"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let mut after = Vec::new();
    // Ids also grow in length: 1000 is newer than 999.
    for (job, id) in jobs.iter().zip(["999", "1000", "1001"]) {
        let token = to_publishing(&*ledger, job).await;
        change(&*ledger, job, token, vec![begun(0), sent(0, id), JobEvent::Published]).await.unwrap();
        after.push(ledger.publications(job.id).await.unwrap()[0].after.clone());
    }
    assert_eq!(after, [None, Some(PostId("999".into())), Some(PostId("1000".into()))]);
    let other = line(&*ledger, "ca").await.remove(0);
    let token = to_publishing(&*ledger, &other).await;
    change(&*ledger, &other, token, vec![begun_on("ca", 0)]).await.unwrap();
    assert_eq!(ledger.publications(other.id).await.unwrap()[0].after, None, "another account");
}

pub(crate) async fn the_state_of_a_post_on_a_target_is_known<B: Bench>() {
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

pub(crate) async fn a_thread_continues_after_any_version_of_its_parent<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(edited_page(&[(2, &[1, 2])], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.pop().unwrap();
    let token = to_publishing(&*ledger, &job).await;
    change(&*ledger, &job, token, vec![begun(0), sent(0, "77"), JobEvent::Published]).await.unwrap();
    ledger.record(edited_page(&[(3, &[1, 2, 3])], &["es"])).await.unwrap();
    for version in ["1", "2", "3"] {
        let id = PostId(version.into());
        let became = ledger.publication_of(&id, &target("es")).await.unwrap();
        assert_eq!(became, Some(Reply::behind(PostId("77".into()), None)), "{version}");
        assert_eq!(
            ledger.state_of(&id, &target("es")).await.unwrap(),
            Some(JobState::Published),
            "{version}"
        );
        assert_eq!(ledger.post(SOURCE, &id).await.unwrap().unwrap().position, 2, "{version}");
    }
    let unknown = PostId("4".into());
    assert_eq!(ledger.publication_of(&unknown, &target("es")).await.unwrap(), None);
    assert_eq!(ledger.post(SOURCE, &unknown).await.unwrap(), None);
}

pub(crate) async fn a_publication_is_stored_with_its_key_account_and_parent<B: Bench>() {
    let bench = B::new(TestClock::at("2026-11-23T12:00:00Z"));
    let ledger = bench.open();
    ledger.record(page([1], &["es"])).await.unwrap();
    let job = line(&*ledger, "es").await.remove(0);
    let token = to_publishing(&*ledger, &job).await;
    let key = PublicationKey::new(job.post.created_at);
    let reply = Some(Reply { root: PostId("7".into()), parent: PostId("8".into()) });
    let intent = JobEvent::PartBegun {
        part: 0,
        account: account("town"),
        text: "Hola".into(),
        key,
        reply: reply.clone().map(Box::new),
        cost: None,
    };
    change(&*ledger, &job, token, vec![intent]).await.unwrap();
    drop(ledger);
    let ledger = bench.open();
    let begun = ledger.publications(job.id).await.unwrap().remove(0);
    assert_eq!(
        (begun.key, begun.reply.as_ref(), &begun.account),
        (Some(key), reply.as_ref(), &account("town"))
    );
    assert_eq!(line(&*ledger, "es").await[0].publications, [begun]);
}

pub(crate) async fn a_threads_next_reply_names_its_root_and_last_message<B: Bench>() {
    let ledger = B::new(TestClock::at("2026-11-23T12:00:00Z")).open();
    ledger.record(page([1, 2], &["es"])).await.unwrap();
    let jobs = line(&*ledger, "es").await;
    let behind = async |post: &str| ledger.publication_of(&PostId(post.into()), &target("es")).await.unwrap();
    let id = |id: &str| PostId(id.into());
    let begun = |part, reply: Option<Reply>| JobEvent::PartBegun {
        part,
        account: account("es"),
        text: "Hola".into(),
        key: PublicationKey::new(jobs[0].post.created_at),
        reply: reply.map(Box::new),
        cost: None,
    };
    let token = to_publishing(&*ledger, &jobs[0]).await;
    assert_eq!(behind("1").await, None);
    change(&*ledger, &jobs[0], token, vec![begun(0, None), sent(0, "70")]).await.unwrap();
    let after_first = behind("1").await;
    assert_eq!(after_first, Some(Reply { root: id("70"), parent: id("70") }));
    change(&*ledger, &jobs[0], token, vec![begun(1, after_first.clone())]).await.unwrap();
    assert_eq!(behind("1").await, after_first, "nothing may reply to a message that is not known to be sent");
    change(&*ledger, &jobs[0], token, vec![sent(1, "71"), JobEvent::Published]).await.unwrap();
    let after_second = behind("1").await;
    assert_eq!(after_second, Some(Reply { root: id("70"), parent: id("71") }));
    let token = to_publishing(&*ledger, &jobs[1]).await;
    let events = vec![begun(0, after_second), sent(0, "72"), JobEvent::Published];
    change(&*ledger, &jobs[1], token, events).await.unwrap();
    assert_eq!(behind("2").await, Some(Reply { root: id("70"), parent: id("72") }));
}

pub(crate) async fn targets_that_share_an_account_share_its_caps_and_its_messages<B: Bench>() {
    let clock = TestClock::at("2026-11-23T12:00:00Z");
    let ledger = B::new(clock.clone()).open();
    ledger.record(page_of("x:parks", [1], &["parks"])).await.unwrap();
    ledger.record(page_of("feed:police", [1, 2], &["police"])).await.unwrap();
    let (parks, police) = (line(&*ledger, "parks").await, line(&*ledger, "police").await);
    let mut after = Vec::new();
    for (job, id) in [(&parks[0], "70"), (&police[0], "71"), (&police[1], "72")] {
        let token = to_publishing(&*ledger, job).await;
        let events = vec![begun_on("town_es", 0), sent(0, id), JobEvent::Published];
        change(&*ledger, job, token, events).await.unwrap();
        after.push(ledger.publications(job.id).await.unwrap()[0].after.clone());
    }
    let id = |id: &str| PostId(id.into());
    assert_eq!(after, [None, Some(id("70")), Some(id("71"))], "the newest message is the account's");
    assert_eq!(ledger.spent(&account("town_es"), clock.now()).await.unwrap().today, 3);
    assert_eq!(ledger.spent(&account("parks"), clock.now()).await.unwrap().today, 0);
    let asked = [id("70"), id("72"), id("79")];
    assert_eq!(ledger.recorded(&account("town_es"), &asked).await.unwrap(), [id("70"), id("72")]);
    // Both sources have a post 1, and each target has its own.
    for (name, message) in [("parks", "70"), ("police", "71")] {
        let became = ledger.publication_of(&id("1"), &target(name)).await.unwrap();
        assert_eq!(became, Some(Reply::behind(id(message), None)), "{name}");
        assert_eq!(ledger.state_of(&id("1"), &target(name)).await.unwrap(), Some(JobState::Published));
    }
    assert_eq!(ledger.state_of(&id("2"), &target("parks")).await.unwrap(), None);
}
