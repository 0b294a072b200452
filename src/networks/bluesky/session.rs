//! Keeps an account logged in. A login is limited to 300 a day, and `mynah once` may run every minute, so a session
//! outlives the process: it is stored in the ledger, sealed.
//!
//! An access token lives for about two hours. A refresh token makes the next pair of tokens, once: so one refresh runs at
//! a time, and the new session is stored before the old one is given up. If a process dies in between, the old refresh
//! token is tried once more (servers accept it for a while), and after that the app password.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use log::{info, warn};
use mynah_domain::ports::{Facts, LedgerError};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{
    NAME,
    client::{CallError, Server},
    problem::Refusal,
};
use crate::sealing::{self, Label};

/// A token is not used any more when it is about to expire: a call takes a moment, and clocks differ.
const MARGIN: SignedDuration = SignedDuration::from_mins(2);

/// What sessions in the ledger are sealed with.
const SEALED: Label = Label("mynah bluesky session 1");

/// A session, as the server answers and the ledger stores it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    access_jwt: String,
    refresh_jwt: String,
    did: String,
}

/// An open session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    access: SecretString,
    refresh: SecretString,
    did: String,
}

impl Session {
    /// The token for calls.
    pub(super) fn token(&self) -> &SecretString {
        &self.access
    }

    fn is_same(&self, other: &Self) -> bool {
        self.access.expose_secret() == other.access.expose_secret()
    }

    fn is_fresh(&self) -> bool {
        // If it cannot be read, the server decides.
        expiry(self.access.expose_secret()).is_none_or(|expiry| Timestamp::now() + MARGIN < expiry)
    }
}

impl From<Tokens> for Session {
    fn from(Tokens { access_jwt, refresh_jwt, did }: Tokens) -> Self {
        Self { access: access_jwt.into(), refresh: refresh_jwt.into(), did }
    }
}

/// When a token expires, according to itself.
fn expiry(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let Claims { exp } = serde_json::from_slice(&claims).ok()?;
    Timestamp::from_second(exp).ok()
}

/// Why a call in a session failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SessionError {
    /// There is no session, so the call was not made, or was refused.
    Login(CallError),
    /// The call failed.
    Call(CallError),
    /// The ledger failed, so the call was not made.
    Ledger(LedgerError),
}

impl From<LedgerError> for SessionError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// Who logs in. All destinations of an account share it.
#[derive(Debug, Clone)]
pub(super) struct Login {
    /// The account's name in the settings.
    name: String,
    password: SecretString,
    held: Arc<Mutex<Option<Session>>>,
}

impl Login {
    pub(super) fn new(name: &str, password: SecretString) -> Self {
        Self { name: name.to_owned(), password, held: Arc::default() }
    }

    /// Makes a call in the account's session. If the session has ended, the call was refused, so it is made once more in
    /// another session.
    pub(super) async fn call<T>(
        &self,
        at: &At<'_>,
        call: impl AsyncFn(&Session) -> Result<T, CallError>,
    ) -> Result<T, SessionError> {
        let session = self.session(at).await?;
        match call(&session).await {
            Err(CallError::Refused(Refusal::Expired(_) | Refusal::Unauthorized(_))) => {
                let session = self.renewed(at, &session).await?;
                call(&session).await.map_err(SessionError::Call)
            }
            outcome => outcome.map_err(SessionError::Call),
        }
    }

    /// The account's session: the one in memory, else the one in the ledger, else a new one.
    pub(super) async fn session(&self, at: &At<'_>) -> Result<Session, SessionError> {
        let mut held = self.held.lock().await;
        if held.is_none() {
            *held = self.stored(at).await?;
        }
        match &*held {
            Some(session) if session.is_fresh() => Ok(session.clone()),
            Some(session) => {
                let session = session.clone();
                self.refresh(at, &session, &mut held).await
            }
            None => self.log_in(at, &mut held).await,
        }
    }

    /// Logs in, whatever session there is, to check the app password.
    pub(super) async fn log_in_again(&self, at: &At<'_>) -> Result<(), SessionError> {
        let mut held = self.held.lock().await;
        self.log_in(at, &mut held).await.map(drop)
    }

    /// The session after `ended`, which was refused.
    async fn renewed(&self, at: &At<'_>, ended: &Session) -> Result<Session, SessionError> {
        let mut held = self.held.lock().await;
        match &*held {
            // Another caller renewed it meanwhile.
            Some(session) if !session.is_same(ended) => Ok(session.clone()),
            _ => self.refresh(at, ended, &mut held).await,
        }
    }

    async fn refresh(
        &self,
        at: &At<'_>,
        ended: &Session,
        held: &mut Option<Session>,
    ) -> Result<Session, SessionError> {
        // Another process may have renewed it: an instance that shares the ledger, or a command.
        if let Some(stored) = self.stored(at).await?
            && !stored.is_same(ended)
            && stored.is_fresh()
        {
            *held = Some(stored.clone());
            return Ok(stored);
        }
        let call = "com.atproto.server.refreshSession";
        match at.server.open_session::<Tokens>(call, None::<&()>, Some(&ended.refresh)).await {
            Ok(tokens) => self.hold(at, tokens, held).await,
            Err(CallError::Refused(Refusal::Trouble(why))) => {
                Err(SessionError::Login(CallError::Refused(Refusal::Trouble(why))))
            }
            Err(CallError::Refused(Refusal::RateLimited { reason, until })) => {
                Err(SessionError::Login(CallError::Refused(Refusal::RateLimited { reason, until })))
            }
            // It has expired, or was used, or the app password was revoked.
            Err(CallError::Refused(_)) => self.log_in(at, held).await,
            Err(error) => Err(SessionError::Login(error)),
        }
    }

    async fn log_in(&self, at: &At<'_>, held: &mut Option<Session>) -> Result<Session, SessionError> {
        #[derive(Serialize)]
        struct Credentials<'a> {
            identifier: &'a str,
            password: &'a str,
        }
        // The DID, because the handle in the settings may not be the account's any more.
        let credentials = Credentials { identifier: at.did, password: self.password.expose_secret() };
        let call = "com.atproto.server.createSession";
        let opened = at.server.open_session::<Tokens>(call, Some(&credentials), None).await;
        let session = self.hold(at, opened.map_err(SessionError::Login)?, held).await?;
        info!(account:% = self.name; "session opened");
        Ok(session)
    }

    /// Stores a session, then replaces the one that is held.
    async fn hold(
        &self,
        at: &At<'_>,
        tokens: Tokens,
        held: &mut Option<Session>,
    ) -> Result<Session, SessionError> {
        if tokens.did != at.did {
            let why = format!("the session of {} is another account's: {:?}", self.name, tokens.did);
            return Err(SessionError::Login(CallError::Refused(Refusal::Blocked(why))));
        }
        // Tokens are text, so this does not fail.
        let text = serde_json::to_string(&tokens).unwrap_or_default();
        match sealing::seal(SEALED, &text, &self.password, at.did) {
            Some(sealed) => at.ledger.remember(&self.fact(), &sealed).await?,
            None => warn!(account:% = self.name; "session not stored"),
        }
        let session = Session::from(tokens);
        *held = Some(session.clone());
        Ok(session)
    }

    /// The session in the ledger; `None` if there is none for this account and password.
    async fn stored(&self, at: &At<'_>) -> Result<Option<Session>, SessionError> {
        let sealed = at.ledger.fact(&self.fact()).await?;
        let opened = sealed.and_then(|sealed| sealing::open(SEALED, &sealed, &self.password, at.did));
        let session = opened.and_then(|text| serde_json::from_str::<Tokens>(&text).ok()).map(Session::from);
        Ok(session.filter(|session| session.did == at.did))
    }

    fn fact(&self) -> String {
        format!("{NAME}:session:{}", self.name)
    }
}

/// Where an account logs in, and where its session is stored.
pub(super) struct At<'a> {
    pub(super) server: &'a Server,
    pub(super) did: &'a str,
    pub(super) ledger: &'a dyn Facts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_expires_when_it_says() {
        let token = |claims: &str| format!("e30.{}.signature", URL_SAFE_NO_PAD.encode(claims));
        let expires = Timestamp::from_second(1_800_000_000).unwrap();
        assert_eq!(expiry(&token(r#"{"sub":"did:plc:abc","exp":1800000000}"#)), Some(expires));
        for wrong in
            ["", "e30", "e30.!.x", &token("{}"), &token(r#"{"exp":"soon"}"#), &token(r#"{"exp":9e99}"#)]
        {
            assert_eq!(expiry(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_session_shows_no_token() {
        let tokens =
            Tokens { access_jwt: "hush-a".into(), refresh_jwt: "hush-b".into(), did: "did:plc:abc".into() };
        let login = Login::new("town.example", "hush-password".into());
        assert!(!format!("{:?} {login:?}", Session::from(tokens)).contains("hush"));
    }
}
