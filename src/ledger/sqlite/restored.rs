//! Remembers in the file that the ledger was restored from a backup: see the rules in [`super::super::restored`].

use jiff::Timestamp;
use mynah_domain::job::HoldKind;
use rusqlite::{Connection, params};

use super::{
    super::restored::{FACT, Restored, reason},
    facts,
};

/// When the ledger was restored, if it was.
pub(super) fn of(db: &Connection) -> rusqlite::Result<Restored> {
    Ok(Restored::of(facts::fact(db, FACT)?.as_deref()))
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
    // What the withdrawn parts cost stays spent: they may be on the account.
    let mut release = db.prepare("DELETE FROM reservations WHERE key = ?1")?;
    for (job, before) in &undone {
        hold.execute(params![job, HoldKind::Restored.as_str(), reason(before.as_deref()), at])?;
        withdraw.execute([job])?;
        release.execute([job])?;
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
                   (8, 0, 'h', 'A', 0, '2'), (8, 1, 'h', 'B', 0, NULL);
            INSERT INTO reservations VALUES (-1, '2026-11-27', 'x:town', 'a', 'gemini', 'translate', 1, 1),
                   (7, '2026-11-27', 'x:town', 'g', 'x', 'publish', 1, 1),
                   (8, '2026-11-27', 'x:town', 'h', 'x', 'publish', 1, 1);"#,
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
        let reserved: Vec<i64> = db
            .prepare("SELECT key FROM reservations ORDER BY key")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(reserved, [-1, 8], "a thread that is held has nothing reserved");
        let why: String = db.query_row("SELECT reason FROM jobs WHERE id = 4", [], |row| row.get(0)).unwrap();
        assert!(why.ends_with("(in the backup: the cap)"), "{why}");
    }
}
