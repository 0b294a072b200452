//! What the profiles do to one post of the followed account. It depends only on the plan and the post's number, so a
//! test can know in advance what to expect.

use super::{ActiveProfiles, edited, odd};

/// What happens to a post.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fate {
    /// Where it can be read.
    pub readability: Readability,
    /// Whether X shows a notice in its place.
    pub withheld: bool,
    /// Whether and when a second version replaces it.
    pub edited: Edited,
    /// Whether its media are missing from `includes`.
    pub media_missing: bool,
    /// Whether it ends with a link to another account's photo.
    pub links_photo: bool,
}

/// Where a post can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Readability {
    /// On pages and by its id.
    #[default]
    Everywhere,
    /// Only by its id, not on pages.
    ById,
    /// Never.
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
    pub(crate) fn of(profiles: ActiveProfiles, number: u64) -> Self {
        let readability = odd::readability(profiles, number);
        let withheld = readability == Readability::Everywhere && odd::is_withheld(profiles, number);
        let plain = readability == Readability::Everywhere && !withheld;
        Self {
            readability,
            withheld,
            edited: if plain { edited::when(profiles, number) } else { Edited::Never },
            media_missing: odd::loses_media(profiles, number),
            links_photo: plain && odd::links_photo(profiles, number),
        }
    }
}
