//! The real servers, accounts on them, and what is on these accounts. They are stopped when the test program ends, however
//! it ends.

#[path = "../support/server.rs"]
#[allow(dead_code, reason = "each server uses a part of it")]
mod support;

use std::{
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{Watchdog, skip};

/// The variable that says whether tests may be skipped.
const VARIABLE: &str = "MYNAH_TEST_NETWORKS";

/// Which program a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// `mastodon-mock`, which answers as Mastodon does, with pages and idempotency keys.
    Mock,
    /// `snac2`, a small server that ignores both.
    Snac,
}

/// A server in a process of its own.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) url: String,
    folder: PathBuf,
    _watchdog: Watchdog,
}

/// The folder with `mastodon-mock`.
fn mock() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mastodon-mock/bin/python")
}

impl Server {
    /// Whether the program is installed. If it is not, there is one line about it.
    pub(crate) fn is_installed(program: Program) -> bool {
        static MOCK: OnceLock<bool> = OnceLock::new();
        static SNAC: OnceLock<bool> = OnceLock::new();
        let (is_installed, path, name) = match program {
            Program::Mock => (&MOCK, mock(), "mastodon-mock"),
            Program::Snac => (&SNAC, "/usr/bin/snac".into(), "snac2"),
        };
        *is_installed.get_or_init(|| {
            if !path.exists() {
                skip(VARIABLE, &format!("{name} is not installed; run: make setup-mastodon"));
            }
            path.exists()
        })
    }

    /// A server for a test. The mock is one for all tests, because it takes seconds to start; snac2 crashes if several tests
    /// call it at once, and starts in no time.
    pub(crate) fn get(program: Program) -> Arc<Self> {
        static MOCK: OnceLock<Arc<Server>> = OnceLock::new();
        match program {
            Program::Mock => MOCK.get_or_init(|| Arc::new(Self::start(program))).clone(),
            Program::Snac => Arc::new(Self::start(program)),
        }
    }

    #[allow(clippy::disallowed_methods, reason = "the servers say in no other way that they are ready")]
    fn start(program: Program) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        // Somebody else may take the port before the server does.
        for attempt in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let folder = folder.join(attempt.to_string());
            fs::create_dir(&folder).unwrap();
            let mut process = match program {
                Program::Mock => run_mock(port, &folder),
                Program::Snac => run_snac(port, &folder),
            };
            let stop = "kill -KILL $0 2>/dev/null; rm -rf \"$1\"";
            let watchdog = Watchdog::start(stop, &[&process.id().to_string(), folder.to_str().unwrap()]);
            let begun = Instant::now();
            while TcpStream::connect(("127.0.0.1", port)).is_err() && process.try_wait().unwrap().is_none() {
                assert!(begun.elapsed() < Duration::from_mins(1), "{program:?} does not start");
                std::thread::sleep(Duration::from_millis(20));
            }
            if process.try_wait().unwrap().is_none() {
                return Self {
                    program,
                    url: format!("http://127.0.0.1:{port}"),
                    folder,
                    _watchdog: watchdog,
                };
            }
        }
        panic!("{program:?} does not start");
    }

    /// A new account.
    pub(crate) async fn account(&self, name: &str) -> Account {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let user = format!("{name}_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut password = String::new();
        let token = match self.program {
            Program::Mock => {
                let url = format!("{}/api/v1/_mock/dev_user", self.url);
                let created = send(client().post(url), &json!({"username": user})).await;
                created["access_token"].as_str().unwrap().to_owned()
            }
            Program::Snac => {
                let token;
                (token, password) = self.snac_account(&user).await;
                token
            }
        };
        let (program, url, id) = (self.program, self.url.clone(), String::new());
        let account = Account { program, url, user, token, password, id };
        let me = account.get("/api/v1/accounts/verify_credentials").await;
        Account { id: me["id"].as_str().unwrap().to_owned(), ..account }
    }

    /// Creates an account on snac2, and logs in. Returns its token and its password.
    async fn snac_account(&self, user: &str) -> (String, String) {
        let added =
            Command::new("snac").arg("adduser").arg(self.folder.join("data")).arg(user).output().unwrap();
        let said = String::from_utf8(added.stdout).unwrap() + &String::from_utf8_lossy(&added.stderr);
        let password = said.lines().find_map(|line| line.strip_prefix("User password is ")).unwrap().trim();
        let form = [("login", user), ("passwd", password)];
        let mut answer =
            client().post(format!("{}/oauth/x-snac-get-token", self.url)).send_form(&form).await.unwrap();
        let page = String::from_utf8(answer.body().await.unwrap().to_vec()).unwrap();
        let is_token = |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let token = page.split(|c: char| !c.is_ascii_alphanumeric()).find(is_token).unwrap();
        (token.to_owned(), password.to_owned())
    }
}

fn run_mock(port: u16, folder: &Path) -> Child {
    let mut python = Command::new(mock());
    python.args(["-m", "mastodon_mock", "serve", "--in-memory", "--host", "127.0.0.1", "--port"]);
    python.arg(port.to_string()).args(["--log-level", "error"]).current_dir(folder).env("TMPDIR", folder);
    python.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn run_snac(port: u16, folder: &Path) -> Child {
    let data = folder.join("data");
    let mut init = Command::new("snac");
    let mut init = init.arg("init").arg(&data).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let answers = format!("127.0.0.1\n{port}\n127.0.0.1:{port}\n\n\n");
    init.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    assert!(init.wait().unwrap().success());
    let file = data.join("server.json");
    let settings = fs::read_to_string(&file).unwrap();
    let mut settings: Value = serde_json::from_str(&settings).unwrap();
    settings["protocol"] = json!("http");
    // While it calls other servers, which are not there, it answers nobody.
    for timeout in ["queue_timeout", "queue_timeout_2"] {
        settings[timeout] = json!(1);
    }
    fs::write(&file, settings.to_string()).unwrap();
    let mut snac = Command::new("snac");
    snac.arg("httpd").arg(&data).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    snac.spawn().unwrap()
}

fn client() -> awc::Client {
    awc::Client::builder().timeout(Duration::from_mins(1)).finish()
}

/// The JSON that a server answers.
async fn send(request: awc::ClientRequest, body: &Value) -> Value {
    let sent = if body.is_null() { request.send().await } else { request.send_json(body).await };
    let mut answer = sent.unwrap();
    let bytes = answer.body().limit(64 << 20).await.unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(answer.status().is_success(), "{}: {text}", answer.status());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// An account on a server.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    program: Program,
    url: String,
    pub(crate) user: String,
    pub(crate) token: String,
    /// On snac2; the mock knows none.
    pub(crate) password: String,
    id: String,
}

impl Account {
    /// Its name in settings. The name of the server is anything: `mastodon.base_url` stands in for it.
    pub(crate) fn handle(&self) -> String {
        format!("{}@town.example", self.user)
    }

    pub(crate) fn program(&self) -> Program {
        self.program
    }

    /// The same account with another token.
    pub(crate) fn with_token(&self, token: String) -> Self {
        Self { token, ..self.clone() }
    }

    /// Whether the server accepts its token.
    pub(crate) async fn is_accepted(&self) -> bool {
        let url = format!("{}/api/v1/accounts/verify_credentials", self.url);
        client().get(url).bearer_auth(&self.token).send().await.unwrap().status().is_success()
    }

    /// The variable that holds its token.
    pub(crate) fn variable(&self) -> String {
        format!("MASTODON_{}_TOWN_EXAMPLE_TOKEN", self.user.to_uppercase())
    }

    async fn get(&self, path: &str) -> Value {
        let request = client().get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        send(request, &Value::Null).await
    }

    pub(crate) async fn call(&self, path: &str, body: &Value) -> Value {
        send(client().post(format!("{}{path}", self.url)).bearer_auth(&self.token), body).await
    }

    /// Publishes a status with this text, and with more in it. Returns its id.
    pub(crate) async fn publish(&self, text: &str, more: Value) -> String {
        let mut status = json!({"status": self.written(text), "visibility": "public"});
        status.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.call("/api/v1/statuses", &status).await["id"].as_str().unwrap().to_owned()
    }

    /// How a text is written on this server: snac2 takes it for HTML.
    fn written(&self, text: &str) -> String {
        match self.program {
            Program::Mock => text.to_owned(),
            Program::Snac => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        }
    }

    /// Uploads a picture. Returns its id.
    pub(crate) async fn upload(&self, bytes: &[u8], alt: &str) -> String {
        let mut body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\n{alt}\r\n\
             --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--b--\r\n");
        let request = client().post(format!("{}/api/v2/media", self.url)).bearer_auth(&self.token);
        let request = request.insert_header(("content-type", "multipart/form-data; boundary=b"));
        let mut answer = request.send_body(body).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.body().await.unwrap()).unwrap();
        answer["id"].as_str().unwrap().to_owned()
    }

    /// Its statuses, oldest first.
    pub(crate) async fn statuses(&self) -> Vec<Value> {
        let mut statuses: Vec<Value> = Vec::new();
        loop {
            let before = statuses.last().map(|last| format!("&max_id={}", last["id"].as_str().unwrap()));
            let path =
                format!("/api/v1/accounts/{}/statuses?limit=40{}", self.id, before.unwrap_or_default());
            let page = self.get(&path).await;
            let page = page.as_array().unwrap().iter();
            let new: Vec<Value> =
                page.filter(|status| statuses.iter().all(|old| old["id"] != status["id"])).cloned().collect();
            if new.is_empty() {
                statuses.reverse();
                return statuses;
            }
            statuses.extend(new);
        }
    }

    /// The text of one of its statuses, as it was sent.
    pub(crate) async fn text_of(&self, status: &Value) -> String {
        if let Some(text) = status["text"].as_str() {
            return text.to_owned();
        }
        let id = status["id"].as_str().unwrap();
        let source = self.get(&format!("/api/v1/statuses/{id}/source")).await;
        source["text"].as_str().unwrap().to_owned()
    }
}
