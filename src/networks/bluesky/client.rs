//! Calls the servers of the network: those that hold accounts (PDS), and the directory of DIDs. Reads every answer in
//! full, and never repeats the answer to a login, which has tokens in it.

use std::{fmt::Write as _, time::Duration};

use actix_web::web::Bytes;
use awc::http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use super::problem::{Refusal, excerpt, refusal};
use crate::{
    http_client::{Answer, HttpClient, HttpError, Limits, Request, Transport},
    telemetry::outside::brief,
};

/// How to call the network.
#[derive(Debug, Clone)]
pub(super) struct BlueskySettings {
    /// The server that resolves handles: `https://bsky.social`.
    pub(super) base_url: Url,
    /// The directory of DIDs: `https://plc.directory`.
    pub(super) plc_url: Url,
    /// How long a call may take.
    pub(super) timeout: Duration,
    /// Where to hear of new posts at once.
    pub(super) stream: Stream,
    /// The maximum number of connections per arbiter and server.
    pub(super) connections: usize,
    /// How connections are opened and reused.
    pub(super) transport: Transport,
}

/// Where to hear of new posts at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stream {
    /// A Jetstream, which sends only what concerns the accounts that it is asked for.
    Jetstream(Url),
    /// The server that holds the account, which sends everything that any of its accounts does.
    Server,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallError {
    /// Nothing reached the server.
    Unreachable(String),
    /// No complete answer arrived; the server may have acted.
    NoAnswer(String),
    /// The server refused the call.
    Refused(Refusal),
}

impl CallError {
    /// What happened, for a person.
    pub(super) fn into_reason(self) -> String {
        match self {
            Self::Unreachable(why) | Self::NoAnswer(why) => why,
            Self::Refused(refusal) => refusal.into_reason(),
        }
    }
}

/// A server of the network.
#[derive(Clone)]
pub(super) struct Server {
    http: HttpClient,
    base: String,
    host: String,
}

/// The body of a call.
enum Body<'a> {
    None,
    Json(Vec<u8>),
    /// Bytes of this type.
    Blob(&'a str, Bytes),
}

impl Server {
    /// The server at this address.
    pub(super) fn new(settings: &BlueskySettings, address: &Url) -> Self {
        let base = address.as_str().trim_end_matches('/').to_owned();
        let limits = Limits {
            connections: settings.connections,
            timeout: settings.timeout,
            transport: settings.transport,
            ..Limits::default()
        };
        let host = address.host_str().unwrap_or(&base).to_owned();
        Self { http: HttpClient::shared(&base, limits), base, host }
    }

    /// Asks a question that needs no login: `com.atproto.repo.listRecords`.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        question: &str,
        parameters: &[(&str, &str)],
    ) -> Result<T, CallError> {
        let mut path = format!("/xrpc/{question}");
        for (separator, (name, value)) in std::iter::once('?').chain(std::iter::repeat('&')).zip(parameters) {
            // Writing to a string cannot fail.
            let _ = write!(path, "{separator}{name}={}", encode(value));
        }
        self.document(&path).await
    }

    /// Reads a JSON document by its path.
    pub(super) async fn document<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        let answer = self.send(Request::get(format!("{}{path}", self.base))).await?;
        self.read(&answer, true)
    }

    /// Logs in or refreshes a session. The answer has secrets in it, so no error repeats it.
    pub(super) async fn open_session<T: DeserializeOwned>(
        &self,
        call: &str,
        body: Option<&impl Serialize>,
        token: Option<&SecretString>,
    ) -> Result<T, CallError> {
        let body = body.map(json).transpose()?.map_or(Body::None, Body::Json);
        let answer = self.call(call, body, token).await?;
        self.read(&answer, false)
    }

    /// Changes something, with a session's token.
    pub(super) async fn change<T: DeserializeOwned>(
        &self,
        call: &str,
        body: &impl Serialize,
        token: &SecretString,
    ) -> Result<T, CallError> {
        let answer = self.call(call, Body::Json(json(body)?), Some(token)).await?;
        self.read(&answer, true)
    }

    /// Uploads bytes, with a session's token.
    pub(super) async fn upload<T: DeserializeOwned>(
        &self,
        mime: &str,
        bytes: Bytes,
        token: &SecretString,
    ) -> Result<T, CallError> {
        let answer = self.call("com.atproto.repo.uploadBlob", Body::Blob(mime, bytes), Some(token)).await?;
        self.read(&answer, true)
    }

    async fn call(
        &self,
        call: &str,
        body: Body<'_>,
        token: Option<&SecretString>,
    ) -> Result<Answer, CallError> {
        let mut request = Request::new(Method::POST, format!("{}/xrpc/{call}", self.base));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {}", token.expose_secret()));
        }
        request = match body {
            Body::None => request,
            Body::Json(body) => request.body("application/json", body),
            Body::Blob(mime, bytes) => request.body(mime, bytes),
        };
        self.send(request).await
    }

    async fn send(&self, request: Request) -> Result<Answer, CallError> {
        self.http.send(request).await.map_err(|error| match error {
            HttpError::Unreachable(why) => {
                CallError::Unreachable(format!("cannot reach {}: {why}; check the network", self.base))
            }
            HttpError::NoAnswer(_) | HttpError::TooLarge { .. } => {
                CallError::NoAnswer(format!("{}: {error}", self.host))
            }
        })
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer, may_repeat: bool) -> Result<T, CallError> {
        if !answer.is_success() {
            return Err(CallError::Refused(refusal(&self.host, answer)));
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            let Self { host, .. } = self;
            CallError::NoAnswer(if may_repeat {
                let (status, error, excerpt) = (answer.status, brief(&error.to_string()), excerpt(answer));
                format!("{host} answers {status}, but its answer cannot be read ({error}): {excerpt}")
            } else {
                format!("{host} answers {}, but its answer cannot be read", answer.status)
            })
        })
    }
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, CallError> {
    serde_json::to_vec(body)
        .map_err(|error| CallError::Unreachable(format!("the request could not be written: {error}")))
}

/// A value as part of an address: everything but unreserved characters (RFC 3986) and the colons of DIDs is encoded.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}
