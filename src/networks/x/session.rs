//! A login with OAuth 2.0: X's access token lives two hours, and a refresh token makes the next pair once. So the next pair
//! must be on record before anything else happens, and everybody who uses the login shares it: the ledger has it, sealed,
//! for this process and for others.
//!
//! The store of logins has the first refresh token, which never changes there. It is the key of what the ledger has, so a
//! newer login cannot open, and does not use, what an older one left behind.
//!
//! If several processes spend one refresh token, X answers one of them. The others find its pair in the ledger.

use std::{fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use log::{info, warn};
use mynah_actors::failpoint;
use mynah_domain::ports::Facts;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

use super::{client::CallError, problem::Refusal};
use crate::{
    http_client::Transport,
    login::oauth::{Proof, Provider, TokenError, Tokens},
    redaction,
    sealing::{self, Label},
};

/// What pairs in the ledger are sealed with.
const SEALED: Label = Label("mynah x login 1");

/// An access token is renewed so long before its end that a renewal that fails can be tried again in time.
const EARLY: SignedDuration = SignedDuration::from_mins(10);

/// The wait after a renewal that failed, while the access token still works.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// How often, and how far apart, to look for the pair of a process that was faster.
const LOOKS: u32 = 10;
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The app that people log in to.
#[derive(Clone)]
pub(super) struct XApp {
    pub(super) id: SecretString,
    /// A confidential app has one.
    pub(super) secret: Option<SecretString>,
}

impl XApp {
    /// X, for this app.
    pub(super) fn provider(&self, base: &Url, transport: Transport) -> Provider {
        // X shows people its website, and apps its API. A stand-in is both.
        let own = |path: &str| {
            let mut url = base.clone();
            url.set_path(path);
            url
        };
        let mut authorize = own("/i/oauth2/authorize");
        if base.host_str() == Some("api.x.com") {
            // A valid name, so this does not fail.
            let _ = authorize.set_host(Some("x.com"));
        }
        Provider {
            name: "X".into(),
            authorize,
            token: own("/2/oauth2/token"),
            revoke: own("/2/oauth2/revoke"),
            id: self.id.expose_secret().to_owned(),
            proof: if self.secret.is_some() { Proof::Header } else { Proof::Form },
            secret: self.secret.clone(),
            transport,
        }
    }
}

/// A pair of tokens, as the ledger has it.
#[derive(Clone, Serialize, Deserialize)]
struct Pair {
    access: String,
    refresh: String,
    /// When the access token ends.
    expires: Option<Timestamp>,
}

impl Pair {
    fn lasts(&self, at_least: SignedDuration) -> bool {
        let until = Timestamp::now().checked_add(at_least).unwrap_or(Timestamp::MAX);
        !self.access.is_empty() && self.expires.is_none_or(|end| until < end)
    }
}

/// What the ledger has: the pair, and the text that it is sealed in.
#[derive(Default)]
struct OnRecord {
    pair: Option<Pair>,
    sealed: Option<String>,
}

/// A pair that the ledger did not accept yet.
struct Unsaved {
    sealed: String,
    /// What the ledger had before. If it has something else by now, another process was faster.
    before: Option<String>,
}

/// What this process knows of a login.
#[derive(Default)]
struct Held {
    pair: Option<Pair>,
    /// Set until the ledger has the pair.
    unsaved: Option<Unsaved>,
    /// No renewal before this.
    not_before: Option<Timestamp>,
}

impl Held {
    /// The access token, if it need not be renewed now.
    fn usable(&self, refused: Option<&SecretString>) -> Option<SecretString> {
        let pair = self.pair.as_ref().filter(|_| self.unsaved.is_none())?;
        let waits = self.not_before.is_some_and(|until| Timestamp::now() < until);
        let is_refused = refused.is_some_and(|token| token.expose_secret() == pair.access);
        let lasts = pair.lasts(EARLY) || (waits && pair.lasts(SignedDuration::ZERO));
        (lasts && !is_refused).then(|| pair.access.clone().into())
    }
}

/// A login to an account. Clones share its tokens.
#[derive(Clone)]
pub struct XLogin {
    handle: String,
    app: XApp,
    /// The refresh token of the login itself.
    first: SecretString,
    held: Arc<Mutex<Held>>,
}

impl fmt::Debug for XLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XLogin").field("handle", &self.handle).finish_non_exhaustive()
    }
}

/// Where X is, and where its tokens are on record.
#[derive(Clone)]
pub(super) struct At {
    pub(super) base: Url,
    pub(super) transport: Transport,
    pub(super) ledger: Arc<dyn Facts>,
}

impl XLogin {
    pub(super) fn new(handle: &str, app: XApp, first: SecretString) -> Self {
        // X compares handles without case, so settings and logins may differ in it.
        Self { handle: handle.to_lowercase(), app, first, held: Arc::default() }
    }

    /// The refresh token of the login itself.
    pub(super) fn first(&self) -> &SecretString {
        &self.first
    }

    /// An access token for a call; `refused` is one that X does not accept any more.
    pub(super) async fn token(
        &self,
        at: &At,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, CallError> {
        if let Some(token) = self.held.lock().await.usable(refused) {
            return Ok(token);
        }
        // A task of its own: the caller may be stopped at any moment, and tokens that X has answered must be recorded.
        let (login, at, refused) = (self.clone(), at.clone(), refused.cloned());
        let renewed = actix_rt::spawn(async move { login.next_token(&at, refused.as_ref()).await }).await;
        renewed.unwrap_or_else(|_| {
            Err(CallError::Unreachable("the renewal of the login was interrupted".into()))
        })
    }

    /// Returns a usable access token, renewing it if necessary.
    async fn next_token(&self, at: &At, refused: Option<&SecretString>) -> Result<SecretString, CallError> {
        let mut held = self.held.lock().await;
        self.save(at, &mut held).await?;
        if held.pair.is_none() {
            held.pair = self.stored(at).await?.pair;
        }
        if let Some(token) = held.usable(refused) {
            return Ok(token);
        }
        let is_refused = |pair: &Pair| refused.is_some_and(|token| token.expose_secret() == pair.access);
        let known = held.pair.clone().filter(|pair| !is_refused(pair));
        match self.renew(at, &mut held, is_refused).await {
            Ok(pair) => Ok(pair.access.into()),
            // The old one still works for some minutes.
            Err(error) if known.as_ref().is_some_and(|pair| pair.lasts(SignedDuration::ZERO)) => {
                held.not_before = Timestamp::now().checked_add(PAUSE).ok();
                warn!(account = self.handle.as_str(), reason = reason(&error); "login not renewed");
                Ok(known.map(|pair| pair.access).unwrap_or_default().into())
            }
            Err(error) => Err(error),
        }
    }

    /// The last refresh token that is on record, to revoke it.
    pub(super) async fn last(&self, at: &At) -> Result<Option<SecretString>, CallError> {
        Ok(self.stored(at).await?.pair.map(|pair| pair.refresh.into()))
    }

    async fn renew(
        &self,
        at: &At,
        held: &mut Held,
        is_refused: impl Fn(&Pair) -> bool,
    ) -> Result<Pair, CallError> {
        // Another process may have renewed it: an instance that shares the ledger, or a command.
        let stored = self.stored(at).await?;
        if let Some(pair) = stored.pair.clone().filter(|pair| pair.lasts(EARLY) && !is_refused(pair)) {
            held.pair = Some(pair.clone());
            return Ok(pair);
        }
        let refresh = stored
            .pair
            .or_else(|| held.pair.clone())
            .map_or_else(|| self.first.clone(), |pair| pair.refresh.into());
        failpoint::reach("login.renew.before");
        match self.app.provider(&at.base, at.transport).renew(&refresh).await {
            Ok(tokens) => {
                failpoint::reach("login.renew.after");
                let pair = pair_of(tokens, &refresh);
                let unsaved = Unsaved { sealed: self.sealed(&pair)?, before: stored.sealed };
                // From here on, this is the only valid pair: it stays in memory even if the ledger fails now.
                *held = Held { pair: Some(pair.clone()), unsaved: Some(unsaved), not_before: None };
                self.save(at, held).await?;
                info!(account = self.handle.as_str(); "login renewed");
                Ok(held.pair.clone().unwrap_or(pair))
            }
            Err(TokenError::Spent(why)) => {
                let faster = self.of_faster(at, &refresh).await?;
                held.pair = faster.clone().or(held.pair.take());
                faster.ok_or_else(|| CallError::Refused(Refusal::Unauthorized(format!(
                    "{why}: the login has ended, was revoked, or Mynah was stopped in the middle of its renewal"
                ))))
            }
            Err(TokenError::Refused(why)) => Err(CallError::Refused(Refusal::Unauthorized(format!(
                "{why} (check X_CLIENT_ID and X_CLIENT_SECRET first)"
            )))),
            Err(TokenError::Unreachable(why) | TokenError::NoAnswer(why)) => Err(CallError::Unreachable(why)),
            Err(TokenError::Unreadable(why)) => Err(CallError::Unreachable(format!("X: {why}"))),
        }
    }

    /// Waits for the pair that a faster process stored.
    async fn of_faster(&self, at: &At, spent: &SecretString) -> Result<Option<Pair>, CallError> {
        for _ in 0..LOOKS {
            if let Some(pair) = self.stored(at).await?.pair
                && pair.refresh != spent.expose_secret()
            {
                return Ok(Some(pair));
            }
            actix_rt::time::sleep(LOOK_AGAIN).await;
        }
        Ok(None)
    }

    async fn stored(&self, at: &At) -> Result<OnRecord, CallError> {
        let sealed =
            at.ledger.fact(&self.fact()).await.map_err(|error| CallError::Unreachable(error.into()))?;
        let open = |sealed: &String| sealing::open(SEALED, sealed, &self.first, &self.handle);
        let pair = sealed.as_ref().and_then(open).and_then(|text| serde_json::from_str::<Pair>(&text).ok());
        if let Some(Pair { access, refresh, .. }) = &pair {
            // X may repeat them in an error.
            for token in [access, refresh] {
                redaction::register(&token.clone().into());
            }
        }
        Ok(OnRecord { pair, sealed })
    }

    fn sealed(&self, pair: &Pair) -> Result<String, CallError> {
        // Tokens are text, so this does not fail.
        let text = serde_json::to_string(pair).unwrap_or_default();
        sealing::seal(SEALED, &text, &self.first, &self.handle)
            .ok_or_else(|| CallError::Unreachable("the system has no randomness".into()))
    }

    /// Saves the pair if the ledger does not have it yet. If another process has stored a later one meanwhile, takes that.
    async fn save(&self, at: &At, held: &mut Held) -> Result<(), CallError> {
        let Some(Unsaved { sealed, before }) = &held.unsaved else { return Ok(()) };
        let saved = at.ledger.replace(&self.fact(), before.as_deref(), sealed).await;
        if !saved.map_err(|error| CallError::Unreachable(error.into()))? {
            let later = self.stored(at).await?.pair;
            held.pair = later.or(held.pair.take());
        }
        held.unsaved = None;
        failpoint::reach("login.renew.saved");
        Ok(())
    }

    fn fact(&self) -> String {
        format!("x:login:{}", self.handle)
    }
}

fn pair_of(tokens: Tokens, refresh: &SecretString) -> Pair {
    let Tokens { access, refresh: next, expires, .. } = tokens;
    // A server that names no other one goes on accepting this one.
    let next = next.unwrap_or_else(|| refresh.clone());
    Pair { access: access.expose_secret().to_owned(), refresh: next.expose_secret().to_owned(), expires }
}

pub(super) fn reason(error: &CallError) -> &str {
    match error {
        CallError::Unreachable(why)
        | CallError::NoAnswer(why)
        | CallError::Refused(Refusal::Unauthorized(why)) => why,
        CallError::Refused(_) => "X refuses it",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use futures_util::future::join_all;
    use mynah_domain::ports::{LedgerError, SystemClock};
    use mynah_sandbox::{Sandbox, SandboxConfig, X_CLIENT_ID, X_CLIENT_SECRET};
    use serde_json::Value;

    use super::*;
    use crate::{
        http_client::{HttpClient, Limits, Request},
        ledger,
        login::oauth,
    };

    const ACCOUNT: &str = "town_es";

    struct Bench {
        sandbox: Sandbox,
        at: At,
        first: SecretString,
        _folder: tempfile::TempDir,
    }

    impl Bench {
        /// An account to which somebody has logged in.
        async fn new() -> Self {
            let sandbox = mynah_sandbox::start(SandboxConfig::default().target(ACCOUNT, "es")).await.unwrap();
            let folder = tempfile::tempdir().unwrap();
            let ledger = ledger::open(&folder.path().join("ledger.sqlite"), Arc::new(SystemClock)).unwrap();
            let base: Url = sandbox.url().parse().unwrap();
            let at = At { base, transport: Transport::default(), ledger };
            let http = HttpClient::new(Limits::default());
            // RFC 7636, appendix B.
            let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
            let redirect = "http://127.0.0.1:1/callback";
            let decision = [
                ("response_type", "code"),
                ("client_id", X_CLIENT_ID),
                ("redirect_uri", redirect),
                ("state", "s"),
                ("scope", "tweet.write offline.access"),
                ("code_challenge", challenge),
                ("code_challenge_method", "S256"),
                ("account", ACCOUNT),
                ("decision", "allow"),
            ];
            let url = |path: &str| at.base.join(path).unwrap();
            let answer = http.send(oauth::form(&url("/i/oauth2/authorize"), &decision)).await.unwrap();
            let back: Url = answer.header("location").unwrap().parse().unwrap();
            let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
            let exchange = [
                ("grant_type", "authorization_code"),
                ("code", &*code),
                ("redirect_uri", redirect),
                ("client_id", X_CLIENT_ID),
                ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            ];
            let answer = http.send(oauth::form(&url("/2/oauth2/token"), &exchange)).await.unwrap();
            let answer: Value = serde_json::from_slice(&answer.body).unwrap();
            let first = answer["refresh_token"].as_str().unwrap().into();
            Self { sandbox, at, first, _folder: folder }
        }

        /// The login, as a process that knows nothing yet has it.
        fn login(&self) -> XLogin {
            self.login_as(ACCOUNT)
        }

        fn login_as(&self, handle: &str) -> XLogin {
            let app = XApp { id: X_CLIENT_ID.into(), secret: Some(X_CLIENT_SECRET.into()) };
            XLogin::new(handle, app, self.first.clone())
        }

        async fn is_accepted(&self, token: &SecretString) -> bool {
            let request = Request::get(self.at.base.join("/2/users/me").unwrap().as_str())
                .header("authorization", format!("Bearer {}", token.expose_secret()));
            HttpClient::new(Limits::default()).send(request).await.unwrap().is_success()
        }
    }

    #[actix_rt::test]
    async fn processes_that_renew_one_login_at_once_all_go_on() {
        let bench = Bench::new().await;
        let processes: Vec<XLogin> = (0..4).map(|_| bench.login()).collect();
        let mut last: Option<SecretString> = None;
        for round in 0..8 {
            let tokens = join_all(processes.iter().map(|login| login.token(&bench.at, last.as_ref()))).await;
            for token in tokens {
                let token = token.unwrap();
                assert!(bench.is_accepted(&token).await, "round {round}");
                last = Some(token);
            }
            bench.sandbox.expire_sessions(ACCOUNT);
        }
    }

    #[actix_rt::test]
    async fn tokens_that_x_has_answered_are_recorded_even_if_the_caller_is_gone() {
        let bench = Bench::new().await;
        for _ in 0..20 {
            let login = bench.login();
            let mut call = Box::pin(login.token(&bench.at, None));
            // The caller begins, and gives up at once.
            let _ = futures_util::poll!(call.as_mut());
            drop(call);
        }
        let token = bench.login().token(&bench.at, None).await.unwrap();
        assert!(bench.is_accepted(&token).await);
    }

    #[actix_rt::test]
    async fn a_login_whose_token_is_spent_asks_for_a_login_and_a_newer_one_works() {
        let bench = Bench::new().await;
        bench.login().token(&bench.at, None).await.unwrap();
        // The ledger is gone, as after the restore of an old backup.
        bench.at.ledger.remember(&format!("x:login:{ACCOUNT}"), "nothing").await.unwrap();
        let error = bench.login().token(&bench.at, None).await.unwrap_err();
        assert!(
            matches!(&error, CallError::Refused(Refusal::Unauthorized(why)) if why.contains("revoked")),
            "{error:?}"
        );
        let newer = Bench::new().await;
        let at = At { ledger: bench.at.ledger.clone(), ..newer.at.clone() };
        assert!(newer.is_accepted(&newer.login().token(&at, None).await.unwrap()).await);
    }

    #[actix_rt::test]
    async fn a_handle_in_other_letters_is_the_same_login() {
        let bench = Bench::new().await;
        bench.login().token(&bench.at, None).await.unwrap();
        let last = bench.login().last(&bench.at).await.unwrap().unwrap();
        let same = bench.login_as("Town_ES").last(&bench.at).await.unwrap().unwrap();
        assert_eq!(last.expose_secret(), same.expose_secret());
        assert_ne!(last.expose_secret(), bench.first.expose_secret());
    }

    /// A ledger that stores what it is asked to, but whose first answer is lost.
    struct Forgetful {
        ledger: Arc<dyn Facts>,
        has_failed: AtomicBool,
    }

    #[async_trait(?Send)]
    impl Facts for Forgetful {
        async fn fact(&self, key: &str) -> Result<Option<String>, LedgerError> {
            self.ledger.fact(key).await
        }

        async fn remember(&self, key: &str, value: &str) -> Result<(), LedgerError> {
            self.ledger.remember(key, value).await
        }

        async fn replace(&self, key: &str, old: Option<&str>, new: &str) -> Result<bool, LedgerError> {
            let answer = self.ledger.replace(key, old, new).await;
            if self.has_failed.swap(true, Ordering::Relaxed) {
                answer
            } else {
                Err(LedgerError::Retryable("lost".into()))
            }
        }
    }

    #[actix_rt::test]
    async fn a_pair_that_was_saved_late_does_not_replace_a_later_one() {
        let bench = Bench::new().await;
        let ledger = Arc::new(Forgetful { ledger: bench.at.ledger.clone(), has_failed: false.into() });
        let at = At { ledger, ..bench.at.clone() };
        let slow = bench.login();
        assert!(matches!(slow.token(&at, None).await, Err(CallError::Unreachable(_))));
        // Meanwhile, another instance renews the login.
        let fast = bench.login();
        let first = fast.token(&bench.at, None).await.unwrap();
        bench.sandbox.expire_sessions(ACCOUNT);
        let second = fast.token(&bench.at, Some(&first)).await.unwrap();
        assert_eq!(slow.token(&at, None).await.unwrap().expose_secret(), second.expose_secret());
        bench.sandbox.expire_sessions(ACCOUNT);
        assert!(bench.is_accepted(&bench.login().token(&bench.at, Some(&second)).await.unwrap()).await);
    }

    #[test]
    fn a_login_shows_no_token() {
        let app = XApp { id: "hush-id".into(), secret: Some("hush-secret".into()) };
        let login = XLogin::new(ACCOUNT, app, "hush-first".into());
        assert!(!format!("{login:?}").contains("hush"));
    }
}
