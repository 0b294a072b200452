//! Queries about posts and the checkpoint of each source.

use deadpool_postgres::Object;
use mynah_domain::{Post, PostId, ports::ledger::Checkpoint};

use super::{
    errors::Result,
    rows::{from_json, get, id, storable, to_integer},
};

pub(super) async fn checkpoint(db: &Object, source: &str) -> Result<Option<Checkpoint>> {
    let statement = db.prepare_cached("SELECT body FROM checkpoints WHERE source = $1").await?;
    let row = db.query_opt(&statement, &[&storable(source)]).await?;
    row.map(|row| from_json(get(&row, 0)?)).transpose()
}

/// A post in its recorded version.
pub(super) async fn by_id(db: &Object, source: &str, id: &PostId) -> Result<Option<Post>> {
    let statement = db
        .prepare_cached(
            "SELECT body FROM posts WHERE source = $1 AND id = coalesce(
                 (SELECT post FROM versions WHERE versions.source = $1 AND versions.id = $2), $2)",
        )
        .await?;
    let row = db.query_opt(&statement, &[&storable(source), &storable(&id.0)]).await?;
    row.map(|row| from_json(get(&row, 0)?)).transpose()
}

pub(super) async fn to_reread(db: &Object, source: &str, limit: usize) -> Result<Vec<PostId>> {
    let statement = db
        .prepare_cached(
            "SELECT id FROM posts WHERE source = $1 AND raw IS NOT NULL AND EXISTS (
                 SELECT 1 FROM jobs WHERE jobs.source = posts.source AND jobs.post = posts.id AND state = 'queued')
             ORDER BY position, id LIMIT $2",
        )
        .await?;
    let rows = db.query(&statement, &[&storable(source), &to_integer(limit)]).await?;
    rows.iter().map(|row| id(row, 0)).collect()
}
