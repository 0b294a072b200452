//! A post or message as the page shows it, whatever its network.

use std::{ops::Range, sync::Arc};

use jiff::Timestamp;

use crate::{
    message::{Message, MessageLink},
    timeline::PostKind,
    world::StoredPost,
    x::text,
};

/// A post or message.
#[derive(Debug, Clone)]
pub(super) enum Card {
    X(Arc<StoredPost>),
    Elsewhere(Arc<Message>),
}

impl Card {
    /// Its number, which increases from one post of an account to the next.
    pub(super) fn id(&self) -> u64 {
        match self {
            Self::X(post) => post.id.0,
            Self::Elsewhere(message) => message.number,
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::X(post) => &post.text,
            Self::Elsewhere(message) => &message.text,
        }
    }

    pub(super) fn warning(&self) -> Option<&str> {
        match self {
            Self::X(_) => None,
            Self::Elsewhere(message) => message.warning.as_deref(),
        }
    }

    pub(super) fn lang(&self) -> &str {
        match self {
            Self::X(post) => &post.lang,
            Self::Elsewhere(message) => message.lang.as_deref().unwrap_or("und"),
        }
    }

    pub(super) fn kind(&self) -> PostKind {
        match self {
            Self::X(post) => post.kind,
            Self::Elsewhere(message) => message.kind,
        }
    }

    /// The number of the post that it replies to, if that is known.
    pub(super) fn reply_to(&self) -> Option<u64> {
        match self {
            Self::X(post) => post.reply_to.map(|id| id.0),
            Self::Elsewhere(message) => message.parent,
        }
    }

    pub(super) fn is_reply(&self) -> bool {
        self.reply_to().is_some() || self.kind() == PostKind::Reply
    }

    pub(super) fn created_at(&self) -> Timestamp {
        match self {
            Self::X(post) => post.created_at(),
            Self::Elsewhere(message) => message.created_at,
        }
    }

    /// The kind and the alt text of each medium.
    pub(super) fn media(&self) -> Vec<(&'static str, Option<&str>)> {
        match self {
            Self::X(post) => {
                post.media.iter().map(|medium| (medium.kind.name(), medium.alt.as_deref())).collect()
            }
            Self::Elsewhere(message) => {
                message.media.iter().map(|medium| (medium.kind.name(), medium.alt.as_deref())).collect()
            }
        }
    }

    /// The parts of the text that can be followed, by byte offsets, with the addresses that they lead to.
    pub(super) fn addresses(&self) -> Vec<(Range<usize>, String)> {
        match self {
            Self::X(post) => text::addresses(&post.text),
            Self::Elsewhere(message) => addresses(&message.text, &message.links),
        }
    }
}

fn addresses(text: &str, links: &[MessageLink]) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let mut done = 0;
    for MessageLink { words, to } in links {
        let Some(at) = text[done..].find(words.as_str()).map(|at| done + at) else { continue };
        let address = match to.split_once('@') {
            _ if to.starts_with("https://") || to.starts_with("http://") => to.clone(),
            _ if to.starts_with("did:") => format!("https://bsky.app/profile/{to}"),
            Some((user, server)) => format!("https://{server}/@{user}"),
            // A tag.
            None => continue,
        };
        done = at + words.len();
        found.push((at..done, address));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_where_their_network_shows_them() {
        let link = |words: &str, to: &str| MessageLink { words: words.into(), to: to.into() };
        let text = "See here, @a.example, @ann and #tag";
        let links = [
            link("here", "https://example.com/a@b"),
            link("@a.example", "did:plc:abc"),
            link("@ann", "ann@b.example"),
            link("#tag", "tag"),
            link("not in it", "https://example.com"),
        ];
        let shown: Vec<(&str, String)> =
            addresses(text, &links).into_iter().map(|(range, to)| (&text[range], to)).collect();
        assert_eq!(
            shown,
            [
                ("here", "https://example.com/a@b".to_owned()),
                ("@a.example", "https://bsky.app/profile/did:plc:abc".to_owned()),
                ("@ann", "https://b.example/@ann".to_owned()),
            ]
        );
    }
}
