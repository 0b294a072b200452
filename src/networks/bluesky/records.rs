//! Lists the records of an account's collection, newest first, as every server does without a login.

use serde::Deserialize;
use serde_json::Value;

use super::{
    client::{CallError, Server},
    names::RecordAddress,
    tid::Tid,
};

/// A page of records.
pub(super) struct Listing {
    /// The records, newest first.
    pub(super) records: Vec<Listed>,
    /// Records without an address that can be read, in their raw form.
    pub(super) nameless: Vec<String>,
    /// Where the next page begins; `None` on the last.
    pub(super) next: Option<String>,
}

/// A record in its raw form.
pub(super) struct Listed {
    pub(super) key: String,
    /// The time in its key, if the key is a TID.
    pub(super) tid: Option<Tid>,
    pub(super) value: Value,
}

/// The answer to com.atproto.repo.listRecords.
#[derive(Deserialize)]
struct Answered {
    records: Vec<Value>,
    #[serde(default)]
    cursor: Option<String>,
}

/// The answer to com.atproto.repo.getRecord.
#[derive(Deserialize)]
struct Found {
    value: Value,
}

impl Listed {
    /// A record of this collection, or its raw form if its address cannot be read.
    fn of(mut record: Value, collection: &str) -> Result<Self, String> {
        let address = record.get("uri").and_then(Value::as_str).and_then(RecordAddress::parse);
        match address.filter(|address| address.collection == collection) {
            Some(RecordAddress { key, .. }) => {
                Ok(Self { tid: Tid::parse(&key), key, value: record["value"].take() })
            }
            None => Err(record.to_string()),
        }
    }
}

/// A record by its key.
pub(super) async fn get(
    server: &Server,
    did: &str,
    collection: &str,
    key: &str,
) -> Result<Listed, CallError> {
    let parameters = [("repo", did), ("collection", collection), ("rkey", key)];
    let Found { value } = server.ask("com.atproto.repo.getRecord", &parameters).await?;
    Ok(Listed { key: key.to_owned(), tid: Tid::parse(key), value })
}

/// A page of at most `limit` records, after the page that named `cursor`.
pub(super) async fn list(
    server: &Server,
    did: &str,
    collection: &str,
    limit: usize,
    cursor: Option<&str>,
) -> Result<Listing, CallError> {
    let limit = limit.clamp(1, 100).to_string();
    let mut parameters = vec![("repo", did), ("collection", collection), ("limit", &limit)];
    parameters.extend(cursor.map(|cursor| ("cursor", cursor)));
    let Answered { records, cursor } = server.ask("com.atproto.repo.listRecords", &parameters).await?;
    // Servers name a cursor with the last record, too.
    let next = cursor.filter(|cursor| !records.is_empty() && !cursor.is_empty());
    let mut listing = Listing { records: Vec::new(), nameless: Vec::new(), next };
    for record in records {
        match Listed::of(record, collection) {
            Ok(listed) => listing.records.push(listed),
            Err(raw) => listing.nameless.push(raw),
        }
    }
    Ok(listing)
}
