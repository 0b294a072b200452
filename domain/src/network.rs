//! What differs from network to network in how a text is read, counted and taken. Everything that knows one network stands
//! in that network's folder; all else asks its [`NetworkRules`].

mod plain_text;

use std::fmt::Debug;

pub use plain_text::PlainText;

use crate::text::{Entity, EntityKind};

/// The rules of one network. A post is read by those of its source's network, a translation by those of its target's.
///
/// [`weigh`](Self::weigh) and [`entities`](Self::entities) are asked several times for every job, so they must be quick and
/// must not panic, whatever the text.
pub trait NetworkRules: Debug + Send + Sync {
    /// The network's name in settings, in logs and in the names of its accounts.
    fn name(&self) -> &'static str;

    /// How much a text counts towards [`Limits::text`]: some networks count characters, others give them weights, and some
    /// count every link alike. A text should weigh no less than its beginning, as splitting looks for the longest that fits.
    fn weigh(&self, text: &str) -> usize;

    /// How [`weigh`](Self::weigh) counts, as a part of a sentence for a language model that must write a shorter text: “a
    /// letter weighs 1, a link 23”.
    fn counting(&self) -> &'static str;

    /// The links, mentions and tags in a text, in order, none overlapping another. They are what the network would link.
    fn entities(&self, text: &str) -> Vec<Entity>;

    /// The most that a message may hold.
    fn limits(&self) -> &Limits;

    /// What publishing the same message again does.
    fn repeat(&self) -> Repeat;

    /// A rule of its own that a message with this text would break: it would be refused, so it is not sent.
    fn refusal(&self, _text: &str) -> Option<Refusal> {
        None
    }

    /// What the network charges for a message.
    fn price(&self) -> Price {
        Price::default()
    }

    /// What it charges for a message with this text, in millionths of a US dollar.
    fn price_of(&self, text: &str) -> u32 {
        let Price { message, with_link } = self.price();
        // Most networks charge nothing, whatever the text is.
        let has_link = || self.entities(text).iter().any(|entity| entity.kind == EntityKind::Link);
        if message != with_link && has_link() { with_link } else { message }
    }
}

/// The most that one message may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of text, as [`NetworkRules::weigh`] counts it. What is longer becomes a thread.
    pub text: usize,
    /// Of alt text on one medium, counted in the same way. What is longer is not published translated, but in the author's
    /// words.
    pub alt_text: usize,
    /// How many media.
    pub media: usize,
}

/// What publishing a message again under the same key does, where it is not known whether the first time succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The network knows the key and does not publish it twice: a message whose outcome was lost is sent again.
    Safe,
    /// The network would publish it twice: the account's own messages are looked up first.
    LookUpFirst,
}

/// A rule of a network that a text breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its code, stable across versions, by which people look it up in docs/gate.md.
    pub rule: &'static str,
    /// What is wrong, for a person.
    pub message: String,
}

/// What a network charges for one message, in millionths of a US dollar: whole numbers add up exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// For one without a link.
    pub message: u32,
    /// For one with a link, or several.
    pub with_link: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_a_link_has_a_price_of_its_own() {
        let price = Price { message: 15_000, with_link: 200_000 };
        let rules = PlainText { price, ..PlainText::default() };
        assert_eq!(rules.price_of("Hola a todos"), 15_000);
        assert_eq!(rules.price_of("Mira https://a.example y https://b.example"), 200_000);
        assert_eq!(PlainText::default().price_of("Mira https://a.example"), 0);
    }
}
