//! The rules of a network with prices of the operator's own: an agreement with the network, or a price list that is newer
//! than this version of Mynah.

use std::sync::Arc;

use super::{Limits, NetworkRules, Price, Refusal, Repeat};
use crate::{PostId, text::Entity};

/// Rules with other prices.
#[derive(Debug, Clone)]
pub struct Priced {
    rules: Arc<dyn NetworkRules>,
    price: Price,
}

impl Priced {
    /// These rules with this price.
    pub fn new(rules: Arc<dyn NetworkRules>, price: Price) -> Self {
        Self { rules, price }
    }
}

impl NetworkRules for Priced {
    fn name(&self) -> &'static str {
        self.rules.name()
    }

    fn weigh(&self, text: &str) -> usize {
        self.rules.weigh(text)
    }

    fn counting(&self) -> &'static str {
        self.rules.counting()
    }

    fn entities(&self, text: &str) -> Vec<Entity> {
        self.rules.entities(text)
    }

    fn limits(&self) -> &Limits {
        self.rules.limits()
    }

    fn repeat(&self) -> Repeat {
        self.rules.repeat()
    }

    fn has_warnings(&self) -> bool {
        self.rules.has_warnings()
    }

    fn has_cards(&self) -> bool {
        self.rules.has_cards()
    }

    fn has_accounts(&self) -> bool {
        self.rules.has_accounts()
    }

    fn refusal(&self, text: &str) -> Option<Refusal> {
        self.rules.refusal(text)
    }

    fn link(&self, handle: &str, message: &PostId) -> Option<String> {
        self.rules.link(handle, message)
    }

    fn profile(&self, handle: &str) -> Option<String> {
        self.rules.profile(handle)
    }

    fn price(&self) -> Price {
        self.price
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::PlainText;

    #[test]
    fn only_the_price_differs() {
        let plain = PlainText { has_warnings: true, has_cards: true, ..PlainText::default() };
        let price = Price { message: 10_000, with_link: 100_000 };
        let rules = Priced::new(Arc::new(plain.clone()), price);
        for text in ["Hola", "Mira https://a.example"] {
            assert_eq!(rules.weigh(text), plain.weigh(text));
            assert_eq!(rules.entities(text), plain.entities(text));
            assert_ne!(rules.price_of(text), plain.price_of(text));
        }
        assert_eq!(
            (rules.name(), rules.limits(), rules.repeat()),
            (plain.name(), plain.limits(), plain.repeat())
        );
        assert!(rules.has_warnings() && rules.has_cards());
        assert_eq!(rules.has_accounts(), plain.has_accounts());
    }
}
