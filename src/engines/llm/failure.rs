//! What failed calls to a model's service have in common: a request without an answer, the words of an error, and the time after
//! which to ask again.

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use mynah_domain::ports::engine::EngineError;

use crate::{http_client::HttpError, telemetry::outside::brief};

/// Longer waits than this are not believed.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(26);

/// Rather a moment too late than a moment too early.
const MARGIN: SignedDuration = SignedDuration::from_millis(1);

/// A call without a complete answer. A translation asked for twice costs money, not trust: what the server did does not matter.
pub(crate) fn without_answer(model: &str, error: &HttpError) -> EngineError {
    let said = format!("{model}: {error}");
    match error {
        HttpError::NoAnswer(_) => EngineError::Unanswered(said),
        // No model's answer is so long: somebody else answered, and nothing is billed.
        HttpError::Unreachable(_) | HttpError::TooLarge { .. } => EngineError::Unavailable(said),
    }
}

/// A refusal in one line, fit for a log.
pub(crate) fn said(http_status: u16, kind: &str, message: &str) -> String {
    [format!("HTTP {http_status}"), brief(kind), brief(message)]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(": ")
}

/// The time after a wait; `None` if it cannot be meant.
pub(crate) fn after(delay: SignedDuration, now: Timestamp) -> Option<Timestamp> {
    (SignedDuration::ZERO..=LONGEST_WAIT).contains(&delay).then(|| now.checked_add(delay + MARGIN))?.ok()
}

/// The wait that a message names behind these words: `Please retry in 3.5s.`, `try again in 7m12.48s`.
pub(crate) fn wait_in_words(message: &str, before: &str) -> Option<SignedDuration> {
    let (_, wait) = message.split_once(before)?;
    wait.split_whitespace().next()?.trim_end_matches(['.', ',']).parse().ok()
}

/// When to ask again, by the header `Retry-After`: seconds, or a date.
pub(crate) fn retry_after(header: &str, now: Timestamp) -> Option<Timestamp> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<f64>() {
        return after(SignedDuration::try_from_secs_f64(seconds).ok()?, now);
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(header).ok()?;
    after(date.duration_since(now), now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_ask_again_is_read_in_every_form_and_absurd_ones_are_not_believed() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let until = |header: &str| retry_after(header, now).map(|until| until.to_string());
        assert_eq!(until("20").as_deref(), Some("2026-11-23T12:00:20.001Z"));
        assert_eq!(until(" 0.5 ").as_deref(), Some("2026-11-23T12:00:00.501Z"));
        assert_eq!(until("Mon, 23 Nov 2026 12:01:00 GMT").as_deref(), Some("2026-11-23T12:01:00.001Z"));
        for wrong in
            ["", "soon", "-1", "1e300", "NaN", "inf", "999999", "Mon, 23 Nov 2026 11:00:00 GMT", "3s"]
        {
            assert_eq!(until(wrong), None, "{wrong}");
        }
        let words = |message: &str| wait_in_words(message, "try again in ").map(|wait| wait.as_millis());
        assert_eq!(words("Please try again in 7m12.48s. Need more tokens?"), Some(432_480));
        assert_eq!(words("Please try again in 859ms."), Some(859));
        assert_eq!(words("Please try again in a while"), None);
        assert_eq!(words("Please wait"), None);
    }
}
