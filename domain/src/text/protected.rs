//! What was taken out of a text so that nobody changes it.

use serde::{Deserialize, Serialize};

use super::entity::EntityKind;

/// What is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtectedKind {
    /// `https://…`, or whatever else the network links.
    Link,
    /// `@name`.
    Mention,
    /// `#word`.
    Hashtag,
    /// `$TICKER`.
    Cashtag,
    /// Of mail or another scheme: the network does not link it, but it is not words to translate.
    Address,
    /// One emoji, or several that touch each other.
    Emoji,
    /// A number with its unit, a date, a time, a name with digits in it.
    Number,
    /// A term of the glossary.
    Term,
}

impl From<EntityKind> for ProtectedKind {
    fn from(kind: EntityKind) -> Self {
        match kind {
            EntityKind::Link => Self::Link,
            EntityKind::Mention => Self::Mention,
            EntityKind::Hashtag => Self::Hashtag,
            EntityKind::Cashtag => Self::Cashtag,
        }
    }
}

impl ProtectedKind {
    /// Whether the words around it depend on what it is.
    pub fn is_telling(self) -> bool {
        matches!(self, Self::Number | Self::Term)
    }

    /// The kind as people and JSON read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Mention => "mention",
            Self::Hashtag => "hashtag",
            Self::Cashtag => "cashtag",
            Self::Address => "address",
            Self::Emoji => "emoji",
            Self::Number => "number",
            Self::Term => "term",
        }
    }
}

/// Something that comes back exactly once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protected {
    /// What it is.
    pub kind: ProtectedKind,
    /// Exactly what stood there.
    pub text: String,
    /// What stands there in the translation.
    pub becomes: String,
}
