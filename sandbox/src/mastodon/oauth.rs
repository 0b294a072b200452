//! `/api/v1/apps` and `/oauth`: apps that register themselves, and tokens that accounts give them (Doorkeeper, as Mastodon
//! configures it).

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Problem, calls::Parameters, json};
use crate::{
    oauth::{self, Fields, Grant, Grants, OUT_OF_BAND},
    state::State,
    x::now_ms,
};

/// How long a code lives.
const CODE_LIFETIME_MS: u64 = 10 * 60 * 1000;

/// What Mastodon says to a code or a redirect that is wrong.
const INVALID_GRANT: &str = "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client.";
const INVALID_CLIENT: &str = "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.";

/// Apps and what was given to them.
#[derive(Debug, Default)]
pub(crate) struct Apps {
    registered: HashMap<String, App>,
    grants: Grants,
    /// The account of each token.
    tokens: HashMap<String, Issued>,
}

#[derive(Debug)]
struct App {
    name: String,
    secret: String,
    redirects: Vec<String>,
    scopes: Vec<String>,
}

#[derive(Debug)]
struct Issued {
    handle: String,
    client: String,
}

impl Apps {
    /// The account that gave out a token.
    pub(super) fn account(&self, token: &str) -> Option<&str> {
        self.tokens.get(token).map(|issued| issued.handle.as_str())
    }

    /// The app that authenticates in a form.
    fn client(&self, fields: &Fields) -> Option<String> {
        let id = fields.text("client_id");
        let app = self.registered.get(id)?;
        (app.secret == fields.text("client_secret")).then(|| id.to_owned())
    }

    /// The app and the redirect of an address to allow a login at.
    fn requested(&self, fields: &Fields) -> Option<&App> {
        let app = self.registered.get(fields.text("client_id"))?;
        let is_known = |scope: &str| {
            app.scopes.iter().any(|own| {
                own == scope || scope.strip_prefix(&**own).is_some_and(|rest| rest.starts_with(':'))
            })
        };
        let redirect = fields.text("redirect_uri");
        let is_allowed = fields.text("response_type") == "code"
            && app.redirects.iter().any(|own| own == redirect)
            && fields.text("scope").split_whitespace().all(is_known);
        is_allowed.then_some(app)
    }
}

pub(super) async fn register(
    request: HttpRequest,
    state: web::Data<State>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let asked = Parameters::of_body(&request, &body)?;
    let text = |name: &str| asked.text(name).unwrap_or_default();
    let redirects: Vec<String> = text("redirect_uris").lines().map(str::to_owned).collect();
    if text("client_name").is_empty() || redirects.is_empty() {
        return Err(Problem::invalid("Application name can't be blank, Redirect URI can't be blank"));
    }
    let scopes = asked.text("scopes").unwrap_or_else(|| "read".into());
    let scopes: Vec<String> = scopes.split_whitespace().map(str::to_owned).collect();
    let (id, secret) = (oauth::secret("client"), oauth::secret("client-secret"));
    let answer = json!({
        "id": "1", "name": text("client_name"), "website": asked.text("website"), "scopes": scopes,
        "redirect_uri": text("redirect_uris"), "redirect_uris": redirects, "client_id": id, "client_secret": secret,
        "client_secret_expires_at": 0,
    });
    let app = App { name: text("client_name"), secret, redirects, scopes };
    state.mastodon().oauth.registered.insert(id, app);
    Ok(json(&answer))
}

/// The page that asks the person.
pub(super) async fn ask(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let fields = Fields::of(request.query_string().as_bytes());
    let server = state.mastodon();
    let app = server.oauth.requested(&fields).ok_or_else(odd_request)?;
    let handles: Vec<String> = server.accounts.iter().map(super::model::Account::handle).collect();
    Ok(oauth::page("Mastodon", "/oauth/authorize", &app.name, request.query_string(), &handles))
}

/// What the person decided.
pub(super) async fn decide(state: web::Data<State>, body: web::Bytes) -> Result<HttpResponse, Problem> {
    let fields = Fields::of(&body);
    let mut server = state.mastodon();
    server.oauth.requested(&fields).ok_or_else(odd_request)?;
    let redirect = fields.text("redirect_uri");
    let state = fields.text("state");
    if fields.text("decision") != "allow" {
        let denied = [
            ("error", "access_denied"),
            ("error_description", "The resource owner or authorization server denied the request."),
            ("state", state),
        ];
        return oauth::back(redirect, &denied).ok_or_else(odd_request);
    }
    let account = server.find(fields.text("account")).ok_or_else(odd_request)?;
    let code = Grant {
        client: fields.text("client_id").into(),
        redirect: redirect.into(),
        handle: server.accounts[account].handle(),
        scopes: fields.text("scope").into(),
        challenge: fields.text("code_challenge").into(),
        expires_ms: now_ms() + CODE_LIFETIME_MS,
    };
    let code = server.oauth.grants.give(code);
    if redirect == OUT_OF_BAND {
        return Ok(oauth::code_page(&code));
    }
    oauth::back(redirect, &[("code", &code), ("state", state)]).ok_or_else(odd_request)
}

pub(super) async fn token(state: web::Data<State>, body: web::Bytes) -> HttpResponse {
    let fields = Fields::of(&body);
    let mut server = state.mastodon();
    let Some(client) = server.oauth.client(&fields) else {
        return refusal(StatusCode::UNAUTHORIZED, "invalid_client", INVALID_CLIENT);
    };
    if fields.text("grant_type") != "authorization_code" {
        return refusal(StatusCode::BAD_REQUEST, "invalid_grant", INVALID_GRANT);
    }
    let Some(grant) = server.oauth.grants.take(&fields, &client, now_ms()) else {
        return refusal(StatusCode::BAD_REQUEST, "invalid_grant", INVALID_GRANT);
    };
    let token = oauth::secret("mastodon-token");
    server.oauth.tokens.insert(token.clone(), Issued { handle: grant.handle, client });
    let created = Timestamp::now().as_second();
    json(
        &json!({"access_token": token, "token_type": "Bearer", "scope": grant.scopes, "created_at": created}),
    )
}

pub(super) async fn revoke(state: web::Data<State>, body: web::Bytes) -> HttpResponse {
    let fields = Fields::of(&body);
    let mut server = state.mastodon();
    let client = server.oauth.client(&fields);
    let token = fields.text("token");
    let issued = server.oauth.tokens.get(token);
    match (client, issued) {
        (Some(client), Some(issued)) if issued.client == client => {
            server.oauth.tokens.remove(token);
            json(&Value::Object(serde_json::Map::new()))
        }
        (Some(_), None) => json(&Value::Object(serde_json::Map::new())),
        _ => refusal(
            StatusCode::FORBIDDEN,
            "unauthorized_client",
            "You are not authorized to revoke this token",
        ),
    }
}

fn refusal(status: StatusCode, error: &str, description: &str) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("application/json; charset=utf-8")
        .body(json!({"error": error, "error_description": description}).to_string())
}

fn odd_request() -> Problem {
    Problem::bad_request(
        "The request is missing a required parameter, includes an unsupported parameter value, or is otherwise malformed.",
    )
}
