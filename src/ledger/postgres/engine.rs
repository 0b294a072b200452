//! What is particular to PostgreSQL itself. An engine that speaks its protocol (CockroachDB, YugabyteDB) may lack some of
//! it; everything else in this folder is plain SQL.

use std::time::Duration;

use tokio_postgres::{Client, GenericClient, error::SqlState};

use super::errors::Result;

/// The settings of every session.
///
/// - A process that stops in the middle of a transaction (SIGSTOP, a machine that hangs) must not keep its locks: another
///   could not take over its leases.
/// - Plans must hold for all values: the tables are read by index, however small they were when a statement was planned.
pub(super) const SESSION: &str = "
    SET search_path TO mynah;
    SET idle_in_transaction_session_timeout TO '4s';
    SET lock_timeout TO '8s';
    SET statement_timeout TO '60s';
    SET plan_cache_mode TO force_generic_plan;
    SET enable_seqscan TO off;
    SET enable_hashjoin TO off;
    SET enable_mergejoin TO off;
    SET jit TO off;
    SET client_min_messages TO warning
";

/// The oldest server that this was tested with.
pub(super) const OLDEST: i32 = 150_000;

/// Waits until no other process migrates; ends with the transaction.
pub(super) async fn lock_migrations(db: &impl GenericClient) -> Result<()> {
    // `Mynh`, as in the header of a SQLite ledger.
    db.batch_execute("SELECT pg_advisory_xact_lock(1299803752)").await?;
    Ok(())
}

/// The server's version as a number, and the encoding of the database.
pub(super) async fn server(db: &impl GenericClient) -> Result<(i32, String)> {
    let row = db
        .query_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_encoding')",
            &[],
        )
        .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Leaves a mark in a session, which no other session can see.
pub(super) async fn mark_session(db: &Client, mark: u64) -> Result<()> {
    db.batch_execute(&format!("SELECT set_config('mynah.session', '{mark}', false)")).await?;
    Ok(())
}

/// Whether a session sees the mark of another one: then both are one connection to the server, and a pooler gives each
/// transaction whichever is free.
pub(super) async fn has_mark(db: &Client, mark: u64) -> Result<bool> {
    let row = db.query_one("SELECT current_setting('mynah.session', true)", &[]).await?;
    Ok(row.try_get::<_, Option<String>>(0)?.is_some_and(|found| found == mark.to_string()))
}

/// Rewrites the tables that have texts, so that no removed text has a trace in their files.
pub(super) async fn rewrite(db: &Client) -> Result<()> {
    db.batch_execute("SET statement_timeout TO 0").await?;
    let mut outcome = Ok(());
    for table in ["posts", "jobs", "publications"] {
        outcome = db.batch_execute(&format!("VACUUM (FULL, ANALYZE) {table}")).await;
        if outcome.is_err() {
            break;
        }
    }
    db.batch_execute("SET statement_timeout TO '60s'").await?;
    Ok(outcome?)
}

/// Numbers new jobs and decisions behind those that are there.
pub(super) async fn number_on(db: &Client) -> Result<()> {
    db.batch_execute(
        "SELECT setval(pg_get_serial_sequence('jobs', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM jobs), false);
         SELECT setval(pg_get_serial_sequence('decisions', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM decisions), false);
         ANALYZE posts, jobs, publications",
    )
    .await?;
    Ok(())
}

/// How long a rewrite may take before the caller gives up.
pub(super) const REWRITE: Duration = Duration::from_hours(1);

/// Errors after which the same call may succeed, beside the standard's.
pub(super) fn is_retryable(code: &SqlState) -> bool {
    // CockroachDB: the outcome of a commit is not known.
    code.code() == "40003"
}
