//! What Anthropic charges for its models (read on 2026-05-26).

use crate::engines::prices::ModelPrice;

/// In cents for a million tokens.
pub(super) const PRICES: [ModelPrice; 6] = [
    ModelPrice::in_cents("claude-haiku-4-5", 100, 500),
    ModelPrice::in_cents("claude-sonnet-4-5", 300, 1500),
    ModelPrice::in_cents("claude-sonnet-4-6", 300, 1500),
    ModelPrice::in_cents("claude-opus-4-5", 500, 2500),
    ModelPrice::in_cents("claude-opus-4-6", 500, 2500),
    ModelPrice::in_cents("claude-opus-4-8", 500, 2500),
];
