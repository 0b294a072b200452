//! Why the guard refuses a request, and what the client should do.

use actix_web::http::StatusCode;
use mynah_domain::people::Role;

use super::connections::MAX_STREAMS;

/// Why the guard refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the request must have exactly one Host header")]
    NoHost,
    #[error("unknown host name; use 127.0.0.1 or localhost")]
    ForeignHost,
    #[error(
        "this request needs `Authorization: Bearer` with the token in MYNAH_ADMIN_TOKEN, or with that of a user (`mynah users add`)"
    )]
    Token,
    #[error(
        "this name and this token do not belong together; ask whoever steers this service for a new token"
    )]
    LogIn,
    #[error("this needs the role {needs}, and yours is {has}; ask whoever steers this service for that role")]
    Role { needs: Role, has: Role },
    #[error(
        "the ledger does not answer, and without it no user can be verified; try again, or use the token in MYNAH_ADMIN_TOKEN"
    )]
    NotVerified,
    #[error("use GET to read, and POST to change something")]
    Method,
    #[error("a page from another origin may not change anything")]
    ForeignOrigin,
    #[error("a POST needs `Content-Type: application/json`")]
    ContentType,
    #[error("the body is not JSON; send JSON, or no body if none is needed")]
    NotJson,
    #[error("the body is larger than 16 KiB; name fewer jobs at once, use a filter, or write a shorter text")]
    TooLarge,
    #[error("the body did not arrive completely in time; send it without delay")]
    Slow,
    #[error("{MAX_STREAMS} clients already follow the log; stop one of them")]
    TooManyStreams,
    #[error("too many requests, or too many wrong tokens; wait a minute")]
    TooMany,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::NoHost | Self::NotJson => StatusCode::BAD_REQUEST,
            Self::ForeignHost | Self::ForeignOrigin | Self::Role { .. } => StatusCode::FORBIDDEN,
            Self::Token | Self::LogIn => StatusCode::UNAUTHORIZED,
            Self::NotVerified => StatusCode::SERVICE_UNAVAILABLE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::TooMany | Self::TooManyStreams => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}
