//! Calls X: one client per arbiter signs every call and reads every answer in full.

use std::{fmt::Write as _, time::Duration};

use awc::http::Method;
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use super::{
    XAuth,
    clock::XClock,
    problem::{Refusal, excerpt, refusal},
};
use crate::{
    http_client::{Answer, HttpClient, HttpError, Limits, Lines, Request, Streamed, Transport},
    telemetry::outside::brief,
};

/// How to call X.
#[derive(Debug, Clone)]
pub struct XSettings {
    /// X's address: `https://api.x.com`.
    pub base_url: Url,
    /// How long a call may take.
    pub timeout: Duration,
    /// The maximum number of connections per arbiter.
    pub connections: usize,
    /// How connections are opened and reused.
    pub transport: Transport,
}

/// Calls X with one account's credentials.
#[derive(Clone)]
pub struct XClient {
    http: HttpClient,
    base: String,
    auth: XAuth,
    clock: XClock,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// Nothing reached X.
    Unreachable(String),
    /// No complete answer arrived; X may have acted.
    NoAnswer(String),
    /// X refused the call.
    Refused(Refusal),
}

impl XClient {
    /// A client with these credentials.
    pub fn new(settings: &XSettings, auth: XAuth) -> Self {
        let base = settings.base_url.as_str().trim_end_matches('/').to_owned();
        let limits = Limits {
            connections: settings.connections,
            timeout: settings.timeout,
            transport: settings.transport,
            ..Limits::default()
        };
        Self { http: HttpClient::shared(&base, limits), base, auth, clock: XClock::default() }
    }

    /// Sends a GET request.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, CallError> {
        let url = format!("{}{path}", self.base);
        let mut asked = url.clone();
        for (separator, (name, value)) in std::iter::once('?').chain(std::iter::repeat('&')).zip(query) {
            // Writing to a string cannot fail.
            let _ = write!(asked, "{separator}{}={}", encode(name), encode(value));
        }
        self.call(&Request::get(asked), |now| self.auth.header("GET", &url, query, now)).await
    }

    /// Sends a GET request whose answer has no end, and returns its lines as they arrive.
    pub async fn lines(&self, path: &str) -> Result<Lines, CallError> {
        let url = format!("{}{path}", self.base);
        let auth = self.auth.header("GET", &url, &[], self.clock.now());
        match self.http.stream(Request::get(url).header("authorization", auth)).await {
            Ok(Streamed::Stream(lines)) => Ok(lines),
            Ok(Streamed::Refused(answer)) => Err(CallError::Refused(refusal(&answer))),
            Err(error) => Err(self.no_answer(&error)),
        }
    }

    /// Sends a POST request with a JSON body.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CallError> {
        let url = format!("{}{path}", self.base);
        let request = Request::new(Method::POST, url.clone())
            .json(body)
            .map_err(|error| CallError::Unreachable(format!("the request could not be written: {error}")))?;
        self.call(&request, |now| self.auth.header("POST", &url, &[], now)).await
    }

    /// Sends a POST request without a body.
    pub async fn post_without_body<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        let url = format!("{}{path}", self.base);
        self.call(&Request::post(&url), |now| self.auth.header("POST", &url, &[], now)).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        request: &Request,
        sign: impl Fn(Timestamp) -> String,
    ) -> Result<T, CallError> {
        let signed = || request.clone().header("authorization", sign(self.clock.now()));
        let mut answer = self.send(signed()).await?;
        // Perhaps only the signature's time was wrong. X did not perform a refused call, so it may be sent again.
        if self.clock.learn(&answer) && answer.status == 401 {
            answer = self.send(signed()).await?;
        }
        read(&answer)
    }

    async fn send(&self, request: Request) -> Result<Answer, CallError> {
        self.http.send(request).await.map_err(|error| self.no_answer(&error))
    }

    fn no_answer(&self, error: &HttpError) -> CallError {
        match error {
            HttpError::Unreachable(why) => CallError::Unreachable(format!(
                "cannot reach X at {}: {why}; check the network and x.base_url",
                self.base
            )),
            HttpError::NoAnswer(_) | HttpError::TooLarge { .. } => {
                CallError::NoAnswer(format!("X at {}: {error}", self.base))
            }
        }
    }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, CallError> {
    if !answer.is_success() {
        return Err(CallError::Refused(refusal(answer)));
    }
    serde_json::from_slice(&answer.body).map_err(|error| {
        let excerpt = excerpt(answer);
        CallError::NoAnswer(format!(
            "X answers {}, but its answer cannot be read ({}): {excerpt}",
            answer.status,
            brief(&error.to_string())
        ))
    })
}

/// RFC 3986, as OAuth requires: the signed and the sent bytes must be the same.
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

#[cfg(test)]
mod tests {
    use mynah_sandbox::{Endpoint, SandboxConfig};
    use serde_json::{Value, json};

    use super::*;
    use crate::networks::x::auth::OAuth1;

    #[actix_rt::test]
    async fn a_wrong_clock_costs_one_call_and_does_not_block_the_account() {
        let config = SandboxConfig::default().target("town_es", "es");
        let sandbox = mynah_sandbox::start(config).await.unwrap();
        let keys = mynah_sandbox::credentials("town_es");
        let auth = XAuth::User1(Box::new(OAuth1 {
            consumer_key: keys.consumer_key.into(),
            consumer_secret: keys.consumer_secret.into(),
            token: keys.access_token.into(),
            token_secret: keys.access_token_secret.into(),
        }));
        let base_url = sandbox.url().parse().unwrap();
        let transport = Transport::default();
        let settings = XSettings { base_url, timeout: Duration::from_secs(5), connections: 1, transport };
        let client = XClient { clock: XClock::off_by(-3600), ..XClient::new(&settings, auth) };
        for text in ["Hola", "Adiós"] {
            client.post::<Value>("/2/tweets", &json!({"text": text})).await.unwrap();
        }
        assert_eq!(sandbox.publications("town_es").len(), 2);
        assert_eq!(sandbox.count(Endpoint::Post).requests, 3);
    }
}
