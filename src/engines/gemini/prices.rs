//! What Google charges for its models (read on 2026-10-07). What a model thinks counts as output.

use crate::engines::prices::ModelPrice;

/// In cents for a million tokens.
pub(super) const PRICES: [ModelPrice; 6] = [
    // $0.75 and $3.75 until 2026-12-31.
    ModelPrice::in_cents("gemini-3.8-flash", 150, 750),
    ModelPrice::in_cents("gemini-3.6-flash", 150, 750),
    // Requests for it are answered, and charged, by its successor.
    ModelPrice::in_cents("gemini-3.5-flash", 150, 900),
    ModelPrice::in_cents("gemini-3.5-flash-lite", 30, 250),
    ModelPrice::in_cents("gemini-3.1-flash-lite", 25, 150),
    // $4 and $18 for requests of more than 200,000 tokens, which posts never are.
    ModelPrice::in_cents("gemini-3.1-pro-preview", 200, 1200),
];
