//! Small facts that adapters store by name.

use deadpool_postgres::Object;

use super::{
    errors::Result,
    rows::{get, storable},
};

/// The value of a fact.
pub(super) const VALUE: &str = "SELECT value FROM facts WHERE key = $1";

pub(super) async fn fact(db: &Object, key: &str) -> Result<Option<String>> {
    let statement = db.prepare_cached(VALUE).await?;
    db.query_opt(&statement, &[&storable(key)]).await?.map(|row| get(&row, 0)).transpose()
}

pub(super) async fn remember(
    db: &impl deadpool_postgres::GenericClient,
    key: &str,
    value: &str,
) -> Result<()> {
    let statement = db
        .prepare_cached(
            "INSERT INTO facts (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .await?;
    db.execute(&statement, &[&storable(key), &storable(value)]).await?;
    Ok(())
}

pub(super) async fn replace(db: &Object, key: &str, expected: Option<&str>, value: &str) -> Result<bool> {
    let (key, value) = (storable(key), storable(value));
    let changed = if let Some(expected) = expected.map(storable) {
        let sql = "UPDATE facts SET value = $3 WHERE key = $1 AND value IN ($2, $3)";
        db.execute(&db.prepare_cached(sql).await?, &[&key, &expected, &value]).await?
    } else {
        let sql = "INSERT INTO facts (key, value) VALUES ($1, $2)
                   ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE facts.value = excluded.value";
        db.execute(&db.prepare_cached(sql).await?, &[&key, &value]).await?
    };
    Ok(changed == 1)
}
