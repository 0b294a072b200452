//! Why a request may not pass, and what whoever sent it should do.

use actix_web::http::StatusCode;

use super::connections::MOST_STREAMS;

/// Why a request does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the request names no host, or more than one")]
    NoHost,
    #[error("this host name is not this service's; ask 127.0.0.1 or localhost")]
    ForeignHost,
    #[error("this needs `Authorization: Bearer` with the token of MYNAH_ADMIN_TOKEN")]
    Token,
    #[error("what is read is a GET, and what changes something a POST")]
    Method,
    #[error("a page of another origin may not change anything here")]
    ForeignOrigin,
    #[error("what changes something is sent as `Content-Type: application/json`")]
    ContentType,
    #[error("a body may have 16 KiB; name fewer jobs at once, or a filter")]
    TooLarge,
    #[error("the body did not arrive as a whole; send it at once")]
    Slow,
    #[error("{MOST_STREAMS} clients follow the log already; end one of them")]
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
