//! Why the guard refuses a request, and what the client should do.

use actix_web::http::StatusCode;

use super::connections::MAX_STREAMS;

/// Why the guard refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the request must have exactly one Host header")]
    NoHost,
    #[error("unknown host name; use 127.0.0.1 or localhost")]
    ForeignHost,
    #[error("this request needs `Authorization: Bearer` with the token in MYNAH_ADMIN_TOKEN")]
    Token,
    #[error("use GET to read, and POST to change something")]
    Method,
    #[error("a page from another origin may not change anything")]
    ForeignOrigin,
    #[error("a POST needs `Content-Type: application/json`")]
    ContentType,
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
            Self::NoHost => StatusCode::BAD_REQUEST,
            Self::ForeignHost | Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::TooMany | Self::TooManyStreams => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}
