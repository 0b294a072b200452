//! What the profiles do to one post of the followed account. It follows from the plan and the post's number alone, so a
//! test can ask beforehand what it must find afterwards.

use super::{Manners, edited, odd};

/// What becomes of a post.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fate {
    /// Whether it can be read.
    pub readability: Readability,
    /// Whether X shows a notice in its place.
    pub withheld: bool,
    /// Whether, and when, a second version takes its place.
    pub edited: Edited,
    /// Whether its media are missing from `includes`.
    pub media_missing: bool,
    /// Whether it ends with a link to another account's photo.
    pub links_photo: bool,
}

/// Whether a post can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Readability {
    /// Everywhere.
    #[default]
    Everywhere,
    /// By its id, and not on a page.
    ById,
    /// Nowhere, for ever.
    Nowhere,
}

/// When a post is edited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Edited {
    /// Never.
    #[default]
    Never,
    /// Before any page showed it.
    Unseen,
    /// After a page showed it.
    Seen,
}

impl Fate {
    /// The fate of the followed account's post with this number.
    pub(crate) fn of(manners: Manners, number: u64) -> Self {
        let readability = odd::readability(manners, number);
        let withheld = readability == Readability::Everywhere && odd::is_withheld(manners, number);
        let plain = readability == Readability::Everywhere && !withheld;
        Self {
            readability,
            withheld,
            edited: if plain { edited::when(manners, number) } else { Edited::Never },
            media_missing: odd::loses_media(manners, number),
            links_photo: plain && odd::links_photo(manners, number),
        }
    }
}
