//! The rules for text: what in it is no words, how long a network counts it, how it is split.

pub mod entities;
pub mod length;
pub mod mask;
pub mod split;

pub use entities::{Entity, EntityKind, entities};
pub use length::weighted_length;
pub use mask::{Mask, MaskedText, Segment, mask};
