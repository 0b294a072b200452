//! An item of a feed, whatever its format, as plain text.

use std::fmt::Write as _;

use jiff::Timestamp;
use mynah_domain::{Card, Media, MediaKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The longest id that is used as it is given, in bytes. Ids are stored with each post and shown in logs.
const LONGEST_ID: usize = 300;

/// An item of a feed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Item {
    /// Its id as the feed gives it; empty if it gives none.
    pub(super) given_id: String,
    pub(super) title: String,
    pub(super) summary: String,
    pub(super) content: String,
    /// The address of its page, over http or https.
    pub(super) link: Option<String>,
    pub(super) author: String,
    /// When it was published, if the feed says so. It may be any time.
    pub(super) published: Option<Timestamp>,
    pub(super) language: Option<String>,
    pub(super) media: Vec<Media>,
}

/// A hash that recognizes a link or a content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Key(String);

impl Key {
    fn of(parts: &[&str]) -> Self {
        Self(digest(parts, 8))
    }
}

impl Item {
    /// Its id: as given, otherwise derived from its link or its content, so that it is the same in every poll. `None` if
    /// it has nothing that could identify it.
    pub(super) fn id(&self) -> Option<String> {
        let is_plain = |id: &&str| id.len() <= LONGEST_ID && !id.chars().any(char::is_control);
        let shortened = |id: &str| match Some(id).filter(is_plain) {
            Some(id) => id.to_owned(),
            None => format!("sha256:{}", digest(&[id], 16)),
        };
        let given = Some(self.given_id.as_str()).filter(|id| !id.is_empty()).or(self.link.as_deref());
        let content = || {
            let is_empty = self.title.is_empty() && self.summary.is_empty() && self.content.is_empty();
            (!is_empty).then(|| format!("content:{}", digest(&self.words(), 16)))
        };
        given.map(shortened).or_else(content)
    }

    /// The card of its page.
    pub(super) fn card(&self) -> Option<Card> {
        let description = if self.summary.is_empty() { &self.content } else { &self.summary };
        let picture = self.media.iter().find(|medium| medium.kind == MediaKind::Photo);
        Card::new(self.link.as_deref()?, &self.title, description, picture.cloned())
    }

    pub(super) fn link_key(&self) -> Option<Key> {
        self.link.as_deref().map(|link| Key::of(&[link]))
    }

    /// Recognizes the same item under another id. Its time is a part of it: a paper publishes "The news at nine" every
    /// day.
    pub(super) fn content_key(&self) -> Option<Key> {
        let published = self.published.map(|moment| moment.to_string()).unwrap_or_default();
        let [title, summary, content] = self.words();
        let is_empty = title.is_empty() && summary.is_empty() && content.is_empty();
        (!is_empty).then(|| Key::of(&[title, summary, content, &published]))
    }

    fn words(&self) -> [&str; 3] {
        [&self.title, &self.summary, &self.content]
    }
}

/// The first bytes of the hash of several texts, in hexadecimal.
fn digest(parts: &[&str], bytes: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // With its length, so that no two lists of texts are the same.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut digits = String::with_capacity(2 * bytes);
    for byte in hash.finalize().iter().take(bytes) {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_as_given_or_derived_from_what_the_item_is() {
        let bare = Item { title: "T".into(), ..Item::default() };
        let linked = Item { link: Some("https://paper.example/1".into()), ..bare.clone() };
        let given = Item { given_id: "tag:1".into(), ..linked.clone() };
        assert_eq!(given.id().unwrap(), "tag:1");
        assert_eq!(linked.id().unwrap(), "https://paper.example/1");
        let derived = bare.id().unwrap();
        assert!(derived.starts_with("content:"), "{derived}");
        assert_eq!(bare.id().unwrap(), derived, "the same at each poll");
        assert_ne!(Item { title: "U".into(), ..bare }.id().unwrap(), derived);
        assert_eq!(Item::default().id(), None);
    }

    #[test]
    fn the_card_of_an_item_has_its_title_its_summary_and_its_picture() {
        let medium =
            |kind| Media { key: "k".into(), kind, url: Some("https://paper.example/a".into()), alt: None };
        let item = Item {
            title: "The bridge".into(),
            content: "It is open.".into(),
            link: Some("https://paper.example/1".into()),
            media: vec![medium(MediaKind::Video), medium(MediaKind::Photo)],
            ..Item::default()
        };
        let card = item.card().unwrap();
        assert_eq!((&*card.url, &*card.words.description), ("https://paper.example/1", "It is open."));
        assert_eq!(card.picture, Some(medium(MediaKind::Photo)));
        assert_eq!(Item { title: String::new(), ..item.clone() }.card(), None);
        assert_eq!(Item { link: None, ..item }.card(), None);
    }

    #[test]
    fn a_long_id_or_one_with_control_characters_becomes_a_hash() {
        for id in ["x".repeat(10_000), "a\u{0}b".into()] {
            let found = Item { given_id: id, ..Item::default() }.id().unwrap();
            assert!(found.starts_with("sha256:") && found.len() < 50, "{found}");
        }
    }
}
