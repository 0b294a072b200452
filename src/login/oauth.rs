//! OAuth 2.0 with the authorization code and PKCE: the crate `oauth2` writes requests and reads answers, and our own HTTP
//! client sends them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, PkceCodeChallenge, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    StandardErrorResponse, TokenResponse as _, TokenUrl,
    basic::{BasicClient, BasicErrorResponseType, BasicTokenResponse},
    http,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{Desk, LoginError, Way, answer::code_in_paste, callback::Callback};
use crate::{
    http_client::{Answer, HttpClient, HttpError, Limits, Request, Transport},
    redaction::{self, MARK},
    telemetry::outside::brief,
};

/// The longest that a call may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The longest answer to read, in bytes.
const LONGEST_ANSWER: usize = 256 * 1024;

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;
type Problem = StandardErrorResponse<BasicErrorResponseType>;

/// A server that gives out tokens, and the app that asks for them.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name, for messages.
    pub name: String,
    /// Where a person allows the login.
    pub authorize: Url,
    /// Where a code becomes a token.
    pub token: Url,
    /// Where a token is taken back.
    pub revoke: Url,
    /// The app's id.
    pub id: String,
    /// The app's secret, if it has one.
    pub secret: Option<SecretString>,
    /// How the app proves who it is.
    pub proof: Proof,
    /// How connections are opened and reused.
    pub transport: Transport,
}

/// How an app with a secret proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// In the form, which every Mastodon server reads.
    Form,
    /// In the header `Authorization`.
    Header,
}

/// What a server gave out.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The token for calls.
    pub access: SecretString,
    /// The token for the next pair of tokens, if it may be renewed.
    pub refresh: Option<SecretString>,
    /// What it allows, as the server names it; empty if the server does not tell.
    pub scopes: Vec<String>,
    /// When it ends; `None` if it lasts.
    pub expires: Option<Timestamp>,
}

/// Why a call for tokens failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenError {
    /// The server refused the code or the token itself: it was used, has ended, or was revoked.
    Spent(String),
    /// The server refused the app, or the call.
    Refused(String),
    /// Nothing reached the server.
    Unreachable(String),
    /// The server may have acted.
    NoAnswer(String),
    /// The answer is no answer of such a server.
    Unreadable(String),
}

/// A client for calls of a login. Codes and refresh tokens work once, so no call may get lost on a connection that the server
/// is just closing: each has its own.
pub fn http(transport: Transport) -> HttpClient {
    let transport = Transport { keep_alive: Duration::ZERO, ..transport };
    let limits = Limits { connections: 2, transport, timeout: TIMEOUT, max_body: LONGEST_ANSWER };
    HttpClient::shared("login", limits)
}

/// The JSON that `server` answers.
///
/// # Errors
/// See [`LoginError`].
pub async fn json(http: &HttpClient, request: Request, server: &str) -> Result<Value, LoginError> {
    let request = request.header("accept", "application/json");
    let answer = http.send(request).await.map_err(|error| unavailable(server, &error))?;
    let read = serde_json::from_slice::<Value>(&answer.body);
    match read {
        Ok(value) if answer.is_success() => Ok(value),
        Ok(value) => Err(LoginError::Refused { server: server.to_owned(), why: explained(&answer, &value) }),
        Err(_) => Err(LoginError::Unreadable { server: server.to_owned(), why: kind_of(&answer) }),
    }
}

/// A request with a form.
pub fn form(url: &Url, fields: &[(&str, &str)]) -> Request {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Request::post(url.as_str()).body("application/x-www-form-urlencoded", body)
}

/// The error of a call that got no answer.
pub fn unavailable(server: &str, error: &HttpError) -> LoginError {
    LoginError::Unavailable(format!("{server}: {error}"))
}

/// What a refusal says.
fn explained(answer: &Answer, value: &Value) -> String {
    let said =
        ["error_description", "message", "error", "detail"].iter().find_map(|name| value.get(name)?.as_str());
    match said {
        Some(said) => format!("{} {}", answer.status, brief(said)),
        None => answer.status.to_string(),
    }
}

fn kind_of(answer: &Answer) -> String {
    let kind = answer.header("content-type").unwrap_or("nothing");
    format!("it answers {} with {} instead of JSON", answer.status, brief(kind))
}

impl Provider {
    fn client(&self, redirect: Option<&str>) -> Result<Client, LoginError> {
        let odd = |error: url::ParseError| LoginError::Unreadable {
            server: self.name.clone(),
            why: format!("its address cannot be used ({error})"),
        };
        let mut client = BasicClient::new(ClientId::new(self.id.clone()))
            .set_auth_uri(AuthUrl::from_url(self.authorize.clone()))
            .set_token_uri(TokenUrl::from_url(self.token.clone()))
            .set_auth_type(match self.proof {
                Proof::Form => AuthType::RequestBody,
                Proof::Header => AuthType::BasicAuth,
            });
        if let Some(secret) = &self.secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
        }
        if let Some(redirect) = redirect {
            client = client.set_redirect_uri(RedirectUrl::new(redirect.to_owned()).map_err(odd)?);
        }
        Ok(client)
    }

    /// Lets the person allow the login, and turns the code that comes back into tokens.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn log_in(&self, door: Door, scopes: &[&str], desk: &Desk<'_>) -> Result<Tokens, LoginError> {
        let client = self.client(Some(&door.redirect))?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let state = door.state.clone();
        let scopes = scopes.iter().map(|scope| Scope::new((*scope).to_owned()));
        let request = client.authorize_url(|| state.clone()).add_scopes(scopes).set_pkce_challenge(challenge);
        let (address, _) = request.url();
        desk.person.show(&format!("Open this address in a browser and allow the login:\n\n  {address}\n"));
        let code = if let Some(callback) = door.callback {
            desk.person.show(&format!("Waiting for the browser at {} …", door.redirect));
            callback.code().await?
        } else {
            let asked = "Paste the code, or the whole address that the browser shows afterwards: ";
            let pasted = desk.person.ask(asked).map_err(LoginError::Input)?.unwrap_or_default();
            code_in_paste(&pasted, &door.state, &self.name)?
        };
        let code = AuthorizationCode::new(code.expose_secret().to_owned());
        let http = http(self.transport);
        let send = |request| sent(&http, request);
        let answer = client.exchange_code(code).set_pkce_verifier(verifier).request_async(&send).await;
        self.tokens(answer).map_err(|error| self.failed(error))
    }

    /// The next tokens. The server spends the refresh token, whatever becomes of its answer.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn renew(&self, refresh: &SecretString) -> Result<Tokens, TokenError> {
        let client = self.client(None).map_err(|error| TokenError::Refused(error.to_string()))?;
        let refresh = RefreshToken::new(refresh.expose_secret().to_owned());
        let http = http(self.transport);
        let send = |request| sent(&http, request);
        self.tokens(client.exchange_refresh_token(&refresh).request_async(&send).await)
    }

    /// Makes the server forget a token.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn revoke(&self, token: &SecretString) -> Result<(), LoginError> {
        let mut fields = vec![("token", token.expose_secret())];
        let secret = self.secret.as_ref().map(SecretString::expose_secret);
        let mut request = None;
        match (self.proof, secret) {
            (Proof::Header, Some(secret)) => request = Some(basic(&self.id, secret)),
            (_, secret) => {
                fields.push(("client_id", &self.id));
                fields.extend(secret.map(|secret| ("client_secret", secret)));
            }
        }
        let mut form = form(&self.revoke, &fields);
        if let Some(header) = request {
            form = form.header("authorization", header);
        }
        let answer = http(self.transport).send(form).await;
        let answer = answer.map_err(|error| unavailable(&self.name, &error))?;
        if answer.is_success() {
            return Ok(());
        }
        let value = serde_json::from_slice(&answer.body).unwrap_or_default();
        Err(LoginError::Refused { server: self.name.clone(), why: explained(&answer, &value) })
    }

    fn tokens(
        &self,
        answer: Result<BasicTokenResponse, RequestTokenError<HttpError, Problem>>,
    ) -> Result<Tokens, TokenError> {
        let name = &self.name;
        let answer = answer.map_err(|error| match error {
            RequestTokenError::ServerResponse(problem) => {
                let said =
                    problem.error_description().map_or_else(|| problem.error().to_string(), Clone::clone);
                let why = format!("{name} answers: {}", brief(&said));
                // X calls a spent token an invalid request.
                match problem.error() {
                    BasicErrorResponseType::InvalidGrant | BasicErrorResponseType::InvalidRequest => {
                        TokenError::Spent(why)
                    }
                    // Such as `temporarily_unavailable`, which says nothing about the token.
                    BasicErrorResponseType::Extension(_) => TokenError::NoAnswer(why),
                    _ => TokenError::Refused(why),
                }
            }
            RequestTokenError::Request(HttpError::Unreachable(why)) => {
                TokenError::Unreachable(format!("cannot reach {name}: {why}"))
            }
            RequestTokenError::Request(error) => TokenError::NoAnswer(format!("{name}: {error}")),
            // Their texts may quote the answer, which has tokens in it.
            RequestTokenError::Parse(error, _) => {
                TokenError::Unreadable(format!("the token response cannot be read (at {})", error.path()))
            }
            RequestTokenError::Other(_) => TokenError::Unreadable("the token response is not JSON".into()),
        })?;
        let access = SecretString::from(answer.access_token().secret().clone());
        let refresh = answer.refresh_token().map(|token| SecretString::from(token.secret().clone()));
        let is_usable = |token: &SecretString| {
            let token = token.expose_secret();
            !token.is_empty() && !token.contains(MARK) && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !is_usable(&access) || !refresh.as_ref().is_none_or(is_usable) {
            return Err(TokenError::Unreadable("the token in the response is empty or malformed".into()));
        }
        redaction::register(&access);
        refresh.iter().for_each(redaction::register);
        let scopes = answer.scopes().map(|scopes| scopes.iter().map(|scope| scope.to_string()).collect());
        let lifetime = answer.expires_in().and_then(|lasts| SignedDuration::try_from(lasts).ok());
        let expires = lifetime.and_then(|lasts| Timestamp::now().checked_add(lasts).ok());
        Ok(Tokens { access, refresh, scopes: scopes.unwrap_or_default(), expires })
    }

    fn failed(&self, error: TokenError) -> LoginError {
        let server = self.name.clone();
        match error {
            TokenError::Spent(why) | TokenError::Refused(why) => LoginError::Refused { server, why },
            TokenError::Unreachable(why) | TokenError::NoAnswer(why) => LoginError::Unavailable(why),
            TokenError::Unreadable(why) => LoginError::Unreadable { server, why },
        }
    }
}

fn basic(id: &str, secret: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret))))
}

/// Where the browser comes back to.
pub struct Door {
    state: CsrfToken,
    /// The address to register with the server.
    pub redirect: String,
    callback: Option<Callback>,
}

impl Door {
    /// Opens it. `pasting` is where the browser is sent if the person pastes the code.
    ///
    /// # Errors
    /// If the port is in use.
    pub fn open(way: Way, pasting: &str, server: &str) -> Result<Self, LoginError> {
        let state = CsrfToken::new_random();
        match way {
            Way::Paste => Ok(Self { state, redirect: pasting.to_owned(), callback: None }),
            Way::Callback(port) => {
                let callback = Callback::listen(port, &state, server)?;
                Ok(Self { state, redirect: callback.address(), callback: Some(callback) })
            }
        }
    }
}

/// Sends a request of the crate with our own client.
async fn sent(http: &HttpClient, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let (head, body) = request.into_parts();
    let mut ours = Request::post(head.uri.to_string());
    for (name, value) in &head.headers {
        // The crate's headers are text.
        ours = ours.header(name.as_str(), value.to_str().unwrap_or_default());
    }
    let answer = http.send(ours.with_body(body)).await?;
    let mut response = http::Response::builder().status(answer.status);
    if let Some(kind) = answer.header("content-type") {
        response = response.header("content-type", kind);
    }
    response.body(answer.body.to_vec()).map_err(|error| HttpError::NoAnswer(error.to_string()))
}
