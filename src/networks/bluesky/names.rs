//! Parses the names of accounts and records. Both come from settings, from servers and from records of strangers, and
//! go into addresses, so they are checked here.
//!
//! A post of the followed account is named by its record key, as at the end of its link. Everything else is named by its
//! whole address, `at://did:plc:…/app.bsky.feed.post/3k…`.

use std::fmt;

use config::ValueKind;
use mynah_domain::{PostId, ports::ledger::Mark};

use super::tid::Tid;
use crate::settings::kinds::{Read, quoted, refuse, text_of};

/// An example of a post's id, as people find it at the end of a link.
pub(super) const EXAMPLE_ID: &str = "3l3qo2vuowo2b";

/// The collection of posts in an account's repository.
pub(super) const POSTS: &str = "app.bsky.feed.post";

/// The collection of reposts.
pub(super) const REPOSTS: &str = "app.bsky.feed.repost";

/// The longest DID, record key and handle (atproto.com/specs).
const LONGEST_DID: usize = 2048;
const LONGEST_KEY: usize = 512;
const LONGEST_HANDLE: usize = 253;

/// An account's handle in lower case, or its DID.
pub(super) fn account(value: &ValueKind) -> Read<String> {
    let text = text_of(value)?;
    let name = text.strip_prefix('@').unwrap_or(text);
    if is_did(name) {
        return Ok(name.to_owned());
    }
    if is_handle(name) {
        return Ok(name.to_ascii_lowercase());
    }
    refuse(
        format!("{} is neither a handle nor a DID on Bluesky", quoted(value)),
        "write the whole handle, such as \"town.bsky.social\" or \"town.example\", or the DID, such as \"did:plc:…\"",
    )
}

/// Whether a text is a DID (atproto.com/specs/did). Its characters are safe in a path.
pub(super) fn is_did(text: &str) -> bool {
    let Some((method, id)) = text.strip_prefix("did:").and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    text.len() <= LONGEST_DID
        && !method.is_empty()
        && method.bytes().all(|byte| byte.is_ascii_lowercase())
        && !id.is_empty()
        && !id.ends_with([':', '%'])
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'%' | b'-'))
}

/// Whether a text is a handle: a domain name of two labels or more (atproto.com/specs/handle).
pub(super) fn is_handle(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= LONGEST_HANDLE
        && text.contains('.')
        && text.split('.').all(is_label)
        && !text.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a text is a record key (atproto.com/specs/record-key).
fn is_key(text: &str) -> bool {
    let is_of_key =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'~');
    (1..=LONGEST_KEY).contains(&text.len()) && !matches!(text, "." | "..") && text.bytes().all(is_of_key)
}

/// The address of a record: `at://did:plc:…/app.bsky.feed.post/3k…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordAddress {
    /// The DID of the account, or its handle in a link that a person copied.
    pub(super) account: String,
    /// The collection.
    pub(super) collection: String,
    /// The key in it.
    pub(super) key: String,
}

impl RecordAddress {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (account, rest) = text.strip_prefix("at://")?.split_once('/')?;
        let (collection, key) = rest.split_once('/')?;
        let is_safe = (is_did(account) || is_handle(account)) && is_handle(collection) && is_key(key);
        is_safe.then(|| Self { account: account.into(), collection: collection.into(), key: key.into() })
    }

    /// The address of an account's post.
    pub(super) fn of_post(account: &str, key: &str) -> Self {
        Self { account: account.into(), collection: POSTS.into(), key: key.into() }
    }

    /// The post's id in the eyes of this account, which is followed or published on.
    pub(super) fn id_for(&self, did: &str) -> PostId {
        let is_own = self.account == did && self.collection == POSTS;
        PostId(if is_own { self.key.clone() } else { self.to_string() })
    }
}

impl fmt::Display for RecordAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at://{}/{}/{}", self.account, self.collection, self.key)
    }
}

/// Separates a record's key from its position in an id.
const AT: char = '@';

/// The name of a record of the followed account. If its key is no TID, or tells a time at which it was not written, its
/// position is a part of the name: `self@1849337283618123841`. No key contains that sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnRecord {
    pub(super) collection: &'static str,
    pub(super) key: String,
    pub(super) position: u64,
}

impl OwnRecord {
    /// The record of an account that has this id.
    pub(super) fn named(id: &PostId) -> Option<Self> {
        let PostId(id) = id;
        let (name, position) = match id.split_once(AT) {
            Some((name, position)) => (name, Some(position.parse().ok().and_then(Tid::numbered)?)),
            None => (id.as_str(), None),
        };
        let (collection, key) = match RecordAddress::parse(name) {
            Some(RecordAddress { collection, key, .. }) if collection == REPOSTS => (REPOSTS, key),
            None if is_key(name) => (POSTS, name.to_owned()),
            Some(_) | None => return None,
        };
        let position = position.or_else(|| Tid::parse(&key))?.number();
        Some(Self { collection, key, position })
    }

    /// Its id, if it is a record of the account with this DID.
    pub(super) fn id(&self, did: &str) -> PostId {
        let Self { collection, key, position } = self;
        let mut name = match *collection {
            POSTS => key.clone(),
            _ => format!("at://{did}/{collection}/{key}"),
        };
        if Tid::parse(key).is_none_or(|tid| tid.number() != *position) {
            name = format!("{name}{AT}{position}");
        }
        PostId(name)
    }
}

/// A post's position, which is the time in its record key.
pub(super) fn mark(id: &str) -> Option<Mark> {
    let id = PostId(id.to_owned());
    let position = OwnRecord::named(&id)?.position;
    Some(Mark { id, position })
}

/// A post by its id, its address, or its link: `https://bsky.app/profile/town.example/post/3k…`.
pub(super) fn post_named(which: &str) -> Read<PostId> {
    let path = which.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let of_link = || {
        let (_, rest) = path.split_once("/profile/")?;
        let (account, key) = rest.split_once("/post/")?;
        RecordAddress::parse(&RecordAddress::of_post(account, key).to_string())
    };
    let found = RecordAddress::parse(path).or_else(of_link).map(|address| PostId(address.to_string()));
    match found.or_else(|| mark(path).map(|mark| mark.id)) {
        Some(id) => Ok(id),
        None => refuse(
            format!("{which:?} is not a post"),
            "name it by its link, https://bsky.app/profile/…/post/…, or by its address, at://…",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> ValueKind {
        ValueKind::from(text)
    }

    #[test]
    fn an_account_is_a_handle_or_a_did() {
        assert_eq!(account(&text("@Town.Example")).unwrap(), "town.example");
        for right in
            ["town.bsky.social", "a-b.example", "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "did:web:town.example"]
        {
            assert_eq!(account(&text(right)).unwrap(), right);
        }
        for wrong in [
            "",
            "@",
            "town",
            "a..example",
            "-a.example",
            "a.example-",
            "niño.example",
            "https://bsky.app/profile/a.example",
            "did:plc:",
            "did:PLC:a",
            "did:plc:a/../b",
            "did:plc:a?b",
            "1.2.3.4",
            "a b.example",
        ] {
            let refusal = account(&text(wrong)).unwrap_err();
            assert!(
                refusal.what.contains("neither") && refusal.fix.contains("bsky.social"),
                "{wrong}: {refusal:?}"
            );
        }
    }

    #[test]
    fn a_post_is_named_by_its_key_its_address_or_its_link() {
        let address = "at://did:plc:abc/app.bsky.feed.post/3l3qo2vuowo2b";
        for (which, id) in [
            (EXAMPLE_ID, EXAMPLE_ID),
            (address, address),
            ("https://bsky.app/profile/did:plc:abc/post/3l3qo2vuowo2b?ref=1", address),
            ("https://bsky.app/profile/a.example/post/self/", "at://a.example/app.bsky.feed.post/self"),
        ] {
            assert_eq!(post_named(which).unwrap(), PostId(id.into()), "{which}");
        }
        for which in [
            "",
            "self",
            "https://bsky.app/profile/a.example",
            "at://a.example/x/..",
            "../x",
            "1849337283618123841",
        ] {
            assert!(post_named(which).is_err(), "{which}");
        }
    }

    #[test]
    fn a_record_whose_key_tells_no_time_has_its_position_in_its_id() {
        let did = "did:plc:abc";
        for (collection, key, position, id) in [
            (POSTS, EXAMPLE_ID, Tid::parse(EXAMPLE_ID).unwrap().number(), EXAMPLE_ID),
            (POSTS, "self", 12, "self@12"),
            (POSTS, EXAMPLE_ID, 12, "3l3qo2vuowo2b@12"),
            (REPOSTS, "self", 7, "at://did:plc:abc/app.bsky.feed.repost/self@7"),
        ] {
            let record = OwnRecord { collection, key: key.into(), position };
            assert_eq!(record.id(did), PostId(id.into()));
            assert_eq!(OwnRecord::named(&record.id(did)), Some(record));
        }
        for id in [
            "self",
            "self@",
            "self@x",
            "a/b@1",
            "self@18446744073709551615",
            "at://did:plc:abc/app.bsky.feed.post/x@1",
            "",
        ] {
            assert_eq!(OwnRecord::named(&PostId(id.into())), None, "{id}");
        }
    }
}
