//! What all calls have in common: who calls, what it counts for, and how a body is read.

use actix_web::{
    HttpMessage, HttpRequest,
    http::header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{Problem, WINDOW};
use crate::{
    credentials::mastodon_token,
    faults::MastodonFault,
    multipart,
    requests::LoggedCaller,
    state::State,
    windows::{Begins, Claim},
    world::UserState,
    x::now_ms,
};

const HALF_HOUR: u64 = 30 * 60;
const QUARTER: u64 = 15 * 60;

/// What a call counts for, in addition to what every call does (`config/initializers/rack_attack.rb`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Media,
    Deletion,
    Paging,
}

/// Admits a call by anybody. Returns the account whose token it has, if any.
pub(super) fn admit(request: &HttpRequest, state: &State, kind: Kind) -> Result<Option<usize>, Problem> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let caller = match header.and_then(|header| header.strip_prefix("Bearer ")) {
        None => None,
        Some(token) => Some(authenticate(request, state, token.trim())?),
    };
    count(request, state, caller, kind)?;
    Ok(caller)
}

/// Admits a call that needs a token.
pub(super) fn admit_user(request: &HttpRequest, state: &State, kind: Kind) -> Result<usize, Problem> {
    let caller = admit(request, state, kind)?.ok_or_else(Problem::token_invalid)?;
    if state.mastodon().accounts[caller].state == UserState::Suspended {
        return Err(Problem::disabled());
    }
    Ok(caller)
}

fn authenticate(request: &HttpRequest, state: &State, token: &str) -> Result<usize, Problem> {
    let server = state.mastodon();
    let index = match server.oauth.account(token) {
        Some(handle) => server.find(handle),
        None => server.accounts.iter().position(|account| mastodon_token(&account.handle()) == token),
    };
    let index = index.ok_or_else(Problem::token_invalid)?;
    let account = &server.accounts[index];
    if account.state == UserState::Unknown {
        return Err(Problem::token_invalid());
    }
    if account.revoked {
        return Err(Problem::token_revoked());
    }
    request.extensions_mut().insert(LoggedCaller { auth: "token", account: Some(account.handle()) });
    Ok(index)
}

fn count(request: &HttpRequest, state: &State, caller: Option<usize>, kind: Kind) -> Result<(), Problem> {
    let who = match caller {
        Some(index) => state.mastodon().accounts[index].handle(),
        None => request.peer_addr().map_or_else(String::new, |address| address.ip().to_string()),
    };
    let claim = |limit, max, seconds| Claim {
        limit,
        of: who.clone(),
        points: 1,
        max,
        seconds,
        begins: Begins::AtItsMultiple,
    };
    let mut claims = vec![claim("mastodon-calls", 300, WINDOW)];
    match kind {
        Kind::Plain => {}
        Kind::Media => claims.push(claim("mastodon-media", 30, HALF_HOUR)),
        Kind::Deletion => claims.push(claim("mastodon-deletions", 30, HALF_HOUR)),
        Kind::Paging => claims.push(claim("mastodon-paging", 300, QUARTER)),
    }
    let counted = state.windows().take(&claims, now_ms() / 1000);
    let (usage, refused) = match counted {
        Ok(usage) => (usage, false),
        Err(usage) => (Some(usage), true),
    };
    if let Some(usage) = usage {
        request.extensions_mut().insert(usage);
    }
    if refused { Err(Problem::rate_limited()) } else { Ok(()) }
}

/// Whether the server has this habit in this call.
pub(super) fn has_habit(request: &HttpRequest, habit: MastodonFault) -> bool {
    request.extensions().get::<MastodonFault>() == Some(&habit)
}

/// The parameters of a call, in JSON, a form or a query. Names of lists in forms end in `[]`.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    values: Map<String, Value>,
    pub(super) file: Option<Vec<u8>>,
}

impl Parameters {
    pub(super) fn of_query(request: &HttpRequest) -> Self {
        Self { values: of_form(request.query_string().as_bytes()), file: None }
    }

    pub(super) fn of_body(request: &HttpRequest, bytes: &[u8]) -> Result<Self, Problem> {
        let content_type =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if content_type.starts_with("application/json") {
            return match serde_json::from_slice(bytes) {
                Ok(Value::Object(values)) => Ok(Self { values, file: None }),
                _ => Err(Problem::bad_request("Error occurred while parsing request parameters")),
            };
        }
        if content_type.starts_with("multipart/form-data") {
            let mut parts = multipart::parse(content_type, bytes)
                .ok_or_else(|| Problem::bad_request("Error occurred while parsing request parameters"))?;
            let file = parts.remove("file");
            let text = |bytes: Vec<u8>| json!(String::from_utf8_lossy(&bytes));
            return Ok(Self {
                values: parts.into_iter().map(|(name, bytes)| (name, text(bytes))).collect(),
                file,
            });
        }
        Ok(Self { values: of_form(bytes), file: None })
    }

    /// A text; none if it is absent or empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = match self.values.get(name)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        match self.values.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => matches!(&**text, "true" | "1"),
            _ => false,
        }
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let items = self.values.get(name).and_then(Value::as_array).into_iter().flatten();
        let text = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
        items.map(text).collect()
    }

    pub(super) fn id(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

fn of_form(bytes: &[u8]) -> Map<String, Value> {
    let mut values = Map::new();
    for (name, value) in form_urlencoded::parse(bytes) {
        match name.strip_suffix("[]") {
            None => drop(values.insert(name.into_owned(), json!(value))),
            Some(list) => {
                if let Value::Array(items) = values.entry(list).or_insert_with(|| json!([])) {
                    items.push(json!(value));
                }
            }
        }
    }
    values
}
