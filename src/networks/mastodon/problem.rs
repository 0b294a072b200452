//! Classifies the answers with which a server refuses a call. Mastodon's have `{"error": "…"}`; a proxy in front of it,
//! and smaller servers, answer with HTML or with nothing.

use jiff::Timestamp;
use serde_json::Value;

use super::rate_limit;
use crate::{
    http_client::Answer,
    telemetry::outside::{brief, printable},
};

/// Why a server refused a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The token is wrong, revoked, missing, or lacks a permission.
    Unauthorized(String),
    /// The server locked the account. A person must act.
    Blocked(String),
    /// Too many calls.
    RateLimited {
        /// The server's message.
        reason: String,
        /// When to call again, if the server says so.
        until: Option<Timestamp>,
    },
    /// There is no such account, status or address, or not any more.
    Missing(String),
    /// The call is not allowed or not valid.
    Refused(String),
    /// The server failed; whether it performed the call is unknown.
    Trouble(String),
}

/// Reads an answer that is not a success.
pub(super) fn refusal(answer: &Answer) -> Refusal {
    let status = answer.status;
    if (301..=308).contains(&status) && status != 304 {
        let to = answer.header("location").map(brief).unwrap_or_default();
        return Refusal::Refused(format!(
            "it answers {status} and redirects to {to:?}; name the server by the host of its website"
        ));
    }
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let text = |name: &str| body.as_ref()?.get(name)?.as_str().filter(|text| !text.trim().is_empty());
    let said = text("error").or_else(|| text("error_description")).or_else(|| text("message"));
    let sentence = match said {
        Some(said) => format!("it answers {status}: {}", brief(said)),
        None => format!("it answers {status}: {}", excerpt(answer)),
    };
    let has = |words: &str| said.is_some_and(|said| said.to_lowercase().contains(words));
    match status {
        429 => Refusal::RateLimited { reason: sentence, until: rate_limit::until(answer, Timestamp::now()) },
        401 => Refusal::Unauthorized(sentence),
        404 | 410 => Refusal::Missing(sentence),
        // “Your login is currently disabled”, “… is currently pending approval”, “… is missing a confirmed e-mail
        // address” (Mastodon, `Api::BaseController#require_user!`).
        403 if has("your login") || has("suspended") || has("disabled") => Refusal::Blocked(sentence),
        403 if has("authorized scopes") || has("insufficient") => Refusal::Unauthorized(sentence),
        // A firewall in front of the server, so it means nothing for the account.
        403 if said.is_none() => Refusal::Trouble(sentence),
        // nginx answers for the server.
        413 | 422 => Refusal::Refused(sentence),
        400..=499 if status != 408 && said.is_some() => Refusal::Refused(sentence),
        _ => Refusal::Trouble(sentence),
    }
}

/// The beginning of a body, fit for a log.
pub(super) fn excerpt(answer: &Answer) -> String {
    let text: String = answer.text().chars().take(80).collect();
    if text.trim().is_empty() { "an empty body".into() } else { format!("“{}”", printable(text.trim())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Refusal {
        refusal(&Answer::made_up(status, ("content-type", "application/json"), body))
    }

    #[test]
    fn a_refusal_tells_what_a_person_must_do() {
        use Refusal::{Blocked, Missing, Refused, Trouble, Unauthorized};
        let kind = |refusal: &Refusal| std::mem::discriminant(refusal);
        let some = String::new;
        for (status, body, expected) in [
            (401, r#"{"error":"The access token is invalid"}"#, Unauthorized(some())),
            (401, "", Unauthorized(some())),
            (403, r#"{"error":"This action is outside the authorized scopes"}"#, Unauthorized(some())),
            (403, r#"{"error":"Your login is currently disabled"}"#, Blocked(some())),
            (403, r#"{"error":"This action is not allowed"}"#, Refused(some())),
            (403, "<html>Attention required", Trouble(some())),
            (404, r#"{"error":"Record not found"}"#, Missing(some())),
            (404, "<h1>404 Not Found (snac/2.75)</h1>", Missing(some())),
            (410, "", Missing(some())),
            (422, r#"{"error":"Validation failed: Text character limit of 500 exceeded"}"#, Refused(some())),
            (422, "", Refused(some())),
            (413, "<html>413 Request Entity Too Large", Refused(some())),
            (301, "", Refused(some())),
            (400, "<html>nginx", Trouble(some())),
            (408, r#"{"error":"timeout"}"#, Trouble(some())),
            (500, r#"{"error":"There was an error"}"#, Trouble(some())),
            (503, "<html>", Trouble(some())),
            (302, "", Refused(some())),
        ] {
            let found = of(status, body);
            assert_eq!(kind(&found), kind(&expected), "{status} {body}: {found:?}");
        }
        assert!(matches!(of(429, r#"{"error":"Too many requests"}"#), Refusal::RateLimited { .. }));
    }

    #[test]
    fn a_message_is_short_and_shows_no_control_characters() {
        let long = format!("{{\"error\":\"\\u001b[31m{}\"}}", "x".repeat(5_000));
        for body in [long, "\u{1b}[31m<html>".repeat(1_000)] {
            let (Refusal::Refused(why) | Refusal::Trouble(why)) = of(422, &body) else { panic!("{body}") };
            assert!(why.chars().count() < 400 && !why.contains('\u{1b}'), "{why}");
        }
    }
}
