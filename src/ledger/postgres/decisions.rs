//! What people decided.

use deadpool_postgres::{GenericClient, Object};
use jiff::Timestamp;
use mynah_domain::{JobId, people::DecisionRecord, ports::ledger::ListedDecision};
use tokio_postgres::Row;

use super::{
    errors::Result,
    facts,
    pipeline::Values,
    rows::{get, storable, to_integer, to_timestamp},
};

/// Stores records, except those that are stored already.
pub(super) const RECORD: &str = "
    INSERT INTO decisions (at, who, action, job, subject, detail)
    SELECT at, who, action, job, subject, detail
    FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[]) WITH ORDINALITY
      AS new (at, who, action, job, subject, detail, number)
    WHERE NOT EXISTS (
        SELECT 1 FROM decisions WHERE decisions.at = new.at AND decisions.who IS NOT DISTINCT FROM new.who
          AND decisions.action = new.action AND decisions.job IS NOT DISTINCT FROM new.job
          AND decisions.subject = new.subject AND decisions.detail = new.detail)
    ORDER BY number";

fn text(text: &str) -> String {
    storable(text).into_owned()
}

/// The values for [`RECORD`].
pub(super) fn values(records: &[DecisionRecord]) -> Values {
    let jobs: Vec<Option<i64>> = records.iter().map(|one| one.job.map(|job| job.0)).collect();
    vec![
        Box::new(records.iter().map(|one| one.at.as_millisecond()).collect::<Vec<_>>()),
        Box::new(records.iter().map(|one| one.who.as_deref().map(text)).collect::<Vec<_>>()),
        Box::new(records.iter().map(|one| text(&one.action)).collect::<Vec<_>>()),
        Box::new(jobs),
        Box::new(records.iter().map(|one| text(&one.subject)).collect::<Vec<_>>()),
        Box::new(records.iter().map(|one| text(&one.detail)).collect::<Vec<_>>()),
    ]
}

/// Whether the same record is stored.
pub(super) async fn is_recorded(db: &impl GenericClient, record: &DecisionRecord) -> Result<bool> {
    let sql = "SELECT 1 FROM decisions WHERE at = $1 AND who IS NOT DISTINCT FROM $2 AND action = $3
               AND job IS NOT DISTINCT FROM $4 AND subject = $5 AND detail = $6";
    let (who, job) = (record.who.as_deref().map(text), record.job.map(|job| job.0));
    let (action, subject, detail) = (text(&record.action), text(&record.subject), text(&record.detail));
    let at = record.at.as_millisecond();
    let statement = db.prepare_cached(sql).await?;
    Ok(!db.query(&statement, &[&at, &who, &action, &job, &subject, &detail]).await?.is_empty())
}

/// Stores a record, unless the same one is stored.
pub(super) async fn record(db: &impl GenericClient, record: &DecisionRecord) -> Result<()> {
    let statement = db.prepare_cached(RECORD).await?;
    let values = values(std::slice::from_ref(record));
    let values: Vec<_> =
        values.iter().map(|value| &**value as &(dyn tokio_postgres::types::ToSql + Sync)).collect();
    db.execute(&statement, &values).await?;
    Ok(())
}

/// Stores a fact and a record.
pub(super) async fn remember(
    db: &mut Object,
    key: &str,
    value: &str,
    decided: &DecisionRecord,
) -> Result<()> {
    let transaction = db.transaction().await?;
    facts::remember(&transaction, key, value).await?;
    record(&transaction, decided).await?;
    Ok(transaction.commit().await?)
}

/// The latest decisions before the one with this number.
pub(super) async fn list(db: &Object, before: Option<i64>, limit: usize) -> Result<Vec<ListedDecision>> {
    let sql = "SELECT id, at, who, action, job, subject, detail FROM decisions WHERE id < $1 ORDER BY id DESC LIMIT $2";
    let statement = db.prepare_cached(sql).await?;
    let rows = db.query(&statement, &[&before.unwrap_or(i64::MAX), &to_integer(limit)]).await?;
    let decision = |row: &Row| {
        let record = DecisionRecord {
            at: to_timestamp(get(row, 1)?),
            who: get(row, 2)?,
            action: get(row, 3)?,
            job: get::<Option<i64>>(row, 4)?.map(JobId),
            subject: get(row, 5)?,
            detail: get(row, 6)?,
        };
        Ok(ListedDecision { number: get(row, 0)?, record })
    };
    rows.iter().map(decision).collect()
}

/// Removes the decisions made before `moment`.
pub(super) async fn forget(db: &Object, moment: Timestamp) -> Result<u64> {
    Ok(db.execute("DELETE FROM decisions WHERE at < $1", &[&moment.as_millisecond()]).await?)
}
