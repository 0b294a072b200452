//! Finds out who calls: somebody with the admin token, a user with a token, a browser in which somebody has logged in, or,
//! if the service asks nobody for a token, anybody on this machine.
//!
//! Users and sessions are looked up in the ledger for every request. So whoever is removed is refused at once, by every
//! instance that shares the ledger.

use std::{
    future::{Ready, ready},
    sync::Arc,
    time::Duration,
};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest,
    dev::Payload,
    http::header::{self, HeaderMap},
};
use jiff::Timestamp;
use mynah_domain::{
    people::{Author, Role, Session, TokenHash, User},
    ports::{Ledger, LedgerError},
};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use super::{error::ApiError, refusal::Refusal};
use crate::control::people::{ADMIN, draw_token, hash_of};

/// How long a session lasts.
const SESSION: Duration = Duration::from_hours(30 * 24);

/// How long the ledger may take to find a user. Whoever has the admin token does not depend on it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// Their name; `None` if the service asks nobody for a token.
    pub(super) name: Option<Arc<str>>,
    pub(super) role: Role,
    /// The session that their browser has, if they logged in.
    pub(super) session: Option<TokenHash>,
}

impl Caller {
    /// Anybody on this machine, if no token is set.
    fn anybody() -> Self {
        Self { name: None, role: Role::Steer, session: None }
    }

    fn admin() -> Self {
        Self { name: Some(ADMIN.into()), ..Self::anybody() }
    }

    fn user(user: &User) -> Self {
        Self { name: Some(user.name.as_str().into()), role: user.role, session: None }
    }

    /// Their name, as the ledger has it.
    pub(super) fn who(&self) -> Option<String> {
        self.name.as_deref().map(str::to_owned)
    }

    /// The author of what they decide now.
    pub(super) fn author(&self) -> Author {
        Author { who: self.name.clone(), at: Timestamp::now() }
    }
}

/// The guard has found out who calls before it lets a request pass.
impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().cloned();
        ready(caller.ok_or(ApiError::Refused(Refusal::Token)))
    }
}

/// The token in `MYNAH_ADMIN_TOKEN`.
struct AdminToken {
    hash: TokenHash,
}

/// Recognizes callers.
pub(super) struct Identities {
    admin: Option<AdminToken>,
    ledger: Arc<dyn Ledger>,
    cookie: String,
}

impl Identities {
    /// Cookies belong to a host and not to a port: the name tells the services of one machine apart.
    pub(super) fn new(admin: Option<&SecretString>, ledger: Arc<dyn Ledger>, port: u16) -> Self {
        let admin = admin.map(|token| AdminToken { hash: hash_of(token.expose_secret()) });
        Self { admin, ledger, cookie: format!("mynah_{port}") }
    }

    /// Who sent a request with these headers.
    pub(super) async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        if let Some(offered) = headers.get(header::AUTHORIZATION) {
            let offered = offered.to_str().ok().and_then(|value| value.split_once(' '));
            let Some((_, token)) = offered.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
                return Err(Refusal::Token);
            };
            return self.with_token(token.trim()).await;
        }
        let session = match self.session_in(headers) {
            Some(id) => self.with_session(hash_of(id)).await?,
            None => None,
        };
        match (session, &self.admin) {
            (Some(caller), _) => Ok(caller),
            (None, None) => Ok(Caller::anybody()),
            (None, Some(_)) => Err(Refusal::Token),
        }
    }

    async fn with_token(&self, token: &str) -> Result<Caller, Refusal> {
        let hash = hash_of(token);
        if self.admin.as_ref().is_some_and(|admin| is_same(admin.hash, hash)) {
            return Ok(Caller::admin());
        }
        let users = self.users().await?;
        users.iter().find(|user| is_same(user.token, hash)).map(Caller::user).ok_or(Refusal::Token)
    }

    /// Whoever has logged in; `None` if the session has ended.
    async fn with_session(&self, id: TokenHash) -> Result<Option<Caller>, Refusal> {
        let session = within(self.ledger.session(id)).await?;
        let Some(session) = session.filter(|session| session.until > Timestamp::now()) else {
            return Ok(None);
        };
        let caller = if session.user == ADMIN {
            let admin = self.admin.as_ref();
            admin.filter(|admin| is_same(admin.hash, session.token)).map(|_| Caller::admin())
        } else {
            let is_theirs =
                |user: &&User| user.name.key() == session.user && is_same(user.token, session.token);
            self.users().await?.iter().find(is_theirs).map(Caller::user)
        };
        Ok(caller.map(|caller| Caller { session: Some(id), ..caller }))
    }

    /// The random id that a browser sends.
    fn session_in<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let cookies = headers.get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.cookie).map(|(_, id)| id)
    }

    /// Opens a session for whoever has this name and this token. Returns them and the cookie.
    pub(super) async fn log_in(
        &self,
        name: &str,
        token: &str,
        is_over_tls: bool,
    ) -> Result<(Caller, String), ApiError> {
        let refused = || ApiError::Refused(Refusal::LogIn);
        let caller = self.with_token(token).await.map_err(|refusal| match refusal {
            Refusal::Token => refused(),
            other => ApiError::Refused(other),
        })?;
        // A name that no user can have is the name of nobody.
        let key = name.parse::<mynah_domain::people::UserName>().map_err(|_| refused())?.key();
        let own = caller.name.as_deref().unwrap_or_default().to_lowercase();
        if key != own {
            return Err(refused());
        }
        let now = Timestamp::now();
        let id = draw_token().map_err(|error| ApiError::Unavailable(error.to_string()))?;
        let session = Session {
            id: hash_of(id.expose_secret()),
            user: key,
            token: hash_of(token),
            until: now.saturating_add(SESSION).unwrap_or(Timestamp::MAX),
        };
        let id_hash = session.id;
        self.ledger.open_session(session, now).await?;
        let cookie = self.cookie_with(id.expose_secret(), SESSION, is_over_tls);
        Ok((Caller { session: Some(id_hash), ..caller }, cookie))
    }

    /// Ends a caller's session, if they have one. Returns the cookie that removes theirs.
    pub(super) async fn log_out(&self, caller: &Caller) -> Result<String, LedgerError> {
        if let Some(session) = caller.session {
            self.ledger.close_session(session).await?;
        }
        Ok(self.cookie_with("", Duration::ZERO, false))
    }

    /// A cookie that no script can read and that no other site's page sends.
    fn cookie_with(&self, id: &str, lasts: Duration, is_over_tls: bool) -> String {
        let secure = if is_over_tls { "; Secure" } else { "" };
        let lasts = lasts.as_secs();
        format!("{}={id}; Max-Age={lasts}; Path=/; HttpOnly; SameSite=Strict{secure}", self.cookie)
    }

    async fn users(&self) -> Result<Vec<User>, Refusal> {
        within(self.ledger.users()).await
    }
}

/// In constant time, so that its duration does not reveal how much of a guess is right.
fn is_same(one: TokenHash, other: TokenHash) -> bool {
    one.0.ct_eq(&other.0).into()
}

async fn within<T>(question: impl Future<Output = Result<T, LedgerError>>) -> Result<T, Refusal> {
    match actix_rt::time::timeout(PATIENCE, question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) => Err(Refusal::NotVerified),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use mynah_domain::ports::SystemClock;

    use super::*;
    use crate::control::people;

    struct Bench {
        ledger: Arc<dyn Ledger>,
        identities: Identities,
        _folder: tempfile::TempDir,
    }

    impl Bench {
        fn new(admin: Option<&str>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let ledger =
                crate::ledger::open(&folder.path().join("ledger.sqlite"), Arc::new(SystemClock)).unwrap();
            let admin = admin.map(|token| SecretString::from(token.to_owned()));
            let identities = Identities::new(admin.as_ref(), ledger.clone(), 7878);
            Self { ledger, identities, _folder: folder }
        }

        /// Adds a user, and returns the token.
        async fn add(&self, name: &str, role: Role) -> String {
            let author = Caller::anybody().author();
            people::add(&*self.ledger, name, role, &author).await.unwrap().token.expose().to_owned()
        }

        async fn with(&self, header: &str, value: &str) -> Result<(Option<String>, Role), Refusal> {
            let mut headers = HeaderMap::new();
            if !value.is_empty() {
                headers.append(header.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
            }
            let caller = self.identities.caller(&headers).await?;
            Ok((caller.name.map(|name| name.to_string()), caller.role))
        }

        async fn log_in(&self, name: &str, token: &str) -> Option<String> {
            let (_, cookie) = self.identities.log_in(name, token, false).await.ok()?;
            assert!(cookie.ends_with("; Max-Age=2592000; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
            cookie.split(';').next().map(str::to_owned)
        }
    }

    fn known(name: &str, role: Role) -> (Option<String>, Role) {
        (Some(name.to_owned()), role)
    }

    #[actix_rt::test]
    async fn a_bearer_token_decides_who_calls_and_what_they_may_do() {
        let bench = Bench::new(Some("hush"));
        let ana = bench.add("Ana", Role::Look).await;
        let with = async |value: &str| bench.with("authorization", value).await;
        assert_eq!(with("Bearer hush").await, Ok(known("admin", Role::Steer)));
        assert_eq!(with("bearer hush").await, Ok(known("admin", Role::Steer)));
        assert_eq!(with(&format!("Bearer {ana}")).await, Ok(known("Ana", Role::Look)));
        for wrong in
            ["", "hush", "Basic hush", "Bearer hus", "Bearer hushh", "Bearer", "Bearer ", "Bearer Ana"]
        {
            assert_eq!(with(wrong).await, Err(Refusal::Token), "{wrong:?}");
        }
        people::remove(&*bench.ledger, "ana", &Caller::admin().author()).await.unwrap();
        assert_eq!(with(&format!("Bearer {ana}")).await, Err(Refusal::Token), "removed");
    }

    #[actix_rt::test]
    async fn without_an_admin_token_whoever_names_nobody_may_do_everything() {
        let bench = Bench::new(None);
        let ana = bench.add("Ana", Role::Look).await;
        assert_eq!(bench.with("authorization", "").await, Ok((None, Role::Steer)));
        assert_eq!(bench.with("cookie", "mynah_7878=gone").await, Ok((None, Role::Steer)));
        assert_eq!(bench.with("authorization", &format!("Bearer {ana}")).await, Ok(known("Ana", Role::Look)));
        assert_eq!(bench.with("authorization", "Bearer wrong").await, Err(Refusal::Token));
    }

    #[actix_rt::test]
    async fn a_session_lasts_until_its_user_logs_out_or_has_another_token() {
        let bench = Bench::new(Some("hush"));
        let ana = bench.add("Ana", Role::Review).await;
        let cookie = bench.log_in("ANA", &ana).await.unwrap();
        let with = async |value: &str| bench.with("cookie", value).await;
        assert_eq!(with(&cookie).await, Ok(known("Ana", Role::Review)));
        assert_eq!(with(&format!("theme=dark; {cookie}; x")).await, Ok(known("Ana", Role::Review)));
        assert_eq!(with(&cookie.replace("7878", "7879")).await, Err(Refusal::Token), "of another port");
        assert_eq!(with(&format!("{cookie}x")).await, Err(Refusal::Token));
        let id = hash_of(cookie.split_once('=').unwrap().1);
        let caller = Caller { session: Some(id), ..Caller::anybody() };
        assert!(bench.identities.log_out(&caller).await.unwrap().starts_with("mynah_7878=; Max-Age=0;"));
        assert_eq!(with(&cookie).await, Err(Refusal::Token), "logged out");

        let cookie = bench.log_in("Ana", &ana).await.unwrap();
        people::renew(&*bench.ledger, "Ana", &Caller::admin().author()).await.unwrap();
        assert_eq!(with(&cookie).await, Err(Refusal::Token), "renewed");
        let admin = bench.log_in("admin", "hush").await.unwrap();
        assert_eq!(with(&admin).await, Ok(known("admin", Role::Steer)));
        let other = SecretString::from("another".to_owned());
        let changed = Identities::new(Some(&other), bench.ledger.clone(), 7878);
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_str(&admin).unwrap());
        assert_eq!(changed.caller(&headers).await, Err(Refusal::Token), "the admin token changed");
    }

    #[actix_rt::test]
    async fn a_session_ends_by_itself() {
        let bench = Bench::new(Some("hush"));
        let session = |until| Session {
            id: hash_of("id"),
            user: ADMIN.into(),
            token: hash_of("hush"),
            until: Timestamp::now() + until,
        };
        let hour = jiff::SignedDuration::from_hours(1);
        let now = Timestamp::now() - 2 * hour;
        bench.ledger.open_session(session(-hour), now).await.unwrap();
        assert_eq!(bench.with("cookie", "mynah_7878=id").await, Err(Refusal::Token));
        bench.ledger.close_session(hash_of("id")).await.unwrap();
        bench.ledger.open_session(session(hour), now).await.unwrap();
        assert_eq!(bench.with("cookie", "mynah_7878=id").await, Ok(known("admin", Role::Steer)));
    }

    #[actix_rt::test]
    async fn name_and_token_must_belong_together_to_log_in() {
        let bench = Bench::new(Some("hush"));
        let (ana, ben) = (bench.add("Ana", Role::Look).await, bench.add("Ben", Role::Look).await);
        for (name, token) in [("Ana", &*ben), ("Ben", &*ana), ("admin", &*ana), ("Ana", "hush"), ("", "hush")]
        {
            assert_eq!(bench.log_in(name, token).await, None, "{name}");
        }
        let (_, cookie) = bench.identities.log_in("Ben", &ben, true).await.unwrap();
        assert!(cookie.ends_with("; SameSite=Strict; Secure"), "{cookie}");
    }
}
