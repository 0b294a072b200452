//! Brings the tables to this version's format, and refuses those of a newer one.

use deadpool_postgres::Object;
use log::info;
use tokio_postgres::Transaction;

use super::{engine, errors::Result, open::OpenError, rows::get, schema::MIGRATIONS};

/// What wrote the tables: a row for each migration, with the version of the program that made it.
const FORMATS: &str = "
    CREATE TABLE formats (
        format  BIGINT PRIMARY KEY,
        program TEXT NOT NULL,
        at      TIMESTAMPTZ NOT NULL DEFAULT now()
    )";

/// What a schema has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// No tables yet.
    Nothing,
    /// A ledger in this format, which may be one of a newer version.
    Ledger(usize),
    /// Tables of another program.
    Foreign,
}

/// Finds out what the schema has.
pub(super) async fn content(db: &impl tokio_postgres::GenericClient) -> Result<Content> {
    let tables = db
        .query_one(
            "SELECT count(*), count(*) FILTER (WHERE table_name = 'formats') FROM information_schema.tables
             WHERE table_schema = 'mynah'",
            &[],
        )
        .await?;
    match (get::<i64>(&tables, 0)?, get::<i64>(&tables, 1)?) {
        (0, _) => Ok(Content::Nothing),
        (_, 0) => Ok(Content::Foreign),
        _ => {
            let row = db.query_one("SELECT coalesce(max(format), 0) FROM mynah.formats", &[]).await?;
            Ok(Content::Ledger(usize::try_from(get::<i64>(&row, 0)?).unwrap_or(usize::MAX)))
        }
    }
}

/// Brings the tables to this version's format, all of it or nothing. Several processes may do so at once.
pub(super) async fn migrate(db: &mut Object, ledger: &str) -> Result<std::result::Result<(), OpenError>> {
    // Mostly there is nothing to do, and nobody needs to wait.
    if content(&***db).await? == Content::Ledger(MIGRATIONS.len()) {
        return Ok(Ok(()));
    }
    let transaction = db.transaction().await?;
    engine::lock_migrations(&*transaction).await?;
    let found = match content(&*transaction).await? {
        Content::Foreign => return Ok(Err(OpenError::Foreign { ledger: ledger.to_owned() })),
        Content::Ledger(found) if found > MIGRATIONS.len() => {
            return Ok(Err(OpenError::Newer { ledger: ledger.to_owned(), found, known: MIGRATIONS.len() }));
        }
        Content::Ledger(found) => found,
        Content::Nothing => {
            // The owner of the database may have created it, for a user who may not: `IF NOT EXISTS` asks for the right to
            // create schemas even then.
            let schema = transaction.query_one("SELECT to_regnamespace('mynah') IS NOT NULL", &[]).await?;
            if !get::<bool>(&schema, 0)? {
                transaction.batch_execute("CREATE SCHEMA mynah").await?;
            }
            transaction.batch_execute(FORMATS).await?;
            0
        }
    };
    let steps = &MIGRATIONS[found..];
    if found > 0 && steps.iter().any(|step| !step.is_rolling) {
        let alive = alive(&transaction).await?;
        if !alive.is_empty() {
            let instances = alive.join(", ");
            return Ok(Err(OpenError::OlderInUse { ledger: ledger.to_owned(), instances }));
        }
    }
    for (format, step) in (found + 1..).zip(steps) {
        transaction.batch_execute(step.sql).await?;
        let format = i64::try_from(format).unwrap_or(i64::MAX);
        transaction
            .execute(
                "INSERT INTO formats (format, program) VALUES ($1, $2)",
                &[&format, &env!("CARGO_PKG_VERSION")],
            )
            .await?;
    }
    transaction.commit().await?;
    if found < MIGRATIONS.len() {
        info!(from = found, ledger = ledger, to = MIGRATIONS.len(); "ledger migrated");
    }
    Ok(Ok(()))
}

/// The instances that use the tables in their present format.
async fn alive(db: &Transaction<'_>) -> Result<Vec<String>> {
    let rows = db
        .query("SELECT id || ' on ' || host || ' (' || version || ')' FROM instances WHERE until > now() ORDER BY id", &[])
        .await?;
    rows.iter().map(|row| get(row, 0)).collect()
}
