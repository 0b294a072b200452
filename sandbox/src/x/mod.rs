//! X, as far as Mynah needs it: users, timelines, posting and media, with X's authentication, errors and rate limits.
//! The wire format is that of August to November 2026.

mod auth;
mod create;
mod lookup;
mod media;
pub(crate) mod oauth1;
pub(crate) mod oauth2;
mod pin;
pub(crate) mod problems;
mod query;
mod render;
pub(crate) mod stream;
pub(crate) mod text;
mod timeline;
mod users;
mod vocabulary;

use actix_web::{
    HttpResponse, ResponseError,
    body::BoxBody,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    },
    web,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) use self::auth::now_ms;
use crate::{
    bill::Read,
    limits::{LimitStatus, LimitStatuses},
    state::State,
};

/// The routes of X.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    oauth2::pages(config);
    pin::routes(config);
    config.service(
        web::scope("/2")
            // The most frequent calls first: routes are tried in this order.
            .route("/tweets", web::post().to(create::create))
            .route("/users/me", web::get().to(users::me))
            .route("/users/by/username/{username}", web::get().to(users::by_username))
            .route("/users/{id}/tweets", web::get().to(timeline::posts))
            .route("/tweets", web::get().to(lookup::many))
            .route("/tweets/{id}", web::get().to(lookup::one))
            .route("/tweets/search/stream", web::get().to(stream::connect))
            .route("/tweets/search/stream/rules", web::get().to(stream::rules))
            .route("/tweets/search/stream/rules", web::post().to(stream::change_rules))
            .route("/tweets/{id}", web::delete().to(create::delete))
            .route("/media/upload", web::post().to(media::upload))
            .route("/media/upload", web::get().to(media::status))
            .route("/media/upload/initialize", web::post().to(media::initialize))
            .route("/media/upload/{id}/append", web::post().to(media::append))
            .route("/media/upload/{id}/finalize", web::post().to(media::finalize))
            .route("/media/metadata", web::post().to(media::metadata))
            .route("/oauth2/token", web::post().to(oauth2::token))
            .route("/oauth2/revoke", web::post().to(oauth2::revoke))
            .default_service(web::to(|| async { problems::Problem::of_status(404).error_response() })),
    );
}

/// A 200, with its reads billed.
fn ok(state: &State, body: Map<String, Value>, reads: Vec<Read>) -> HttpResponse {
    let now = Timestamp::now();
    let mut biller = state.biller();
    for read in reads {
        biller.read(read, now);
    }
    drop(biller);
    json_ok(&body.into())
}

fn json_ok(body: &Value) -> HttpResponse {
    json_response(StatusCode::OK, body)
}

fn json_response(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    // The bodies contain nothing that serde cannot serialize.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = HttpResponse::with_body(status, BoxBody::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// Adds the headers that X sends with every answer.
pub(crate) fn put_headers(
    headers: &mut HeaderMap,
    statuses: &LimitStatuses,
    day_headers: bool,
    took_ms: u64,
) {
    let mut put = |name: &'static str, value: HeaderValue| {
        headers.insert(HeaderName::from_static(name), value);
    };
    put("x-rate-limit-limit", statuses.window.limit.into());
    put("x-rate-limit-remaining", statuses.window.remaining.into());
    put("x-rate-limit-reset", statuses.window.reset.into());
    let mut put_day = |names: [&'static str; 3], status: Option<LimitStatus>| {
        if let Some(status) = status.filter(|_| day_headers) {
            put(names[0], status.limit.into());
            put(names[1], status.remaining.into());
            put(names[2], status.reset.into());
        }
    };
    put_day(
        ["x-app-limit-24hour-limit", "x-app-limit-24hour-remaining", "x-app-limit-24hour-reset"],
        statuses.app_day,
    );
    put_day(
        ["x-user-limit-24hour-limit", "x-user-limit-24hour-remaining", "x-user-limit-24hour-reset"],
        statuses.user_day,
    );
    put("x-access-level", HeaderValue::from_static("read-write"));
    put("api-version", HeaderValue::from_static("2.167"));
    // Sixteen hexadecimal digits are a valid header value.
    if let Ok(transaction) = HeaderValue::try_from(format!("{:016x}", fastrand::u64(..))) {
        put("x-transaction-id", transaction);
    }
    put("x-response-time", took_ms.into());
}
