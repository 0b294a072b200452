//! The real Bluesky server (`pds/server.mjs`), accounts on it, and what is in their repositories. Started once for a test
//! program, and stopped when the program ends, however it ends.

#[path = "../support/server.rs"]
#[allow(dead_code, reason = "each server uses a part of it")]
mod support;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use support::{Watchdog, skip};

pub(crate) const POSTS: &str = "app.bsky.feed.post";

/// The folder with the server's scripts and packages.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bluesky/pds")
}

/// A server in a process of its own.
pub(crate) struct Server {
    pub(crate) pds: String,
    pub(crate) plc: String,
    /// The server ends with it.
    _input: ChildStdin,
    _watchdog: Watchdog,
}

impl Server {
    /// The server of this test program; `None`, with one line about it, if it is not installed.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Server>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(false)).as_ref()
    }

    /// Another one; `None`, with one line about it, if it is not installed.
    pub(crate) fn start(has_rate_limits: bool) -> Option<Self> {
        if !folder().join("node_modules/@atproto/dev-env").exists() {
            skip("MYNAH_TEST_NETWORKS", "Bluesky's server is not installed; run: make setup-bluesky");
            return None;
        }
        let state = tempfile::tempdir().unwrap().keep();
        let mut node = Command::new("node");
        node.arg("server.mjs").current_dir(folder()).env("TMPDIR", &state).env("LOG_ENABLED", "false");
        node.env("RATE_LIMITS", if has_rate_limits { "on" } else { "off" });
        node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = node.spawn().unwrap();
        let script = "while kill -0 $0 2>/dev/null; do sleep 0.1; done; rm -rf \"$1\"";
        let watchdog = Watchdog::start(script, &[&process.id().to_string(), state.to_str().unwrap()]);
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("Bluesky's server does not start: {error}: {line}"));
        let input = process.stdin.take().unwrap();
        std::thread::spawn(move || {
            // A pipe that nobody reads would block it.
            let _ = std::io::copy(&mut output, &mut std::io::sink());
            process.wait()
        });
        let address = |name: &str| ready[name].as_str().unwrap().to_owned();
        Some(Self { pds: address("pds"), plc: address("plc"), _input: input, _watchdog: watchdog })
    }

    /// A new account, with an app password.
    pub(crate) async fn account(&self, name: &str) -> Account {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let handle = format!("{name}-{}.test", NUMBER.fetch_add(1, Ordering::Relaxed));
        let password = "the-account's-own-password";
        let body = json!({"handle": handle, "email": format!("{handle}@example.com"), "password": password});
        let created = self.post("com.atproto.server.createAccount", None, &body).await.unwrap();
        let text = |name: &str| created[name].as_str().unwrap().to_owned();
        let (did, token) = (text("did"), text("accessJwt"));
        let call = "com.atproto.server.createAppPassword";
        let app = self.post(call, Some(&token), &json!({"name": "mynah"})).await.unwrap();
        let app_password = app["password"].as_str().unwrap().to_owned();
        Account { pds: self.pds.clone(), handle, did, token, app_password }
    }

    async fn post(&self, call: &str, token: Option<&str>, body: &Value) -> Result<Value, Value> {
        post(&self.pds, call, token, body).await
    }
}

/// Calls a server. The error is its answer.
async fn post(pds: &str, call: &str, token: Option<&str>, body: &Value) -> Result<Value, Value> {
    let mut request = client().post(format!("{pds}/xrpc/{call}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let mut answer = request.send_json(body).await.unwrap();
    let bytes = answer.body().await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    if answer.status().is_success() { Ok(body) } else { Err(body) }
}

fn client() -> awc::Client {
    awc::Client::builder().timeout(Duration::from_mins(1)).finish()
}

/// An account on a server.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pds: String,
    pub(crate) handle: String,
    pub(crate) did: String,
    token: String,
    pub(crate) app_password: String,
}

impl Account {
    /// The variable that holds its app password.
    pub(crate) fn variable(&self) -> String {
        format!("BLUESKY_{}_APP_PASSWORD", self.handle.to_uppercase().replace(['.', '-'], "_"))
    }

    pub(crate) async fn call(&self, call: &str, body: &Value) -> Value {
        let answer = post(&self.pds, call, Some(&self.token), body).await;
        answer.unwrap_or_else(|error| panic!("{call}: {error}"))
    }

    /// Writes a record. Returns its key and its reference.
    pub(crate) async fn create(&self, collection: &str, record: Value) -> (String, Value) {
        let body = json!({"repo": self.did, "collection": collection, "record": record, "validate": false});
        let created = self.call("com.atproto.repo.createRecord", &body).await;
        let uri = created["uri"].as_str().unwrap();
        (uri.rsplit('/').next().unwrap().to_owned(), json!({"uri": uri, "cid": created["cid"]}))
    }

    /// Writes a post with this text, and with more in it.
    pub(crate) async fn write(&self, text: &str, more: Value) -> (String, Value) {
        let mut record =
            json!({"$type": POSTS, "text": text, "createdAt": jiff::Timestamp::now().to_string()});
        record.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.create(POSTS, record).await
    }

    /// Uploads a picture.
    pub(crate) async fn upload(&self, mime: &str, bytes: Vec<u8>) -> Value {
        let request = client().post(format!("{}/xrpc/com.atproto.repo.uploadBlob", self.pds));
        let request = request.bearer_auth(&self.token).insert_header(("content-type", mime));
        let mut answer = request.send_body(bytes).await.unwrap();
        serde_json::from_slice::<Value>(&answer.body().await.unwrap()).unwrap()["blob"].take()
    }

    /// Its posts, oldest first, each with its key.
    pub(crate) async fn posts(&self) -> Vec<(String, Value)> {
        let (mut posts, mut cursor) = (Vec::new(), String::new());
        loop {
            let Self { pds, did, .. } = self;
            let url = format!(
                "{pds}/xrpc/com.atproto.repo.listRecords?repo={did}&collection={POSTS}&limit=100&reverse=true&cursor={cursor}"
            );
            let mut answer = client().get(url).send().await.unwrap();
            let answer: Value =
                serde_json::from_slice(&answer.body().limit(64 << 20).await.unwrap()).unwrap();
            let records = answer["records"].as_array().unwrap();
            let Some(last) = records.last() else { return posts };
            let key = |record: &Value| record["uri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            cursor = key(last);
            posts.extend(records.iter().map(|record| (key(record), record["value"].clone())));
        }
    }
}

/// What Bluesky's own parser makes of a record.
pub(crate) struct Parser {
    process: Child,
}

impl Parser {
    pub(crate) fn start() -> Self {
        let mut node = Command::new("node");
        node.arg("facets.mjs").current_dir(folder()).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self { process: node.spawn().unwrap() }
    }

    /// Reads records, in order.
    pub(crate) fn read(mut self, records: &[Value]) -> Vec<Value> {
        let mut input = self.process.stdin.take().unwrap();
        for record in records {
            writeln!(input, "{record}").unwrap();
        }
        drop(input);
        let output = BufReader::new(self.process.stdout.take().unwrap());
        let read = output.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        self.process.wait().unwrap();
        read
    }
}
