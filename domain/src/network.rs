//! The differences between networks in how a text is read, counted and limited. Code that knows one network is in that
//! network's folder; all other code asks its [`NetworkRules`].

mod plain_text;
mod priced;

use std::fmt::Debug;

pub use plain_text::PlainText;
pub use priced::Priced;

use crate::{
    Money, PostId,
    text::{Entity, EntityKind},
};

/// The rules of one network. Its source's network reads a post; its target's network reads a translation.
///
/// [`weigh`](Self::weigh) and [`entities`](Self::entities) are called several times for every job, so they must be fast
/// and must not panic, whatever the text.
pub trait NetworkRules: Debug + Send + Sync {
    /// The network's name in settings, in logs and in the names of its accounts.
    fn name(&self) -> &'static str;

    /// How much a text counts towards [`Limits::text`]: some networks count characters, others weigh them, and some
    /// count every link the same. A text should weigh no less than any of its prefixes, because splitting looks for the
    /// longest prefix that fits.
    fn weigh(&self, text: &str) -> usize;

    /// How [`weigh`](Self::weigh) counts, as a part of a sentence for a language model that must write a shorter text: “a
    /// letter weighs 1, a link 23”.
    fn counting(&self) -> &'static str;

    /// The links, mentions and tags that the network would link in a text, in order and without overlaps.
    fn entities(&self, text: &str) -> Vec<Entity>;

    /// The most that a message may contain.
    fn limits(&self) -> &Limits;

    /// What happens if the same message is published again.
    fn repeat(&self) -> Repeat;

    /// Whether a message can have a warning that hides it until a reader asks for it. It weighs as much as text. On other
    /// networks a post's warning is the first paragraph of its text.
    fn has_warnings(&self) -> bool {
        false
    }

    /// Whether a message shows a link as a card only if its publisher adds the card. Other networks make cards themselves,
    /// or have none.
    fn has_cards(&self) -> bool {
        false
    }

    /// Whether a name behind an `@` in its texts is an account of this network. In a feed or a file, it may be anybody's.
    fn has_accounts(&self) -> bool {
        true
    }

    /// A rule of the network that a message with this text would break. The network would refuse the message, so it is
    /// not sent.
    fn refusal(&self, _text: &str) -> Option<Refusal> {
        None
    }

    /// Where people find a message of the account with this handle, if the network has a page for it.
    fn link(&self, _handle: &str, _message: &PostId) -> Option<String> {
        None
    }

    /// Where people find the account with this handle, if the network has a page for it.
    fn profile(&self, _handle: &str) -> Option<String> {
        None
    }

    /// What the network charges for a message.
    fn price(&self) -> Price {
        Price::default()
    }

    /// What the network charges for a message with this text.
    fn price_of(&self, text: &str) -> Money {
        let Price { message, with_link } = self.price();
        // Most networks charge nothing for any text, so skip the search for links.
        let has_link = || self.entities(text).iter().any(|entity| entity.kind == EntityKind::Link);
        let price = if message != with_link && has_link() { with_link } else { message };
        Money::from_micros(u64::from(price))
    }
}

/// The most that one message may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most text, as [`NetworkRules::weigh`] counts it. A longer text becomes a thread.
    pub text: usize,
    /// The most alt text on one medium, counted in the same way. If the translation is longer, the author's alt text is
    /// used.
    pub alt_text: usize,
    /// The most media.
    pub media: usize,
}

/// What happens if a message is published again under the same key, when it is unknown whether the first time
/// succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The network recognizes the key and does not publish it twice: a message whose outcome was lost is sent again.
    Safe,
    /// The network would publish it twice: look it up among the account's own messages first.
    LookUpFirst,
}

/// A rule of a network that a text breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its code, stable across versions and listed in docs/gate.md.
    pub rule: &'static str,
    /// What is wrong, for a person.
    pub message: String,
}

/// What a network charges for one message, in millionths of a US dollar: whole numbers add up exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// For a message without a link.
    pub message: u32,
    /// For a message with one or more links.
    pub with_link: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_a_link_has_its_own_price() {
        let price = Price { message: 15_000, with_link: 200_000 };
        let rules = PlainText { price, ..PlainText::default() };
        assert_eq!(rules.price_of("Hola a todos"), Money::from_micros(15_000));
        assert_eq!(rules.price_of("Mira https://a.example y https://b.example"), Money::from_micros(200_000));
        assert_eq!(PlainText::default().price_of("Mira https://a.example"), Money::from_micros(0));
    }
}
