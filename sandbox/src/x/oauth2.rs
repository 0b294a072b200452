//! OAuth 2.0 of X: the page on which a person allows a login, access tokens that live two hours, and refresh tokens that
//! work once: each answer brings the next one. A spent one is refused as X refuses it.

use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError as _,
    http::{StatusCode, header::AUTHORIZATION},
    web,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{auth::now_ms, json_response, pin::PinLogins, problems::Problem};
use crate::{
    credentials::{X_CLIENT_ID, X_CLIENT_SECRET},
    oauth::{self, Fields, Grant, Grants},
    state::State,
    world::Role,
};

/// How long a code lives.
const CODE_LIFETIME_MS: u64 = 30 * 1000;

/// How long an access token lives, in seconds.
const LIFETIME: u64 = 7200;

/// What was given out.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    grants: Grants,
    tokens: HashMap<String, Issued>,
    /// Those by PIN.
    pub(super) pins: PinLogins,
}

#[derive(Debug, Clone)]
struct Issued {
    handle: String,
    scopes: String,
    kind: Kind,
    /// When it ends, in Unix milliseconds; a refresh token does not end.
    expires_ms: Option<u64>,
    /// It was used, revoked, or replaced.
    is_over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Access,
    Refresh,
}

impl Logins {
    /// The account whose access token this is, while it lives.
    pub(super) fn account(&self, token: &str, now_ms: u64) -> Option<&str> {
        let issued =
            self.tokens.get(token).filter(|issued| issued.kind == Kind::Access && !issued.is_over)?;
        issued.expires_ms.is_none_or(|end| now_ms < end).then_some(issued.handle.as_str())
    }

    /// Ends the access tokens of an account, as if two hours had passed.
    pub(crate) fn expire(&mut self, handle: &str) {
        let of_account =
            |issued: &&mut Issued| issued.kind == Kind::Access && issued.handle.eq_ignore_ascii_case(handle);
        self.tokens.values_mut().filter(of_account).for_each(|issued| issued.expires_ms = Some(0));
    }

    /// A new pair of tokens, as X answers it.
    fn pair(&mut self, handle: &str, scopes: &str) -> Value {
        let mut give = |kind, name, expires_ms| {
            let token = oauth::secret(name);
            let issued = Issued {
                handle: handle.to_owned(),
                scopes: scopes.to_owned(),
                kind,
                expires_ms,
                is_over: false,
            };
            self.tokens.insert(token.clone(), issued);
            token
        };
        let access = give(Kind::Access, "x-access", Some(now_ms() + LIFETIME * 1000));
        let mut answer =
            json!({"token_type": "bearer", "expires_in": LIFETIME, "access_token": access, "scope": scopes});
        if scopes.split_whitespace().any(|scope| scope == "offline.access") {
            answer["refresh_token"] = give(Kind::Refresh, "x-refresh", None).into();
        }
        answer
    }

    /// Spends a refresh token. The access token that came with it goes on living.
    fn spend(&mut self, token: &str) -> Option<Issued> {
        let issued =
            self.tokens.get_mut(token).filter(|issued| issued.kind == Kind::Refresh && !issued.is_over)?;
        issued.is_over = true;
        Some(issued.clone())
    }
}

/// Whether the app authenticates: a confidential one in the header, a public one by its id in the form.
fn is_client(request: &HttpRequest, fields: &Fields) -> bool {
    match request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok()) {
        None => fields.text("client_id") == X_CLIENT_ID,
        Some(header) => {
            let decoded = header.strip_prefix("Basic ").and_then(|encoded| STANDARD.decode(encoded).ok());
            decoded.is_some_and(|decoded| decoded == format!("{X_CLIENT_ID}:{X_CLIENT_SECRET}").as_bytes())
        }
    }
}

fn is_request(fields: &Fields) -> bool {
    fields.text("response_type") == "code"
        && fields.text("client_id") == X_CLIENT_ID
        && !fields.text("redirect_uri").is_empty()
        && !fields.text("state").is_empty()
        && fields.text("code_challenge_method") == "S256"
        && !fields.text("code_challenge").is_empty()
}

/// The page that asks the person.
pub(super) async fn ask(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let fields = Fields::of(request.query_string().as_bytes());
    if !is_request(&fields) {
        return Problem::of_status(400).error_response();
    }
    let world = state.world();
    let targets = world.accounts().iter().filter(|account| matches!(account.role, Role::Target { .. }));
    let handles: Vec<String> = targets.map(|account| account.handle.clone()).collect();
    oauth::page("X", "/i/oauth2/authorize", "An app", request.query_string(), &handles)
}

/// What the person decided.
pub(super) async fn decide(state: web::Data<State>, body: web::Bytes) -> HttpResponse {
    let fields = Fields::of(&body);
    if !is_request(&fields) {
        return Problem::of_status(400).error_response();
    }
    let (redirect, theirs) = (fields.text("redirect_uri"), fields.text("state"));
    let answer = if fields.text("decision") == "allow" {
        let grant = Grant {
            client: X_CLIENT_ID.into(),
            redirect: redirect.into(),
            handle: fields.text("account").into(),
            scopes: fields.text("scope").into(),
            challenge: fields.text("code_challenge").into(),
            expires_ms: now_ms() + CODE_LIFETIME_MS,
        };
        let code = state.x_logins().grants.give(grant);
        oauth::back(redirect, &[("state", theirs), ("code", &code)])
    } else {
        oauth::back(redirect, &[("error", "access_denied"), ("state", theirs)])
    };
    answer.unwrap_or_else(|| Problem::of_status(400).error_response())
}

pub(super) async fn token(request: HttpRequest, state: web::Data<State>, body: web::Bytes) -> HttpResponse {
    let fields = Fields::of(&body);
    if !is_client(&request, &fields) {
        return refusal(401, "unauthorized_client", "Missing valid authorization header");
    }
    let mut logins = state.x_logins();
    let allowed = match fields.text("grant_type") {
        "authorization_code" => {
            let grant = logins.grants.take(&fields, X_CLIENT_ID, now_ms());
            grant.map(|grant| (grant.handle, grant.scopes))
        }
        "refresh_token" => {
            let spent = logins.spend(fields.text("refresh_token"));
            spent.map(|issued| (issued.handle, issued.scopes))
        }
        _ => None,
    };
    match allowed {
        Some((handle, scopes)) => json_response(StatusCode::OK, &logins.pair(&handle, &scopes)),
        None => refusal(400, "invalid_request", "Value passed for the token was invalid."),
    }
}

pub(super) async fn revoke(request: HttpRequest, state: web::Data<State>, body: web::Bytes) -> HttpResponse {
    let fields = Fields::of(&body);
    if !is_client(&request, &fields) {
        return refusal(401, "unauthorized_client", "Missing valid authorization header");
    }
    if let Some(issued) = state.x_logins().tokens.get_mut(fields.text("token")) {
        issued.is_over = true;
    }
    json_response(StatusCode::OK, &json!({"revoked": true}))
}

fn refusal(status: u16, error: &str, description: &str) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    json_response(status, &json!({"error": error, "error_description": description}))
}

/// The routes outside of X's API.
pub(super) fn pages(config: &mut web::ServiceConfig) {
    let query = web::resource("/i/oauth2/authorize").route(web::get().to(ask)).route(web::post().to(decide));
    config.service(query);
}
