//! Opens a ledger of the previous version, with data of every kind: nothing is lost, and work continues where it was.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use mynah_domain::{
    AccountId, Job, JobEvent, JobId, JobState, PostId, PublicationKey, Reply, TargetId,
    ports::{
        Facts as _, Listing as _, SystemClock, Work as _,
        ledger::{Backfill, Change, Checkpoint, JobFilter, LinePosition, Mark},
    },
};
use rusqlite::{Connection, params};

use super::{
    SqliteLedger,
    schema::{APPLICATION_ID, MIGRATIONS},
};

/// The number of migrations that the previous version had.
const FORMER: usize = 6;

/// Positions are too large for an exact floating-point number.
const FAR: u64 = 1_849_337_283_618_123_840;

fn es() -> TargetId {
    TargetId::new("x", "town_es")
}

fn account() -> AccountId {
    AccountId::new("x", "town_es")
}

fn id(number: u64) -> PostId {
    PostId((FAR + number).to_string())
}

fn mark(number: u64) -> Mark {
    Mark { id: id(number), position: FAR + number }
}

fn noon() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// A job: its post's number, state, token, attempt, kind, whether it is translated, and `stand`.
type JobRow = (u64, &'static str, i64, u32, Option<&'static str>, bool, i64);

const JOBS: [JobRow; 12] = [
    (1, "published", 2, 0, None, true, 0),
    (2, "skipped", 0, 0, Some("other_language"), false, 0),
    (3, "failed", 3, 3, None, false, 1),
    (4, "held", 2, 0, Some("gate"), false, 2),
    (5, "held", 0, 0, Some("unreadable"), false, 2),
    (6, "unknown", 4, 1, None, true, 2),
    (7, "publishing", 2, 1, None, true, 2),
    (8, "ready", 1, 0, None, true, 2),
    (9, "translating", 5, 2, None, false, 2),
    (10, "queued", 0, 0, None, false, 2),
    // Of a backfill in progress.
    (19, "queued", 0, 0, None, false, 2),
    (20, "skipped", 0, 0, Some("edited"), false, 0),
];

/// A file as the previous version wrote it.
fn former(folder: &Path) -> PathBuf {
    let path = folder.join("ledger.sqlite");
    let db = Connection::open(&path).unwrap();
    for step in &MIGRATIONS[..FORMER] {
        db.execute_batch(step).unwrap();
    }
    db.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    db.pragma_update(None, "user_version", i32::try_from(FORMER).unwrap()).unwrap();
    let at = noon().as_millisecond();
    for (number, state, token, attempt, kind, is_translated, stand) in JOBS {
        let (post, position) = (id(number), i64::try_from(FAR + number).unwrap());
        let body = format!(
            r#"{{"id":"{post}","position":{position},"text":"Post {number}","kind":{{"kind":"original"}},"created_at":"2026-11-23T11:00:00Z"}}"#
        );
        let raw = (number == 5).then_some(r#"{"id":5}"#);
        db.execute(
            "INSERT INTO posts VALUES ('x:town', ?1, ?2, ?3, ?4, ?5)",
            params![post.0, position, body, at, raw],
        )
        .unwrap();
        let translation = format!(r#"{{"parts":["Publicación {number}"],"engine":"gemini/test"}}"#);
        db.execute(
            "INSERT INTO jobs (source, post, target, position, state, token, attempt, kind, reason, translation, engine,
                               created_at, updated_at, stand)
             VALUES ('x:town', ?1, 'x:town_es', ?2, ?3, ?4, ?5, ?6, 'why', ?7, ?8, ?9, ?9, ?10)",
            params![
                post.0,
                position,
                state,
                token,
                attempt,
                kind,
                is_translated.then_some(translation),
                is_translated.then_some("gemini/test"),
                at,
                stand
            ],
        )
        .unwrap();
    }
    for (number, remote_id, after) in [(1, Some("900"), None), (6, None, Some("900")), (7, None, Some("900"))]
    {
        db.execute(
            "INSERT INTO publications (job, part, target, text, intent_at, remote_id, sent_at, after)
             SELECT id, 0, target, 'Publicación', ?2, ?3, iif(?3 IS NULL, NULL, ?2), ?4 FROM jobs WHERE post = ?1",
            params![id(number).0, at, remote_id, after],
        )
        .unwrap();
    }
    let walk = |position: u64| format!(r#"{{"id":"{}","position":{}}}"#, FAR + position, FAR + position);
    let body = format!(
        r#"{{"floor":{},"walk":{{"newest":{},"oldest":{}}},"start":{}}}"#,
        walk(10),
        walk(20),
        walk(19),
        walk(0)
    );
    for (source, body) in [("x:town", body.as_str()), ("x:new", r#"{"floor":null}"#)] {
        db.execute("INSERT INTO progress VALUES (?1, ?2)", [source, body]).unwrap();
    }
    db.execute_batch(
        "INSERT INTO settled VALUES ('x:town_es', 'published', 1), ('x:town_es', 'skipped', 2);
         INSERT INTO facts VALUES ('x:user_id:town', '7'), ('paused:x:town_es', 'no');",
    )
    .unwrap();
    for version in [19, 20] {
        let row = params![id(version).0, id(19).0];
        db.execute("INSERT INTO versions VALUES ('x:town', ?1, ?2)", row).unwrap();
    }
    path
}

fn open(path: &Path) -> SqliteLedger {
    SqliteLedger::open(path, Arc::new(SystemClock)).unwrap()
}

async fn line(ledger: &SqliteLedger) -> Vec<Job> {
    ledger.open_jobs(&es(), None, 100).await.unwrap()
}

fn states(jobs: &[Job]) -> Vec<(u64, JobState)> {
    jobs.iter().map(|job| (job.post.position - FAR, job.state)).collect()
}

#[actix_rt::test]
async fn a_ledger_of_the_previous_version_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&former(folder.path()));
    let expected = Checkpoint {
        watermark: Some(mark(10)),
        backfill: Some(Backfill { newest: mark(20), oldest: mark(19) }),
        start: Some(mark(0)),
        ..Checkpoint::default()
    };
    assert_eq!(ledger.checkpoint("x:town").await.unwrap(), Some(expected));
    assert_eq!(ledger.checkpoint("x:new").await.unwrap(), Some(Checkpoint::default()));

    let all = ledger.jobs(&JobFilter::default(), None, 100).await.unwrap();
    let stored: Vec<_> = all
        .iter()
        .map(|job| {
            (job.state.as_str(), job.token, job.attempt, job.kind.as_deref(), job.translation.is_some())
        })
        .collect();
    assert_eq!(
        stored,
        JOBS.map(|(_, state, token, attempt, kind, is_translated, _)| (
            state,
            token,
            attempt,
            kind,
            is_translated
        ))
    );
    assert_eq!(all[4].raw.as_deref(), Some(r#"{"id":5}"#));
    let counts = ledger.counts().await.unwrap();
    assert_eq!(counts[&(es(), JobState::Skipped)], 2);
    assert_eq!(counts.values().sum::<u64>(), JOBS.len() as u64);

    assert_eq!(
        states(&line(&ledger).await),
        [
            (6, JobState::Unknown),
            (7, JobState::Publishing),
            (8, JobState::Ready),
            (9, JobState::Translating),
            (10, JobState::Queued)
        ],
        "jobs after the watermark wait for the rest of the backfill"
    );
    let begun = ledger.publications(all[5].id).await.unwrap().remove(0);
    assert_eq!((begun.account, begun.after, begun.remote_id), (account(), Some(PostId("900".into())), None));
    assert_eq!((begun.key, begun.reply), (None, None));
    let spent = ledger.spent(&account(), noon()).await.unwrap();
    assert_eq!((spent.today, spent.this_month), (3, 3));
    let on_record = ledger.recorded(&account(), &[PostId("900".into()), PostId("901".into())]).await.unwrap();
    assert_eq!(on_record, [PostId("900".into())]);
    let behind = ledger.publication_of(&id(1), &es()).await.unwrap();
    assert_eq!(behind, Some(Reply::behind(PostId("900".into()), None)));
    assert_eq!(ledger.last_published(&[account()], 9).await.unwrap()[0].id, all[0].id);
    assert_eq!(ledger.post("x:town", &id(20)).await.unwrap().unwrap().id, id(19), "a version of it");
    assert_eq!(ledger.fact("x:user_id:town").await.unwrap().as_deref(), Some("7"));
}

#[actix_rt::test]
async fn work_on_a_ledger_of_the_previous_version_continues() {
    let folder = tempfile::tempdir().unwrap();
    let path = former(folder.path());
    let ledger = open(&path);
    assert_eq!(ledger.recover(&[es()]).await.unwrap(), 2);
    let jobs = line(&ledger).await;
    let recovered = [
        (6, JobState::Unknown),
        (7, JobState::Unknown),
        (8, JobState::Ready),
        (9, JobState::Queued),
        (10, JobState::Queued),
    ];
    assert_eq!(states(&jobs), recovered);
    assert_eq!((jobs[1].token, jobs[3].token), (3, 6), "the earlier owners cannot change them any more");

    let found = JobEvent::PartSent { part: 0, remote_id: PostId("901".into()) };
    publish(&ledger, &jobs[0], vec![found]).await;
    let absent = JobEvent::PartAbsent { part: 0 };
    publish(&ledger, &jobs[1], vec![absent, begun(), sent("902")]).await;
    publish(&ledger, &jobs[2], vec![begun(), sent("903")]).await;
    let last = ledger.publications(jobs[2].id).await.unwrap().remove(0);
    assert_eq!((last.after, last.key.is_some()), (Some(PostId("902".into())), true));
    let behind = ledger.open_jobs(&es(), Some(LinePosition::of(&jobs[3])), 9).await.unwrap();
    assert_eq!(states(&behind), [(10, JobState::Queued)]);
    drop(ledger);

    // Once is enough.
    while super::is_in_use(&path).unwrap() {
        actix_rt::task::yield_now().await;
    }
    let ledger = open(&path);
    assert_eq!(states(&line(&ledger).await), recovered[3..]);
    assert_eq!(ledger.counts().await.unwrap()[&(es(), JobState::Published)], 4);
}

fn begun() -> JobEvent {
    let key = PublicationKey::new(noon());
    JobEvent::PartBegun {
        part: 0,
        account: account(),
        text: "Publicación".into(),
        key,
        reply: None,
        cost: None,
    }
}

fn sent(id: &str) -> JobEvent {
    JobEvent::PartSent { part: 0, remote_id: PostId(id.into()) }
}

async fn publish(ledger: &SqliteLedger, job: &Job, parts: Vec<JobEvent>) {
    let lease = std::iter::once(JobEvent::LeasedForPublication);
    let events = lease.chain(parts).chain([JobEvent::Published]).collect();
    let change = Change::new(JobId(job.id.0), job.token, events);
    let answer = ledger.advance([change].into()).await.unwrap().remove(0);
    assert_eq!(answer.unwrap().state, JobState::Published);
}
