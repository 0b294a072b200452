//! Reads when a server accepts calls again. Mastodon names a moment in ISO 8601
//! (`config/initializers/rack_attack.rb`), others name Unix seconds, and both go by the server's clock.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};

use crate::http_client::Answer;

/// When to call again after a 429, by this machine's clock; `None` if the server does not say.
pub(super) fn until(answer: &Answer, now: Timestamp) -> Option<Timestamp> {
    let theirs = answer.header("date").and_then(|date| rfc2822::parse(date).ok());
    let theirs = theirs.map_or(now, |date| date.timestamp());
    let reset = answer.header("x-ratelimit-reset").and_then(moment);
    let reset = reset.and_then(|reset| now.checked_add(reset.duration_since(theirs)).ok());
    let after = answer.header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
    let after = after.and_then(|seconds| now.checked_add(Duration::from_secs(seconds)).ok());
    [reset, after].into_iter().flatten().filter(|until| *until > now).max()
}

/// A moment in ISO 8601 or in Unix seconds.
fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    match text.parse::<i64>() {
        Ok(seconds) => Timestamp::from_second(seconds).ok(),
        Err(_) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_limit_is_read_in_every_form_and_by_the_servers_clock() {
        let now: Timestamp = "2026-11-27T10:00:00Z".parse().unwrap();
        let at = |headers: &[(&'static str, &str)]| {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            until(&Answer::with_headers(429, &headers, ""), now)
                .map(|until| until.duration_since(now).as_secs())
        };
        let unix = (now.as_second() + 60).to_string();
        for (headers, seconds) in [
            (&[("x-ratelimit-reset", "2026-11-27T10:05:00.123456Z")][..], Some(300)),
            (&[("x-ratelimit-reset", &unix)], Some(60)),
            (&[("x-ratelimit-reset", &unix), ("retry-after", "90")], Some(90)),
            // The server's clock is an hour ahead.
            (
                &[("date", "Fri, 27 Nov 2026 11:00:00 GMT"), ("x-ratelimit-reset", "2026-11-27T11:05:00Z")],
                Some(300),
            ),
            (&[("x-ratelimit-reset", "2026-11-27T09:00:00Z")], None),
            (&[("x-ratelimit-reset", "soon"), ("retry-after", "later")], None),
            (&[("x-ratelimit-reset", "99999999999999999"), ("retry-after", "99999999999999999999")], None),
            (&[], None),
        ] {
            assert_eq!(at(headers), seconds, "{headers:?}");
        }
    }
}
