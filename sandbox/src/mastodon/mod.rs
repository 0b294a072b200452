//! A Mastodon server, as far as Mynah needs it: accounts, statuses and media, with Mastodon's HTML, errors, paging and
//! rate limits (github.com/mastodon/mastodon, 4.4). On demand, it has the habits of other servers that speak its API.

mod accounts;
mod attachments;
mod calls;
mod html;
mod instance;
mod model;
mod oauth;
mod problem;
mod render;
mod statuses;
mod streaming;
mod timeline;

use actix_web::{
    HttpResponse, ResponseError,
    http::header::{HeaderMap, HeaderName, HeaderValue},
    web,
};
use jiff::Timestamp;
use serde_json::Value;

pub(crate) use self::{model::Server, problem::Problem};
use crate::windows::Usage;

/// The length of the window that every call counts for, in seconds.
const WINDOW: u64 = 300;

/// The routes of Mastodon.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/oauth")
            .route("/authorize", web::get().to(oauth::ask))
            .route("/authorize", web::post().to(oauth::decide))
            .route("/token", web::post().to(oauth::token))
            .route("/revoke", web::post().to(oauth::revoke)),
    );
    config.service(
        web::scope("/api")
            .route("/v1/apps", web::post().to(oauth::register))
            .route("/v1/statuses", web::post().to(statuses::create))
            .route("/v1/accounts/verify_credentials", web::get().to(accounts::verify))
            .route("/v1/accounts/lookup", web::get().to(accounts::lookup))
            .route("/v1/accounts/{id}", web::get().to(accounts::show))
            .route("/v1/accounts/{id}/statuses", web::get().to(accounts::statuses))
            .route("/v1/statuses/{id}", web::get().to(statuses::show))
            .route("/v1/statuses/{id}", web::put().to(statuses::edit))
            .route("/v1/statuses/{id}", web::delete().to(statuses::delete))
            .route("/v2/media", web::post().to(attachments::upload))
            .route("/v1/media/{id}", web::get().to(attachments::show))
            .route("/v1/media/{id}", web::put().to(attachments::describe))
            .route("/v1/streaming/user", web::get().to(streaming::user))
            .route("/v2/instance", web::get().to(instance::show))
            .default_service(web::to(|| async { Problem::not_found().error_response() })),
    );
}

fn json(body: &Value) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json; charset=utf-8").body(body.to_string())
}

/// A time as Mastodon writes it.
fn wire_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A window that nobody used.
pub(crate) fn unused(now: u64) -> Usage {
    Usage { max: 300, remaining: 300, seconds: WINDOW, reset: now - now % WINDOW + WINDOW }
}

/// How a server writes the end of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResetForm {
    /// ISO 8601 with six digits after the second, as Mastodon does.
    Iso,
    /// Unix seconds, as others do.
    Unix,
}

/// Adds the headers of the fullest window.
pub(crate) fn put_headers(headers: &mut HeaderMap, usage: Usage, form: ResetForm) {
    let reset = i64::try_from(usage.reset).ok().and_then(|reset| Timestamp::from_second(reset).ok());
    let reset = match form {
        ResetForm::Iso => reset.unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string(),
        ResetForm::Unix => usage.reset.to_string(),
    };
    headers.insert(HeaderName::from_static("x-ratelimit-limit"), usage.max.into());
    headers.insert(HeaderName::from_static("x-ratelimit-remaining"), usage.remaining.into());
    // A time is a valid header value.
    if let Ok(reset) = HeaderValue::try_from(reset) {
        headers.insert(HeaderName::from_static("x-ratelimit-reset"), reset);
    }
}
