//! The login by PIN of OAuth 1.0a: an app asks for a request token, a person allows it on a page and gets a PIN, and the app
//! exchanges both for the account's own token, which lasts until somebody revokes it.

use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError as _, guard,
    http::{
        StatusCode,
        header::{AUTHORIZATION, ContentType},
    },
    web,
};
use serde_json::json;
use url::form_urlencoded;

use super::{
    auth::{self, Caller},
    json_response,
    oauth1::{Header, Secrets},
    problems::Problem,
};
use crate::{
    credentials::credentials,
    endpoint::Endpoint,
    oauth::{self, Fields},
    state::State,
    world::Role,
};

/// The logins that were begun and not finished, by their request tokens.
#[derive(Debug, Default)]
pub(crate) struct PinLogins(HashMap<String, PinLogin>);

#[derive(Debug, Clone)]
struct PinLogin {
    secret: String,
    allowed: Option<Allowed>,
}

/// What a person allowed.
#[derive(Debug, Clone)]
struct Allowed {
    handle: String,
    pin: String,
}

/// Whether the app signed the call with its own keys and, if there is one, with the secret of the token that it names.
fn is_signed(request: &HttpRequest, header: &Header<'_>, token_secret: &str) -> bool {
    let keys = credentials("");
    let secrets = Secrets { consumer: &keys.consumer_secret, token: token_secret };
    let host = request.connection_info().host().to_ascii_lowercase();
    let base = format!("http://{host}{}", request.uri().path());
    header.consumer_key == keys.consumer_key
        && header.is_signed(secrets, request.method().as_str(), &base, &Vec::new())
}

fn header_of(request: &HttpRequest) -> Option<Header<'_>> {
    Header::parse(request.headers().get(AUTHORIZATION)?.to_str().ok()?)
}

/// An answer as a form, which is how these two calls answer.
fn form(fields: &[(&str, &str)]) -> HttpResponse {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    HttpResponse::Ok().content_type(ContentType::html()).body(body)
}

/// A refusal of the older API.
fn refusal(code: u32, message: &str) -> HttpResponse {
    json_response(StatusCode::UNAUTHORIZED, &json!({"errors": [{"code": code, "message": message}]}))
}

async fn request_token(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let header = header_of(&request);
    let Some(header) = header.filter(|header| header.token.is_empty() && is_signed(&request, header, ""))
    else {
        return refusal(32, "Could not authenticate you.");
    };
    if header.callback.as_deref() != Some("oob") {
        return refusal(415, "Callback URL not approved for this client application.");
    }
    let (token, secret) = (oauth::secret("x-request"), oauth::secret("x-request-secret"));
    let login = PinLogin { secret: secret.clone(), allowed: None };
    state.x_logins().pins.0.insert(token.clone(), login);
    form(&[("oauth_token", &token), ("oauth_token_secret", &secret), ("oauth_callback_confirmed", "true")])
}

/// The page that asks the person.
async fn ask(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let fields = Fields::of(request.query_string().as_bytes());
    if !state.x_logins().pins.0.contains_key(fields.text("oauth_token")) {
        return Problem::of_status(403).error_response();
    }
    let world = state.world();
    let targets = world.accounts().iter().filter(|account| matches!(account.role, Role::Target { .. }));
    let handles: Vec<String> = targets.map(|account| account.handle.clone()).collect();
    oauth::page("X", "/i/oauth/authorize", "An app", request.query_string(), &handles)
}

/// What the person decided. The page shows the PIN.
async fn decide(state: web::Data<State>, body: web::Bytes) -> HttpResponse {
    let fields = Fields::of(&body);
    let mut logins = state.x_logins();
    let Some(login) = logins.pins.0.get_mut(fields.text("oauth_token")) else {
        return Problem::of_status(403).error_response();
    };
    if fields.text("decision") != "allow" {
        return HttpResponse::Ok().content_type(ContentType::html()).body("<p>You denied it.</p>");
    }
    let pin = format!("{:07}", fastrand::u32(0..10_000_000));
    login.allowed = Some(Allowed { handle: fields.text("account").to_owned(), pin: pin.clone() });
    oauth::code_page(&pin)
}

async fn access_token(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let allowed = header_of(&request).and_then(|header| {
        let mut logins = state.x_logins();
        let login = logins.pins.0.get(&*header.token)?;
        let allowed =
            login.allowed.clone().filter(|allowed| header.verifier.as_deref() == Some(&*allowed.pin));
        let allowed = allowed.filter(|_| is_signed(&request, &header, &login.secret))?;
        logins.pins.0.remove(&*header.token);
        Some(allowed)
    });
    let Some(Allowed { handle, .. }) = allowed else {
        return refusal(89, "Invalid or expired token.");
    };
    // As an account's keys are the same in every run, a new login makes revoked ones valid again.
    state.change_account(&handle, None, Some(false));
    let keys = credentials(&handle);
    let id = {
        let world = state.world();
        world.find(&handle).map_or(0, |index| world.account(index).id)
    };
    form(&[
        ("oauth_token", &keys.access_token),
        ("oauth_token_secret", &keys.access_token_secret),
        ("user_id", &id.to_string()),
        ("screen_name", &handle),
    ])
}

async fn invalidate(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let index = match auth::authorize(&request, &state, Endpoint::InvalidateToken) {
        Ok(Caller::User { index, .. }) => index,
        Ok(Caller::App) | Err(_) => return refusal(89, "Invalid or expired token."),
    };
    let (handle, token) = {
        let world = state.world();
        let account = world.account(index);
        (account.handle.clone(), account.credentials.access_token.clone())
    };
    state.change_account(&handle, None, Some(true));
    json_response(StatusCode::OK, &json!({"access_token": token}))
}

/// The routes, all of them outside of X's API v2.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    // Mastodon has a page at this address, too.
    let is_ours =
        guard::fn_guard(|call| call.head().uri.query().is_some_and(|query| query.contains("oauth_token=")));
    config
        .service(web::resource("/oauth/authorize").guard(is_ours).route(web::get().to(ask)))
        .service(web::resource("/i/oauth/authorize").route(web::post().to(decide)))
        .service(web::resource("/oauth/request_token").route(web::post().to(request_token)))
        .service(web::resource("/oauth/access_token").route(web::post().to(access_token)))
        .service(web::resource("/1.1/oauth/invalidate_token.json").route(web::post().to(invalidate)));
}
