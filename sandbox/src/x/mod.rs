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

use actix_web::{HttpResponse, ResponseError, http::header::HeaderMap, web};
use jiff::Timestamp;
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
            .route("/users/me", web::get().to(users::me))
            .route("/users/by/username/{username}", web::get().to(users::by_username))
            .route("/users/{id}/tweets", web::get().to(timeline::posts))
            .route("/tweets", web::get().to(lookup::many))
            .route("/tweets", web::post().to(create::create))
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
    HttpResponse::Ok().content_type("application/json; charset=utf-8").body(body.to_string())
}

/// The headers that X puts on every answer.
pub(crate) fn put_headers(headers: &mut HeaderMap, readings: &Readings, day_headers: bool, took_ms: u64) {
    let mut put = |name: &'static str, value: String| {
        let value = value.try_into();
        if let Ok(value) = value {
            headers.insert(actix_web::http::header::HeaderName::from_static(name), value);
        }
    };
    put("x-rate-limit-limit", readings.window.limit.to_string());
    put("x-rate-limit-remaining", readings.window.remaining.to_string());
    put("x-rate-limit-reset", readings.window.reset.to_string());
    let mut put_day = |names: [&'static str; 3], reading: Option<Reading>| {
        if let Some(reading) = reading.filter(|_| day_headers) {
            put(names[0], reading.limit.to_string());
            put(names[1], reading.remaining.to_string());
            put(names[2], reading.reset.to_string());
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
    put("x-access-level", "read-write".into());
    put("api-version", "2.167".into());
    put("x-transaction-id", format!("{:016x}", fastrand::u64(..)));
    put("x-response-time", took_ms.to_string());
}
