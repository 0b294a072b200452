//! Labels measurements with the name of a service, which comes from the code or from the settings.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

/// The name of a service. Every measured call clones it, so a clone allocates nothing.
#[derive(Debug, Clone)]
pub enum Label {
    /// A name in the code, `cache`.
    Fixed(&'static str),
    /// A name in the settings, `gemini`.
    Configured(Arc<str>),
}

impl Deref for Label {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Fixed(name) => name,
            Self::Configured(name) => name,
        }
    }
}

impl From<&'static str> for Label {
    fn from(name: &'static str) -> Self {
        Self::Fixed(name)
    }
}

impl From<&Arc<str>> for Label {
    fn from(name: &Arc<str>) -> Self {
        Self::Configured(name.clone())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

// Compare by name alone, wherever it comes from.

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Label {}

impl PartialOrd for Label {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Label {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Label {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_wherever_it_comes_from() {
        let (fixed, configured) = (Label::from("gemini"), Label::from(&Arc::from("gemini")));
        assert_eq!(fixed, configured);
        assert!(Label::from("apertium") < configured && configured < Label::from("ledger"));
        assert_eq!(configured.to_string(), "gemini");
    }
}
