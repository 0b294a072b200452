//! A client that signs its own requests, so that the tests share no code with the sandbox.
#![allow(dead_code, clippy::unwrap_used, reason = "test code: each binary uses a part of it and may panic")]

pub(crate) mod schema;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use actix_web::http::{Method, header::HeaderMap};
use awc::{Client, error::SendRequestError};
use mynah_sandbox::{FaultPlan, FaultRule, Sandbox, SandboxConfig, credentials};
use oauth::{Builder, Credentials, HmacSha1, request::ParameterList};
use serde_json::Value;

/// Longer than any step takes, so that a test never waits forever.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// The account that the tests publish on.
pub(crate) const ES: &str = "mynah_es";

pub(crate) async fn sandbox(config: SandboxConfig) -> Sandbox {
    mynah_sandbox::start(config.target(ES, "es")).await.unwrap()
}

pub(crate) fn plan(rules: impl IntoIterator<Item = FaultRule>) -> FaultPlan {
    FaultPlan { seed: 1, rules: rules.into_iter().collect(), ..FaultPlan::default() }
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        value.to_str().unwrap()
    }

    pub(crate) fn content_type(&self) -> &str {
        self.header("content-type")
    }
}

/// How a request authenticates.
#[derive(Debug, Clone)]
pub(crate) enum As {
    Nobody,
    OAuth1(&'static str),
    Bearer(String),
    Key(&'static str),
    Raw(String),
}

pub(crate) fn app() -> As {
    As::Bearer(credentials("").app_bearer_token)
}

pub(crate) fn user(handle: &str) -> As {
    As::Bearer(credentials(handle).user_bearer_token)
}

/// Signs a request and returns its `Authorization` header.
pub(crate) fn sign(handle: &str, method: &str, url: &str) -> String {
    let keys = credentials(handle);
    let url = url::Url::parse(url).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut base = url;
    base.set_query(None);
    Builder::new(Credentials::new(keys.consumer_key, keys.consumer_secret), HmacSha1::new())
        .token(Credentials::new(keys.access_token, keys.access_token_secret))
        .authorize(method, base.as_str(), &ParameterList::new(pairs))
}

pub(crate) async fn call(
    sandbox: &Sandbox,
    who: As,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<Answer, SendRequestError> {
    let url = format!("{}{path}", sandbox.url());
    // awc needs a provider even without TLS. It can be installed only once, so ignore later errors.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().timeout(DEADLINE).finish();
    let mut request = client.request(method.clone(), &url);
    request = match who {
        As::Nobody => request,
        As::OAuth1(handle) => request.insert_header(("authorization", sign(handle, method.as_str(), &url))),
        As::Bearer(token) => request.insert_header(("authorization", format!("Bearer {token}"))),
        As::Key(key) => request.insert_header(("x-goog-api-key", key)),
        As::Raw(header) => request.insert_header(("authorization", header)),
    };
    let mut response = match body {
        Some(body) => request.send_json(&body).await?,
        None => request.send().await?,
    };
    let bytes = response.body().limit(32 << 20).await;
    let bytes = bytes.map_err(|error| SendRequestError::Custom(Box::new(error), Box::new("body")))?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

pub(crate) async fn get(sandbox: &Sandbox, who: As, path: &str) -> Answer {
    call(sandbox, who, Method::GET, path, None).await.unwrap()
}

pub(crate) async fn post(sandbox: &Sandbox, who: As, path: &str, body: Value) -> Answer {
    call(sandbox, who, Method::POST, path, Some(body)).await.unwrap()
}

/// Publishes a text on the Spanish account.
pub(crate) async fn publish(sandbox: &Sandbox, text: &str) -> Answer {
    post(sandbox, As::OAuth1(ES), "/2/tweets", serde_json::json!({"text": text})).await
}

/// The id of a handle on the sandbox's X.
pub(crate) async fn user_id(sandbox: &Sandbox, handle: &str) -> String {
    let answer = get(sandbox, app(), &format!("/2/users/by/username/{handle}")).await;
    answer.json()["data"]["id"].as_str().unwrap().to_owned()
}

/// Everything that the sandbox sends over a bare socket until it closes.
pub(crate) fn raw(sandbox: &Sandbox, head: &str, body: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(sandbox.addr()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let length = body.len();
    let host = sandbox.addr();
    write!(stream, "{head}\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut seen = Vec::new();
    match stream.read_to_end(&mut seen) {
        Ok(_) => seen,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => seen,
        Err(error) => panic!("{error}"),
    }
}
