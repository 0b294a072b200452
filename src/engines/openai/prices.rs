//! What OpenAI charges for its models (read in June 2026). Other services with its API have prices of their own, which
//! `price_input` and `price_output` set.

use crate::engines::prices::ModelPrice;

/// In cents for a million tokens.
pub(super) const PRICES: [ModelPrice; 4] = [
    ModelPrice::in_cents("gpt-5.5", 500, 3000),
    ModelPrice::in_cents("gpt-5.4", 250, 1500),
    ModelPrice::in_cents("gpt-5.4-mini", 75, 450),
    ModelPrice::in_cents("gpt-5.4-nano", 20, 125),
];
