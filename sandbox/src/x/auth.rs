//! Who calls X, and whether they may: OAuth 1.0a signatures, OAuth 2.0 user tokens, and the app-only token
//! that reads but never posts. Only who is known is counted against a rate limit.

use actix_web::{HttpMessage, HttpRequest, http::header::AUTHORIZATION};
use jiff::Timestamp;
use url::form_urlencoded;

use super::{
    oauth1::{Header, Parameters, Secrets},
    problems::Problem,
};
use crate::{
    credentials::APP_BEARER_TOKEN, endpoint::Endpoint, limits::Readings, state::State, world::AuthKind,
};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The app, for nobody in particular.
    App,
    /// The account at this index.
    User { index: usize, id: u64, kind: AuthKind },
}

/// An account that may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Actor {
    pub(crate) index: usize,
    pub(crate) kind: AuthKind,
}

impl Caller {
    /// The id of the user who calls, if one does.
    pub(crate) fn user_id(self) -> Option<u64> {
        match self {
            Self::App => None,
            Self::User { id, .. } => Some(id),
        }
    }
}

/// Who called, for the log.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) auth: &'static str,
    pub(crate) account: Option<String>,
}

/// Lets a call in that anybody with a token may make.
pub(crate) fn enter(request: &HttpRequest, state: &State, endpoint: Endpoint) -> Result<Caller, Problem> {
    let caller = authenticate(request, state)?;
    let seen = match caller {
        Caller::App => Seen { auth: "app", account: None },
        Caller::User { index, kind, .. } => {
            Seen { auth: kind.name(), account: Some(state.world().account(index).handle.clone()) }
        }
    };
    request.extensions_mut().insert(seen);
    if caller == Caller::App && needs_user(endpoint) {
        return Err(Problem::unsupported_authentication());
    }
    let counted = state.limiter().count(endpoint, caller.user_id(), now_ms());
    let (readings, refused): (Readings, bool) = match counted {
        Ok(readings) => (readings, false),
        Err(readings) => (readings, true),
    };
    request.extensions_mut().insert(readings);
    if refused {
        return Err(Problem::too_many_requests());
    }
    Ok(caller)
}

/// Lets a call in that only a user may make.
pub(crate) fn enter_as_user(
    request: &HttpRequest,
    state: &State,
    endpoint: Endpoint,
) -> Result<Actor, Problem> {
    match enter(request, state, endpoint)? {
        Caller::User { index, kind, .. } => Ok(Actor { index, kind }),
        Caller::App => Err(Problem::unsupported_authentication()),
    }
}

fn needs_user(endpoint: Endpoint) -> bool {
    !matches!(endpoint, Endpoint::User | Endpoint::Timeline | Endpoint::Lookup | Endpoint::LookupOne)
}

fn authenticate(request: &HttpRequest, state: &State) -> Result<Caller, Problem> {
    let header = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(Problem::unauthorized)?;
    let found = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => by_bearer(token.trim(), state),
        _ => by_signature(header, request, state),
    };
    found.ok_or_else(Problem::unauthorized)
}

fn by_bearer(token: &str, state: &State) -> Option<Caller> {
    if token == APP_BEARER_TOKEN {
        return Some(Caller::App);
    }
    let world = state.world();
    let index = world.holder(|held| held.user_bearer_token == token)?;
    Some(Caller::User { index, id: world.account(index).id, kind: AuthKind::OAuth2 })
}

fn by_signature(header: &str, request: &HttpRequest, state: &State) -> Option<Caller> {
    let header = Header::parse(header)?;
    let parameters: Parameters =
        form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    // No call of X's second version takes a form, so the query is all there is to sign.
    let host = request.connection_info().host().to_ascii_lowercase();
    let base = format!("http://{host}{}", request.uri().path());
    let (index, id) = {
        let world = state.world();
        let index = world.holder(|held| held.access_token == header.token)?;
        let account = world.account(index);
        let held = &account.credentials;
        let secrets = Secrets { consumer: &held.consumer_secret, token: &held.access_token_secret };
        let signed = header.consumer_key == held.consumer_key
            && header.is_signed(secrets, request.method().as_str(), &base, &parameters);
        signed.then_some((index, account.id))?
    };
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or(0);
    state.nonces().admit(&header, now).then_some(Caller::User { index, id, kind: AuthKind::OAuth1 })
}

/// Now, in Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}
