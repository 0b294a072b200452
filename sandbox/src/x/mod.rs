//! X, as far as Mynah needs it: users, timelines, posting, media; its ways of knowing who calls, of refusing,
//! and of rationing. Wire facts are those of August to November 2026.

mod auth;
mod create;
mod lookup;
mod media;
pub(crate) mod multipart;
pub(crate) mod oauth1;
pub(crate) mod problems;
mod query;
mod render;
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

pub(crate) use self::auth::{Seen, now_ms};
use crate::{
    bill::Read,
    limits::{Reading, Readings},
    state::State,
};

/// The paths of X.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/2")
            // First what is called most: paths are tried in this order.
            .route("/tweets", web::post().to(create::create))
            .route("/users/me", web::get().to(users::me))
            .route("/users/by/username/{username}", web::get().to(users::by_username))
            .route("/users/{id}/tweets", web::get().to(timeline::posts))
            .route("/tweets", web::get().to(lookup::many))
            .route("/tweets/{id}", web::get().to(lookup::one))
            .route("/tweets/{id}", web::delete().to(create::delete))
            .route("/media/upload", web::post().to(media::upload))
            .route("/media/upload", web::get().to(media::status))
            .route("/media/upload/initialize", web::post().to(media::initialize))
            .route("/media/upload/{id}/append", web::post().to(media::append))
            .route("/media/upload/{id}/finalize", web::post().to(media::finalize))
            .route("/media/metadata", web::post().to(media::metadata))
            .default_service(web::to(|| async { problems::Problem::of_status(404).error_response() })),
    );
}

/// A 200, and the bill for it.
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
    // Neither a map with keys that are no strings nor anything else that serde refuses is ever told.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = HttpResponse::with_body(status, BoxBody::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// The headers that X puts on every answer.
pub(crate) fn put_headers(headers: &mut HeaderMap, readings: &Readings, day_headers: bool, took_ms: u64) {
    let mut put = |name: &'static str, value: HeaderValue| {
        headers.insert(HeaderName::from_static(name), value);
    };
    put("x-rate-limit-limit", readings.window.limit.into());
    put("x-rate-limit-remaining", readings.window.remaining.into());
    put("x-rate-limit-reset", readings.window.reset.into());
    let mut put_day = |names: [&'static str; 3], reading: Option<Reading>| {
        if let Some(reading) = reading.filter(|_| day_headers) {
            put(names[0], reading.limit.into());
            put(names[1], reading.remaining.into());
            put(names[2], reading.reset.into());
        }
    };
    put_day(
        ["x-app-limit-24hour-limit", "x-app-limit-24hour-remaining", "x-app-limit-24hour-reset"],
        readings.app_day,
    );
    put_day(
        ["x-user-limit-24hour-limit", "x-user-limit-24hour-remaining", "x-user-limit-24hour-reset"],
        readings.user_day,
    );
    put("x-access-level", HeaderValue::from_static("read-write"));
    put("api-version", HeaderValue::from_static("2.167"));
    // Sixteen hexadecimal digits are a header value.
    if let Ok(transaction) = HeaderValue::try_from(format!("{:016x}", fastrand::u64(..))) {
        put("x-transaction-id", transaction);
    }
    put("x-response-time", took_ms.into());
}
