//! Reads LibreTranslate's answers. They are untrusted input. Errors are distinguished by their message, because the server uses
//! one status for several, reports some within others (`Cannot translate text: 400 Bad Request: …`), and some proxies report all
//! with 200.

use jiff::{SignedDuration, Timestamp};
use mynah_domain::ports::engine::{EngineError, ItemError};
use serde_json::Value;

use super::settings::variable;
use crate::engines::marked::refusal::{retry_at, said};

/// How long a client that asked too often is left alone. The server counts violations down every hour.
const BAN: SignedDuration = SignedDuration::from_hours(1);

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// For each text, in order.
    Translations(Vec<Result<String, ItemError>>),
    /// The server does not have these languages.
    Languages(ItemError),
    /// One of the texts is the reason, or there are too many; the error is that of a text alone.
    Spoiled(ItemError),
    /// The call failed as a whole.
    Failed(EngineError),
}

/// Reads an answer to the engine that the settings call `name`, whatever its status.
pub(super) fn read(
    status: u16,
    body: &[u8],
    retry_after: Option<&str>,
    name: &str,
    now: Timestamp,
) -> Answer {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return Answer::Failed(not_json(status, body, name));
    };
    if let Some(message) = answer["error"].as_str().filter(|message| !message.is_empty()) {
        return error(status, message, retry_after, name, now);
    }
    if !(200..300).contains(&status) {
        return error(status, "", retry_after, name, now);
    }
    match &answer["translatedText"] {
        Value::Array(translations) => Answer::Translations(translations.iter().map(translation).collect()),
        text @ Value::String(_) => Answer::Translations(vec![translation(text)]),
        _ => Answer::Failed(EngineError::Unavailable("LibreTranslate's answer has no translations".into())),
    }
}

fn translation(text: &Value) -> Result<String, ItemError> {
    match text {
        Value::String(text) if !text.trim().is_empty() => Ok(text.clone()),
        Value::String(_) => Err(ItemError::Unusable("LibreTranslate's translation is empty".into())),
        _ => Err(ItemError::Unusable("LibreTranslate's answer has no text for the post".into())),
    }
}

fn not_json(status: u16, body: &[u8], name: &str) -> EngineError {
    let said = said(status, &String::from_utf8_lossy(body));
    match status {
        429 => EngineError::RateLimited {
            reason: format!("LibreTranslate gets too many requests ({said})"),
            until: None,
        },
        401 | 403 | 404 | 405 => EngineError::Refused(format!(
            "there is no LibreTranslate at this address: check engine.{name}.base_url ({said})"
        )),
        _ => EngineError::Unavailable(format!("LibreTranslate's answer is not JSON ({said})")),
    }
}

fn error(status: u16, message: &str, retry_after: Option<&str>, name: &str, now: Timestamp) -> Answer {
    let said = said(status, message);
    let has = |part: &str| message.contains(part);
    if has("exceeds text limit") {
        return Answer::Spoiled(ItemError::Refused(match limit(message) {
            Some(limit) => format!("the text exceeds the limit of this LibreTranslate, {limit} ({said})"),
            None => format!("the text exceeds the limit of this LibreTranslate ({said})"),
        }));
    }
    if has("is not available as a target language") || (has(" is not supported") && !has("format is not")) {
        return Answer::Languages(ItemError::Refused(format!(
            "this LibreTranslate does not have these languages; its option --load-only decides which it has ({said})"
        )));
    }
    if has("Cannot translate text") {
        return Answer::Spoiled(ItemError::Unusable(format!(
            "LibreTranslate cannot translate the text ({said})"
        )));
    }
    let needs_key = has("to get an API key") || has("Invalid API key");
    Answer::Failed(match status {
        _ if needs_key => unauthorized(&said, name),
        _ if has("Too many request limits violations") => EngineError::RateLimited {
            until: now.checked_add(BAN).ok(),
            reason: format!(
                "LibreTranslate has banned this address for too many requests: set a key, or raise the server's limits \
                 ({said})"
            ),
        },
        _ if status == 429 || has("Slowdown") => EngineError::RateLimited {
            until: retry_after.and_then(|seconds| retry_at(seconds, now)),
            reason: format!("LibreTranslate gets too many requests ({said})"),
        },
        401 | 403 => unauthorized(&said, name),
        404 | 405 => EngineError::Refused(format!(
            "there is no LibreTranslate at this address: check engine.{name}.base_url ({said})"
        )),
        413 => return Answer::Spoiled(ItemError::Refused(format!("the text is too large ({said})"))),
        408 | 500.. => EngineError::Unavailable(format!("LibreTranslate is not available just now ({said})")),
        _ => EngineError::Refused(format!("LibreTranslate refused the request ({said})")),
    })
}

fn unauthorized(said: &str, name: &str) -> EngineError {
    EngineError::Unauthorized(format!(
        "LibreTranslate does not accept the request without a valid key: set {} to one of this server ({said})",
        variable(name)
    ))
}

/// The limit in `request (5001) exceeds text limit (5000)`.
fn limit(message: &str) -> Option<u64> {
    let (_, after) = message.rsplit_once('(')?;
    after.split_once(')')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn of(status: u16, message: &str) -> Answer {
        read(status, json!({"error": message}).to_string().as_bytes(), None, "libretranslate", now())
    }

    /// The kind of an error, and whether it is the same with the status that some proxies send.
    fn kind(status: u16, message: &str) -> (&'static str, String) {
        let kind = |answer| match answer {
            Answer::Languages(ItemError::Refused(said)) => ("languages", said),
            Answer::Spoiled(ItemError::Refused(said)) => ("too large", said),
            Answer::Spoiled(ItemError::Unusable(said)) => ("unusable", said),
            Answer::Failed(EngineError::Unauthorized(said)) => ("key", said),
            Answer::Failed(EngineError::RateLimited { reason, until }) => {
                (if until.is_some() { "banned" } else { "limited" }, reason)
            }
            Answer::Failed(EngineError::Refused(said)) => ("request", said),
            Answer::Failed(EngineError::Unavailable(said)) => ("unavailable", said),
            other => panic!("{status} {message}: {other:?}"),
        };
        kind(of(status, message))
    }

    #[test]
    fn every_error_of_the_server_is_told_from_the_others_also_in_a_200() {
        for (status, message, expected) in [
            (400, "Invalid request: request (5001) exceeds text limit (5000)", "too large"),
            (400, "xx is not supported", "languages"),
            (400, "French (fr) is not available as a target language from Galician (gl)", "languages"),
            (
                500,
                "Cannot translate text: 400 Bad Request: French (fr) is not available as a target language from x",
                "languages",
            ),
            (500, "Cannot translate text: list index out of range", "unusable"),
            (400, "Visit https://portal.libretranslate.com to get an API key", "key"),
            (400, "Please contact the server operator to get an API key", "key"),
            (403, "Invalid API key", "key"),
            (403, "Too many request limits violations", "banned"),
            (429, "Slowdown: 80 per 1 minute", "limited"),
        ] {
            for status in [status, 200] {
                let (found, said) = kind(status, message);
                assert_eq!(found, expected, "{message}");
                assert!(said.contains(message), "{said}");
            }
        }
        for (status, message, expected) in [
            (400, "Invalid request: missing q parameter", "request"),
            (400, "xml format is not supported", "request"),
            (400, "Invalid JSON format", "request"),
            (403, "Forbidden", "key"),
            (404, "Not found", "request"),
            (500, "Internal error", "unavailable"),
            (503, "Busy", "unavailable"),
        ] {
            assert_eq!(kind(status, message).0, expected, "{message}");
        }
    }

    #[test]
    fn a_limit_of_characters_is_named() {
        let (_, said) = kind(400, "Invalid request: request (5001) exceeds text limit (5000)");
        assert!(said.contains("LibreTranslate, 5000 ("), "{said}");
        assert_eq!(kind(400, "request exceeds text limit").0, "too large");
    }

    #[test]
    fn what_to_set_is_named() {
        assert!(kind(403, "Invalid API key").1.contains("LIBRETRANSLATE_API_KEY"));
        assert!(kind(404, "Not found").1.contains("engine.libretranslate.base_url"));
        for (body, what) in [
            (&b"{\"error\":\"Invalid API key\"}"[..], "set TOWN_API_KEY"),
            (b"<html>", "engine.town.base_url"),
        ] {
            let Answer::Failed(error) = read(403, body, None, "town", now()) else { panic!("{what}") };
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    #[test]
    fn each_translation_stands_for_itself() {
        let body = json!({"translatedText": ["Hola", null, 7, " ", {"x": 1}, "Adiós"], "alternatives": null});
        let Answer::Translations(translations) =
            read(200, body.to_string().as_bytes(), None, "libretranslate", now())
        else {
            panic!("no translations")
        };
        let usable: Vec<bool> = translations.iter().map(Result::is_ok).collect();
        assert_eq!(usable, [true, false, false, false, false, true]);
        let single = read(200, b"{\"translatedText\": \"Hola\"}", None, "libretranslate", now());
        assert_eq!(single, Answer::Translations(vec![Ok("Hola".into())]));
    }

    #[test]
    fn what_is_not_libretranslate_is_said_to_be_not() {
        for (status, body) in [
            (200, &b"<html>It works!</html>"[..]),
            (200, b""),
            (200, b"{\"translatedText\": [\"\xff\xfe\"]}"),
            (200, b"{\"translatedText\": "),
            (200, b"{}"),
            (200, b"[]"),
            (200, b"{\"translatedText\": null, \"error\": null}"),
            (502, b"Bad gateway"),
        ] {
            let answer = read(status, body, None, "libretranslate", now());
            assert!(matches!(answer, Answer::Failed(EngineError::Unavailable(_))), "{answer:?}");
        }
        for status in [403, 404, 405] {
            let answer = read(status, b"<html>\x1b[31mno</html>", None, "libretranslate", now());
            let Answer::Failed(EngineError::Refused(said)) = answer else { panic!("{answer:?}") };
            assert!(said.contains("base_url") && !said.contains('\u{1b}'), "{said}");
        }
    }
}
