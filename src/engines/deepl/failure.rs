//! What DeepL's refusals mean. Most have a body with a message, some have none.

use jiff::{SignedDuration, Timestamp};
use mynah_domain::ports::engine::{EngineError, ItemError};
use serde_json::Value;

use super::settings::where_to_set;
use crate::engines::marked::refusal::{retry_at, said};

/// DeepL does not say when a quota renews. A person may raise it at any time, so DeepL is asked again after this.
const QUOTA_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// Why there are no translations.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The call failed as a whole.
    Call(EngineError),
    /// DeepL does not offer the languages.
    Languages(ItemError),
    /// The request was too large; the error is that of a text alone.
    TooLarge(ItemError),
}

/// Reads an answer whose status is not 200, to the engine that the settings call `name`.
pub(super) fn read(
    status: u16,
    body: &[u8],
    retry_after: Option<&str>,
    name: &str,
    now: Timestamp,
) -> Failure {
    let message = message(body);
    let said = said(status, &message);
    let error = match status {
        400 if is_about_languages(&message) => {
            return Failure::Languages(ItemError::Refused(format!(
                "DeepL does not offer these languages ({said})"
            )));
        }
        401 | 403 => {
            let (variable, keys) = where_to_set(name);
            EngineError::Unauthorized(format!(
                "DeepL does not accept the key: set {variable} to a valid one from {keys}; keys that end in :fx are for the \
                 free API ({said})"
            ))
        }
        404 => EngineError::Refused(format!(
            "DeepL has nothing at this address: check engine.{name}.base_url and engine.{name}.glossary_id ({said})"
        )),
        413 | 414 => {
            return Failure::TooLarge(ItemError::Refused(format!(
                "the text is too large for DeepL ({said})"
            )));
        }
        429 => EngineError::RateLimited {
            until: retry_after.and_then(|seconds| retry_at(seconds, now)),
            reason: format!("DeepL gets too many requests ({said})"),
        },
        456 => EngineError::RateLimited {
            until: now.checked_add(QUOTA_PAUSE).ok(),
            reason: format!(
                "DeepL's quota of characters is used up until the next billing period: wait, or raise the limit in \
                 DeepL's account; `mynah check` shows how much is used ({said})"
            ),
        },
        // 529 is 429 of the servers as a whole.
        408 | 500.. => EngineError::Unavailable(format!("DeepL is not available just now ({said})")),
        _ => EngineError::Refused(format!("DeepL refused the request ({said})")),
    };
    Failure::Call(error)
}

/// The message and the details of an error; a body without one is shown as it is.
fn message(body: &[u8]) -> String {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return String::from_utf8_lossy(body).into_owned();
    };
    let parts = ["message", "detail"].map(|name| answer[name].as_str().unwrap_or_default());
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

fn is_about_languages(message: &str) -> bool {
    let message = message.to_lowercase();
    // Formality is refused with the name of the target, too, and a person can change that.
    ["target_lang", "source_lang"].iter().any(|name| message.contains(name))
        && message.contains("not supported")
        && !message.contains("formality")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn call(status: u16, body: &str) -> EngineError {
        match read(status, body.as_bytes(), None, "deepl", now()) {
            Failure::Call(error) => error,
            other => panic!("{status} {body}: {other:?}"),
        }
    }

    #[test]
    fn a_rejected_key_names_the_variable() {
        for body in ["", "{\"message\":\"Authorization failure\"}", "<html>"] {
            let EngineError::Unauthorized(said) = call(403, body) else { panic!("{body}") };
            assert!(said.contains("set DEEPL_API_KEY") && said.contains(":fx"), "{said}");
        }
        for (status, what) in [(403, "set TOWN_API_KEY"), (404, "engine.town.base_url")] {
            let Failure::Call(error) = read(status, b"", None, "town", now()) else { panic!("{status}") };
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    #[test]
    fn a_used_up_quota_is_asked_about_again_after_an_hour() {
        for body in [
            "{\"message\":\"Quota Exceeded\"}",
            "{\"message\":\"Quota for this billing period has been exceeded.\"}",
            "",
        ] {
            let EngineError::RateLimited { until, reason } = call(456, body) else { panic!("{body}") };
            assert_eq!(until, "2026-11-23T13:00:00Z".parse().ok());
            assert!(reason.contains("billing period") && reason.contains("mynah check"), "{reason}");
        }
    }

    #[test]
    fn too_many_requests_are_waited_out_with_and_without_a_body() {
        for body in ["", "{\"message\":\"Too many requests\"}", "[]", "{\"message\":7}"] {
            assert!(matches!(call(429, body), EngineError::RateLimited { until: None, .. }), "{body}");
        }
        let Failure::Call(EngineError::RateLimited { until, .. }) = read(429, b"", Some("7"), "deepl", now())
        else {
            panic!("no rate limit")
        };
        assert_eq!(until, "2026-11-23T12:00:07Z".parse().ok());
    }

    #[test]
    fn too_large_a_request_may_be_split() {
        for status in [413, 414] {
            assert!(matches!(
                read(status, b"", None, "deepl", now()),
                Failure::TooLarge(ItemError::Refused(_))
            ));
        }
    }

    #[test]
    fn languages_are_refused_for_the_items_and_anything_else_for_the_request() {
        let body = b"{\"message\":\"Value for 'target_lang' not supported.\"}";
        assert!(matches!(read(400, body, None, "deepl", now()), Failure::Languages(ItemError::Refused(_))));
        for message in [
            "'formality' is not supported for given 'target_lang'.",
            "Bad request. Reason: Tag handling parsing failed",
        ] {
            let EngineError::Refused(said) = call(400, &format!("{{\"message\":\"{message}\"}}")) else {
                panic!("{message}")
            };
            assert!(said.contains(message), "{said}");
        }
        let EngineError::Refused(said) = call(404, "{\"message\":\"Glossary not found\"}") else { panic!() };
        assert!(said.contains("engine.deepl.glossary_id"), "{said}");
        assert!(matches!(call(302, ""), EngineError::Refused(_)));
    }

    #[test]
    fn a_server_that_is_down_or_busy_is_unavailable() {
        for status in [408, 500, 502, 503, 504, 529, 599] {
            assert!(matches!(call(status, ""), EngineError::Unavailable(_)), "{status}");
        }
    }
}
