//! What happens to every text, on whatever network: masking what must not change, restoring it, and splitting what is
//! too long. A network's [`NetworkRules`](crate::network::NetworkRules) decide what it links and how it counts.

pub mod addresses;
mod canonical;
mod code;
pub mod digits;
pub mod emoji;
pub mod entity;
mod foreign;
pub mod glossary;
pub mod links;
mod lower_case;
pub mod mask;
pub mod notation;
pub mod numbers;
pub mod plural;
pub mod protect;
pub mod protected;
mod remask;
mod spacing;
pub mod split;
mod styled;
pub mod tags;
mod unlinked;
mod wordless;
pub mod words;

pub use entity::{Entity, EntityKind};
pub(crate) use foreign::neutralize_mentions;
pub use glossary::{Glossary, GlossaryError, SharedGlossary, Term};
pub(crate) use lower_case::lower_case;
pub use mask::{Mask, MaskedText, Segment};
pub use notation::{Numbers, Rewriting};
pub use protect::{Hashtags, Links, Masking, Mentions, mask};
pub use protected::{Protected, ProtectedKind};
pub use wordless::is_wordless;
