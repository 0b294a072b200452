//! Classifies X's error answers. The status alone is ambiguous: an unknown account is a 200, a repeated post a 403, and
//! missing credit a 402 or a 429. An answer may have a code of X's first API, the address of a problem type, or only a
//! sentence, so all three are read, in this order.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::Value;

use super::clock::ahead;
use crate::{
    http_client::Answer,
    telemetry::outside::{brief, printable},
};

/// Why X refused a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The credentials are wrong, revoked, or lack the permission.
    Unauthorized(String),
    /// X locked or suspended the account. A person must act; the reason says how.
    Blocked(String),
    /// Too many calls, or no credit or quota left.
    RateLimited {
        /// X's message.
        reason: String,
        /// When to call again, if known.
        until: Option<Timestamp>,
    },
    /// The account already published this text.
    Duplicate(String),
    /// The post may not reply to its parent, which is deleted or restricts replies.
    ReplyRefused(String),
    /// The call is not allowed or not valid.
    Refused(String),
    /// X failed; whether it performed the call is unknown.
    Trouble(String),
}

impl Refusal {
    /// X's words, for people.
    pub fn reason(&self) -> &str {
        match self {
            Self::Unauthorized(reason)
            | Self::Blocked(reason)
            | Self::RateLimited { reason, .. }
            | Self::Duplicate(reason)
            | Self::ReplyRefused(reason)
            | Self::Refused(reason)
            | Self::Trouble(reason) => reason,
        }
    }
}

/// The kinds of refusals that a caller must distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unauthorized,
    Locked,
    Suspended,
    RateLimited,
    NoCredits,
    UsageCapped,
    Duplicate,
    ReplyRefused,
    Refused,
    Trouble,
}

/// Reads an answer that is not a success.
pub fn refusal(answer: &Answer) -> Refusal {
    let status = answer.status;
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let Some(complaints) = body.as_ref().filter(|body| body.is_object()).map(Complaints::of) else {
        let excerpt = excerpt(answer);
        return match status {
            429 => rate_limited(answer, format!("X answers 429: {excerpt}")),
            401 => Refusal::Unauthorized(format!("X answers 401: {excerpt}")),
            // From a proxy in front of X, so it means nothing for the account.
            _ => Refusal::Trouble(format!("X answers {status}, but not with JSON: {excerpt}")),
        };
    };
    let sentence = format!("X answers {status}: {}", brief(complaints.sentence()));
    match complaints.kind(status) {
        Kind::Unauthorized => Refusal::Unauthorized(sentence),
        Kind::Locked => Refusal::Blocked(format!("{sentence}; log in to X as the account and unlock it")),
        Kind::Suspended => {
            Refusal::Blocked(format!("{sentence}; log in to X as the account and appeal the suspension"))
        }
        Kind::RateLimited => rate_limited(answer, sentence),
        Kind::NoCredits => {
            let reason =
                format!("{sentence} (buy credits in X's developer console, then reload or wait an hour)");
            Refusal::RateLimited { reason, until: in_an_hour() }
        }
        Kind::UsageCapped => {
            let period = complaints.period.unwrap_or("usage");
            let reason = format!("{sentence} ({} cap of your X plan)", brief(period));
            Refusal::RateLimited { reason, until: in_an_hour() }
        }
        Kind::Duplicate => Refusal::Duplicate(sentence),
        Kind::ReplyRefused => Refusal::ReplyRefused(sentence),
        Kind::Refused => Refusal::Refused(sentence),
        Kind::Trouble => Refusal::Trouble(sentence),
    }
}

/// The error message in a body, fit for a log.
pub fn complaint_of(body: &Value) -> String {
    brief(Complaints::of(body).sentence())
}

/// All errors in a body. Members that are absent, null or of another type are ignored.
#[derive(Default)]
struct Complaints<'a> {
    codes: Vec<u64>,
    types: Vec<&'a str>,
    /// The sentences, most specific first.
    sentences: Vec<&'a str>,
    period: Option<&'a str>,
}

impl<'a> Complaints<'a> {
    fn of(body: &'a Value) -> Self {
        let mut complaints = Self::default();
        for list in ["errors", "error"].into_iter().filter_map(|name| body.get(name)) {
            match list.as_array() {
                Some(list) => list.iter().for_each(|complaint| complaints.take(complaint)),
                None => complaints.take(list),
            }
        }
        complaints.take(body);
        complaints
    }

    fn take(&mut self, complaint: &'a Value) {
        let text = |name: &str| complaint.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let code = complaint.get("code");
        self.codes.extend(code.and_then(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok())));
        // The host of a type's address changes; its last segment does not.
        self.types.extend(text("type").and_then(|kind| kind.rsplit('/').next()));
        let sentences = [text("detail"), text("message"), text("error_description"), complaint.as_str()];
        self.sentences.extend(sentences.into_iter().flatten().chain(text("title")));
        self.period = self.period.or(text("period"));
    }

    fn sentence(&self) -> &'a str {
        self.sentences.first().copied().unwrap_or("no reason given")
    }

    fn kind(&self, status: u16) -> Kind {
        // X may have acted, whatever the body says.
        if !(400..=499).contains(&status) || status == 408 {
            return Kind::Trouble;
        }
        let by_code = self.codes.iter().find_map(|code| kind_of_code(*code));
        let by_type = || self.types.iter().find_map(|kind| kind_of_type(kind));
        let by_sentence = || self.sentences.iter().find_map(|sentence| kind_of_sentence(sentence));
        by_code.or_else(by_type).or_else(by_sentence).unwrap_or(match status {
            401 => Kind::Unauthorized,
            402 => Kind::NoCredits,
            420 | 429 => Kind::RateLimited,
            _ => Kind::Refused,
        })
    }
}

/// The codes of X's first API (developer.x.com, *Response codes*), which its second one still uses.
fn kind_of_code(code: u64) -> Option<Kind> {
    Some(match code {
        32 | 87 | 89 | 99 | 135 | 215 | 220 | 261 | 416 | 453 => Kind::Unauthorized,
        64 => Kind::Suspended,
        231 | 326 => Kind::Locked,
        // 185 and 344 are daily limits; 226 is for requests that X believes to be automated.
        88 | 185 | 226 | 344 => Kind::RateLimited,
        130 | 131 => Kind::Trouble,
        187 => Kind::Duplicate,
        385 | 433 => Kind::ReplyRefused,
        186 => Kind::Refused,
        _ => return None,
    })
}

fn kind_of_type(kind: &str) -> Option<Kind> {
    Some(match kind {
        "unsupported-authentication" | "oauth1-permissions" | "client-forbidden" => Kind::Unauthorized,
        "credits" | "credits-depleted" => Kind::NoCredits,
        "usage-capped" => Kind::UsageCapped,
        _ => return None,
    })
}

/// Classifies a sentence that comes without a code and a type.
fn kind_of_sentence(sentence: &str) -> Option<Kind> {
    let sentence = sentence.to_lowercase();
    let has = |words: &str| sentence.contains(words);
    // Other accounts may be locked or suspended, too.
    let of_ours =
        ["your account", "this account", "account is", "account has been", "your app", "application"];
    let is_ours = of_ours.into_iter().any(has);
    Some(match () {
        // “Reply to this conversation is not allowed …”, “You attempted to reply to a Tweet that is deleted …”
        () if has("reply to") || has("who can reply") => Kind::ReplyRefused,
        () if is_ours && (has("suspended") || has("deactivated")) => Kind::Suspended,
        () if is_ours && has("locked") => Kind::Locked,
        () if has("duplicate content") || has("is a duplicate") || has("already said that") => {
            Kind::Duplicate
        }
        () if has("creditsdepleted") || has("credits depleted") || has("any credits") => Kind::NoCredits,
        () if (has("daily") && has("limit")) || has("rate limit") => Kind::RateLimited,
        () if has("might be automated") => Kind::RateLimited,
        () if has("could not authenticate") || has("expired token") || has("perform write actions") => {
            Kind::Unauthorized
        }
        () => return None,
    })
}

/// When to ask X again whether there is credit or quota. It says no date, and a person may buy some at any time.
fn in_an_hour() -> Option<Timestamp> {
    Timestamp::now().checked_add(std::time::Duration::from_hours(1)).ok()
}

/// A rate limit until the latest future reset of the limits that are used up. Resets in the past are ignored.
fn rate_limited(answer: &Answer, reason: String) -> Refusal {
    let number = |name: &str| answer.header(name)?.parse::<i64>().ok();
    // Resets are by X's clock.
    let ahead = ahead(answer);
    let now = Timestamp::now();
    let named =
        ["x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour"].into_iter().filter_map(|limit| {
            (number(&format!("{limit}-remaining"))? <= 0).then_some(())?;
            let theirs = Timestamp::from_second(number(&format!("{limit}-reset"))?).ok()?;
            theirs.checked_sub(ahead).ok()
        });
    let after = number("retry-after")
        .and_then(|seconds| now.checked_add(std::time::Duration::from_secs(seconds.try_into().ok()?)).ok());
    let until = named.chain(after).filter(|until| *until > now).max();
    Refusal::RateLimited { reason, until }
}

/// The beginning of an unreadable body, fit for a log.
pub fn excerpt(answer: &Answer) -> String {
    let text: String = answer.text().chars().take(80).collect();
    if text.trim().is_empty() { "an empty body".into() } else { format!("“{}”", printable(text.trim())) }
}
