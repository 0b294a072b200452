//! A mistake in the settings, as it is told to whoever made it.

use std::fmt;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it stands: `config.toml:12`, an environment variable, `--set`.
    pub place: String,
    /// The key, or the variable, that it is about.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// How it is mended.
    pub mend: String,
}

/// Every mistake there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    /// In the order of their places; at least one.
    pub problems: Vec<Problem>,
}

impl SettingsError {
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_cached_key(|problem| {
            // Lines of a file by number, not by letter.
            let (file, line) = problem.place.rsplit_once(':').unwrap_or((&problem.place, ""));
            (file.to_owned(), line.parse::<usize>().unwrap_or(usize::MAX), problem.key.clone())
        });
        problems.dedup();
        Self { problems }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "{count} problem{} in the settings", if count == 1 { "" } else { "s" })?;
        for Problem { place, key, what, mend } in &self.problems {
            write!(f, "\n  {place}: {key}: {what}\n      mend: {mend}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}
