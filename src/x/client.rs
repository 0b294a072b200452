//! Calling X: one client for each arbiter, signed, with every answer read whole.

use std::{fmt::Write as _, time::Duration};

use awc::http::Method;
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use super::{
    XAuth,
    problem::{Refusal, excerpt, refusal},
};
use crate::http_client::{Answer, HttpClient, HttpError, Limits, Request};

/// How X is called.
#[derive(Debug, Clone)]
pub struct XSettings {
    /// Where X is: `https://api.x.com`.
    pub base_url: Url,
    /// How long a call may take.
    pub timeout: Duration,
    /// The most connections of one arbiter.
    pub connections: usize,
}

/// A way to X with somebody's credentials.
#[derive(Clone)]
pub struct XClient {
    http: HttpClient,
    base: String,
    auth: XAuth,
}

/// A call did not bring what it was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// Nothing reached X.
    Unreachable(String),
    /// No whole answer came; X may have acted.
    NoAnswer(String),
    /// X answered, and not what was hoped for.
    Refused(Refusal),
}

impl XClient {
    /// A client for calls with these credentials.
    pub fn new(settings: &XSettings, auth: XAuth) -> Self {
        let base = settings.base_url.as_str().trim_end_matches('/').to_owned();
        let limits = Limits {
            connections: settings.connections,
            timeout: settings.timeout,
            connect_timeout: Limits::default().connect_timeout.min(settings.timeout),
            ..Limits::default()
        };
        Self { http: HttpClient::shared(&base, limits), base, auth }
    }

    /// Asks for something.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, CallError> {
        let url = format!("{}{path}", self.base);
        let mut asked = url.clone();
        for (separator, (name, value)) in std::iter::once('?').chain(std::iter::repeat('&')).zip(query) {
            // Writing to a string cannot fail.
            let _ = write!(asked, "{separator}{}={}", encode(name), encode(value));
        }
        let request = Request::get(asked).header("authorization", self.auth.header("GET", &url, query));
        self.call(request).await
    }

    /// Has something done.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CallError> {
        let url = format!("{}{path}", self.base);
        let request = Request::new(Method::POST, url.clone())
            .header("authorization", self.auth.header("POST", &url, &[]))
            .json(body)
            .map_err(|error| CallError::Unreachable(format!("the request could not be written: {error}")))?;
        self.call(request).await
    }

    async fn call<T: DeserializeOwned>(&self, request: Request) -> Result<T, CallError> {
        let answer = match self.http.send(request).await {
            Ok(answer) => answer,
            Err(HttpError::Unreachable(why)) => {
                return Err(CallError::Unreachable(format!(
                    "cannot reach X at {}: {why}; check the network and x.base_url",
                    self.base
                )));
            }
            Err(error @ (HttpError::NoAnswer(_) | HttpError::TooLarge { .. })) => {
                return Err(CallError::NoAnswer(format!("X at {}: {error}", self.base)));
            }
        };
        read(&answer)
    }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, CallError> {
    if !answer.is_success() {
        return Err(CallError::Refused(refusal(answer)));
    }
    serde_json::from_slice(&answer.body).map_err(|error| {
        let said = excerpt(answer);
        CallError::NoAnswer(format!(
            "X answers {} with something that cannot be read ({error}): {said}",
            answer.status
        ))
    })
}

/// RFC 3986, as OAuth asks: what is signed and what is sent must be the same bytes.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}
