//! Authenticates and authorizes calls of X: OAuth 1.0a signatures, OAuth 2.0 user tokens, and the app-only token,
//! which can read but not post. Only authenticated calls count against a rate limit.

use actix_web::{HttpMessage, HttpRequest, http::header::AUTHORIZATION};
use jiff::Timestamp;
use url::form_urlencoded;

use super::{
    oauth1::{Header, Parameters, Secrets},
    problems::Problem,
};
use crate::{
    credentials::{APP_BEARER_TOKEN, credentials},
    endpoint::Endpoint,
    limits::LimitStatuses,
    requests::LoggedCaller,
    state::State,
    world::AuthKind,
};

/// The caller of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The app itself.
    App,
    /// The account at this index.
    User { index: usize, id: u64, kind: AuthKind },
}

/// An account that may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Actor {
    pub(crate) index: usize,
    pub(crate) kind: AuthKind,
}

impl Caller {
    /// The id of the calling user, if it is not the app.
    pub(crate) fn user_id(self) -> Option<u64> {
        match self {
            Self::App => None,
            Self::User { id, .. } => Some(id),
        }
    }
}

/// Admits a call that needs any valid token, and counts it against the rate limits.
pub(crate) fn authorize(request: &HttpRequest, state: &State, endpoint: Endpoint) -> Result<Caller, Problem> {
    let caller = authenticate(request, state)?;
    let logged = match caller {
        Caller::App => LoggedCaller { auth: "app", account: None },
        Caller::User { index, kind, .. } => {
            LoggedCaller { auth: kind.name(), account: Some(state.world().account(index).handle.clone()) }
        }
    };
    request.extensions_mut().insert(logged);
    if caller == Caller::App && needs_user(endpoint) {
        return Err(Problem::unsupported_authentication());
    }
    let counted = state.limiter().count(endpoint, caller.user_id(), now_ms());
    let (statuses, refused): (LimitStatuses, bool) = match counted {
        Ok(statuses) => (statuses, false),
        Err(statuses) => (statuses, true),
    };
    request.extensions_mut().insert(statuses);
    if refused {
        return Err(Problem::too_many_requests());
    }
    Ok(caller)
}

/// Admits a call that needs a user's token.
pub(crate) fn authorize_user(
    request: &HttpRequest,
    state: &State,
    endpoint: Endpoint,
) -> Result<Actor, Problem> {
    match authorize(request, state, endpoint)? {
        Caller::User { index, kind, .. } => Ok(Actor { index, kind }),
        Caller::App => Err(Problem::unsupported_authentication()),
    }
}

fn needs_user(endpoint: Endpoint) -> bool {
    !matches!(
        endpoint,
        Endpoint::User
            | Endpoint::Timeline
            | Endpoint::Lookup
            | Endpoint::LookupOne
            | Endpoint::Stream
            | Endpoint::StreamRules
    )
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
    let issued =
        state.x_logins().account(token, now_ms()).map(|handle| credentials(handle).user_bearer_token);
    let token = issued.as_deref().unwrap_or(token);
    let world = state.world();
    let index = world.authenticate(|keys| keys.user_bearer_token == token)?;
    Some(Caller::User { index, id: world.account(index).id, kind: AuthKind::OAuth2 })
}

fn by_signature(header: &str, request: &HttpRequest, state: &State) -> Option<Caller> {
    let header = Header::parse(header)?;
    let parameters: Parameters =
        form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    // No endpoint of X's API v2 takes a form, so the query has all parameters to sign.
    let host = request.connection_info().host().to_ascii_lowercase();
    let base = format!("http://{host}{}", request.uri().path());
    let (index, id) = {
        let world = state.world();
        let index = world.authenticate(|keys| keys.access_token == header.token)?;
        let account = world.account(index);
        let keys = &account.credentials;
        let secrets = Secrets { consumer: &keys.consumer_secret, token: &keys.access_token_secret };
        let signed = header.consumer_key == keys.consumer_key
            && header.is_signed(secrets, request.method().as_str(), &base, &parameters);
        signed.then_some((index, account.id))?
    };
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or(0);
    state.nonces().admit(&header, now).then_some(Caller::User { index, id, kind: AuthKind::OAuth1 })
}

/// The current time in Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}
