//! The tables, and how an older file becomes one of today.
//!
//! Times are milliseconds since 1970 in UTC. `jobs.position` repeats its post's, so that a line is read in order from
//! one index. `jobs.last_change` is the fingerprint of the last change, by which its repeat is recognized.

use mynah_domain::JobState;

/// Marks a file as Mynah's: `Mynh`.
pub(super) const APPLICATION_ID: i32 = 0x4d79_6e68;

/// What stands in its line, as in the index `jobs_open`, word for word, or it would not be used.
pub(super) const OPEN: &str = "jobs.stand = 2";

/// What is not done, as in the index `jobs_undone`, word for word, too.
pub(super) const UNDONE: &str = "jobs.stand > 0";

/// What `jobs.stand` is in a state: 2 in its line, 1 given up, 0 done. The indexes go by it and not by the state, so that
/// the steps between, which are most of all that is ever written, touch none of them.
pub(super) fn stand_of(state: JobState) -> i64 {
    match state {
        JobState::Queued
        | JobState::Translating
        | JobState::Ready
        | JobState::Publishing
        | JobState::Unknown
        | JobState::Held => 2,
        JobState::Failed => 1,
        JobState::Published | JobState::Skipped => 0,
    }
}

/// The steps from each format to the next; a file's format is how many were taken. A step that was released never
/// changes.
pub(super) const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE posts (
        source      TEXT NOT NULL,
        id          TEXT NOT NULL,
        position    INTEGER NOT NULL,
        body        TEXT NOT NULL,
        recorded_at INTEGER NOT NULL,
        PRIMARY KEY (source, id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE jobs (
        id          INTEGER PRIMARY KEY,
        source      TEXT NOT NULL,
        post        TEXT NOT NULL,
        target      TEXT NOT NULL,
        position    INTEGER NOT NULL,
        state       TEXT NOT NULL,
        token       INTEGER NOT NULL DEFAULT 0,
        attempt     INTEGER NOT NULL DEFAULT 0,
        not_before  INTEGER,
        kind        TEXT,
        reason      TEXT,
        translation TEXT,
        engine      TEXT,
        created_at  INTEGER NOT NULL,
        updated_at  INTEGER NOT NULL,
        UNIQUE (source, post, target),
        FOREIGN KEY (source, post) REFERENCES posts (source, id)
    ) STRICT;

    -- Only what is not settled: however much was ever said, reading a line costs what is left of it.
    CREATE INDEX jobs_open ON jobs (target, position, id)
        WHERE state IN ('queued', 'translating', 'ready', 'publishing', 'unknown', 'held');
    CREATE INDEX jobs_of_post ON jobs (post, target);

    CREATE TABLE publications (
        job       INTEGER NOT NULL REFERENCES jobs (id),
        part      INTEGER NOT NULL,
        target    TEXT NOT NULL,
        text      TEXT NOT NULL,
        intent_at INTEGER NOT NULL,
        remote_id TEXT,
        sent_at   INTEGER,
        PRIMARY KEY (job, part)
    ) STRICT, WITHOUT ROWID;

    CREATE INDEX publications_by_time ON publications (target, intent_at);
    CREATE INDEX publications_by_remote_id ON publications (target, remote_id);

    CREATE TABLE progress (source TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    ",
    // What became of a message is found out from the one before it on, which needs no clock to be right.
    "
    ALTER TABLE publications ADD COLUMN after TEXT;
    CREATE INDEX publications_newest ON publications (target, length(remote_id), remote_id);
    ",
    // What a person asks for is mostly what is not done: finding it must not cost all that was ever said.
    "
    CREATE INDEX jobs_undone ON jobs (id)
        WHERE state IN ('queued', 'translating', 'ready', 'publishing', 'unknown', 'held', 'failed');
    ",
    // How many jobs are done is asked for again and again, and counting them would cost all that was ever said.
    "
    CREATE TABLE settled (
        target TEXT NOT NULL,
        state  TEXT NOT NULL,
        jobs   INTEGER NOT NULL,
        PRIMARY KEY (target, state)
    ) STRICT, WITHOUT ROWID;

    INSERT INTO settled SELECT target, state, count(*) FROM jobs
        WHERE state IN ('published', 'skipped') GROUP BY target, state;

    CREATE TRIGGER job_recorded AFTER INSERT ON jobs WHEN new.state IN ('published', 'skipped')
    BEGIN
        INSERT INTO settled VALUES (new.target, new.state, 1)
            ON CONFLICT DO UPDATE SET jobs = jobs + 1;
    END;
    CREATE TRIGGER job_settled AFTER UPDATE OF state ON jobs
        WHEN new.state IN ('published', 'skipped') AND old.state <> new.state
    BEGIN
        INSERT INTO settled VALUES (new.target, new.state, 1)
            ON CONFLICT DO UPDATE SET jobs = jobs + 1;
    END;
    CREATE TRIGGER job_opened AFTER UPDATE OF state ON jobs
        WHEN old.state IN ('published', 'skipped') AND old.state <> new.state
    BEGIN
        UPDATE settled SET jobs = jobs - 1 WHERE target = old.target AND state = old.state;
    END;
    ",
    // Each index is paid for with every change of a job. Those that are left are written when a job comes, when it is said
    // and when it is done; what is done is counted by whoever writes it, once for many.
    "
    ALTER TABLE jobs ADD COLUMN stand INTEGER NOT NULL DEFAULT 2;
    UPDATE jobs SET stand = CASE state WHEN 'published' THEN 0 WHEN 'skipped' THEN 0 WHEN 'failed' THEN 1 ELSE 2 END
        WHERE state IN ('published', 'skipped', 'failed');
    DROP INDEX jobs_open;
    DROP INDEX jobs_undone;
    DROP INDEX jobs_of_post;
    CREATE INDEX jobs_open ON jobs (target, position, id) WHERE stand = 2;
    CREATE INDEX jobs_undone ON jobs (id) WHERE stand > 0;

    DROP INDEX publications_by_remote_id;
    DROP INDEX publications_newest;
    CREATE INDEX publications_newest ON publications (target, length(remote_id), remote_id)
        WHERE remote_id IS NOT NULL;

    DROP TRIGGER job_recorded;
    DROP TRIGGER job_settled;
    DROP TRIGGER job_opened;
    ",
    // A post that was edited has several ids and one publication: each id leads to the version on record. The raw form of a
    // post that could not be read stands beside its row for as long as it is all there is.
    "
    CREATE TABLE versions (
        source TEXT NOT NULL,
        id     TEXT NOT NULL,
        post   TEXT NOT NULL,
        PRIMARY KEY (source, id),
        FOREIGN KEY (source, post) REFERENCES posts (source, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX versions_of_post ON versions (source, post);

    ALTER TABLE posts ADD COLUMN raw TEXT;
    CREATE INDEX posts_unreadable ON posts (source, position) WHERE raw IS NOT NULL;
    ",
    // The words of the field; and what several sources, several targets on one account and repeated changes need. Every
    // target had one account to itself, which was named like it. A line is read source by source.
    "
    ALTER TABLE progress RENAME TO checkpoints;
    UPDATE checkpoints SET body = json_remove(json_set(body, '$.watermark', body -> '$.floor'), '$.floor');
    UPDATE checkpoints SET body = json_remove(json_set(body, '$.backfill', body -> '$.walk'), '$.walk')
        WHERE body -> '$.walk' IS NOT NULL;

    ALTER TABLE publications RENAME COLUMN target TO account;
    ALTER TABLE publications ADD COLUMN key TEXT;
    ALTER TABLE publications ADD COLUMN reply_root TEXT;
    ALTER TABLE publications ADD COLUMN reply_parent TEXT;

    ALTER TABLE jobs ADD COLUMN last_change INTEGER;
    DROP INDEX jobs_open;
    CREATE INDEX jobs_open ON jobs (target, source, position, id) WHERE stand = 2;
    ",
];
