//! `com.atproto.repo.*` except blobs: writing, reading and deleting records.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Problem,
    calls::{self, Call, Query},
    json,
    pds::{Commit, Pds, blobs_in},
    validate::{self, Validity},
};
use crate::state::State;

/// The points that changes cost (PDS, `calcPoints`).
const CREATE: u32 = 3;
const UPDATE: u32 = 2;
const DELETE: u32 = 1;

/// A record to write.
struct Write {
    collection: String,
    key: String,
    record: Value,
    validity: Option<Validity>,
}

impl Write {
    /// Reads and validates the body of a write. Without a key, the server makes one.
    fn read(body: &Map<String, Value>, key: String) -> Result<Self, Problem> {
        let collection = calls::required(body, "collection")?.to_owned();
        let mut record = match body.get("record") {
            Some(record @ Value::Object(_)) => record.clone(),
            Some(_) => return Err(Problem::invalid("Expected object value type at $.record")),
            None => return Err(Problem::invalid("Missing required key \"record\" at $")),
        };
        match record.get("$type").and_then(Value::as_str) {
            None => record["$type"] = json!(collection),
            Some(kind) if kind == collection => {}
            Some(kind) => {
                return Err(Problem::invalid(format!("Invalid $type: expected {collection}, got {kind}")));
            }
        }
        let validity = match body.get("validate") {
            Some(Value::Bool(false)) => None,
            _ => Some(validate::validate(&collection, &key, &record).map_err(Problem::invalid)?),
        };
        Ok(Self { collection, key, record, validity })
    }

    /// Writes the record for the account at `index`.
    fn perform(self, pds: &mut Pds, index: usize) -> Result<Value, Problem> {
        let missing =
            blobs_in(&self.record).into_iter().find(|blob| !pds.repos[index].blobs.contains_key(blob));
        if let Some(missing) = missing {
            return Err(Problem::no_blob(&missing));
        }
        let Self { collection, key, record, validity } = self;
        let (cid, commit) = pds.put(index, (&collection, &key), record, Timestamp::now());
        let mut answer = json!({"uri": pds.repos[index].uri(&collection, &key), "cid": cid});
        if let Some(commit) = commit {
            answer["commit"] = written(&commit);
        }
        if let Some(validity) = validity {
            answer["validationStatus"] = json!(validity.name());
        }
        Ok(answer)
    }
}

fn written(commit: &Commit) -> Value {
    json!({"cid": commit.cid, "rev": commit.rev})
}

/// Checks that the account at `index` may write to the repository that a body names.
fn check_repo(pds: &Pds, index: usize, body: &Map<String, Value>) -> Result<(), Problem> {
    let name = calls::required(body, "repo")?;
    let named = pds.find(name).ok_or_else(Problem::account_not_found)?;
    calls::check_state(pds.repos[named].state)?;
    if named == index { Ok(()) } else { Err(Problem::not_yours()) }
}

fn check_key(body: &Map<String, Value>) -> Result<String, Problem> {
    let key = calls::required(body, "rkey")?;
    if validate::is_record_key(key) {
        return Ok(key.to_owned());
    }
    Err(Problem::invalid(format!("Invalid record key (got {}) at $.rkey", Value::from(key))))
}

/// Refuses a write if another writer was faster, where the client asks for that.
fn check_swap(pds: &Pds, index: usize, body: &Map<String, Value>, key: &str) -> Result<(), Problem> {
    let repo = &pds.repos[index];
    if let Some(expected) = body.get("swapCommit").and_then(Value::as_str)
        && expected != repo.commit.cid
    {
        return Err(Problem::invalid_swap(format!("Commit was at {}", repo.commit.cid)));
    }
    let collection = body.get("collection").and_then(Value::as_str).unwrap_or_default();
    let current = repo.record(collection, key).map(|record| record.cid.as_str());
    if let Some(expected) = body.get("swapRecord")
        && expected.as_str() != current
    {
        return Err(Problem::invalid_swap(format!("Record was at {}", current.unwrap_or("null"))));
    }
    Ok(())
}

pub(super) async fn put(
    request: HttpRequest,
    state: web::Data<State>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let index = calls::account(&request, &state)?;
    let body = calls::body(&request, &bytes)?;
    check_repo(&state.bluesky(), index, &body)?;
    let key = check_key(&body)?;
    let did = state.bluesky().repos[index].did.clone();
    Call::new(&request, &state).writing(&did, UPDATE).count()?;
    let write = Write::read(&body, key)?;
    let answer = {
        let mut pds = state.bluesky();
        check_swap(&pds, index, &body, &write.key)?;
        write.perform(&mut pds, index)?
    };
    state.touch();
    Ok(json(&answer))
}

pub(super) async fn create(
    request: HttpRequest,
    state: web::Data<State>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let index = calls::account(&request, &state)?;
    let body = calls::body(&request, &bytes)?;
    check_repo(&state.bluesky(), index, &body)?;
    let key = match body.get("rkey") {
        None => state.bluesky().tids.next(Timestamp::now()),
        Some(_) => check_key(&body)?,
    };
    let did = state.bluesky().repos[index].did.clone();
    Call::new(&request, &state).writing(&did, CREATE).count()?;
    let write = Write::read(&body, key)?;
    let answer = {
        let mut pds = state.bluesky();
        check_swap(&pds, index, &body, &write.key)?;
        if pds.repos[index].record(&write.collection, &write.key).is_some() {
            return Err(Problem::internal());
        }
        write.perform(&mut pds, index)?
    };
    state.touch();
    Ok(json(&answer))
}

pub(super) async fn delete(
    request: HttpRequest,
    state: web::Data<State>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let index = calls::account(&request, &state)?;
    let body = calls::body(&request, &bytes)?;
    check_repo(&state.bluesky(), index, &body)?;
    let (collection, key) = (calls::required(&body, "collection")?, check_key(&body)?);
    let did = state.bluesky().repos[index].did.clone();
    Call::new(&request, &state).writing(&did, DELETE).count()?;
    let commit = {
        let mut pds = state.bluesky();
        check_swap(&pds, index, &body, &key)?;
        pds.delete(index, (collection, &key))
    };
    state.touch();
    // Deleting what is not there succeeds, without a commit.
    Ok(json(&commit.map_or_else(|| json!({}), |commit| json!({"commit": written(&commit)}))))
}

pub(super) async fn get(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request);
    let (name, collection) = (query.required("repo")?, query.required("collection")?);
    let key = query.required("rkey")?;
    Call::new(&request, &state).count()?;
    let pds = state.bluesky();
    // A real server asks the network about accounts that it does not have.
    let repo = pds.shown(name).ok_or_else(|| Problem::of_status(502))?;
    let uri = repo.uri(collection, key);
    let record = repo.record(collection, key);
    let record = record.filter(|record| query.get("cid").is_none_or(|cid| cid == record.cid));
    let record = record.ok_or_else(|| Problem::no_record(&uri))?;
    Ok(json(&json!({"uri": uri, "cid": record.cid, "value": record.value})))
}

pub(super) async fn list(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request);
    let (name, collection) = (query.required("repo")?, query.required("collection")?);
    let limit = match query.get("limit").map(str::parse::<usize>) {
        None => 50,
        Some(Ok(limit)) if (1..=100).contains(&limit) => limit,
        Some(_) => return Err(Problem::internal()),
    };
    if !validate::is_collection(collection) {
        return Err(Problem::internal());
    }
    let reverse = query.get("reverse") == Some("true");
    Call::new(&request, &state).count()?;
    let pds = state.bluesky();
    let repo = pds.shown(name).ok_or_else(|| Problem::no_repo(name))?;
    let cursor = query.get("cursor");
    let is_behind = |key: &str| cursor.is_none_or(|cursor| if reverse { key > cursor } else { key < cursor });
    let records = repo.collections.get(collection).into_iter().flatten();
    let records: Box<dyn Iterator<Item = _>> =
        if reverse { Box::new(records) } else { Box::new(records.rev()) };
    let page: Vec<_> = records.filter(|(key, _)| is_behind(key)).take(limit).collect();
    let record = |(key, record): &(&String, &super::pds::Record)| json!({"uri": repo.uri(collection, key), "cid": record.cid, "value": record.value});
    let mut answer = json!({"records": page.iter().map(record).collect::<Vec<_>>()});
    // The last page has a cursor, too; only an empty one has none.
    if let Some((last, _)) = page.last() {
        answer["cursor"] = json!(last);
    }
    Ok(json(&answer))
}
