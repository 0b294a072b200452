//! Reads an account's statuses page by page, newest first.
//!
//! Mastodon's pages obey `limit`, `max_id` and `since_id` and say with `Link` whether more follow. Some servers ignore
//! all of that and answer the same list whatever they are asked (snac2). This module cuts every answer to what was
//! asked for, so its callers see pages on every server, and it says how it knows that a list has ended.

use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use super::{
    client::{CallError, MastodonClient},
    names::{is_id, position},
    wire::id_of,
};
use crate::http_client::Answer;

/// The most statuses of a page (docs.joinmastodon.org, `GET /api/v1/accounts/:id/statuses`).
pub(super) const LARGEST_PAGE: usize = 40;

/// How many statuses Mastodon lists if nobody asks for another number. No known server lists fewer while it has more.
const USUAL_PAGE: usize = 20;

/// How many positions a millisecond has, for statuses of the same moment.
const PER_MILLISECOND: u64 = 1024;

/// Which statuses to list.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    /// Only those before this one.
    pub(super) before: Option<&'a str>,
    /// Only those after this one.
    pub(super) after: Option<&'a str>,
    pub(super) limit: usize,
    /// Whether to include what the account boosted.
    pub(super) boosts: bool,
}

/// A status as the server sent it, with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listed {
    pub(super) id: Option<String>,
    pub(super) position: Option<u64>,
    pub(super) value: Value,
}

/// A page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listing {
    /// Newest first.
    pub(super) statuses: Vec<Listed>,
    pub(super) next: Next,
}

/// What follows a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Another page, of statuses before this one.
    Before(String),
    /// Nothing: the list has ended, or has reached what was asked for.
    End,
    /// Nothing that this server shows: it ignores what it is asked for, and lists only so many statuses.
    Unknown {
        /// How many it lists.
        listed: usize,
    },
}

/// The statuses of the account with this id.
pub(super) async fn list(
    client: &MastodonClient,
    account: &str,
    wanted: &Wanted<'_>,
) -> Result<Listing, CallError> {
    let limit = wanted.limit.clamp(1, LARGEST_PAGE).to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(wanted.before.map(|id| ("max_id", id)));
    query.extend(wanted.after.map(|id| ("since_id", id)));
    if !wanted.boosts {
        query.push(("exclude_reblogs", "true"));
    }
    let answer = client.get_answer(&format!("/api/v1/accounts/{account}/statuses"), &query).await?;
    let values: Vec<Value> = client.read(&answer)?;
    Ok(cut(values, Link::of(&answer), wanted))
}

/// What the header `Link` says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Link {
    /// There is none: the page is empty, or the server knows no pages.
    Absent,
    /// No page follows.
    Last,
    /// Another page follows; with its `max_id`, if it names one.
    Next(Option<String>),
}

impl Link {
    fn of(answer: &Answer) -> Self {
        let Some(header) = answer.header("link") else { return Self::Absent };
        let next = header.split(',').find(|link| link.contains("rel=\"next\"") || link.contains("rel=next"));
        let Some(next) = next else { return Self::Last };
        let address = next.split_once('<').and_then(|(_, rest)| Url::parse(rest.split_once('>')?.0).ok());
        let id = address.and_then(|address| {
            let (_, id) = address.query_pairs().find(|(name, _)| name == "max_id")?;
            is_id(&id).then(|| id.into_owned())
        });
        Self::Next(id)
    }
}

/// The part of an answer that was asked for.
fn cut(values: Vec<Value>, link: Link, wanted: &Wanted<'_>) -> Listing {
    let listed = values.len();
    let mut statuses = placed(values);
    let is_ordered =
        statuses.iter().all(|status| status.id.as_deref().is_some_and(|id| position(id).is_some()));
    if is_ordered {
        statuses.sort_by_key(|status| std::cmp::Reverse(status.position));
    }
    let at =
        |statuses: &[Listed], id: &str| statuses.iter().position(|status| status.id.as_deref() == Some(id));
    let place = |id: Option<&str>| id.filter(|_| is_ordered).and_then(position);
    let mut is_ignored = false;
    if let Some(before) = wanted.before.and_then(|before| at(&statuses, before)) {
        statuses.drain(..=before);
        is_ignored = true;
    }
    if let Some(before) = place(wanted.before) {
        statuses.retain(|status| status.position < Some(before));
    }
    let mut has_reached = false;
    if let Some(after) = wanted.after.and_then(|after| at(&statuses, after)) {
        statuses.truncate(after);
        has_reached = true;
    }
    if let Some(after) = place(wanted.after) {
        let all = statuses.len();
        statuses.retain(|status| status.position > Some(after));
        has_reached |= statuses.len() < all;
    }
    let limit = wanted.limit.max(1);
    let is_cut = statuses.len() > limit;
    statuses.truncate(limit);
    let last = statuses.iter().rev().find_map(|status| status.id.clone());
    let next = match (is_cut, last) {
        (true, Some(last)) => Next::Before(last),
        _ if has_reached => Next::End,
        (_, last) => match (link, last) {
            (Link::Next(id), last) => last.or(id).map_or(Next::End, Next::Before),
            (Link::Absent, Some(last)) => Next::Before(last),
            (Link::Absent, None) if is_ignored && listed >= USUAL_PAGE => Next::Unknown { listed },
            (Link::Last, _) | (Link::Absent, None) => Next::End,
        },
    };
    Listing { statuses, next }
}

/// Statuses with their positions: their ids, if all ids are numbers. Otherwise the moments at which they were created
/// order them, and statuses of the same moment are in the order of the list.
fn placed(values: Vec<Value>) -> Vec<Listed> {
    let mut statuses: Vec<Listed> = values
        .into_iter()
        .map(|value| {
            let id = id_of(&value);
            Listed { position: id.as_deref().and_then(position), id, value }
        })
        .collect();
    if statuses.iter().any(|status| status.id.is_some() && status.position.is_none()) {
        let now = Timestamp::now();
        let mut previous = 0;
        for status in statuses.iter_mut().rev().filter(|status| status.id.is_some()) {
            previous = moment_of(&status.value, now).max(previous + 1);
            status.position = Some(previous);
        }
    }
    statuses
}

/// The first position of the moment at which a status was created. A moment in the future is one of now: it must not
/// stand before everything that will come.
fn moment_of(value: &Value, now: Timestamp) -> u64 {
    let moment = value.get("created_at").and_then(Value::as_str).and_then(|moment| moment.parse().ok());
    let moment: Timestamp = moment.unwrap_or(Timestamp::UNIX_EPOCH);
    u64::try_from(moment.min(now).as_millisecond()).unwrap_or_default() * PER_MILLISECOND
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(ids: &[&str]) -> Vec<Value> {
        ids.iter().map(|id| json!({"id": id, "created_at": "2026-11-27T10:00:00.000Z"})).collect()
    }

    fn ids(listing: &Listing) -> Vec<&str> {
        listing.statuses.iter().filter_map(|status| status.id.as_deref()).collect()
    }

    fn wanted<'a>(before: Option<&'a str>, after: Option<&'a str>, limit: usize) -> Wanted<'a> {
        Wanted { before, after, limit, boosts: false }
    }

    #[test]
    fn a_server_with_pages_says_whether_more_follow() {
        let page = values(&["9", "8"]);
        let next = |link, page: &[Value]| cut(page.to_vec(), link, &wanted(None, Some("1"), 2)).next;
        assert_eq!(next(Link::Next(Some("7".into())), &page), Next::Before("8".into()));
        assert_eq!(next(Link::Last, &page), Next::End);
        assert_eq!(next(Link::Absent, &page), Next::Before("8".into()));
        assert_eq!(next(Link::Absent, &[]), Next::End);
        assert_eq!(next(Link::Next(Some("7".into())), &[]), Next::Before("7".into()));
    }

    #[test]
    fn a_server_that_ignores_every_parameter_is_read_in_pages_all_the_same() {
        let all = ["e5", "d4", "c3", "b2", "a1"];
        let page = |before, after| cut(values(&all), Link::Absent, &wanted(before, after, 2));
        let first = page(None, None);
        assert_eq!((ids(&first), first.next.clone()), (vec!["e5", "d4"], Next::Before("d4".into())));
        let second = page(Some("d4"), None);
        assert_eq!((ids(&second), second.next.clone()), (vec!["c3", "b2"], Next::Before("b2".into())));
        let last = page(Some("b2"), None);
        assert_eq!((ids(&last), last.next.clone()), (vec!["a1"], Next::Before("a1".into())));
        assert_eq!(page(Some("a1"), None), Listing { statuses: vec![], next: Next::End });
        let new = page(None, Some("d4"));
        assert_eq!((ids(&new), new.next.clone()), (vec!["e5"], Next::End));
        assert_eq!(page(None, Some("e5")), Listing { statuses: vec![], next: Next::End });
    }

    #[test]
    fn a_long_list_that_ignores_paging_may_not_be_whole() {
        let all: Vec<String> = (0..30).map(|number| format!("x{number}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let end = cut(values(&all), Link::Absent, &wanted(Some("x29"), None, 40));
        assert_eq!(end, Listing { statuses: vec![], next: Next::Unknown { listed: 30 } });
    }

    #[test]
    fn numbers_are_cut_by_their_order_even_if_the_statuses_are_gone() {
        let page =
            |before, after| cut(values(&["9", "7", "5", "3"]), Link::Absent, &wanted(before, after, 9));
        assert_eq!(ids(&page(Some("8"), Some("4"))), ["7", "5"]);
        assert_eq!(page(None, Some("4")).next, Next::End);
    }

    #[test]
    fn statuses_of_one_moment_are_in_the_order_of_the_list() {
        let positions =
            |values: Vec<Value>| placed(values).into_iter().map(|one| one.position).collect::<Vec<_>>();
        let found = positions(values(&["c", "b", "a"]));
        assert!(found[0] > found[1] && found[1] > found[2], "{found:?}");
        assert_eq!(positions(values(&["d", "c", "b", "a"]))[1..], found[..], "a new status moves no other");
        assert_eq!(positions(values(&["12", "11"])), [Some(12), Some(11)]);
    }

    #[test]
    fn moments_of_other_centuries_leave_the_order_intact() {
        let at = |id: &str, moment: &str| json!({"id": id, "created_at": moment});
        let found = placed(vec![
            at("d", "1970-01-01T00:00:00Z"),
            at("c", "2286-11-20T17:46:40Z"),
            at("b", "no moment"),
            at("a", "2026-11-27T10:00:00Z"),
        ]);
        assert!(found.windows(2).all(|two| two[0].position > two[1].position), "{found:?}");
        let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap();
        assert!(found[0].position.unwrap() / PER_MILLISECOND <= now);
    }

    #[test]
    fn a_list_of_anything_is_no_panic() {
        let odd = vec![json!(null), json!("x"), json!({"id": "../x"}), json!({"id": 5}), json!([])];
        let listing = cut(odd, Link::Next(None), &wanted(None, None, 9));
        assert_eq!((listing.statuses.len(), ids(&listing)), (5, vec!["5"]));
    }

    #[test]
    fn the_link_header_names_the_next_page() {
        let of = |value: &str| Link::of(&Answer::made_up(200, ("link", value), "[]"));
        let next = r#"<https://a.example/api/v1/accounts/1/statuses?limit=2&max_id=7>; rel="next""#;
        let previous = r#"<https://a.example/api/v1/accounts/1/statuses?min_id=9>; rel="prev""#;
        assert_eq!(of(&format!("{next}, {previous}")), Link::Next(Some("7".into())));
        assert_eq!(of(previous), Link::Last);
        assert_eq!(of("<no address>; rel=\"next\""), Link::Next(None));
        assert_eq!(of("<https://a.example/?max_id=../x>; rel=\"next\""), Link::Next(None));
    }
}
