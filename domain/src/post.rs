//! A post as Mynah sees it, whatever network it came from: the text as its author meant it, with nothing left of the
//! wire (no escapes, no shortened links).

use std::{borrow::Cow, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    network::NetworkRules,
    text::{Entity, entity::stand_in},
};

/// A post's identity on its own network, opaque to everything but that network's adapter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PostId(pub String);

impl fmt::Display for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One message of the followed account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Its identity on the source's network.
    pub id: PostId,
    /// Its place in the source's order: a later post has the larger number. It may be the id itself.
    pub position: u64,
    /// The whole text, unescaped, links expanded, the link to its own media dropped.
    pub text: String,
    /// The links, mentions and tags in the text, as the source found them: some networks name them apart from the text.
    /// `None` where the source did not look for them, or for a post that was recorded before it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entities: Option<Vec<Entity>>,
    /// The language that the network reports: a BCP 47 code, which Mynah may not know. `None` where it reports none, or that
    /// the text is in no language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What sort of post it is.
    pub kind: PostKind,
    /// When it was published.
    pub created_at: Timestamp,
    /// Pictures and films attached to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    /// The ids of every version of an edited post, oldest first, its own among them. Empty for a post never edited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<PostId>,
}

impl Post {
    /// The links, mentions and tags in the text: those that the source found, else what its network's `rules` find.
    pub fn entities_by(&self, rules: &dyn NetworkRules) -> Cow<'_, [Entity]> {
        match &self.entities {
            Some(entities) if stand_in(entities, &self.text) => Cow::Borrowed(entities),
            _ => Cow::Owned(rules.entities(&self.text)),
        }
    }
}

/// What sort of post it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PostKind {
    /// A post of its own.
    Original,
    /// The author continues a post of their own.
    Thread {
        /// The author's post that this one continues.
        parent: PostId,
    },
    /// An answer to somebody else.
    Reply {
        /// The post answered.
        to: PostId,
    },
    /// Somebody else's post, shared without words of the author's.
    Repost {
        /// The post that is shared.
        of: PostId,
    },
    /// Words about a post that is shown below them.
    Quote {
        /// The post quoted.
        of: PostId,
    },
    /// The network withholds the post and shows a notice in its place: the text is not the author's.
    Withheld {
        /// The post that it answers, through which a thread continues.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<PostId>,
    },
}

impl PostKind {
    /// The author's post that this one continues.
    pub fn continues(&self) -> Option<&PostId> {
        match self {
            Self::Thread { parent } => Some(parent),
            Self::Withheld { parent } => parent.as_ref(),
            Self::Original | Self::Reply { .. } | Self::Repost { .. } | Self::Quote { .. } => None,
        }
    }
}

/// A picture, film or animation attached to a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// The network's key for it.
    pub key: String,
    /// What sort of medium it is.
    pub kind: MediaKind,
    /// Where the medium itself, not a still of it, can be fetched, if the network reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its alt text, in the author's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
}

/// What sort of medium it is. The ledger has it by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum MediaKind {
    /// A still picture.
    Photo,
    /// A film.
    Video,
    /// A short silent film that is shown again and again.
    Animation,
    /// What Mynah does not know, by the network's name for it.
    Other(String),
}

impl MediaKind {
    /// The name, as people and the ledger read it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Photo => "photo",
            Self::Video => "video",
            Self::Animation => "animated_gif",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for MediaKind {
    fn from(name: String) -> Self {
        match name.as_str() {
            "photo" => Self::Photo,
            "video" => Self::Video,
            "animated_gif" => Self::Animation,
            _ => Self::Other(name),
        }
    }
}

impl From<MediaKind> for String {
    fn from(kind: MediaKind) -> Self {
        kind.as_str().to_owned()
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures::rules, text::EntityKind};

    /// A post as versions before the one with `entities` recorded it.
    const BEFORE: &str = r#"{"id":"12","position":12,"text":"Hi @bob","kind":{"kind":"original"},
        "created_at":"2026-11-26T12:00:00Z","media":[{"key":"a","kind":"animated_gif"},{"key":"b","kind":"hologram"}]}"#;

    #[test]
    fn a_post_that_was_recorded_without_its_entities_is_read_by_the_rules() {
        let post: Post = serde_json::from_str(BEFORE).unwrap();
        assert_eq!(post.entities, None);
        let found = post.entities_by(&*rules());
        assert_eq!(found[..], [Entity { kind: EntityKind::Mention, range: 3..7 }]);
    }

    #[test]
    fn a_source_decides_what_an_entity_is_unless_its_offsets_are_none_of_the_text() {
        let given = |range| Some(vec![Entity { kind: EntityKind::Link, range }]);
        let post: Post = serde_json::from_str(BEFORE).unwrap();
        let named = Post { entities: given(0..2), ..post.clone() };
        assert_eq!(Some(named.entities_by(&*rules()).into_owned()), named.entities);
        let none = Post { entities: Some(vec![]), ..post.clone() };
        assert!(none.entities_by(&*rules()).is_empty());
        let wrong = Post { entities: given(5..99), ..post };
        assert_eq!(wrong.entities_by(&*rules())[0].kind, EntityKind::Mention);
    }

    #[test]
    fn a_medium_has_the_kind_that_older_ledgers_hold_and_keeps_one_that_nobody_knows() {
        let post: Post = serde_json::from_str(BEFORE).unwrap();
        let kinds: Vec<_> = post.media.iter().map(|medium| medium.kind.clone()).collect();
        assert_eq!(kinds, [MediaKind::Animation, MediaKind::Other("hologram".into())]);
        for kind in [MediaKind::Photo, MediaKind::Video, MediaKind::Animation, MediaKind::Other("b".into())] {
            assert_eq!(MediaKind::from(String::from(kind.clone())), kind);
        }
        assert_eq!(serde_json::from_str::<Post>(&serde_json::to_string(&post).unwrap()).unwrap(), post);
    }
}
