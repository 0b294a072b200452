//! Marks a database as restored, and holds what may have been published since: the rules are in
//! [`super::super::restored`].

use deadpool_postgres::Object;
use jiff::Timestamp;
use mynah_domain::{job::HoldKind, ports::LedgerError};

use super::{
    super::restored::{FACT, reason},
    PostgresLedger,
    errors::Result,
    facts,
    rows::{get, storable},
};

impl PostgresLedger {
    /// Marks the database as restored from a backup, or as one that lost its last commits. Returns how many jobs are held.
    ///
    /// # Errors
    /// As for every call of the ledger.
    pub async fn mark_restored(&self, now: Timestamp) -> std::result::Result<u64, LedgerError> {
        self.call(async move |db| mark(db, now).await).await
    }
}

/// Holds every job that is not done, except those that the publisher settles by itself: if every part of a job was begun,
/// looking up their exact texts on the account shows what became of it.
async fn mark(db: &mut Object, now: Timestamp) -> Result<u64> {
    let at = now.as_millisecond();
    let transaction = db.transaction().await?;
    facts::remember(&transaction, FACT, &now.to_string()).await?;
    // Every worker of the earlier processes is gone, and no change of theirs may be repeated.
    transaction
        .execute(
            "UPDATE jobs SET attempt = 0, not_before = NULL, token = token + 1, last_change = NULL WHERE stand > 0",
            &[],
        )
        .await?;
    let undone = transaction
        .query(
            "SELECT id, reason FROM jobs WHERE stand > 0 AND NOT (
                 state IN ('publishing', 'unknown') AND
                 coalesce(json_array_length(translation::json -> 'parts'), -1) =
                 (SELECT count(*) FROM publications WHERE job = jobs.id))",
            &[],
        )
        .await?;
    let ids: Vec<i64> = undone.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
    let reasons: Vec<String> =
        undone.iter().map(|row| Ok(storable(&reason(get(row, 1)?)).into_owned())).collect::<Result<_>>()?;
    transaction
        .execute(
            "UPDATE jobs SET state = 'held', stand = 2, kind = $3, reason = held.reason, updated_at = $4
             FROM UNNEST($1::bigint[], $2::text[]) AS held (id, reason) WHERE jobs.id = held.id",
            &[&ids, &reasons, &HoldKind::Restored.as_str(), &at],
        )
        .await?;
    // A job with a part in doubt could only be retried; the person who looks at the account may also skip it.
    transaction
        .execute("DELETE FROM publications WHERE job = ANY($1::bigint[]) AND remote_id IS NULL", &[&ids])
        .await?;
    // What the withdrawn parts cost stays spent: they may be on the account.
    transaction.execute("DELETE FROM reservations WHERE key = ANY($1::bigint[])", &[&ids]).await?;
    transaction
        .execute("UPDATE jobs SET state = 'unknown', updated_at = $1 WHERE state = 'publishing'", &[&at])
        .await?;
    transaction.commit().await?;
    Ok(ids.len() as u64)
}
