//! What is the same in the refusals of all services.

use jiff::{SignedDuration, Timestamp};
use mynah_domain::ports::engine::EngineError;

use crate::{http_client::HttpError, telemetry::outside::brief};

/// Longer waits than this are not believed.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// An answer in one line, fit for a log.
pub(crate) fn said(status: u16, message: &str) -> String {
    let message = brief(message);
    if message.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {message}") }
}

/// The time in a header `Retry-After` that counts seconds; `None` if nobody should believe it.
pub(crate) fn retry_at(seconds: &str, now: Timestamp) -> Option<Timestamp> {
    let wait = SignedDuration::from_secs(seconds.trim().parse().ok()?);
    (SignedDuration::ZERO..=LONGEST_WAIT).contains(&wait).then(|| now.checked_add(wait))?.ok()
}

/// What a call without a complete answer means, for the service with this name.
pub(crate) fn no_answer(service: &str, error: &HttpError) -> EngineError {
    let said = format!("{service}: {error}");
    match error {
        HttpError::NoAnswer(_) => EngineError::Unanswered(said),
        HttpError::Unreachable(_) | HttpError::TooLarge { .. } => EngineError::Unavailable(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_a_server_names_is_kept_within_bounds() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let at = |seconds| retry_at(seconds, now).map(|until| until.to_string());
        assert_eq!(at(" 30 ").as_deref(), Some("2026-11-23T12:00:30Z"));
        for odd in ["-1", "99999", "soon", "", "9223372036854775808"] {
            assert_eq!(at(odd), None, "{odd}");
        }
    }

    #[test]
    fn what_was_said_is_one_short_line() {
        let said = said(500, &"x\n\u{1b} ".repeat(10_000));
        assert!(said.starts_with("HTTP 500: x") && !said.contains(['\n', '\u{1b}']), "{said}");
        assert!(said.chars().count() < 500);
        assert_eq!(super::said(529, " "), "HTTP 529");
    }
}
