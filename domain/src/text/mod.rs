//! The rules for text: what in it is no words, how long a network counts it, how it is split.

pub mod addresses;
mod canonical;
pub mod emoji;
pub mod entities;
pub mod glossary;
pub mod length;
pub mod mask;
pub mod numbers;
mod plain;
pub mod plural;
pub mod protect;
pub mod protected;
mod remask;
pub mod split;
pub mod tags;
mod words;

#[cfg(test)]
pub(crate) use words::tricky;

pub use entities::{Entity, EntityKind, entities};
pub use glossary::{Glossary, GlossaryError, SharedGlossary, Term};
pub use length::weighted_length;
pub use mask::{Mask, MaskedText, Segment};
pub use protect::{Hashtags, Masking, Mentions, mask};
pub use protected::{Protected, ProtectedKind};
