//! What engines charge. A language model is paid by the token, a translation service by the character, and some cost
//! nothing; of others nobody knows the price until a person writes it down.

use std::sync::Arc;

use crate::{Money, ports::engine::Usage};

/// What an engine charges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Tariff {
    /// Nothing.
    #[default]
    Free,
    /// By the token; both prices are for a million tokens.
    Tokens {
        /// What is sent, instructions included.
        input: Money,
        /// What is answered, including what a model thinks before it answers.
        output: Money,
    },
    /// By the character of what is sent; the price is for a million characters.
    Characters(Money),
    /// Nobody knows.
    Unknown {
        /// The key that sets the price.
        setting: Arc<str>,
    },
}

impl Tariff {
    /// Whether nothing is ever charged.
    pub fn is_free(&self) -> bool {
        match self {
            Self::Free => true,
            Self::Tokens { input, output } => input.is_zero() && output.is_zero(),
            Self::Characters(price) => price.is_zero(),
            Self::Unknown { .. } => false,
        }
    }

    /// What this usage costs; `None` if the price is unknown. Counts that are unknown cost nothing.
    pub fn cost(&self, usage: &Usage) -> Option<Money> {
        match self {
            Self::Free => Some(Money::ZERO),
            Self::Tokens { input, output } => Some(
                input.for_units(usage.input_tokens.unwrap_or_default())
                    + output.for_units(usage.output_tokens.unwrap_or_default()),
            ),
            Self::Characters(price) => Some(price.for_units(usage.billed_characters.unwrap_or_default())),
            Self::Unknown { .. } => None,
        }
    }
}

/// What a network charges for everything but messages ([`NetworkRules::price`](crate::network::NetworkRules::price)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallPrices {
    /// For reading a post of a followed account, on a page.
    pub read: Money,
    /// For reading one by its id, with all that is requested with it, at most.
    pub read_alone: Money,
    /// For reading an account, to find the followed one.
    pub account: Money,
    /// For reading a message of the account's own, to find out what became of it.
    pub own_read: Money,
    /// For adding an alt text to a medium.
    pub alt_text: Money,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dollars(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn tokens_cost_by_direction_and_characters_alike() {
        let usage = Usage {
            input_tokens: Some(2_000_000),
            output_tokens: Some(500_000),
            billed_characters: Some(40_000),
        };
        let tokens = Tariff::Tokens { input: dollars("0.30"), output: dollars("2.50") };
        assert_eq!(tokens.cost(&usage), Some(dollars("1.85")));
        assert_eq!(Tariff::Characters(dollars("25")).cost(&usage), Some(dollars("1")));
        assert_eq!(Tariff::Free.cost(&usage), Some(Money::ZERO));
        assert_eq!(tokens.cost(&Usage::default()), Some(Money::ZERO));
    }

    #[test]
    fn an_unknown_price_is_not_free() {
        let unknown = Tariff::Unknown { setting: "engine.groq.price_input".into() };
        assert_eq!((unknown.cost(&Usage::default()), unknown.is_free()), (None, false));
        assert!(Tariff::Characters(Money::ZERO).is_free());
        assert!(!Tariff::Tokens { input: Money::ZERO, output: dollars("1") }.is_free());
    }
}
