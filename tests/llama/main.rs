//! The engine `openai` on a real server: llama.cpp's, with a model so small that its translations are nonsense. What is tested
//! is the wire: that the server accepts the requests, and that its answers and errors are read as what they are.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviors are named by their tests")]

#[path = "../support/server.rs"]
#[allow(dead_code, reason = "its stdin ends this server")]
mod support;

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    rc::Rc,
    time::Duration,
};

use mynah::{
    engines::{
        ConfiguredEngine,
        openai::{OpenAiSettings, Service},
    },
    http_client::Transport,
};
use mynah_domain::{
    fixtures::mask,
    ports::{
        Engine, Item,
        engine::{EngineError, ItemError},
    },
    tariff::Tariff,
};
use support::skip;

/// The variable that says whether tests may be skipped.
const VARIABLE: &str = "MYNAH_TEST_ENGINES";

/// The key that the server asks for.
const KEY: &str = "llama-key";

/// A server in a process of its own, which ends when its stdin does, however the test ends.
struct Server {
    url: String,
    process: Child,
    _stdin: Option<ChildStdin>,
}

impl Server {
    /// A server whose model can hold this many tokens; `None` if it is not installed, with one line about it.
    fn start(context: usize) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python: PathBuf = root.join("target/llama/bin/python");
        if !python.exists() {
            skip(VARIABLE, "llama.cpp's server is not installed; run: make setup-llama");
            return None;
        }
        let mut process = Command::new(python)
            .arg(root.join("tests/llama/serve.py"))
            .arg(context.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "the server does not start: {url:?}");
        Some(Self { url: url.trim().to_owned(), _stdin: process.stdin.take(), process })
    }

    fn settings(&self) -> OpenAiSettings {
        OpenAiSettings {
            name: "llama".into(),
            service: Service::Other,
            base_url: format!("{}/v1", self.url).parse().unwrap(),
            model: "smollm2".into(),
            key: Some(KEY.into()),
            reasoning_effort: None,
            max_tokens: 64,
            timeout: Duration::from_mins(10),
            connections: 1,
            max_batch: 4,
            tariff: Tariff::Free,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn engine(settings: &OpenAiSettings) -> Rc<dyn Engine> {
    settings.factory(Transport::default()).unwrap()()
}

fn item(text: &str) -> Item {
    Item::new(mask(text).text, "en".parse().unwrap(), "es".parse().unwrap())
}

#[actix_rt::test]
async fn a_request_is_accepted_with_its_schema_and_what_it_took_is_counted() {
    let Some(server) = Server::start(4096) else { return };
    let reply = engine(&server.settings()).translate(&[item("The house is red")]).await.unwrap();
    // So small a model writes nonsense, but held to the schema, it is nonsense in the form of an answer.
    match &reply.items[..] {
        [Ok(_)] => {}
        [Err(ItemError::Unusable(why))] => assert!(!why.contains("JSON"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(reply.calls, 1, "nothing of the request was refused");
    assert!(reply.usage.input_tokens.unwrap() > 300, "{reply:?}");
    assert!((1..=64).contains(&reply.usage.output_tokens.unwrap()), "{reply:?}");
}

#[actix_rt::test]
async fn an_answer_that_is_cut_off_is_known_by_its_reason_to_stop() {
    let Some(server) = Server::start(4096) else { return };
    let settings = OpenAiSettings { max_tokens: 3, ..server.settings() };
    let reply = engine(&settings).translate(&[item("The house is red")]).await.unwrap();
    assert!(
        matches!(&reply.items[..], [Err(ItemError::Unusable(why))] if why.contains("length")),
        "{reply:?}"
    );
    assert_eq!(reply.usage.output_tokens, Some(3));
}

#[actix_rt::test]
async fn posts_that_do_not_fit_into_its_context_are_asked_for_in_halves() {
    let Some(server) = Server::start(256) else { return };
    let reply = engine(&server.settings()).translate(&["One house", "Two houses"].map(item)).await.unwrap();
    assert_eq!((reply.calls, reply.spoiled), (3, 1));
    for answer in &reply.items {
        assert!(matches!(answer, Err(ItemError::Unusable(why)) if why.contains("do not fit")), "{answer:?}");
    }
}

#[actix_rt::test]
async fn its_errors_with_numbers_for_codes_are_told_apart() {
    let Some(server) = Server::start(256) else { return };
    let wrong = OpenAiSettings { key: Some("wrong".into()), ..server.settings() };
    let error = engine(&wrong).translate(&[item("One house")]).await.unwrap_err();
    assert!(matches!(&error, EngineError::Unauthorized(why) if why.contains("LLAMA_API_KEY")), "{error:?}");
    let elsewhere =
        OpenAiSettings { base_url: format!("{}/v2", server.url).parse().unwrap(), ..server.settings() };
    let error = engine(&elsewhere).translate(&[item("One house")]).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::Refused(why) if why.contains("engine.llama.base_url")),
        "{error:?}"
    );
}
