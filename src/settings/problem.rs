//! Nobody should have to start Mynah once per mistake: every problem has its place, its cause and its fix, and all are
//! reported together.

use std::{fmt, path::PathBuf};

use super::Preset;

/// Where a setting was written, or why it has its value. Ordered as a person reads them: the file from top to bottom,
/// then the environment, then the flags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of the settings file; no line if something is missing from the file.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// From 1.
        line: Option<usize>,
        /// From 1; only for syntax errors.
        column: Option<usize>,
    },
    /// An environment variable.
    Environment(String),
    /// A `--set` flag, with its key.
    Flag(String),
    /// The store of logins.
    Store,
    /// Not written: the preset's default.
    Preset(Preset),
    /// Not written.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => {
                write!(f, "{}", path.display())?;
                [line, column].into_iter().flatten().try_for_each(|number| write!(f, ":{number}"))
            }
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(key) => write!(f, "--set {key}"),
            Self::Store => f.write_str("mynah login"),
            Self::Preset(preset) => write!(f, "preset {preset}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One mistake in the settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// The setting, `source.poll_interval`, or the secret's name; empty for the file as a whole.
    pub key: String,
    /// What is wrong. Never contains a secret.
    pub what: String,
    /// How to fix it.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, key, what, fix } = self;
        // The origin of a variable or a flag often names the key already.
        if key.is_empty() || origin.to_string().ends_with(&format!(" {key}")) {
            writeln!(f, "{origin}")?;
        } else {
            writeln!(f, "{origin}: {key}")?;
        }
        write!(f, "  what: {what}\n  fix: {fix}")
    }
}

/// All problems with the settings, in order of origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl SettingsError {
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self { problems }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => f.write_str("there is a problem in the settings")?,
            several => write!(f, "there are {several} problems in the settings")?,
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\n\n{problem}"))
    }
}

impl std::error::Error for SettingsError {}
