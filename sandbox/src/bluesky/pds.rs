//! A small model of a Bluesky server (PDS): accounts, and repositories with records and blobs. It knows nothing about HTTP.
//!
//! A repository is a map from collections and record keys to records. Writing the record that is there already changes
//! nothing, which is what makes publishing with a key of one's own safe to repeat.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    cid,
    session::Sessions,
    tid::{self, Tids},
};
use crate::{config::TargetAccount, hash, world::UserState};

pub(super) const POSTS: &str = "app.bsky.feed.post";
pub(super) const REPOSTS: &str = "app.bsky.feed.repost";

/// A server and its accounts.
#[derive(Debug, Default)]
pub(crate) struct Pds {
    /// The sandbox's address: `http://127.0.0.1:…`.
    pub(crate) base: String,
    pub(super) repos: Vec<Repo>,
    pub(super) sessions: Sessions,
    pub(super) tids: Tids,
}

/// An account and everything it published.
#[derive(Debug)]
pub(crate) struct Repo {
    pub(crate) did: String,
    pub(crate) handle: String,
    /// The language of a target.
    pub(crate) language: Option<String>,
    pub(crate) state: UserState,
    /// Whether its app password was revoked.
    pub(crate) revoked: bool,
    pub(super) collections: BTreeMap<String, BTreeMap<String, Record>>,
    pub(super) blobs: HashMap<String, Blob>,
    /// The latest commit and its revision.
    pub(super) commit: Commit,
    /// The latest post of each named thread of a timeline.
    pub(super) threads: HashMap<String, String>,
}

/// A record in a repository.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) cid: String,
    pub(super) value: Value,
    /// When the server received it.
    pub(super) at: Timestamp,
}

/// Bytes that were uploaded.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub(super) mime: &'static str,
    pub(super) bytes: Vec<u8>,
    /// Whether a record refers to it. Nobody can download it before that.
    pub(super) used: bool,
}

/// A version of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) cid: String,
    pub(super) rev: String,
}

impl Pds {
    /// The account with this handle; opens it if there is none.
    pub(crate) fn repo_mut(&mut self, handle: &str) -> &mut Repo {
        let index = self.find(handle).unwrap_or_else(|| {
            let rev = self.tids.next(Timestamp::now());
            self.repos.push(Repo::new(handle, rev));
            self.repos.len() - 1
        });
        &mut self.repos[index]
    }

    /// Opens the account of a target.
    pub(crate) fn open_target(&mut self, target: &TargetAccount) {
        self.repo_mut(&target.handle).language = Some(target.language.clone());
    }

    /// Sets how long access tokens live, and used refresh tokens are accepted.
    pub(crate) fn set_lifetimes(&mut self, access: Duration, grace: Duration) {
        self.sessions.access_lifetime = access;
        self.sessions.refresh_grace = grace;
    }

    /// Makes a post unreadable, as other software may write it.
    pub(crate) fn break_post(&mut self, handle: &str, key: &str) {
        let Some(index) = self.find(handle) else { return };
        if let Some(Record { value, .. }) = self.repos[index].record(POSTS, key).cloned() {
            let mut value = value;
            value["text"] = json!(7);
            self.put(index, (POSTS, key), value, Timestamp::now());
        }
    }

    /// Ends the sessions of an account, as if hours had passed.
    pub(crate) fn expire_sessions(&mut self, handle: &str) {
        let did = did(handle);
        self.sessions.expire(&did);
    }

    /// Ends the sessions of an account for good.
    pub(crate) fn revoke_sessions(&mut self, handle: &str) {
        let did = did(handle);
        self.sessions.revoke(&did);
    }

    pub(crate) fn repos(&self) -> &[Repo] {
        &self.repos
    }

    /// The account with this handle or DID, whatever its state.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.repos.iter().position(|repo| repo.did == name || repo.handle.eq_ignore_ascii_case(name))
    }

    /// The account with this handle or DID, if the server shows it.
    pub(super) fn shown(&self, name: &str) -> Option<&Repo> {
        let repo = &self.repos[self.find(name)?];
        (repo.state == UserState::Active).then_some(repo)
    }

    /// The account with this handle, as somebody else's post may mention it.
    pub(super) fn did_of(&self, handle: &str) -> Option<String> {
        Some(self.shown(handle)?.did.clone())
    }

    /// Writes a record. Returns its CID, and the commit if anything changed.
    pub(super) fn put(
        &mut self,
        index: usize,
        (collection, key): (&str, &str),
        value: Value,
        at: Timestamp,
    ) -> (String, Option<Commit>) {
        let cid = cid::of_record(&value);
        let repo = &mut self.repos[index];
        let records = repo.collections.entry(collection.to_owned()).or_default();
        let before = records.get(key);
        if before.is_some_and(|before| before.cid == cid) {
            return (cid, None);
        }
        let at = before.map_or(at, |before| before.at);
        for blob in blobs_in(&value) {
            if let Some(blob) = repo.blobs.get_mut(&blob) {
                blob.used = true;
            }
        }
        records.insert(key.to_owned(), Record { cid: cid.clone(), value, at });
        (cid, Some(self.commit(index)))
    }

    /// Deletes a record. Returns the commit if there was one.
    pub(super) fn delete(&mut self, index: usize, (collection, key): (&str, &str)) -> Option<Commit> {
        let records = self.repos[index].collections.get_mut(collection)?;
        records.remove(key)?;
        Some(self.commit(index))
    }

    fn commit(&mut self, index: usize) -> Commit {
        let rev = self.tids.next(Timestamp::now());
        let repo = &mut self.repos[index];
        repo.commit = Commit::of(&repo.did, rev);
        repo.commit.clone()
    }
}

impl Commit {
    /// A commit of this revision. The sandbox signs nothing, so its CID is one of the right form that no other commit has.
    fn of(did: &str, rev: String) -> Self {
        Self { cid: cid::of_record(&json!({"did": did, "rev": rev, "version": 3})), rev }
    }
}

impl Repo {
    fn new(handle: &str, rev: String) -> Self {
        let handle = handle.to_ascii_lowercase();
        let did = did(&handle);
        Self {
            commit: Commit::of(&did, rev),
            did,
            handle,
            language: None,
            state: UserState::Active,
            revoked: false,
            collections: BTreeMap::new(),
            blobs: HashMap::new(),
            threads: HashMap::new(),
        }
    }

    pub(super) fn record(&self, collection: &str, key: &str) -> Option<&Record> {
        self.collections.get(collection)?.get(key)
    }

    pub(super) fn uri(&self, collection: &str, key: &str) -> String {
        format!("at://{}/{collection}/{key}", self.did)
    }

    /// A reference to a record of this account.
    pub(super) fn reference(&self, collection: &str, key: &str) -> Option<Value> {
        let record = self.record(collection, key)?;
        Some(json!({"uri": self.uri(collection, key), "cid": record.cid}))
    }

    /// The key of the newest post or repost.
    pub(super) fn newest_key(&self) -> Option<&str> {
        let newest =
            |collection| self.collections.get(collection)?.keys().rfind(|key| tid::number(key).is_some());
        [POSTS, REPOSTS].into_iter().filter_map(newest).max().map(String::as_str)
    }

    /// Stores bytes, and returns the reference for a record.
    pub(super) fn upload(&mut self, mime: &'static str, bytes: Vec<u8>) -> Value {
        let cid = cid::of_blob(&bytes);
        let size = bytes.len();
        let blob = self.blobs.entry(cid.clone()).or_insert(Blob { mime, bytes, used: false });
        json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": blob.mime, "size": size})
    }
}

/// The DID of a handle, the same in every run: 24 digits of base 32, as in the directory plc.directory.
pub(crate) fn did(handle: &str) -> String {
    let half = |part: &[u8]| hash::stable(&[handle.to_ascii_lowercase().as_bytes(), part]).to_be_bytes();
    let bytes = [half(b"1"), half(b"2")].concat();
    format!("did:plc:{}", cid::base32(&bytes[..15]))
}

/// The CIDs of all blobs that a record refers to.
pub(super) fn blobs_in(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(blobs_in).collect(),
        Value::Object(fields) if fields.get("$type").is_some_and(|kind| kind == "blob") => {
            value.pointer("/ref/$link").and_then(Value::as_str).map(str::to_owned).into_iter().collect()
        }
        Value::Object(fields) => fields.values().flat_map(blobs_in).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_record_again_is_no_commit() {
        let mut pds = Pds::default();
        pds.repo_mut("town.example");
        let put = |pds: &mut Pds, text: &str| {
            pds.put(0, (POSTS, "3l3qo2vuowo2b"), json!({"text": text}), Timestamp::now())
        };
        let (first, commit) = put(&mut pds, "a");
        assert_eq!(commit.as_ref(), Some(&pds.repos[0].commit));
        assert_eq!(put(&mut pds, "a"), (first.clone(), None));
        let (second, commit) = put(&mut pds, "b");
        assert!(second != first && commit.is_some());
    }

    #[test]
    fn a_handle_always_has_the_same_did() {
        let did = did("town.example");
        assert_eq!(did, super::did("Town.Example"));
        assert!(did.starts_with("did:plc:") && did.len() == 32, "{did}");
    }
}
