//! Logs in to an account: registers Mynah as an app of the account's server, lets the person allow it, and checks whose
//! token came back.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::{names::AccountName, secrets};
use crate::{
    credentials::{App, StoredLogin},
    http_client::Request,
    login::{
        Desk, LogIn, LoginError,
        oauth::{self, Door, Proof, Provider},
    },
    redaction,
};

/// What Mynah does with a token, and no more.
const SCOPES: [&str; 4] = ["read:accounts", "read:statuses", "write:statuses", "write:media"];

/// Where a server shows the code to a person who has no browser on this machine.
const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

#[derive(Debug)]
pub(super) struct MastodonLogIn;

/// Where to log in, and as whom if the person named an account.
struct Wanted {
    /// The server's name in accounts.
    host: String,
    base: Url,
    user: Option<String>,
}

impl Wanted {
    fn read(account: &str, desk: &Desk<'_>) -> Result<Self, LoginError> {
        let base = desk.address("mastodon.base_url");
        let odd = || LoginError::Name {
            what: format!("{account:?} is not an account on Mastodon"),
            fix: "write \"@town_es@mastodon.example\", or the server's address, \"https://mastodon.example\""
                .into(),
        };
        if let Some(name) = AccountName::read(account) {
            let own = Url::parse(&format!("https://{}", name.server)).map_err(|_| odd())?;
            return Ok(Self { base: base.unwrap_or(own), host: name.server, user: Some(name.user) });
        }
        let url = Url::parse(account).ok().filter(|url| url.scheme() == "https").ok_or_else(odd)?;
        // The name is read as an account's is: it becomes part of one.
        let name = AccountName::read(&format!("a@{}", url.host_str().unwrap_or_default())).ok_or_else(odd)?;
        let own = Url::parse(&format!("https://{}", name.server)).map_err(|_| odd())?;
        Ok(Self { base: base.unwrap_or(own), host: name.server, user: None })
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }

    fn url(&self, path: &str) -> Result<Url, LoginError> {
        let odd = |error: url::ParseError| LoginError::Unavailable(format!("{}: {error}", self.host));
        Url::parse(&self.at(path)).map_err(odd)
    }

    /// Registers Mynah, and returns how to get a token there.
    async fn register(&self, redirect: &str, desk: &Desk<'_>) -> Result<Provider, LoginError> {
        let transport = desk.settings.transport;
        let fields = [
            ("client_name", "Mynah"),
            ("redirect_uris", redirect),
            ("scopes", &SCOPES.join(" ")),
            ("website", env!("CARGO_PKG_REPOSITORY")),
        ];
        let request = oauth::form(&self.url("/api/v1/apps")?, &fields);
        let app = oauth::json(&oauth::http(transport), request, &self.host).await?;
        let text = |name: &str| app.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (Some(id), Some(secret)) = (text("client_id"), text("client_secret")) else {
            let why = "it registers an app without an id and a secret".to_owned();
            return Err(LoginError::Unreadable { server: self.host.clone(), why });
        };
        let secret = SecretString::from(secret);
        redaction::register(&secret);
        self.provider(id, Some(secret), desk)
    }

    fn provider(
        &self,
        id: &str,
        secret: Option<SecretString>,
        desk: &Desk<'_>,
    ) -> Result<Provider, LoginError> {
        Ok(Provider {
            name: self.host.clone(),
            authorize: self.url("/oauth/authorize")?,
            token: self.url("/oauth/token")?,
            revoke: self.url("/oauth/revoke")?,
            id: id.to_owned(),
            secret,
            proof: Proof::Form,
            transport: desk.settings.transport,
        })
    }

    /// The user whose token this is.
    async fn whose(&self, token: &SecretString, desk: &Desk<'_>) -> Result<String, LoginError> {
        let request = Request::get(self.at("/api/v1/accounts/verify_credentials"))
            .header("authorization", format!("Bearer {}", token.expose_secret()));
        let me = oauth::json(&oauth::http(desk.settings.transport), request, &self.host).await?;
        let user = me.get("username").and_then(Value::as_str);
        let name = user.and_then(|user| AccountName::read(&format!("{user}@{}", self.host)));
        name.map(|name| name.user).ok_or_else(|| LoginError::Unreadable {
            server: self.host.clone(),
            why: "it did not report which account the token belongs to".into(),
        })
    }
}

#[async_trait(?Send)]
impl LogIn for MastodonLogIn {
    fn account(&self, account: &str) -> String {
        AccountName::read(account).map_or_else(|| account.to_owned(), |name| name.to_string())
    }

    fn variables(&self, account: &str) -> Vec<String> {
        AccountName::read(account).iter().map(secrets::variable).collect()
    }

    async fn log_in(&self, account: &str, desk: &Desk<'_>) -> Result<StoredLogin, LoginError> {
        let wanted = Wanted::read(account, desk)?;
        let door = Door::open(desk.way, OUT_OF_BAND, &wanted.host)?;
        let provider = wanted.register(&door.redirect, desk).await?;
        let tokens = provider.log_in(door, &SCOPES, desk).await?;
        let got = wanted.whose(&tokens.access, desk).await?;
        if let Some(user) = wanted.user.as_ref().filter(|user| !user.eq_ignore_ascii_case(&got)) {
            // Nobody will use it. If the server keeps it, the person can revoke it there.
            let _ = provider.revoke(&tokens.access).await;
            return Err(LoginError::OtherAccount {
                server: wanted.host.clone(),
                wanted: format!("{user}@{}", wanted.host),
                got: format!("{got}@{}", wanted.host),
            });
        }
        let name = AccountName { user: wanted.user.clone().unwrap_or(got), server: wanted.host.clone() };
        let secret = provider.secret.clone().unwrap_or_default();
        let scopes =
            if tokens.scopes.is_empty() { SCOPES.map(str::to_owned).to_vec() } else { tokens.scopes };
        Ok(StoredLogin {
            network: super::NAME.into(),
            account: name.to_string(),
            at: Timestamp::now(),
            secrets: BTreeMap::from([(secrets::variable(&name), tokens.access.into())]),
            scopes,
            expires: tokens.expires,
            app: Some(App { server: wanted.base.to_string(), id: provider.id, secret: secret.into() }),
        })
    }

    async fn revoke(&self, login: &StoredLogin, desk: &Desk<'_>) -> Result<bool, LoginError> {
        let (Some(app), Some(token)) = (&login.app, login.secrets.values().next()) else { return Ok(false) };
        let mut wanted = Wanted::read(&login.account, desk)?;
        if let Ok(base) = Url::parse(&app.server) {
            wanted.base = base;
        }
        redaction::register(&token.0);
        redaction::register(&app.secret.0);
        wanted.provider(&app.id, Some(app.secret.0.clone()), desk)?.revoke(&token.0).await.map(|()| true)
    }
}
