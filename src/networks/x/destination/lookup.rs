//! Looks up what the account shows since a message or moment, and whether that list is complete.
//!
//! A message that is not in the list may still be on the account: X leaves posts out, reports errors with status 200,
//! and repeats pages. So the result has what was read *and* whether anything may be missing. Only if nothing may be, a
//! message that is absent may be sent again.

use std::collections::BTreeSet;

use jiff::Timestamp;
use mynah_domain::{
    PostId,
    ports::{Recent, Shown, Since},
};
use serde_json::{Value, value::to_raw_value};

use crate::{
    networks::x::source::rfc3339,
    networks::x::{
        XClient,
        client::CallError,
        post::{self, Reading},
        problem,
        wire::Timeline,
    },
};

/// The maximum number of pages per lookup: 410 posts since the intent are more than any rate limit allows.
const PAGES: usize = 5;

/// How many posts the first page has: most lookups find what they look for among a few, and each costs money.
const FIRST_PAGE: &str = "10";
/// How many the others have.
const PAGE: &str = "100";

/// Reads the account's messages from `since` on.
pub(super) async fn shown(client: &XClient, user: &str, since: &Since) -> Result<Shown, CallError> {
    let path = format!("/2/users/{user}/tweets");
    let window = Window::of(since);
    let mut shown = Shown::default();
    let mut tokens = BTreeSet::new();
    let mut continuation: Option<String> = None;
    for _ in 0..PAGES {
        let mut query = vec![
            ("max_results", if continuation.is_none() { FIRST_PAGE } else { PAGE }),
            (window.parameter.0, window.parameter.1.as_str()),
            ("tweet.fields", "created_at,entities,note_tweet"),
        ];
        if let Some(token) = &continuation {
            query.push(("pagination_token", token));
        }
        let answer: Value = match client.get(&path, &query).await {
            Ok(answer) => answer,
            Err(error) if continuation.is_none() => return Err(error),
            // What the pages before it cost must not be forgotten.
            Err(error) => {
                shown.gap = Some(format!("X did not show the next page: {}", error.reason()));
                return Ok(shown);
            }
        };
        let Page { messages, next, gap } = window.read(&answer);
        shown.billed += listed_in(&answer).len() as u64;
        shown.messages.extend(messages);
        shown.gap = shown.gap.or(gap);
        let Some(token) = next else { return Ok(shown) };
        if !tokens.insert(token.clone()) {
            shown.gap.get_or_insert_with(|| "X keeps answering with the same page".into());
            return Ok(shown);
        }
        continuation = Some(token);
    }
    shown.gap.get_or_insert_with(|| format!("X shows more than {PAGES} pages of messages"));
    Ok(shown)
}

/// The messages to look up.
struct Window {
    /// The query parameter that selects them.
    parameter: (&'static str, String),
    start: Start,
}

/// Where the window begins.
enum Start {
    /// After this post.
    Post(u64),
    Moment(Timestamp),
    /// Unknown, so that no answer can be checked against it.
    Unknown,
}

/// The content of one page.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    messages: Vec<Recent>,
    /// The token of the next page.
    next: Option<String>,
    /// Why messages may be missing.
    gap: Option<String>,
}

impl Window {
    fn of(since: &Since) -> Self {
        match since {
            Since::Message(PostId(id)) => Self {
                parameter: ("since_id", id.clone()),
                start: id.parse().map_or(Start::Unknown, Start::Post),
            },
            Since::Moment(moment) => {
                let second = rfc3339(*moment);
                // X's API uses whole seconds.
                let start = second.parse().map_or(Start::Unknown, Start::Moment);
                Self { parameter: ("start_time", second), start }
            }
        }
    }

    fn holds(&self, position: u64, at: Timestamp) -> bool {
        match self.start {
            Start::Post(id) => position > id,
            Start::Moment(moment) => at >= moment,
            Start::Unknown => false,
        }
    }

    fn read(&self, answer: &Value) -> Page {
        let list = listed_in(answer);
        let listed = list.len();
        // A message that cannot be serialized again would be missing from the readable ones, and so count as a gap.
        let data = list.iter().filter_map(|message| to_raw_value(message).ok()).collect();
        let Reading { posts, unclear, oddities, .. } =
            post::posts(&Timeline { data, ..Timeline::default() }, None);
        let readable = posts.len() + unclear.len();
        // Whether a message continues a thread does not matter for its text.
        let messages: Vec<Recent> = posts
            .into_iter()
            .chain(unclear.into_iter().map(|unclear| unclear.thread))
            .filter(|post| self.holds(post.position, post.created_at))
            .map(|post| Recent { id: post.id, text: post.text, created_at: post.created_at })
            .collect();
        let meta = answer.get("meta");
        let next = meta.and_then(|meta| meta.get("next_token")).filter(|token| !token.is_null());
        let gap = gap_in(answer, listed)
            .or_else(|| oddities.into_iter().next())
            .or_else(|| (readable < listed).then(|| "X's answer has a message that cannot be read".into()))
            .or_else(|| {
                let outside = messages.len() < readable;
                outside.then(|| format!("X's answer has messages from before {}", self.parameter.0))
            })
            .or_else(|| {
                let odd = next.is_some_and(|token| token.as_str().is_none_or(str::is_empty));
                odd.then(|| "X's answer has a malformed token for the next page".into())
            });
        let next = next.and_then(Value::as_str).filter(|token| !token.is_empty()).map(str::to_owned);
        Page { messages, next, gap }
    }
}

/// The messages that an answer lists, readable or not.
fn listed_in(answer: &Value) -> &[Value] {
    answer.get("data").and_then(Value::as_array).map_or(&[][..], Vec::as_slice)
}

/// Why an answer may be incomplete: its count must match its list, and it must not report errors.
fn gap_in(answer: &Value, listed: usize) -> Option<String> {
    let complaint = answer.get("errors").filter(|errors| match errors {
        Value::Null => false,
        Value::Array(errors) => !errors.is_empty(),
        _ => true,
    });
    if complaint.is_some() {
        return Some(format!("X reports an error: {}", problem::complaint_of(answer)));
    }
    if answer.get("data").is_some_and(|data| !data.is_array() && !data.is_null()) {
        return Some("X's answer is not a list".into());
    }
    let count = answer.get("meta").and_then(|meta| meta.get("result_count"));
    match count.and_then(Value::as_u64) {
        Some(count) if count == listed as u64 => None,
        Some(count) => Some(format!("X counts {count} messages but lists {listed}")),
        None => Some("X does not count its messages".into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn post(id: u64) -> Value {
        json!({"id": id.to_string(), "text": format!("Hola {id}"), "created_at": "2026-11-26T12:00:00.000Z"})
    }

    fn window() -> Window {
        Window::of(&Since::Message(PostId("10".into())))
    }

    #[test]
    fn absence_counts_only_in_a_complete_answer() {
        for whole in [
            json!({"meta": {"result_count": 0}}),
            json!({"meta": {"result_count": 0}, "data": []}),
            json!({"meta": {"result_count": 0, "next_token": null}, "data": null, "errors": null}),
            json!({"meta": {"result_count": 0, "previous_token": "a"}, "errors": []}),
            json!({"meta": {"result_count": 2}, "data": [post(12), post(11)]}),
        ] {
            assert_eq!(window().read(&whole).gap, None, "{whole}");
        }
        let error = json!({"title": "Service Unavailable", "detail": "Try again."});
        for partial in [
            json!({}),
            json!(null),
            json!([]),
            json!("ok"),
            json!({"data": null}),
            json!({"data": []}),
            json!({"meta": null}),
            json!({"meta": {}}),
            json!({"meta": {"result_count": null}}),
            json!({"meta": {"result_count": "0"}}),
            json!({"meta": {"result_count": -1}}),
            json!({"meta": {"result_count": 3}}),
            json!({"meta": {"result_count": 0}, "data": [post(11)]}),
            json!({"meta": {"result_count": 2}, "data": [post(11)]}),
            json!({"meta": {"result_count": 0}, "data": {"odd": 1}, "errors": [error]}),
            json!({"errors": [error]}),
            json!({"meta": {"result_count": 0}, "errors": [error]}),
            json!({"meta": {"result_count": 0}, "errors": [null]}),
            json!({"meta": {"result_count": 0}, "errors": {"code": 131}}),
            json!({"meta": {"result_count": 1}, "data": [post(11)], "errors": [error]}),
            json!({"meta": {"result_count": 1}, "data": [{"text": "no id"}]}),
            json!({"meta": {"result_count": 1}, "data": [null]}),
            json!({"meta": {"result_count": 1}, "data": [post(10)]}),
            json!({"meta": {"result_count": 2}, "data": [post(11), post(3)]}),
            json!({"meta": {"result_count": 0, "next_token": ""}}),
            json!({"meta": {"result_count": 0, "next_token": 7}}),
        ] {
            let page = window().read(&partial);
            assert!(page.gap.is_some(), "{partial}: {page:?}");
        }
    }

    #[test]
    fn readable_messages_are_shown_even_if_others_are_missing() {
        let page = json!({"meta": {"result_count": 9}, "data": [post(12), null, post(4)], "errors": [{"code": 131}]});
        let Page { messages, gap, .. } = window().read(&page);
        assert_eq!(messages.len(), 1, "nothing from before the window");
        assert_eq!((messages[0].id.0.as_str(), messages[0].text.as_str()), ("12", "Hola 12"));
        assert!(gap.is_some());
    }

    #[test]
    fn a_window_starts_at_the_whole_second() {
        let moment: Timestamp = "2026-11-26T12:00:00.750Z".parse().unwrap();
        let page = |at: &str| json!({"meta": {"result_count": 1}, "data": [{"id": "9", "text": "Hola", "created_at": at}]});
        for (at, inside) in [
            ("2026-11-26T12:00:00.000Z", true),
            ("2026-11-26T12:00:01.000Z", true),
            ("2026-11-26T11:59:59.000Z", false),
            ("2020-01-01T00:00:00.000Z", false),
        ] {
            let read = Window::of(&Since::Moment(moment)).read(&page(at));
            assert_eq!((read.messages.len() == 1, read.gap.is_none()), (inside, inside), "{at}");
        }
    }

    #[test]
    fn a_window_with_an_unknown_start_always_has_a_gap() {
        let odd = Window::of(&Since::Message(PostId("abc".into())));
        let page = json!({"meta": {"result_count": 1}, "data": [post(11)]});
        assert!(odd.read(&page).gap.is_some());
    }
}
