//! The values that a text mentions, exact whatever their size: an id of twenty digits must not equal another.

/// A number: its significant digits, and the power of ten that they are multiplied by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    digits: String,
    exponent: i32,
}

impl Value {
    /// `digits` × 10^`exponent`.
    pub(super) fn new(digits: &str, exponent: i32) -> Self {
        let significant = digits.trim_start_matches('0');
        let trimmed = significant.trim_end_matches('0');
        if trimmed.is_empty() {
            return Self { digits: String::new(), exponent: 0 };
        }
        // A text is shorter than two billion zeros.
        let zeros = i32::try_from(significant.len() - trimmed.len()).unwrap_or(i32::MAX);
        Self { digits: trimmed.to_owned(), exponent: exponent.saturating_add(zeros) }
    }
}

impl From<u128> for Value {
    fn from(number: u128) -> Self {
        Self::new(&number.to_string(), 0)
    }
}

/// A number in a text.
#[derive(Debug, Clone)]
pub(super) struct Mention {
    /// As in the text, for people.
    pub(super) written: String,
    /// What it is.
    pub(super) is: Vec<Value>,
    /// What it may also be: `5 pm` is 17, and 5 where the half of the day is a word.
    pub(super) may_be: Vec<Value>,
    /// Whether the other text must have it.
    pub(super) is_required: bool,
    /// Whether it is in digits.
    pub(super) is_digits: bool,
    /// Whether it is a time before noon.
    pub(super) is_morning: bool,
}

impl Mention {
    /// Whether both are the same number.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.is.iter().any(|value| other.is.contains(value))
    }

    /// Whether one of them may be the other.
    pub(super) fn may_equal(&self, other: &Self) -> bool {
        let may = |one: &Self, other: &Self| {
            !other.is_morning && one.may_be.iter().any(|value| other.is.contains(value))
        };
        may(self, other) || may(other, self)
    }
}
