//! What X charges (docs.x.com, price list of 2026-08-22). X bills a post that is read once per UTC day, and nothing for a
//! call that fails.

use mynah_domain::{Money, network::Price, tariff::CallPrices};

use crate::settings::{Reader, kinds::price};

/// What X charges for reading an account.
const USER_READ: Money = Money::from_micros(10_000);

/// What X charges for each thing that Mynah does there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct XPrices {
    /// For a post without a link.
    pub(super) post: Money,
    /// For a post with a link.
    pub(super) post_with_link: Money,
    /// For reading a post of another account.
    pub(super) read: Money,
    /// For reading a post of the account's own.
    pub(super) own_read: Money,
    /// For an alt text.
    pub(super) alt_text: Money,
}

impl XPrices {
    /// Reads the prices from X's section.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let post = reader.or("x.price_post", "0.015", price);
        let post_with_link = reader.or("x.price_post_with_link", "0.20", price);
        let read = reader.or("x.price_read", "0.005", price);
        let own_read = reader.or("x.price_own_read", "0.001", price);
        let alt_text = reader.or("x.price_alt_text", "0.005", price);
        Some(Self {
            post: post?,
            post_with_link: post_with_link?,
            read: read?,
            own_read: own_read?,
            alt_text: alt_text?,
        })
    }

    /// What everything but a message costs. A post that is read alone comes with the post that it refers to, and with the
    /// accounts of both.
    pub(super) fn of_calls(self) -> CallPrices {
        let Self { read, own_read, alt_text, .. } = self;
        let read_alone = read.times(2) + USER_READ.times(2);
        CallPrices { read, read_alone, account: USER_READ, own_read, alt_text }
    }

    /// What a message costs.
    pub(super) fn of_message(self) -> Price {
        let micros = |money: Money| u32::try_from(money.micros()).unwrap_or(u32::MAX);
        Price { message: micros(self.post), with_link: micros(self.post_with_link) }
    }
}
