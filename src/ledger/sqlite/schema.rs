//! The tables, and the migrations from older formats.
//!
//! Times are milliseconds since 1970 in UTC. `jobs.position` repeats its post's, so that a line can be read in order
//! from one index. `jobs.last_change` is the fingerprint of the last change, to recognize a repeat.

/// Identifies a file as Mynah's: `Mynh`.
pub(super) const APPLICATION_ID: i32 = 0x4d79_6e68;

/// Jobs in their line. Must match the index `jobs_open` word for word, or SQLite does not use the index.
pub(super) const OPEN: &str = "jobs.stand = 2";

/// Posts whose texts were not removed. Must match the index `posts_with_text` word for word.
pub(super) const WITH_TEXT: &str = "posts.forgotten_at IS NULL";

/// Jobs that are not done. Must match the index `jobs_undone` word for word.
pub(super) const UNDONE: &str = "jobs.stand > 0";

/// The migrations from each format to the next; a file's format is the number of migrations. A released migration never
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
    // A message's outcome is looked up from the message before it, which does not depend on a correct clock.
    "
    ALTER TABLE publications ADD COLUMN after TEXT;
    CREATE INDEX publications_newest ON publications (target, length(remote_id), remote_id);
    ",
    // People mostly ask for jobs that are not done: the query must not scan everything ever published.
    "
    CREATE INDEX jobs_undone ON jobs (id)
        WHERE state IN ('queued', 'translating', 'ready', 'publishing', 'unknown', 'held', 'failed');
    ",
    // The number of done jobs is queried often, and counting them would scan everything ever published.
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
    // Each index makes every change of a job slower. The remaining ones are written when a job is created, published or
    // done; whoever writes done jobs counts them, once for many.
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
    // An edited post has several ids and one publication: each id maps to the recorded version. The raw form of an
    // unreadable post is stored with its row until a readable form arrives.
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
    // Standard terms; and support for several sources, several targets on one account, and repeated changes. Until now,
    // every target had its own account of the same name. A line is read source by source.
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
    // For people: the translation that is not published as it is, and what a job was before a person skipped it.
    "
    ALTER TABLE jobs ADD COLUMN rejected TEXT;
    ALTER TABLE jobs ADD COLUMN before_skip TEXT;
    ",
    // Texts can be removed: the index finds posts that still have theirs, oldest first.
    "
    ALTER TABLE posts ADD COLUMN forgotten_at INTEGER;
    CREATE INDEX posts_with_text ON posts (recorded_at) WHERE forgotten_at IS NULL;
    ",
    // Money: what was spent, one row for each day, payer and purpose; what is reserved; and what each part of a job cost, to
    // take it back if the part is absent. Amounts are millionths of a dollar, days are days of the budgets' time zone.
    "
    CREATE TABLE spending (
        day     TEXT NOT NULL,
        source  TEXT NOT NULL,
        target  TEXT NOT NULL,
        service TEXT NOT NULL,
        purpose TEXT NOT NULL,
        micros  INTEGER NOT NULL,
        units   INTEGER NOT NULL,
        PRIMARY KEY (day, source, target, service, purpose)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE reservations (
        key     INTEGER NOT NULL,
        day     TEXT NOT NULL,
        source  TEXT NOT NULL,
        target  TEXT NOT NULL,
        service TEXT NOT NULL,
        purpose TEXT NOT NULL,
        micros  INTEGER NOT NULL,
        units   INTEGER NOT NULL,
        PRIMARY KEY (key, day, source, target, service, purpose)
    ) STRICT, WITHOUT ROWID;

    ALTER TABLE publications ADD COLUMN cost INTEGER;
    ALTER TABLE publications ADD COLUMN cost_day TEXT;
    ALTER TABLE publications ADD COLUMN cost_service TEXT;
    ",
    // Review by people: the translation that waits for one, what they want of the next, and what they decided. A decision
    // is about the job as it was under a token, and there is one for each token.
    "
    ALTER TABLE jobs ADD COLUMN draft TEXT;
    ALTER TABLE jobs ADD COLUMN guidance TEXT;
    CREATE TABLE draft_decisions (
        job    INTEGER NOT NULL REFERENCES jobs (id),
        token  INTEGER NOT NULL,
        at     INTEGER NOT NULL,
        who    TEXT,
        action TEXT NOT NULL,
        note   TEXT,
        PRIMARY KEY (job, token)
    ) STRICT, WITHOUT ROWID;
    ",
    // People: who may use this Mynah, by the hash of a random token; and browsers in which they have logged in, which are valid
    // as long as the user has the same token.
    "
    CREATE TABLE users (
        key   TEXT PRIMARY KEY,
        name  TEXT NOT NULL,
        role  TEXT NOT NULL,
        token TEXT NOT NULL,
        since INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sessions (
        id       TEXT PRIMARY KEY,
        user_key TEXT NOT NULL,
        token    TEXT NOT NULL,
        until    INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sessions_of_user ON sessions (user_key, until);
    ",
    // Who decided what.
    "
    CREATE TABLE decisions (
        id      INTEGER PRIMARY KEY AUTOINCREMENT,
        at      INTEGER NOT NULL,
        who     TEXT,
        action  TEXT NOT NULL,
        job     INTEGER,
        subject TEXT NOT NULL,
        detail  TEXT NOT NULL
    ) STRICT;
    CREATE INDEX decisions_by_time ON decisions (at);
    ",
];
