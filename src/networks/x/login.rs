//! Logs in to an account with OAuth 2.0. The app is the operator's own, from X's developer console.

use std::collections::BTreeMap;

use async_trait::async_trait;
use config::ValueKind;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    names, secrets,
    session::{At, XApp, XLogin},
};
use crate::{
    credentials::StoredLogin,
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

fn provider(desk: &Desk<'_>) -> Result<Provider, LoginError> {
    let Some(id) = desk.secret(secrets::CLIENT_ID)? else {
        return Err(LoginError::Missing {
            what: format!("{} is not set: people log in to an app of your own", secrets::CLIENT_ID),
            fix: format!(
                "create one in X's developer console, with the callback address http://127.0.0.1:{PORT}/callback, and set \
                 {} and, if it is confidential, {} from its “Keys and tokens”",
                secrets::CLIENT_ID,
                secrets::CLIENT_SECRET
            ),
        });
    };
    let secret = desk.secret(secrets::CLIENT_SECRET)?;
    Ok(XApp { id, secret }.provider(&base(desk)?, desk.settings.transport))
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
        let provider = provider(desk)?;
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
        Ok(StoredLogin {
            network: "x".into(),
            secrets: BTreeMap::from([(secrets::refresh_variable(&wanted), refresh.into())]),
            account: wanted,
            at: Timestamp::now(),
            scopes: if tokens.scopes.is_empty() { SCOPES.map(str::to_owned).to_vec() } else { tokens.scopes },
            expires: None,
            app: None,
        })
    }

    fn prepare_revocation(&self, desk: &Desk<'_>) -> Result<(), LoginError> {
        provider(desk).map(drop)
    }

    async fn revoke(&self, login: &StoredLogin, desk: &Desk<'_>) -> Result<bool, LoginError> {
        let Some(token) = login.secrets.values().next() else { return Ok(false) };
        redaction::register(&token.0);
        let provider = provider(desk)?;
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
