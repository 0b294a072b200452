//! Sends calls to one server, and tells a call that the server refused from one that it may have performed.

use std::time::Duration;

use mynah_domain::PublicationKey;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use url::{Url, form_urlencoded};

use super::problem::{Refusal, excerpt, refusal};
use crate::{
    http_client::{Answer, HttpClient, HttpError, Limits, Lines, Request, Streamed, Transport},
    telemetry::outside::brief,
};

/// The longest answer to read, in bytes: a server that ignores `limit` lists hundreds of statuses at once.
const LONGEST_ANSWER: usize = 8 * 1024 * 1024;

/// The most streams of one server per thread, each of which is one followed account.
const MOST_STREAMS: usize = 256;

/// How to call a server.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Its address.
    pub base_url: Url,
    /// The timeout of a call.
    pub timeout: Duration,
    /// The most concurrent connections per thread.
    pub connections: usize,
    /// How connections are opened and reused.
    pub transport: Transport,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// Nothing reached the server.
    Unreachable(String),
    /// The server may have performed the call.
    NoAnswer(String),
    /// The server refused the call.
    Refused(Refusal),
}

/// A client for one server, with one account's token.
#[derive(Clone)]
pub struct MastodonClient {
    base: String,
    /// `None` to call as anybody.
    token: Option<SecretString>,
    http: HttpClient,
    /// For streams, each of which keeps its connection.
    streams: HttpClient,
}

impl MastodonClient {
    /// A client with this thread's connections.
    pub fn new(settings: &ServerSettings, token: Option<SecretString>) -> Self {
        let limits = Limits {
            connections: settings.connections,
            transport: settings.transport,
            timeout: settings.timeout,
            max_body: LONGEST_ANSWER,
        };
        let base = settings.base_url.as_str().trim_end_matches('/').to_owned();
        let streams = Limits { connections: MOST_STREAMS, ..limits };
        Self {
            http: HttpClient::shared(&format!("mastodon:{base}"), limits),
            streams: HttpClient::shared(&format!("mastodon-streams:{base}"), streams),
            base,
            token,
        }
    }

    /// The address of the server, for messages.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether it calls with a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// The answer to a GET request.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn get_answer(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, CallError> {
        let mut url = format!("{}{path}", self.base);
        if !query.is_empty() {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
            url = format!("{url}?{query}");
        }
        self.send(Request::get(url)).await
    }

    /// The JSON that a GET request answers.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, CallError> {
        self.read(&self.get_answer(path, query).await?)
    }

    /// Sends JSON, under a key by which most servers recognize a repeat.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        key: PublicationKey,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        let request =
            Request::post(format!("{}{path}", self.base)).header("idempotency-key", key.to_string());
        let request = request
            .json(body)
            .map_err(|error| CallError::Unreachable(format!("the request could not be written: {error}")))?;
        self.read(&self.send(request).await?)
    }

    /// Sends a form with a file.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn post_form(
        &self,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Answer, CallError> {
        self.send(Request::post(format!("{}{path}", self.base)).body(content_type, body)).await
    }

    async fn send(&self, request: Request) -> Result<Answer, CallError> {
        let request = self.prepared(request.header("accept", "application/json"));
        let answer = self.http.send(request).await.map_err(|error| self.no_answer(&error))?;
        if answer.is_success() { Ok(answer) } else { Err(CallError::Refused(refusal(&answer))) }
    }

    /// The lines of an answer without an end, from the server's own host for streams if it has one.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn lines(&self, host: Option<&str>, path: &str) -> Result<Lines, CallError> {
        let host = host.filter(|host| host.starts_with("https://") || self.base.starts_with("http://"));
        let base = host.unwrap_or(&self.base).trim_end_matches('/');
        match self.streams.stream(self.prepared(Request::get(format!("{base}{path}")))).await {
            Ok(Streamed::Stream(lines)) => Ok(lines),
            Ok(Streamed::Refused(answer)) => Err(CallError::Refused(refusal(&answer))),
            Err(error) => Err(self.no_answer(&error)),
        }
    }

    /// A request with what every call has.
    fn prepared(&self, request: Request) -> Request {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.expose_secret())),
            None => request,
        }
    }

    fn no_answer(&self, error: &HttpError) -> CallError {
        match error {
            HttpError::Unreachable(why) => {
                CallError::Unreachable(format!("cannot reach {}: {why}", self.base))
            }
            HttpError::NoAnswer(_) | HttpError::TooLarge { .. } => {
                CallError::NoAnswer(format!("{}: {error}", self.base))
            }
        }
    }

    /// Reads the JSON of an answer.
    ///
    /// # Errors
    /// [`CallError::NoAnswer`]: the server said that it performed the call, but not in a way that can be read.
    pub fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, CallError> {
        serde_json::from_slice(&answer.body).map_err(|error| {
            CallError::NoAnswer(format!(
                "{} answers {}, but not as a Mastodon server does ({}): {}",
                self.base,
                answer.status,
                brief(&error.to_string()),
                excerpt(answer)
            ))
        })
    }
}
