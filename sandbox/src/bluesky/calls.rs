//! What all calls have in common: who calls, what it counts for, and how a body is read.

use actix_web::{
    HttpMessage, HttpRequest,
    http::header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{Problem, WINDOW, session::Kind};
use crate::{
    requests::LoggedCaller,
    state::State,
    windows::{Begins, Claim},
    world::UserState,
    x::now_ms,
};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// A call of the network, with its rate limits (docs.bsky.app/docs/advanced-guides/rate-limits).
pub(super) struct Call<'a> {
    request: &'a HttpRequest,
    state: &'a State,
    claims: Vec<Claim>,
}

impl<'a> Call<'a> {
    pub(super) fn new(request: &'a HttpRequest, state: &'a State) -> Self {
        let address = request.peer_addr().map_or_else(String::new, |address| address.ip().to_string());
        Self { request, state, claims: vec![claim("global", address, 1, 3_000, WINDOW)] }
    }

    /// A login as this account counts for limits of its own.
    pub(super) fn logging_in(mut self, identifier: &str) -> Self {
        let who = identifier.to_lowercase();
        self.claims =
            vec![claim("logins", who.clone(), 1, 30, WINDOW), claim("daily-logins", who, 1, 300, DAY)];
        self
    }

    /// A change to the repository of this account takes points from its hour and its day.
    pub(super) fn writing(mut self, did: &str, points: u32) -> Self {
        self.claims.push(claim("writes", did.into(), points, 5_000, HOUR));
        self.claims.push(claim("daily-writes", did.into(), points, 35_000, DAY));
        self
    }

    /// An upload counts for the day of the machine that calls.
    pub(super) fn uploading(mut self) -> Self {
        let who = self.claims[0].of.clone();
        self.claims.push(claim("uploads", who, 1, 1_000, DAY));
        self
    }

    /// Counts the call. Its answer gets the headers of the fullest window.
    pub(super) fn count(self) -> Result<(), Problem> {
        let counted = self.state.windows().take(&self.claims, now_ms() / 1000);
        let usage = match counted {
            Ok(usage) => usage,
            Err(usage) => {
                self.request.extensions_mut().insert(usage);
                return Err(Problem::rate_limited());
            }
        };
        if let Some(usage) = usage {
            self.request.extensions_mut().insert(usage);
        }
        Ok(())
    }
}

fn claim(limit: &'static str, of: String, points: u32, max: u32, seconds: u64) -> Claim {
    Claim { limit, of, points, max, seconds, begins: Begins::AtFirstCall }
}

/// The token of a call.
pub(super) fn token(request: &HttpRequest) -> Result<&str, Problem> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer ")).map(str::trim);
    token.filter(|token| !token.is_empty()).ok_or_else(Problem::auth_missing)
}

/// The account whose access token this call has, by its place.
pub(super) fn account(request: &HttpRequest, state: &State) -> Result<usize, Problem> {
    let token = token(request)?;
    let pds = state.bluesky();
    let did = pds.sessions.check(token, Kind::Access, now_ms())?;
    let index = pds.find(did).ok_or_else(Problem::account_not_found)?;
    log(request, &pds.repos[index].handle);
    Ok(index)
}

/// Names the account in the request log.
pub(super) fn log(request: &HttpRequest, handle: &str) {
    request.extensions_mut().insert(LoggedCaller { auth: "session", account: Some(handle.to_owned()) });
}

/// What an account in this state may not do any more.
pub(super) fn check_state(state: UserState) -> Result<(), Problem> {
    match state {
        UserState::Active => Ok(()),
        UserState::Suspended => Err(Problem::taken_down()),
        UserState::Protected => Err(Problem::deactivated()),
        UserState::Unknown => Err(Problem::account_not_found()),
    }
}

/// The JSON object in a body.
pub(super) fn body(request: &HttpRequest, bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let content_type =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let encoding = content_type.split(';').next().unwrap_or_default().trim();
    if encoding != "application/json" {
        return Err(Problem::invalid(format!("Wrong request encoding (Content-Type): {encoding}")));
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err(Problem::invalid("Expected object value type at $")),
        Err(error) => Err(Problem::invalid(format!("Unexpected token in JSON: {error}"))),
    }
}

/// A text that a body must have.
pub(super) fn required<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a str, Problem> {
    match body.get(name) {
        None => Err(Problem::invalid(format!("Missing required key \"{name}\" at $"))),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(Problem::invalid(format!("Expected string value type (got {other}) at $.{name}"))),
    }
}

/// The parameters of a query.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(request: &HttpRequest) -> Self {
        Self(form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that the call needs. A real server answers 500 without it.
    pub(super) fn required(&self, name: &str) -> Result<&str, Problem> {
        self.get(name).ok_or_else(Problem::internal)
    }
}
