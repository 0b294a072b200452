//! A wrong setting costs a person one look, not one start each: every problem says where it is, what it is and how to fix
//! it, and all of them are reported together.

use std::{fmt, path::PathBuf};

use super::Preset;

/// Where a setting was written, or why it has its value. Ordered as a person goes through them: the file from top to
/// bottom, then the environment, then the flags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of the settings file; no line where something is missing from the whole of it.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// From 1.
        line: Option<usize>,
        /// From 1; only where the line alone does not say enough.
        column: Option<usize>,
    },
    /// An environment variable.
    Environment(String),
    /// A `--set`, with its key.
    Flag(String),
    /// Nobody wrote it: the preset decided.
    Preset(Preset),
    /// Nobody wrote it.
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
            Self::Preset(preset) => write!(f, "preset {preset}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// The setting, `source.poll_interval`, or the secret's name; empty where the file as a whole is meant.
    pub key: String,
    /// What is wrong. Never shows a secret.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, key, what, fix } = self;
        // The place of a variable or a flag often names its key already.
        if key.is_empty() || origin.to_string().ends_with(&format!(" {key}")) {
            writeln!(f, "{origin}")?;
        } else {
            writeln!(f, "{origin}: {key}")?;
        }
        write!(f, "  what: {what}\n  fix: {fix}")
    }
}

/// Everything that is wrong with the settings, in order of place.
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
