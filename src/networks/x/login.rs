//! Logs in to an account with OAuth 2.0, or by PIN with OAuth 1.0a. The app is the operator's own, from X's developer
//! console.

use std::collections::BTreeMap;

use async_trait::async_trait;
use config::ValueKind;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    names,
    pin::{self, Granted, TokenPair},
    secrets::{self, Consumer},
    session::{At, XApp, XLogin},
};
use crate::{
    credentials::{Stored, StoredLogin},
    http_client::Request,
    login::{
        Desk, LogIn, LoginError, Way,
        oauth::{self, Door, Provider},
    },
    redaction,
};

/// What Mynah does with a token. Without `offline.access`, it would end after two hours.
const SCOPES: [&str; 5] = ["tweet.read", "tweet.write", "users.read", "media.write", "offline.access"];

/// The port that the app's callback address names, because X accepts only addresses that the app lists.
const PORT: u16 = 8484;

#[derive(Debug)]
pub(super) struct XLogIn;

fn base(desk: &Desk<'_>) -> Result<Url, LoginError> {
    let base = desk.address("x.base_url").or_else(|| Url::parse("https://api.x.com").ok());
    base.ok_or_else(|| LoginError::Name {
        what: "x.base_url is not an address".into(),
        fix: "correct it in the settings".into(),
    })
}

/// The app that people log in to, and how.
enum App {
    /// In a browser, with OAuth 2.0.
    OAuth2(Box<Provider>),
    /// By a PIN, with OAuth 1.0a.
    Pin(Consumer),
}

fn app(desk: &Desk<'_>) -> Result<App, LoginError> {
    let (id, key) = (desk.secret(secrets::CLIENT_ID)?, desk.secret(secrets::CONSUMER_KEY)?);
    match (id, key) {
        (Some(id), _) => {
            let secret = desk.secret(secrets::CLIENT_SECRET)?;
            Ok(App::OAuth2(Box::new(XApp { id, secret }.provider(&base(desk)?, desk.settings.transport))))
        }
        (None, Some(key)) => Ok(App::Pin(consumer(key, desk)?)),
        (None, None) => Err(LoginError::Missing {
            what: format!("{} is not set: people log in to an app of your own", secrets::CLIENT_ID),
            fix: format!(
                "create one in X's developer console, with the callback address http://127.0.0.1:{PORT}/callback, and set \
                 {} and, if it is confidential, {} from its “Keys and tokens”; or set {} and {} to log in by PIN",
                secrets::CLIENT_ID,
                secrets::CLIENT_SECRET,
                secrets::CONSUMER_KEY,
                secrets::CONSUMER_SECRET,
            ),
        }),
    }
}

/// The keys of the app for a login by PIN.
fn consumer(key: SecretString, desk: &Desk<'_>) -> Result<Consumer, LoginError> {
    let secret = desk.secret(secrets::CONSUMER_SECRET)?.ok_or_else(|| missing(secrets::CONSUMER_SECRET))?;
    Ok(Consumer { key, secret })
}

fn missing(variable: &str) -> LoginError {
    LoginError::Missing {
        what: format!("{variable} is not set"),
        fix: "set it to what “Keys and tokens” of your app in X's developer console shows".into(),
    }
}

/// A login in the store, with the app that it was given to.
enum Given {
    Browser(Box<Provider>),
    Pin(Consumer, TokenPair),
}

fn given(login: &StoredLogin, desk: &Desk<'_>) -> Result<Given, LoginError> {
    let needed = |variable| -> Result<SecretString, LoginError> {
        desk.secret(variable)?.ok_or_else(|| missing(variable))
    };
    if let Some(pair) = token_pair(login) {
        return Ok(Given::Pin(consumer(needed(secrets::CONSUMER_KEY)?, desk)?, pair));
    }
    let app = XApp { id: needed(secrets::CLIENT_ID)?, secret: desk.secret(secrets::CLIENT_SECRET)? };
    Ok(Given::Browser(Box::new(app.provider(&base(desk)?, desk.settings.transport))))
}

/// The token and its secret, if it is a login by PIN.
fn token_pair(login: &StoredLogin) -> Option<TokenPair> {
    let [token, secret] = secrets::token_variables(&login.account).map(|name| login.secrets.get(&name));
    Some(TokenPair { token: token?.0.clone(), secret: secret?.0.clone() })
}

async fn whose(token: &SecretString, desk: &Desk<'_>) -> Result<String, LoginError> {
    let mut url = base(desk)?;
    url.set_path("/2/users/me");
    let request =
        Request::get(url.as_str()).header("authorization", format!("Bearer {}", token.expose_secret()));
    let me = oauth::json(&oauth::http(desk.settings.transport), request, "X").await?;
    let name = me["data"]["username"].as_str().and_then(|name| names::handle(&ValueKind::from(name)).ok());
    name.ok_or_else(|| LoginError::Unreadable {
        server: "X".into(),
        why: "it did not report which account the token belongs to".into(),
    })
}

#[async_trait(?Send)]
impl LogIn for XLogIn {
    fn account(&self, account: &str) -> String {
        names::handle(&ValueKind::from(account)).unwrap_or_else(|_| account.to_owned())
    }

    fn variables(&self, account: &str) -> Vec<String> {
        secrets::winning_variables(&self.account(account))
    }

    async fn log_in(&self, account: &str, desk: &Desk<'_>) -> Result<StoredLogin, LoginError> {
        let wanted = names::handle(&ValueKind::from(account))
            .map_err(|refusal| LoginError::Name { what: refusal.what, fix: refusal.fix })?;
        match app(desk)? {
            App::OAuth2(provider) => log_in_with_browser(&provider, wanted, desk).await,
            App::Pin(consumer) => log_in_by_pin(&consumer, wanted, desk).await,
        }
    }

    fn prepare_revocation(&self, login: &StoredLogin, desk: &Desk<'_>) -> Result<(), LoginError> {
        given(login, desk).map(drop)
    }

    async fn revoke(&self, login: &StoredLogin, desk: &Desk<'_>) -> Result<bool, LoginError> {
        login.secrets.values().for_each(|secret| redaction::register(&secret.0));
        let provider = match given(login, desk)? {
            Given::Browser(provider) => provider,
            Given::Pin(consumer, pair) => {
                return pin::revoke(&consumer, &base(desk)?, pair, desk).await.map(|()| true);
            }
        };
        let Some(token) = login.secrets.values().next() else { return Ok(false) };
        let app = XApp { id: provider.id.clone().into(), secret: provider.secret.clone() };
        let at = At { base: base(desk)?, transport: desk.settings.transport, ledger: desk.ledger.clone() };
        let known = XLogin::new(&login.account, app, token.0.clone()).last(&at).await;
        let known = known.map_err(|error| LoginError::Ledger(super::session::reason(&error).to_owned()))?;
        // Without the ledger, nobody knows whether this token is still the last one.
        let is_last = known.is_some() || desk.is_own_ledger;
        provider.revoke(known.as_ref().unwrap_or(&token.0)).await.map(|()| is_last)
    }

    fn revoke_by_hand(&self, login: &StoredLogin) -> String {
        format!(
            "revoke the app's access on X as @{}, under Settings, Security, Apps and sessions",
            login.account
        )
    }
}

async fn log_in_with_browser(
    provider: &Provider,
    wanted: String,
    desk: &Desk<'_>,
) -> Result<StoredLogin, LoginError> {
    let way = match desk.way {
        Way::Callback(port) => Way::Callback(Some(port.unwrap_or(PORT))),
        Way::Paste => Way::Paste,
    };
    let door = Door::open(way, &format!("http://127.0.0.1:{PORT}/callback"), "X")?;
    let tokens = provider.log_in(door, &SCOPES, desk).await?;
    let got = whose(&tokens.access, desk).await?;
    let refresh = tokens.refresh.ok_or_else(|| LoginError::Refused {
        server: "X".into(),
        why: "it gave out no refresh token, so the login would end within hours".into(),
    })?;
    if !wanted.eq_ignore_ascii_case(&got) {
        // Nobody will use it. If X keeps it, the person can revoke it there.
        let _ = provider.revoke(&refresh).await;
        return Err(LoginError::OtherAccount { server: "X".into(), wanted, got });
    }
    let scopes = if tokens.scopes.is_empty() { SCOPES.map(str::to_owned).to_vec() } else { tokens.scopes };
    let secrets = BTreeMap::from([(secrets::refresh_variable(&wanted), refresh.into())]);
    Ok(stored(wanted, secrets, scopes))
}

async fn log_in_by_pin(
    consumer: &Consumer,
    wanted: String,
    desk: &Desk<'_>,
) -> Result<StoredLogin, LoginError> {
    let base = base(desk)?;
    let Granted { account: got, pair } = pin::log_in(consumer, &base, &wanted, desk).await?;
    if !wanted.eq_ignore_ascii_case(&got) {
        // As above.
        let _ = pin::revoke(consumer, &base, pair, desk).await;
        return Err(LoginError::OtherAccount { server: "X".into(), wanted, got });
    }
    let [token_name, secret_name] = secrets::token_variables(&wanted);
    let secrets = BTreeMap::from([(token_name, pair.token.into()), (secret_name, pair.secret.into())]);
    Ok(stored(wanted, secrets, Vec::new()))
}

fn stored(account: String, secrets: BTreeMap<String, Stored>, scopes: Vec<String>) -> StoredLogin {
    StoredLogin {
        network: "x".into(),
        account,
        at: Timestamp::now(),
        secrets,
        scopes,
        expires: None,
        app: None,
    }
}
