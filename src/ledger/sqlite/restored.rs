//! Remembers that the ledger was restored from a backup. It does not know what was published after the backup, so what
//! may have been published waits for a person: everything that was not done by then, and every post from before the
//! restore that is recorded after it. Later posts are published as usual.

use std::time::Duration;

use jiff::Timestamp;
use mynah_domain::{Hold, Post, job::HoldKind};
use rusqlite::{Connection, params};

use super::facts;

/// The fact with the time of the restore.
const FACT: &str = "ledger:restored_at";

/// How far this machine's clock may be behind the network's.
const SLACK: Duration = Duration::from_mins(1);

/// How long after a post its author may edit it. The edit has a new id and a new time, and only one of the two is
/// published.
const EDITABLE: Duration = Duration::from_hours(24);

/// When the ledger was restored, if it was.
pub(super) struct Restored(Option<Timestamp>);

impl Restored {
    pub(super) fn of(db: &Connection) -> rusqlite::Result<Self> {
        // Only Mynah writes it.
        Ok(Self(facts::fact(db, FACT)?.and_then(|at| at.parse().ok())))
    }

    /// Why a new post must wait for a person, if it may be published already.
    pub(super) fn hold(&self, post: &Post) -> Option<Hold> {
        let at = self.0?;
        let slack = if post.versions.is_empty() { SLACK } else { EDITABLE };
        let until = at.saturating_add(slack).unwrap_or(Timestamp::MAX);
        (post.created_at <= until).then(|| Hold {
            kind: HoldKind::Restored,
            reason: reason(None),
            until: None,
        })
    }
}

/// Why a job is held; `before` is why it was not published by the time of the backup.
fn reason(before: Option<&str>) -> String {
    let before = before.map(|before| format!(" (in the backup: {before})")).unwrap_or_default();
    format!(
        "the ledger was restored from a backup, so it is not known whether this was published since: look at the \
        account, then skip it or retry it{before}"
    )
}

/// Marks a ledger as restored, and holds every job that is not done, except those that the publisher settles by itself: if
/// every part of a job was begun, looking up their exact texts on the account shows what became of it. Returns how many
/// jobs are held.
pub(super) fn mark(db: &Connection, now: Timestamp) -> rusqlite::Result<u64> {
    facts::remember(db, FACT, &now.to_string())?;
    let at = now.as_millisecond();
    // Every worker of the earlier process is gone, and no change of it may be repeated.
    db.execute(
        "UPDATE jobs SET attempt = 0, not_before = NULL, token = token + 1, last_change = NULL WHERE stand > 0",
        [],
    )?;
    let mut statement = db.prepare(
        "SELECT id, reason FROM jobs WHERE stand > 0 AND NOT (
             state IN ('publishing', 'unknown') AND ifnull(json_array_length(translation, '$.parts'), -1) =
             (SELECT count(*) FROM publications WHERE job = jobs.id))",
    )?;
    let undone = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let undone: Vec<(i64, Option<String>)> = undone.collect::<Result<_, _>>()?;
    let mut hold = db.prepare(
        "UPDATE jobs SET state = 'held', stand = 2, kind = ?2, reason = ?3, updated_at = ?4 WHERE id = ?1",
    )?;
    // A job with a part in doubt could only be retried; the person who looks at the account may also skip it.
    let mut withdraw = db.prepare("DELETE FROM publications WHERE job = ?1 AND remote_id IS NULL")?;
    for (job, before) in &undone {
        hold.execute(params![job, HoldKind::Restored.as_str(), reason(before.as_deref()), at])?;
        withdraw.execute([job])?;
    }
    db.execute("UPDATE jobs SET state = 'unknown', updated_at = ?1 WHERE state = 'publishing'", [at])?;
    Ok(undone.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::open;

    #[test]
    fn only_jobs_that_can_be_looked_up_as_a_whole_are_not_held() {
        let folder = tempfile::tempdir().unwrap();
        let db = open::open(&folder.path().join("ledger.sqlite")).unwrap().connection;
        db.execute_batch(
            r#"INSERT INTO posts (source, id, position, body, recorded_at) VALUES ('x:town', '1', 1, '{}', 0);
            INSERT INTO jobs (id, source, post, target, position, state, stand, kind, reason, translation, not_before,
                              created_at, updated_at)
            VALUES (1, 'x:town', '1', 'a', 1, 'published', 0, NULL, NULL, '{"parts":["A"]}', NULL, 0, 0),
                   (2, 'x:town', '1', 'b', 1, 'skipped', 0, 'by_hand', NULL, NULL, NULL, 0, 0),
                   (3, 'x:town', '1', 'c', 1, 'queued', 2, NULL, 'no answer', NULL, 9, 0, 0),
                   (4, 'x:town', '1', 'd', 1, 'held', 2, 'cap', 'the cap', '{"parts":["A"]}', 9, 0, 0),
                   (5, 'x:town', '1', 'e', 1, 'failed', 1, NULL, 'why', NULL, NULL, 0, 0),
                   (6, 'x:town', '1', 'f', 1, 'publishing', 2, NULL, NULL, '{"parts":["A"]}', NULL, 0, 0),
                   (7, 'x:town', '1', 'g', 1, 'unknown', 2, NULL, 'lost', '{"parts":["A", "B"]}', NULL, 0, 0),
                   (8, 'x:town', '1', 'h', 1, 'publishing', 2, NULL, NULL, '{"parts":["A", "B"]}', NULL, 0, 0),
                   (9, 'x:town', '1', 'i', 1, 'publishing', 2, NULL, NULL, '{"parts":["A"]}', NULL, 0, 0);
            INSERT INTO publications (job, part, account, text, intent_at, remote_id)
            VALUES (1, 0, 'a', 'A', 0, '1'), (6, 0, 'f', 'A', 0, NULL), (7, 0, 'g', 'A', 0, NULL),
                   (8, 0, 'h', 'A', 0, '2'), (8, 1, 'h', 'B', 0, NULL);"#,
        )
        .unwrap();
        assert_eq!(mark(&db, Timestamp::UNIX_EPOCH).unwrap(), 5);
        let mut statement = db
            .prepare(
                "SELECT state, stand, kind, not_before, token, (SELECT count(*) FROM publications WHERE job = jobs.id)
                 FROM jobs ORDER BY id",
            )
            .unwrap();
        let rows = statement.query_map([], |row| {
            let kind: Option<String> = row.get(2)?;
            assert_eq!(row.get::<_, Option<i64>>(3)?, None);
            Ok((row.get::<_, String>(0)?, row.get(1)?, kind, row.get(4)?, row.get(5)?))
        });
        let rows: Vec<(String, i64, Option<String>, i64, i64)> = rows.unwrap().map(Result::unwrap).collect();
        let held = |parts| ("held".to_owned(), 2, Some("restored".to_owned()), 1, parts);
        let unknown = |parts| ("unknown".to_owned(), 2, None, 1, parts);
        let expected = [
            ("published".into(), 0, None, 0, 1),
            ("skipped".into(), 0, Some("by_hand".into()), 0, 0),
            held(0),
            held(0),
            held(0),
            unknown(1),
            held(0),
            unknown(2),
            held(0),
        ];
        assert_eq!(rows, expected);
        let why: String = db.query_row("SELECT reason FROM jobs WHERE id = 4", [], |row| row.get(0)).unwrap();
        assert!(why.ends_with("(in the backup: the cap)"), "{why}");
    }

    #[test]
    fn posts_from_before_the_restore_wait_and_later_ones_do_not() {
        let at: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let post = |minutes: i64, versions: &[&str]| Post {
            id: mynah_domain::PostId("1".into()),
            position: 1,
            text: "Hello".into(),
            entities: None,
            language: None,
            kind: mynah_domain::PostKind::Original,
            created_at: at + jiff::SignedDuration::from_mins(minutes),
            media: vec![],
            has_poll: false,
            versions: versions.iter().map(|id| mynah_domain::PostId((*id).into())).collect(),
        };
        let held = |post: Post| Restored(Some(at)).hold(&post).is_some();
        assert!(held(post(-60, &[])) && held(post(0, &[])) && held(post(1, &[])));
        assert!(!held(post(2, &[])));
        assert!(held(post(2, &["0", "1"])), "an edit of a post from before the restore");
        assert!(Restored(None).hold(&post(-60, &[])).is_none());
    }
}
