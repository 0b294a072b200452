//! Looks up what the account shows since a message or moment, and whether that list is complete.
//!
//! A message that is not in the list may still be on the account. So the list is read backward until it shows the
//! message since which it was asked for, or something older: no server is trusted to begin where it was asked to.

use std::collections::HashSet;

use jiff::Timestamp;
use mynah_domain::{
    PostId,
    ports::{Recent, Shown, Since},
};

use super::Visibility;
use crate::{
    networks::mastodon::{
        client::{CallError, MastodonClient},
        content,
        listing::{self, LARGEST_PAGE, Listed, Listing, Next, Wanted},
        names::position,
        wire::{Status, Unread},
    },
    telemetry::outside::brief,
};

/// The most pages per lookup: 400 messages since the intent are more than any rate limit allows.
const PAGES: usize = 10;

/// Reads the account's messages from `since` on.
pub(super) async fn shown(
    client: &MastodonClient,
    account: &str,
    since: &Since,
    visibility: Visibility,
) -> Result<Shown, CallError> {
    let mut reading = Reading::since(since, visibility);
    let mut before: Option<String> = None;
    for _ in 0..PAGES {
        let wanted = Wanted { before: before.as_deref(), limit: LARGEST_PAGE, boosts: true, after: None };
        match reading.read(listing::list(client, account, &wanted).await?) {
            Some(id) => before = Some(id),
            None => return Ok(reading.finish()),
        }
    }
    reading.miss(format!("the server shows more than {PAGES} pages of messages"));
    Ok(reading.finish())
}

/// What was read so far.
struct Reading<'a> {
    since: &'a Since,
    shown: Shown,
    seen: HashSet<String>,
    /// Whether the list shows messages of the visibility with which Mynah publishes.
    shows_ours: bool,
    /// Whether the list shows the message since which it was asked for, or something older.
    has_reached: bool,
}

impl<'a> Reading<'a> {
    fn since(since: &'a Since, visibility: Visibility) -> Self {
        // Some servers do not list messages for followers, even to their author.
        let shows_ours = visibility != Visibility::Private;
        Self { since, shown: Shown::default(), seen: HashSet::new(), shows_ours, has_reached: false }
    }

    /// Reads a page. Returns the id before which to go on; `None` if there is nothing more to read.
    fn read(&mut self, Listing { statuses, next }: Listing) -> Option<String> {
        let mut is_new = false;
        for Listed { id, value, .. } in statuses {
            let Some(id) = id else {
                self.miss("the server's answer has a message without an id".into());
                continue;
            };
            if !self.seen.insert(id.clone()) {
                continue;
            }
            is_new = true;
            let status = Status::read(&value);
            self.has_reached = self.is_since_message(&id)
                || status.as_ref().is_ok_and(|status| self.is_older(status.created_at));
            if self.has_reached {
                return None;
            }
            match status {
                Ok(status) => self.add(status),
                Err(Unread { reason, .. }) => {
                    self.miss(format!("the server's answer has a message that cannot be read: {reason}"));
                }
            }
        }
        match next {
            Next::Before(_) if !is_new => {
                self.miss("the server keeps answering with the same page".into());
                None
            }
            Next::Before(id) => Some(id),
            Next::End => None,
            Next::Unknown { listed } => {
                self.miss(format!("the server lists only {listed} messages, whatever it is asked for"));
                None
            }
        }
    }

    fn add(&mut self, status: Status) {
        self.shows_ours |= status.visibility == "private";
        // What the account boosted is not its message.
        if status.boosted.is_none() {
            let text = status.source_text.clone().unwrap_or_else(|| content::read(&status, "").text);
            let Status { id, created_at, .. } = status;
            self.shown.messages.push(Recent { id: PostId(id), text, created_at });
        }
    }

    /// Whether this is the message since which the list is read, or one before it.
    fn is_since_message(&self, id: &str) -> bool {
        let Since::Message(PostId(since)) = self.since else { return false };
        id == since || position(id).zip(position(since)).is_some_and(|(id, since)| id < since)
    }

    fn is_older(&self, created_at: Timestamp) -> bool {
        matches!(self.since, Since::Moment(moment) if created_at < *moment)
    }

    /// Records why messages may be missing.
    fn miss(&mut self, why: String) {
        self.shown.gap.get_or_insert(why);
    }

    fn finish(mut self) -> Shown {
        if self.has_reached {
            return self.shown;
        }
        match self.since {
            // An account shows what it has published, unless somebody deleted it or the list ends before it.
            Since::Message(PostId(id)) if position(id).is_none() => {
                self.miss(format!("the server's list does not show message {}", brief(id)));
            }
            _ if !self.shows_ours => {
                self.miss(
                    "the server's list shows no messages for followers, so it may leave them out".into(),
                );
            }
            _ => {}
        }
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::mastodon::wire::tests::status;

    fn listing(ids: &[&str], next: Next) -> Listing {
        let listed = |id: &&str| Listed {
            id: Some((*id).to_owned()),
            position: position(id),
            value: status(id, &format!("<p>text {id}</p>")),
        };
        Listing { statuses: ids.iter().map(listed).collect(), next }
    }

    fn since(id: &str) -> Since {
        Since::Message(PostId(id.into()))
    }

    fn moment(moment: &str) -> Since {
        Since::Moment(moment.parse().unwrap())
    }

    fn read(since: &Since, visibility: Visibility, pages: Vec<Listing>) -> (Vec<String>, Option<String>) {
        let mut reading = Reading::since(since, visibility);
        for page in pages {
            if reading.read(page).is_none() {
                break;
            }
        }
        let Shown { messages, gap, .. } = reading.finish();
        (messages.into_iter().map(|message| message.id.0).collect(), gap)
    }

    #[test]
    fn a_list_is_complete_if_it_shows_the_message_or_an_older_one() {
        let before = || Next::Before("x".into());
        for (id, ids) in [("a", ["c", "b", "a"]), ("5", ["9", "8", "5"]), ("6", ["9", "8", "5"])] {
            let (found, gap) = read(&since(id), Visibility::Public, vec![listing(&ids, before())]);
            assert_eq!((found, gap), (ids[..2].iter().map(|id| (*id).to_owned()).collect(), None), "{id}");
        }
        let after_all = moment("2026-11-27T11:00:00Z");
        let (found, gap) = read(&after_all, Visibility::Public, vec![listing(&["c"], before())]);
        assert_eq!((found, gap), (vec![], None), "all are older");
    }

    #[test]
    fn a_list_that_ends_before_the_message_may_lack_others() {
        let (_, gap) = read(&since("a"), Visibility::Public, vec![listing(&["c", "b"], Next::End)]);
        assert!(gap.unwrap().contains("does not show message a"));
        let (_, gap) =
            read(&since("a"), Visibility::Public, vec![listing(&["c"], Next::Unknown { listed: 256 })]);
        assert!(gap.unwrap().contains("only 256 messages"));
        // Somebody deleted the message, and there is nothing before it.
        assert_eq!(read(&since("5"), Visibility::Public, vec![listing(&["9"], Next::End)]).1, None);
    }

    #[test]
    fn the_same_page_again_is_no_end() {
        let page = || listing(&["c", "b"], Next::Before("b".into()));
        let (found, gap) =
            read(&moment("2020-01-01T00:00:00Z"), Visibility::Public, vec![page(), page(), page()]);
        assert_eq!(found, ["c", "b"]);
        assert!(gap.unwrap().contains("same page"));
    }

    #[test]
    fn a_list_without_messages_for_followers_says_nothing_about_them() {
        let since = moment("2020-01-01T00:00:00Z");
        let pages = || vec![listing(&["c"], Next::End)];
        assert!(read(&since, Visibility::Private, pages()).1.unwrap().contains("for followers"));
        assert_eq!(read(&since, Visibility::Unlisted, pages()).1, None);
    }

    #[test]
    fn a_message_that_cannot_be_read_is_a_gap() {
        let mut page = listing(&["9", "8"], Next::End);
        page.statuses[0].value["created_at"] = serde_json::Value::Null;
        let (found, gap) = read(&since("5"), Visibility::Public, vec![page]);
        assert_eq!(found, ["8"]);
        assert!(gap.unwrap().contains("cannot be read"));
    }
}
