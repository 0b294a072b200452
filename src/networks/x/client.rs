//! Calls X: one client per arbiter signs every call and reads every answer in full.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use awc::http::Method;
use mynah_domain::ports::Facts;
use secrecy::SecretString;
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use super::{
    XAuth,
    auth::bearer,
    clock::XClock,
    problem::{Refusal, excerpt, refusal},
    session::At,
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
    url: Url,
    transport: Transport,
    auth: XAuth,
    clock: XClock,
    /// Where the tokens of a login are on record.
    ledger: Arc<dyn Facts>,
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

impl CallError {
    /// What happened, for people.
    pub fn reason(&self) -> &str {
        match self {
            Self::Unreachable(reason) | Self::NoAnswer(reason) => reason,
            Self::Refused(refusal) => refusal.reason(),
        }
    }
}

impl XClient {
    /// A client with these credentials. If they are a login, its tokens are renewed and stored in the ledger.
    pub fn new(settings: &XSettings, auth: XAuth, ledger: Arc<dyn Facts>) -> Self {
        let base = settings.base_url.as_str().trim_end_matches('/').to_owned();
        let limits = Limits {
            connections: settings.connections,
            timeout: settings.timeout,
            transport: settings.transport,
            ..Limits::default()
        };
        Self {
            http: HttpClient::shared(&base, limits),
            base,
            url: settings.base_url.clone(),
            transport: settings.transport,
            auth,
            clock: XClock::default(),
            ledger,
        }
    }

    /// Sends a GET request.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, CallError> {
        let url = format!("{}{path}", self.base);
        let mut asked = url.clone();
        for (separator, (name, value)) in std::iter::once('?').chain(std::iter::repeat('&')).zip(query) {
            // Writing to a string cannot fail.
            let _ = write!(asked, "{separator}{}={}", encode(name), encode(value));
        }
        self.call(&Request::get(asked), "GET", &url, query).await
    }

    /// Sends a GET request whose answer has no end, and returns its lines as they arrive.
    pub async fn lines(&self, path: &str) -> Result<Lines, CallError> {
        let url = format!("{}{path}", self.base);
        let (header, _) = self.authorization("GET", &url, &[], None).await?;
        match self.http.stream(Request::get(url).header("authorization", header)).await {
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
        self.call(&request, "POST", &url, &[]).await
    }

    /// Sends a POST request without a body.
    pub async fn post_without_body<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        let url = format!("{}{path}", self.base);
        self.call(&Request::post(&url), "POST", &url, &[]).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        request: &Request,
        method: &str,
        url: &str,
        query: &[(&str, &str)],
    ) -> Result<T, CallError> {
        let signed = async |refused: Option<&SecretString>| {
            let (header, token) = self.authorization(method, url, query, refused).await?;
            Ok::<_, CallError>((request.clone().header("authorization", header), token))
        };
        let (first, token) = signed(None).await?;
        let mut answer = self.send(first).await?;
        // Perhaps only the signature's time was wrong, or the token has ended. X did not perform a refused call, so it may
        // be sent again.
        let is_off = self.clock.learn(&answer);
        if answer.status == 401 && (is_off || token.is_some()) {
            answer = self.send(signed(token.as_ref()).await?.0).await?;
        }
        read(&answer)
    }

    /// The header for a call, and the token in it if it is a login's; `refused` is one that X does not accept any more.
    async fn authorization(
        &self,
        method: &str,
        url: &str,
        query: &[(&str, &str)],
        refused: Option<&SecretString>,
    ) -> Result<(String, Option<SecretString>), CallError> {
        match (&self.auth, self.auth.header(method, url, query, self.clock.now())) {
            (XAuth::Login(login), _) => {
                let at =
                    At { base: self.url.clone(), transport: self.transport, ledger: self.ledger.clone() };
                let token = login.token(&at, refused).await?;
                Ok((bearer(&token), Some(token)))
            }
            // Only a login has none.
            (_, header) => Ok((header.unwrap_or_default(), None)),
        }
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
        let folder = tempfile::tempdir().unwrap();
        let ledger = crate::ledger::open(
            &folder.path().join("ledger.sqlite"),
            Arc::new(mynah_domain::ports::SystemClock),
        );
        let client =
            XClient { clock: XClock::off_by(-3600), ..XClient::new(&settings, auth, ledger.unwrap()) };
        for text in ["Hola", "Adiós"] {
            client.post::<Value>("/2/tweets", &json!({"text": text})).await.unwrap();
        }
        assert_eq!(sandbox.publications("town_es").len(), 2);
        assert_eq!(sandbox.count(Endpoint::Post).requests, 3);
    }
}
