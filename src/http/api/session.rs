//! Endpoints to log in on the page, to log out, and to ask whom the service takes the caller for.

use std::time::Instant;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Bytes, Data, Json},
};
use log::{info, warn};

use crate::{
    control::wire::{Identity, LogIn},
    http::{
        error::ApiError,
        guard::Rules,
        identity::{Caller, Identities},
        refusal::Refusal,
    },
};

impl From<&Caller> for Identity {
    fn from(Caller { name, role, session }: &Caller) -> Self {
        Self { name: name.as_deref().map(str::to_owned), role: *role, logged_in: session.is_some() }
    }
}

pub(super) async fn show(caller: Caller) -> Json<Identity> {
    Json(Identity::from(&caller))
}

pub(super) async fn log_in(
    request: HttpRequest,
    identities: Data<Identities>,
    rules: Data<Rules>,
    asked: Json<LogIn>,
) -> Result<HttpResponse, ApiError> {
    let from = request.peer_addr().ok_or(ApiError::Refused(Refusal::LogIn))?.ip();
    let LogIn { name, token } = asked.into_inner();
    let now = Instant::now();
    if !rules.may_guess(from, now) {
        return Err(ApiError::Refused(Refusal::TooMany));
    }
    match identities.log_in(&name, token.expose(), is_over_tls(&request)).await {
        Ok((caller, cookie)) => {
            info!(user = caller.name.as_deref().unwrap_or_default(); "logged in");
            Ok(HttpResponse::Ok().insert_header((header::SET_COOKIE, cookie)).json(Identity::from(&caller)))
        }
        Err(error) => {
            if matches!(error, ApiError::Refused(Refusal::LogIn)) {
                rules.guessed_wrong(from, now);
                warn!(from:%; "log-in refused");
            }
            Err(error)
        }
    }
}

/// Whether the browser shows the page over TLS, which somebody in front of this service ends: it names its page's origin with
/// every change.
fn is_over_tls(request: &HttpRequest) -> bool {
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    origin.is_some_and(|origin| origin.starts_with("https://"))
}

pub(super) async fn log_out(
    identities: Data<Identities>,
    caller: Caller,
    _: Bytes,
) -> Result<HttpResponse, ApiError> {
    let cookie = identities.log_out(&caller).await?;
    if caller.session.is_some() {
        info!(user = caller.name.as_deref().unwrap_or_default(); "logged out");
    }
    let answer = serde_json::json!({"logged_out": caller.session.is_some()});
    Ok(HttpResponse::Ok().insert_header((header::SET_COOKIE, cookie)).json(answer))
}
