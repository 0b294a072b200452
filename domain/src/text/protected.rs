//! The protected parts of a text, which no engine may change.

use serde::{Deserialize, Serialize};

use super::entity::EntityKind;

/// The kind of a protected part.
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
    /// A mail address or one with another scheme: the network does not link it, but it must not be translated.
    Address,
    /// Code between back quotes.
    Code,
    /// Words styled with combining marks: s̶a̶l̶e̶.
    Styled,
    /// One emoji, or several adjacent ones; or the name of one, `:name:`.
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
            EntityKind::Emoji => Self::Emoji,
        }
    }
}

impl ProtectedKind {
    /// Whether the words around it depend on it.
    pub fn affects_words(self) -> bool {
        matches!(self, Self::Number | Self::Term)
    }

    /// The kind's name for people and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Mention => "mention",
            Self::Hashtag => "hashtag",
            Self::Cashtag => "cashtag",
            Self::Address => "address",
            Self::Code => "code",
            Self::Styled => "styled",
            Self::Emoji => "emoji",
            Self::Number => "number",
            Self::Term => "term",
        }
    }
}

/// A part of a text that must come back exactly once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protected {
    /// Its kind.
    pub kind: ProtectedKind,
    /// The exact original text.
    pub text: String,
    /// The text in the translation.
    pub becomes: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names = [
            ProtectedKind::Link,
            ProtectedKind::Mention,
            ProtectedKind::Hashtag,
            ProtectedKind::Cashtag,
            ProtectedKind::Address,
            ProtectedKind::Code,
            ProtectedKind::Styled,
            ProtectedKind::Emoji,
            ProtectedKind::Number,
            ProtectedKind::Term,
        ]
        .map(ProtectedKind::as_str);
        assert_eq!(
            names,
            ["link", "mention", "hashtag", "cashtag", "address", "code", "styled", "emoji", "number", "term"]
        );
    }
}
