//! The login of OAuth 1.0a, for an app without a client id: X shows the person a PIN, and the token for it lasts until
//! somebody revokes it. (X's documentation, "PIN-based OAuth".)

use config::ValueKind;
use jiff::Timestamp;
use oauth::{Builder, Credentials, HmacSha1};
use secrecy::{ExposeSecret as _, SecretString};
use url::{Url, form_urlencoded};

use super::{auth::OAuth1, names, secrets::Consumer};
use crate::{
    http_client::{Answer, HttpClient, Request},
    login::{
        Desk, LoginError,
        oauth::{http, unavailable},
    },
    redaction,
    telemetry::outside::brief,
};

/// X's name in messages.
const SERVER: &str = "X";

/// The callback of apps that no browser can call.
const OUT_OF_BAND: &str = "oob";

/// A token with its secret: at first for one login, in the end an account's own.
pub(super) struct TokenPair {
    pub(super) token: SecretString,
    pub(super) secret: SecretString,
}

/// What a login brought.
pub(super) struct Granted {
    /// The account that allowed it, without `@`.
    pub(super) account: String,
    /// Its own token, which lasts.
    pub(super) pair: TokenPair,
}

/// What a call of a login is signed with, besides the app's keys.
#[derive(Clone, Copy)]
enum Step<'a> {
    Request,
    Exchange { token: &'a TokenPair, pin: &'a str },
}

/// Lets the person at the desk log in as `wanted`.
pub(super) async fn log_in(
    consumer: &Consumer,
    base: &Url,
    wanted: &str,
    desk: &Desk<'_>,
) -> Result<Granted, LoginError> {
    let http = http(desk.settings.transport);
    let fields = call(&http, consumer, base, "/oauth/request_token", Step::Request).await?;
    let token = token_in(&fields)?;

    let mut address = base.clone();
    address.set_path("/oauth/authorize");
    // A browser that is logged in to another account would allow the login for that one.
    let query =
        [("oauth_token", token.token.expose_secret()), ("force_login", "true"), ("screen_name", wanted)];
    address.query_pairs_mut().extend_pairs(query);
    desk.person.show(&format!("Open this address in a browser and allow the login:\n\n  {address}\n"));
    let answer = desk.person.ask("Enter the PIN that the page shows: ").map_err(LoginError::Input)?;
    let pin: String = answer.unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
    if pin.is_empty() {
        return Err(LoginError::Cancelled { what: "PIN" });
    }
    if !pin.chars().all(|c| c.is_ascii_digit()) {
        return Err(LoginError::NotAccepted("a PIN has only digits".into()));
    }

    let step = Step::Exchange { token: &token, pin: &pin };
    let fields = call(&http, consumer, base, "/oauth/access_token", step).await?;
    let pair = token_in(&fields)?;
    let name = field(&fields, "screen_name")?;
    let account = names::handle(&ValueKind::from(name)).map_err(|_| LoginError::Unreadable {
        server: SERVER.into(),
        why: format!("the login is of {:?}, which is no name of an account", brief(name)),
    })?;
    Ok(Granted { account, pair })
}

/// Makes X forget an account's token.
pub(super) async fn revoke(
    consumer: &Consumer,
    base: &Url,
    pair: TokenPair,
    desk: &Desk<'_>,
) -> Result<(), LoginError> {
    let mut url = base.clone();
    url.set_path("/1.1/oauth/invalidate_token.json");
    let keys = OAuth1 {
        consumer_key: consumer.key.clone(),
        consumer_secret: consumer.secret.clone(),
        token: pair.token,
        token_secret: pair.secret,
    };
    let signed = keys.sign("POST", url.as_str(), &[], Timestamp::now(), None);
    accepted(&http(desk.settings.transport), Request::post(url.as_str()).header("authorization", signed))
        .await
        .map(drop)
}

async fn call(
    http: &HttpClient,
    consumer: &Consumer,
    base: &Url,
    path: &str,
    step: Step<'_>,
) -> Result<Vec<(String, String)>, LoginError> {
    let mut url = base.clone();
    url.set_path(path);
    let request = Request::post(url.as_str()).header("authorization", signed(consumer, url.as_str(), step));
    let answer = accepted(http, request).await?;
    Ok(form_urlencoded::parse(&answer.body).into_owned().collect())
}

fn signed(consumer: &Consumer, url: &str, step: Step<'_>) -> String {
    let app = Credentials::new(consumer.key.expose_secret(), consumer.secret.expose_secret());
    let mut builder = Builder::<_, &str, &str>::new(app, HmacSha1::new());
    builder.version(true);
    match step {
        Step::Request => builder.callback(OUT_OF_BAND),
        Step::Exchange { token, pin } => builder
            .token(Credentials::new(token.token.expose_secret(), token.secret.expose_secret()))
            .verifier(pin),
    };
    builder.authorize("POST", url, &())
}

async fn accepted(http: &HttpClient, request: Request) -> Result<Answer, LoginError> {
    let answer = http.send(request).await.map_err(|error| unavailable(SERVER, &error))?;
    if answer.is_success() {
        return Ok(answer);
    }
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let why = match problem["errors"][0]["message"].as_str() {
        Some(message) => format!("{} {}", answer.status, brief(message)),
        None => answer.status.to_string(),
    };
    Err(LoginError::Refused { server: SERVER.into(), why })
}

fn token_in(fields: &[(String, String)]) -> Result<TokenPair, LoginError> {
    let secret = |name| -> Result<SecretString, LoginError> {
        let secret = SecretString::from(field(fields, name)?);
        redaction::register(&secret);
        Ok(secret)
    };
    Ok(TokenPair { token: secret("oauth_token")?, secret: secret("oauth_token_secret")? })
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Result<&'a str, LoginError> {
    let found = fields.iter().find(|(key, value)| key == name && !value.is_empty());
    found.map(|(_, value)| value.as_str()).ok_or_else(|| LoginError::Unreadable {
        server: SERVER.into(),
        why: format!("its answer has no {name}"),
    })
}
