//! What X's error answers mean. The status alone says little: an unknown account is a 200, a repeated post a 403, an
//! empty purse a 402 or a 429.

use jiff::Timestamp;

use super::{clock::ahead, wire::Problem};
use crate::{
    http_client::Answer,
    telemetry::outside::{brief, printable},
};

/// What an answer other than the one hoped for means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The credentials are wrong or were revoked, or may not do this.
    Unauthorized(String),
    /// Too many calls, or no credit or quota left.
    RateLimited {
        /// What X said.
        reason: String,
        /// When to call again, if it is known.
        until: Option<Timestamp>,
    },
    /// The account said just this before.
    Duplicate(String),
    /// It may not answer the post that it was to answer: that one is gone, or somebody else's.
    ReplyRefused(String),
    /// The call as such is not allowed, or wrong.
    Refused(String),
    /// X is in trouble; whether it acted is not known.
    Trouble(String),
}

/// Reads an answer that is not a success.
pub fn refusal(answer: &Answer) -> Refusal {
    let problem: Option<Problem> = serde_json::from_slice(&answer.body).ok();
    let status = answer.status;
    let Some(problem) = problem else {
        let said = excerpt(answer);
        return match status {
            429 => rate_limited(answer, format!("X answers 429: {said}")),
            401 => Refusal::Unauthorized(format!("X answers 401: {said}")),
            // A guard before X, not X: it says nothing about the account.
            _ => Refusal::Trouble(format!("X answers {status} with something that is no JSON: {said}")),
        };
    };
    let sentence = format!("X answers {status}: {}", problem.sentence());
    match (status, problem.kind()) {
        (401, _) => Refusal::Unauthorized(sentence),
        (403, "unsupported-authentication" | "oauth1-permissions" | "client-forbidden") => {
            Refusal::Unauthorized(sentence)
        }
        (402, _) | (_, "credits" | "credits-depleted") => Refusal::RateLimited {
            reason: format!("{sentence} (buy credits in X's developer console)"),
            until: None,
        },
        (429, "usage-capped") => Refusal::RateLimited {
            reason: format!(
                "{sentence} ({} cap of the X plan)",
                brief(problem.period.as_deref().unwrap_or("usage"))
            ),
            until: None,
        },
        (429, _) => rate_limited(answer, sentence),
        (403, _) if problem.sentence().to_ascii_lowercase().contains("duplicate content") => {
            Refusal::Duplicate(sentence)
        }
        // “Reply to this conversation is not allowed …”, “You attempted to reply to a Tweet that is deleted …”
        (403, _) if problem.sentence().to_ascii_lowercase().contains("reply to") => {
            Refusal::ReplyRefused(sentence)
        }
        (400..=499, _) if status != 408 => Refusal::Refused(sentence),
        _ => Refusal::Trouble(sentence),
    }
}

/// The latest of all moments that X names for a limit that is used up.
fn rate_limited(answer: &Answer, reason: String) -> Refusal {
    let number = |name: &str| answer.header(name)?.parse::<i64>().ok();
    // They are moments of X's clock.
    let ahead = ahead(answer);
    let named =
        ["x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour"].into_iter().filter_map(|limit| {
            (number(&format!("{limit}-remaining"))? <= 0).then_some(())?;
            let theirs = Timestamp::from_second(number(&format!("{limit}-reset"))?).ok()?;
            theirs.checked_sub(ahead).ok()
        });
    let after = number("retry-after").and_then(|seconds| {
        Timestamp::now().checked_add(std::time::Duration::from_secs(seconds.try_into().ok()?)).ok()
    });
    let until = named.chain(after).max();
    Refusal::RateLimited { reason, until }
}

/// The beginning of a body that cannot be read, fit for a log.
pub fn excerpt(answer: &Answer) -> String {
    let text: String = answer.text().chars().take(80).collect();
    if text.trim().is_empty() { "an empty body".into() } else { format!("“{}”", printable(text.trim())) }
}
