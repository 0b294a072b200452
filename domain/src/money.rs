//! Amounts of money. Networks and engines charge fractions of a cent, and what they charge must add up exactly, so amounts
//! are whole millionths of a US dollar.

use std::{fmt, iter::Sum, ops::Add, str::FromStr};

use serde::{Deserialize, Serialize};

/// How many parts a dollar has.
const PER_DOLLAR: u64 = 1_000_000;

/// The most digits behind the point that an amount can have.
const DECIMALS: usize = 6;

/// An amount in millionths of a US dollar. Sums stop at the largest amount, which nobody can spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(u64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The largest amount.
    pub const MAX: Self = Self(u64::MAX);

    /// This many millionths of a dollar.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The amount in millionths of a dollar.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// What `units` cost at this price for a million of them, rounded up: a bill is never higher than its record.
    #[must_use]
    pub fn for_units(self, units: u64) -> Self {
        let exact = u128::from(self.0) * u128::from(units);
        Self(u64::try_from(exact.div_ceil(u128::from(PER_DOLLAR))).unwrap_or(u64::MAX))
    }

    /// The amount this many times.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// What is left of the amount after `other`; nothing if `other` is larger.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// With cents, and with as many further digits as the amount has: `$1.00`, `$0.015`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:06}", self.0 % PER_DOLLAR);
        let digits = fraction.trim_end_matches('0').len().max(2);
        write!(f, "${}.{}", self.0 / PER_DOLLAR, &fraction[..digits])
    }
}

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoMoney {
    /// It is not written like an amount.
    #[error("{0:?} is not an amount of US dollars, such as \"1.50\"")]
    Malformed(String),
    /// It is less than nothing.
    #[error("{0:?} is negative")]
    Negative(String),
    /// It is an amount of another currency.
    #[error("{0:?} is not in US dollars, in which networks and engines state their prices")]
    OtherCurrency(String),
    /// It has a smaller unit than a millionth of a dollar.
    #[error("{0:?} has more than six digits behind the point")]
    TooFine(String),
    /// It is larger than [`Money::MAX`].
    #[error("{0:?} is too large")]
    TooLarge(String),
}

/// Reads `1.50`, `$1.50` and `1.50 USD`.
impl FromStr for Money {
    type Err = NoMoney;

    fn from_str(text: &str) -> Result<Self, NoMoney> {
        let whole = || text.to_owned();
        let number = text.trim();
        let number = number.strip_prefix('$').unwrap_or(number);
        let number = number.strip_suffix("USD").unwrap_or(number).trim();
        if number.starts_with('-') {
            return Err(NoMoney::Negative(whole()));
        }
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (dollars, fraction) = number.split_once('.').unwrap_or((number, ""));
        if !is_number(dollars) || !is_number(fraction) || dollars.is_empty() {
            let is_currency = |c: char| c.is_ascii_uppercase() || "€£¥₹".contains(c);
            return Err(if number.starts_with(is_currency) || number.ends_with(is_currency) {
                NoMoney::OtherCurrency(whole())
            } else {
                NoMoney::Malformed(whole())
            });
        }
        if fraction.trim_end_matches('0').len() > DECIMALS {
            return Err(NoMoney::TooFine(whole()));
        }
        let fraction: String = fraction.chars().chain("000000".chars()).take(DECIMALS).collect();
        let amount = || {
            let dollars: u64 = dollars.parse().ok()?;
            dollars.checked_mul(PER_DOLLAR)?.checked_add(fraction.parse().ok()?)
        };
        amount().map(Self).ok_or_else(|| NoMoney::TooLarge(whole()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_parses_back_from_its_text() {
        for (micros, text) in [
            (0, "$0.00"),
            (1, "$0.000001"),
            (15_000, "$0.015"),
            (200_000, "$0.20"),
            (12_345_678, "$12.345678"),
        ] {
            let amount = Money::from_micros(micros);
            assert_eq!(amount.to_string(), text);
            assert_eq!(text.parse(), Ok(amount));
        }
        for text in ["1.5", " 1.50 ", "$1.500000", "1.50 USD", "1.50000000"] {
            assert_eq!(text.parse(), Ok(Money::from_micros(1_500_000)), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_amount_is_refused_with_its_reason() {
        let error = |text: &str| text.parse::<Money>().unwrap_err();
        let whole = |text: &str| text.to_owned();
        for text in ["", "$", ".5", "1,50", "1.5.0", "1e3", "+1", "one", "0x10"] {
            assert_eq!(error(text), NoMoney::Malformed(whole(text)), "{text}");
        }
        assert_eq!(error("-1"), NoMoney::Negative(whole("-1")));
        assert_eq!(error("$-1"), NoMoney::Negative(whole("$-1")));
        for text in ["1.50 EUR", "€1.50", "1.50€", "GBP 2"] {
            assert_eq!(error(text), NoMoney::OtherCurrency(whole(text)), "{text}");
        }
        assert_eq!(error("0.0000001"), NoMoney::TooFine(whole("0.0000001")));
        let large = "18446744073710";
        assert_eq!(error(large), NoMoney::TooLarge(whole(large)));
    }

    #[test]
    fn a_price_for_a_million_is_rounded_up() {
        let price = Money::from_micros(300_000);
        assert_eq!(price.for_units(1_000), Money::from_micros(300));
        assert_eq!(price.for_units(1), Money::from_micros(1));
        assert_eq!(price.for_units(0), Money::ZERO);
        assert_eq!(Money::MAX.for_units(u64::MAX), Money::MAX);
    }
}
