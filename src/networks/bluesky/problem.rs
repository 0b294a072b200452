//! Classifies error answers. The protocol names errors (`{"error": "ExpiredToken", "message": "…"}`), and the status
//! alone is ambiguous: an expired token and an unknown account are both a 400.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use serde::Deserialize;

use crate::{
    http_client::Answer,
    telemetry::outside::{brief, printable},
};

/// Why a server refused a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The token has expired or was revoked: another session may help.
    Expired(String),
    /// The credentials are wrong.
    Unauthorized(String),
    /// The account is taken down, suspended or deactivated.
    Blocked(String),
    /// Too many calls.
    RateLimited {
        /// What the server answered.
        reason: String,
        /// When to call again, if known.
        until: Option<Timestamp>,
    },
    /// The server has no such account, or does not show it.
    NoAccount(String),
    /// The account has no such record.
    NoRecord(String),
    /// The call is not allowed or not valid.
    Refused(String),
    /// The server failed; whether it performed the call is unknown.
    Trouble(String),
}

impl Refusal {
    /// What the server answered.
    pub(super) fn into_reason(self) -> String {
        match self {
            Self::Expired(why)
            | Self::Unauthorized(why)
            | Self::Blocked(why)
            | Self::RateLimited { reason: why, .. }
            | Self::NoAccount(why)
            | Self::NoRecord(why)
            | Self::Refused(why)
            | Self::Trouble(why) => why,
        }
    }
}

/// An error's name and sentence. Anything may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Complaint {
    error: Option<String>,
    message: Option<String>,
}

/// Reads an answer that is not a success.
pub(super) fn refusal(host: &str, answer: &Answer) -> Refusal {
    let status = answer.status;
    let Ok(complaint) = serde_json::from_slice::<Complaint>(&answer.body) else {
        let excerpt = excerpt(answer);
        let sentence = format!("{host} answers {status}, but not with JSON: {excerpt}");
        return match status {
            429 => rate_limited(answer, sentence),
            413 => Refusal::Refused(sentence),
            // From a proxy in front of the server, so it means nothing for the account.
            _ => Refusal::Trouble(sentence),
        };
    };
    let name = complaint.error.unwrap_or_default();
    let message = complaint.message.unwrap_or_default();
    let said = match (&*name, &*message) {
        ("", "") => "no reason given".to_owned(),
        (name, "") => name.to_owned(),
        ("", message) => message.to_owned(),
        (name, message) => format!("{message} ({name})"),
    };
    let sentence = format!("{host} answers {status}: {}", brief(&said));
    // The server may have acted, whatever the body says.
    if !(400..=499).contains(&status) || status == 408 {
        return Refusal::Trouble(sentence);
    }
    match &*name {
        "ExpiredToken" | "InvalidToken" => Refusal::Expired(sentence),
        "AuthMissing" | "AuthenticationRequired" | "AuthFactorTokenRequired" => {
            Refusal::Unauthorized(sentence)
        }
        "AccountTakedown" | "AccountSuspended" | "AccountDeactivated" => Refusal::Blocked(sentence),
        "RateLimitExceeded" => rate_limited(answer, sentence),
        "RepoNotFound" | "RepoTakendown" | "RepoSuspended" | "RepoDeactivated" | "HandleNotFound" => {
            Refusal::NoAccount(sentence)
        }
        "RecordNotFound" => Refusal::NoRecord(sentence),
        // Another call changed the repository meanwhile.
        "InvalidSwap" => Refusal::Trouble(sentence),
        // These two have no name of their own.
        _ if message.starts_with("Could not find repo") || message == "Unable to resolve handle" => {
            Refusal::NoAccount(sentence)
        }
        _ if message.starts_with("Could not locate record") => Refusal::NoRecord(sentence),
        _ => match status {
            401 => Refusal::Unauthorized(sentence),
            429 => rate_limited(answer, sentence),
            _ => Refusal::Refused(sentence),
        },
    }
}

/// A rate limit. The server names its end as a moment by its own clock, and usually sends no Retry-After.
fn rate_limited(answer: &Answer, reason: String) -> Refusal {
    let now = Timestamp::now();
    let number = |name: &str| answer.header(name)?.trim().parse::<i64>().ok();
    let after = || now.checked_add(Duration::from_secs(number("retry-after")?.try_into().ok()?)).ok();
    let reset = || {
        let theirs = Timestamp::from_second(number("ratelimit-reset")?).ok()?;
        let date = answer.header("date").and_then(|date| rfc2822::parse(date).ok());
        let ahead = date.map_or(SignedDuration::ZERO, |date| date.timestamp().duration_since(now));
        theirs.checked_sub(ahead).ok()
    };
    let until = after().or_else(reset).filter(|until| *until > now);
    Refusal::RateLimited { reason, until }
}

/// The beginning of an unreadable body, fit for a log.
pub(super) fn excerpt(answer: &Answer) -> String {
    let text: String = answer.text().chars().take(80).collect();
    if text.trim().is_empty() { "an empty body".into() } else { format!("“{}”", printable(text.trim())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Refusal {
        refusal("pds.example", &Answer::made_up(status, ("date", ""), body))
    }

    #[test]
    fn errors_are_classified_by_their_names() {
        type Kind = fn(&Refusal) -> bool;
        let cases: [(u16, &str, Kind); 14] = [
            (400, r#"{"error":"ExpiredToken","message":"Token has expired"}"#, |r| {
                matches!(r, Refusal::Expired(_))
            }),
            (400, r#"{"error":"InvalidToken"}"#, |r| matches!(r, Refusal::Expired(_))),
            (
                401,
                r#"{"error":"AuthenticationRequired","message":"Invalid identifier or password"}"#,
                |r| matches!(r, Refusal::Unauthorized(why) if why.contains("Invalid identifier")),
            ),
            (401, r#"{"error":"AuthFactorTokenRequired"}"#, |r| matches!(r, Refusal::Unauthorized(_))),
            (401, r#"{"error":"AccountTakedown"}"#, |r| matches!(r, Refusal::Blocked(_))),
            (400, r#"{"error":"InvalidRequest","message":"Could not find repo: did:plc:abc"}"#, |r| {
                matches!(r, Refusal::NoAccount(_))
            }),
            (400, r#"{"error":"InvalidRequest","message":"Unable to resolve handle"}"#, |r| {
                matches!(r, Refusal::NoAccount(_))
            }),
            (400, r#"{"error":"RecordNotFound","message":"Could not locate record: at://…"}"#, |r| {
                matches!(r, Refusal::NoRecord(_))
            }),
            (
                400,
                r#"{"error":"InvalidRequest","message":"grapheme too big (maximum 300, got 301)"}"#,
                |r| matches!(r, Refusal::Refused(why) if why.contains("maximum 300")),
            ),
            (413, "<html>", |r| matches!(r, Refusal::Refused(_))),
            (401, "<!DOCTYPE html><title>Log in</title>", |r| matches!(r, Refusal::Trouble(_))),
            (502, r#"{"error":"UpstreamFailure"}"#, |r| matches!(r, Refusal::Trouble(_))),
            (500, "[1]", |r| matches!(r, Refusal::Trouble(_))),
            (400, r#"{"error":7}"#, |r| matches!(r, Refusal::Trouble(_))),
        ];
        for (status, body, is_kind) in cases {
            let refusal = of(status, body);
            assert!(is_kind(&refusal), "{status} {body}: {refusal:?}");
        }
    }

    #[test]
    fn a_rate_limit_ends_when_the_server_says_by_its_own_clock() {
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
        let until = |headers: &[(&'static str, String)]| {
            let answer = Answer::with_headers(429, headers, r#"{"error":"RateLimitExceeded"}"#);
            match refusal("pds.example", &answer) {
                Refusal::RateLimited { until, .. } => until.map(|until| until.duration_since(now).as_secs()),
                other => panic!("{other:?}"),
            }
        };
        let reset = |ahead: i64| ("ratelimit-reset", (now.as_second() + ahead).to_string());
        let an_hour_ahead = now + SignedDuration::from_hours(1);
        let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&an_hour_ahead).unwrap();
        assert!((298..=301).contains(&until(&[reset(300)]).unwrap()));
        assert!((298..=302).contains(&until(&[reset(3900), ("date", date)]).unwrap()));
        assert!((59..=61).contains(&until(&[reset(300), ("retry-after", "60".into())]).unwrap()));
        assert_eq!(until(&[reset(-5)]), None);
        assert_eq!(until(&[("ratelimit-reset", "soon".into())]), None);
        assert_eq!(until(&[("ratelimit-reset", i64::MAX.to_string())]), None);
    }

    #[test]
    fn an_error_is_short_and_cannot_control_a_terminal() {
        let body = format!(r#"{{"error":"{}","message":"\u001b[31m"}}"#, "x".repeat(10_000));
        let Refusal::Refused(why) = of(400, &body) else { panic!() };
        assert!(why.len() < 500 && !why.contains('\u{1b}'), "{why}");
    }
}
