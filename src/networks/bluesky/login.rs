//! Logs in to an account with an app password, which the person creates in Bluesky's settings.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use config::ValueKind;
use jiff::Timestamp;
use url::Url;

use super::{
    NAME,
    client::{BlueskySettings, Stream},
    connection::BlueskyPublished,
    names, secrets,
    session::Login,
};
use crate::{
    credentials::StoredLogin,
    login::{Desk, LogIn, LoginError},
    networks::Published as _,
    redaction,
};

#[derive(Debug)]
pub(super) struct BlueskyLogIn;

#[async_trait(?Send)]
impl LogIn for BlueskyLogIn {
    fn account(&self, account: &str) -> String {
        names::account(&ValueKind::from(account)).unwrap_or_else(|_| account.to_owned())
    }

    fn variables(&self, account: &str) -> Vec<String> {
        vec![secrets::variable(&self.account(account))]
    }

    async fn log_in(&self, account: &str, desk: &Desk<'_>) -> Result<StoredLogin, LoginError> {
        let name = names::account(&ValueKind::from(account))
            .map_err(|refusal| LoginError::Name { what: refusal.what, fix: refusal.fix })?;
        desk.person.show(&format!(
            "Create an app password for @{name} on Bluesky, under Settings, Privacy and security, App passwords."
        ));
        let asked = desk.person.ask_secret("App password: ").map_err(LoginError::Input)?;
        let password = asked.ok_or(LoginError::Cancelled { what: "app password" })?;
        redaction::register(&password);
        let address = |key: &str, otherwise: &str| {
            desk.address(key).or_else(|| Url::parse(otherwise).ok()).ok_or_else(|| LoginError::Name {
                what: format!("{key} is not an address"),
                fix: "correct it in the settings".into(),
            })
        };
        let bluesky = BlueskySettings {
            base_url: address("bluesky.base_url", "https://bsky.social")?,
            plc_url: address("bluesky.plc_url", "https://plc.directory")?,
            stream: Stream::Server,
            timeout: Duration::from_secs(20),
            connections: 1,
            transport: desk.settings.transport,
        };
        // This checks that the session is the account's.
        let published = BlueskyPublished::new(bluesky, Login::new(&name, password.clone()), &name);
        let whose = published.try_credentials(desk.ledger.clone()).await;
        whose.map_err(|error| LoginError::NotAccepted(error.to_string()))?;
        Ok(StoredLogin {
            network: NAME.into(),
            secrets: BTreeMap::from([(secrets::variable(&name), password.into())]),
            account: name,
            at: Timestamp::now(),
            scopes: Vec::new(),
            expires: None,
            app: None,
        })
    }

    async fn revoke(&self, _: &StoredLogin, _: &Desk<'_>) -> Result<bool, LoginError> {
        // Only the person can, in Bluesky's settings.
        Ok(false)
    }

    fn revoke_by_hand(&self, _: &StoredLogin) -> String {
        "delete the app password on Bluesky, under Settings, Privacy and security, App passwords".into()
    }
}
