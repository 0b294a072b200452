//! Bluesky, as far as Mynah needs it: a server for accounts (PDS) with sessions, records and blobs, and the directory of
//! DIDs (PLC), at one address. Whatever it answers was compared with a real server (PDS of dev-env 0.3.215).

mod blobs;
mod calls;
mod cid;
mod identity;
mod pds;
mod problem;
mod records;
mod server;
mod session;
mod show;
mod tid;
mod timeline;
mod validate;

use actix_web::{
    HttpResponse, ResponseError,
    http::header::{HeaderMap, HeaderName, HeaderValue},
    web,
};
use serde_json::Value;

pub(crate) use self::{pds::Pds, problem::Problem};
use crate::windows::Usage;

/// The length of the window that every call counts for, in seconds.
const WINDOW: u64 = 300;

/// The routes of Bluesky.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::scope("/xrpc")
                .route("/com.atproto.repo.putRecord", web::post().to(records::put))
                .route("/com.atproto.repo.createRecord", web::post().to(records::create))
                .route("/com.atproto.repo.getRecord", web::get().to(records::get))
                .route("/com.atproto.repo.listRecords", web::get().to(records::list))
                .route("/com.atproto.repo.deleteRecord", web::post().to(records::delete))
                .route("/com.atproto.repo.uploadBlob", web::post().to(blobs::upload))
                .route("/com.atproto.sync.getBlob", web::get().to(blobs::download))
                .route("/com.atproto.server.createSession", web::post().to(server::create_session))
                .route("/com.atproto.server.refreshSession", web::post().to(server::refresh_session))
                .route("/com.atproto.server.getSession", web::get().to(server::get_session))
                .route("/com.atproto.server.describeServer", web::get().to(server::describe))
                .route("/com.atproto.identity.resolveHandle", web::get().to(identity::resolve_handle))
                // A real server forwards other calls, which needs a login.
                .default_service(web::to(|| async { Problem::auth_missing().error_response() })),
        )
        .route("/{did:did:[a-z]+:.+}", web::get().to(identity::document));
}

fn json(body: &Value) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json; charset=utf-8").body(body.to_string())
}

/// A window that nobody used.
pub(crate) fn unused(now: u64) -> Usage {
    Usage { max: 3_000, remaining: 3_000, seconds: WINDOW, reset: now + WINDOW }
}

/// Adds the headers of the fullest window.
pub(crate) fn put_headers(headers: &mut HeaderMap, usage: Usage) {
    let mut put = |name: &'static str, value: HeaderValue| {
        headers.insert(HeaderName::from_static(name), value);
    };
    put("ratelimit-limit", usage.max.into());
    put("ratelimit-remaining", usage.remaining.into());
    put("ratelimit-reset", usage.reset.into());
    // Digits are a valid header value.
    if let Ok(policy) = HeaderValue::try_from(format!("{};w={}", usage.max, usage.seconds)) {
        put("ratelimit-policy", policy);
    }
}
