//! Maps keys to the environment variables that set them.

pub(super) const PREFIX: &str = "MYNAH";
pub(super) const SEPARATOR: &str = "__";

/// The variable that sets a key: `MYNAH__SOURCE__ACCOUNT` for `source.account`.
pub(super) fn variable_of_key(key: &str) -> String {
    format!("{PREFIX}{SEPARATOR}{}", key.replace('.', SEPARATOR).to_uppercase())
}

/// The key that a variable sets, if it sets one.
pub(super) fn key_of_variable(name: &str) -> Option<String> {
    Some(name.strip_prefix(PREFIX)?.strip_prefix(SEPARATOR)?.to_lowercase().replace(SEPARATOR, "."))
}
