//! A post as Mynah sees it, whatever network it came from: the text as its author meant it, without traces of the wire
//! format (escapes, shortened links).

use std::{borrow::Cow, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Card,
    network::NetworkRules,
    text::{Entity, entity::fit_into},
};

/// A post's id on its own network, opaque to everything but that network's adapter.
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
    /// Its id on the source's network.
    pub id: PostId,
    /// Its position in the source's order: a later post has a larger number. It may be the id itself.
    pub position: u64,
    /// The whole text, unescaped, with links expanded and the link to its own media removed.
    pub text: String,
    /// The links, mentions and tags in the text, as the source found them: some networks list them separately from the
    /// text. `None` if the source did not look for them, or if the post was recorded before it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entities: Option<Vec<Entity>>,
    /// The language that the network reports: a BCP 47 code, which Mynah may not know. `None` if it reports none, or
    /// reports that the text has no language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What kind of post it is.
    pub kind: PostKind,
    /// When it was published.
    pub created_at: Timestamp,
    /// Pictures and videos attached to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    /// Whether it asks its readers to choose between options. The text has them as its last lines, if they are known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_poll: bool,
    /// What its author wants readers to know before they see the post, such as “Spoilers”. The post is hidden behind it
    /// until a reader asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Whether its author wants the media hidden until a reader asks for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_sensitive: bool,
    /// The card of a link in the text, if the source shows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Card>,
    /// The ids of all versions of an edited post, oldest first, including its own. Empty for a post that was never
    /// edited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<PostId>,
}

impl Post {
    /// What stays of the post when its texts are removed: its ids, its place, its time, and what it replies to.
    #[must_use]
    pub fn without_text(&self) -> Self {
        Self {
            text: String::new(),
            entities: None,
            language: None,
            warning: None,
            media: Vec::new(),
            card: None,
            ..self.clone()
        }
    }

    /// The post for a network without warnings, where its warning is the first paragraph. Its own network's `rules` find
    /// links, mentions and tags.
    #[must_use]
    pub fn with_warning_in_text(&self, rules: &dyn NetworkRules) -> Cow<'_, Self> {
        let Some(warning) = &self.warning else { return Cow::Borrowed(self) };
        let start = format!("{warning}\n\n");
        let mut entities = rules.entities(warning);
        for entity in self.entities_by(rules).iter() {
            let range = entity.range.start + start.len()..entity.range.end + start.len();
            entities.push(Entity { range, ..entity.clone() });
        }
        let entities = Some(entities);
        Cow::Owned(Self { text: format!("{start}{}", self.text), entities, warning: None, ..self.clone() })
    }

    /// The links, mentions and tags in the text: those that the source found, otherwise those that the network's
    /// `rules` find.
    pub fn entities_by(&self, rules: &dyn NetworkRules) -> Cow<'_, [Entity]> {
        match &self.entities {
            Some(entities) if fit_into(entities, &self.text) => Cow::Borrowed(entities),
            _ => Cow::Owned(rules.entities(&self.text)),
        }
    }
}

/// What kind of post it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PostKind {
    /// An original post.
    Original,
    /// The author continues a post of their own.
    Thread {
        /// The author's post that this one continues.
        parent: PostId,
    },
    /// A reply to another author, or a continuation of one.
    Reply {
        /// The post that it replies to. `None` if the network names only its author.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<PostId>,
    },
    /// Another author's post, shared without words of its own.
    Repost {
        /// The shared post.
        of: PostId,
    },
    /// Words about a post that is shown below them.
    Quote {
        /// The quoted post.
        of: PostId,
    },
    /// The network withholds the post and shows a notice in its place: the text is not the author's.
    Withheld {
        /// The post that it replies to, through which a thread continues.
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

/// A picture, video or animation attached to a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// The network's key for it.
    pub key: String,
    /// What kind of medium it is.
    pub kind: MediaKind,
    /// Where to fetch the medium itself, not a still of it, if the network reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its alt text, in the author's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
}

/// What kind of medium it is. The ledger stores its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum MediaKind {
    /// A still picture.
    Photo,
    /// A video.
    Video,
    /// A short silent video that repeats.
    Animation,
    /// A kind that Mynah does not know, with the network's name for it.
    Other(String),
}

impl MediaKind {
    /// The name for people and the ledger.
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

    /// A post as recorded by versions before the one with `entities`.
    const BEFORE: &str = r#"{"id":"12","position":12,"text":"Hi @bob","kind":{"kind":"original"},
        "created_at":"2026-11-26T12:00:00Z","media":[{"key":"a","kind":"animated_gif"},{"key":"b","kind":"hologram"}]}"#;

    #[test]
    fn the_rules_find_the_entities_of_a_post_that_was_recorded_without_them() {
        let post: Post = serde_json::from_str(BEFORE).unwrap();
        assert_eq!(post.entities, None);
        let found = post.entities_by(&*rules());
        assert_eq!(found[..], [Entity { kind: EntityKind::Mention, range: 3..7 }]);
    }

    #[test]
    fn the_source_decides_what_an_entity_is_unless_its_offsets_do_not_fit_the_text() {
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
    fn on_a_network_without_warnings_a_warning_is_the_first_paragraph() {
        let post: Post = serde_json::from_str(BEFORE).unwrap();
        assert_eq!(*post.with_warning_in_text(&*rules()), post);
        let warned = Post { warning: Some("Spoilers for #día".into()), ..post };
        let whole = warned.with_warning_in_text(&*rules()).into_owned();
        assert_eq!((&*whole.text, &whole.warning), ("Spoilers for #día\n\nHi @bob", &None));
        let named: Vec<_> =
            whole.entities.unwrap().into_iter().map(|entity| &whole.text[entity.range]).collect();
        assert_eq!(named, ["#día", "@bob"]);
    }

    #[test]
    fn a_post_without_its_text_has_only_its_ids_its_place_and_its_time() {
        let post: Post = serde_json::from_str(BEFORE).unwrap();
        let parent = PostId("11".into());
        let post = Post {
            entities: Some(vec![Entity { kind: EntityKind::Mention, range: 3..7 }]),
            language: Some("en".into()),
            kind: PostKind::Thread { parent },
            versions: vec![PostId("10".into()), post.id.clone()],
            warning: Some("Spoilers".into()),
            card: Card::new("https://town.example", "The town", "", None),
            ..post
        };
        let bare = Post {
            text: String::new(),
            entities: None,
            language: None,
            warning: None,
            media: vec![],
            card: None,
            ..post.clone()
        };
        assert_eq!(post.without_text(), bare);
    }

    #[test]
    fn a_medium_keeps_its_kind_from_older_ledgers_and_a_kind_that_is_unknown() {
        let post: Post = serde_json::from_str(BEFORE).unwrap();
        let kinds: Vec<_> = post.media.iter().map(|medium| medium.kind.clone()).collect();
        assert_eq!(kinds, [MediaKind::Animation, MediaKind::Other("hologram".into())]);
        for kind in [MediaKind::Photo, MediaKind::Video, MediaKind::Animation, MediaKind::Other("b".into())] {
            assert_eq!(MediaKind::from(String::from(kind.clone())), kind);
        }
        assert_eq!(serde_json::from_str::<Post>(&serde_json::to_string(&post).unwrap()).unwrap(), post);
    }
}
