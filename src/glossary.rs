//! Operators keep an account's fixed translations in a glossary file, and edit it while the service runs. Mynah loads
//! changed files; if a file has a mistake, Mynah logs it and keeps using the previous terms.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use log::{info, warn};
use mynah_domain::text::{Glossary, GlossaryError, SharedGlossary, Term};

/// How often to check files for changes.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The largest file to read: about ten thousand terms.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a glossary cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("glossary {path}: {error}; name a .toml or .csv file that this user may read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The file is too large.
    #[error("glossary {path}: larger than 1 MiB; keep only the terms that matter")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file has the wrong format.
    #[error("glossary {path}: {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The mistake and its line.
        why: String,
    },
    /// A term cannot be used.
    #[error("glossary {path}: {error}")]
    Terms {
        /// The file.
        path: PathBuf,
        /// The term, and the reason.
        error: GlossaryError,
    },
}

/// Reads a glossary: `"term" = "translation"` in a `.toml` file, `term,translation` in any other. An empty translation
/// keeps the term as it is in the post.
///
/// # Errors
/// Each [`LoadError`] names the file, and the line if possible.
pub fn load(path: &Path) -> Result<Glossary, LoadError> {
    let unreadable = |error| LoadError::Unreadable { path: path.to_owned(), error };
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(LoadError::TooLarge { path: path.to_owned() });
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let is_toml = path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("toml"));
    let terms = if is_toml { from_toml(&text) } else { from_csv(&text) };
    let terms = terms.map_err(|why| LoadError::Malformed { path: path.to_owned(), why })?;
    Glossary::new(terms).map_err(|error| LoadError::Terms { path: path.to_owned(), error })
}

fn term(term: &str, becomes: &str) -> Term {
    let becomes = becomes.trim();
    Term { term: term.trim().to_owned(), becomes: (!becomes.is_empty()).then(|| becomes.to_owned()) }
}

fn from_toml(text: &str) -> Result<Vec<Term>, String> {
    let table = toml_edit::Document::parse(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    table
        .iter()
        .map(|(name, value)| {
            let becomes = value.as_str().ok_or_else(|| {
                format!(
                    "“{name}” is not a string; write \"{name}\" = \"translation\", or \"\" to keep the term"
                )
            })?;
            Ok(term(name, becomes))
        })
        .collect()
}

fn from_csv(text: &str) -> Result<Vec<Term>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let mut terms = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let line = row.position().map_or(0, csv::Position::line);
        match (row.get(0), row.get(1), row.len()) {
            (Some("term"), Some("translation"), 2) if terms.is_empty() => {}
            (Some(name), becomes, 1..=2) => terms.push(term(name, becomes.unwrap_or_default())),
            _ => {
                return Err(format!(
                    "line {line} has more than two columns; write term,translation and quote values that have commas"
                ));
            }
        }
    }
    Ok(terms)
}

/// Loads changed files for as long as it is polled.
pub async fn watch(files: Vec<(PathBuf, SharedGlossary)>) {
    let changed_at = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let mut seen: Vec<Option<SystemTime>> = files.iter().map(|(path, _)| changed_at(path)).collect();
    loop {
        actix_rt::time::sleep(CHECK_INTERVAL).await;
        for ((path, glossary), seen) in files.iter().zip(&mut seen) {
            let now = changed_at(path);
            if now == *seen {
                continue;
            }
            *seen = now;
            match load(path) {
                Ok(terms) => {
                    glossary.exchange(terms);
                    info!(file:% = path.display(); "glossary reloaded");
                }
                Err(error) => warn!(reason:% = error; "glossary reload failed"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(name: &str, text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        match load(&path) {
            Ok(glossary) => {
                let text = "City Hall and Mynah, Inc. and mayor";
                let found: Vec<&str> = glossary.find(text).into_iter().map(|(_, becomes)| becomes).collect();
                found.join("; ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn toml_and_csv_load_the_same_terms() {
        let csv = "term,translation\n# names\nCity Hall,Ayuntamiento\n\"Mynah, Inc.\",\nmayor\n";
        let toml = "\"City Hall\" = \"Ayuntamiento\"\n\"Mynah, Inc.\" = \"\"\nmayor = \"\"\n";
        assert_eq!(load_text("es.csv", csv), "Ayuntamiento; Mynah, Inc.; mayor");
        assert_eq!(load_text("es.toml", toml), load_text("es.csv", csv));
    }

    #[test]
    fn an_error_names_the_line() {
        assert!(load_text("es.csv", "a,b\nc,d,e\n").contains("line 2 has more than two columns"));
        assert!(load_text("es.csv", "a,b\nA,d\n").contains("appears twice"));
        assert!(load_text("es.toml", "a = 1\n").contains("“a” is not a string"));
        assert!(load_text("es.toml", "a = \n").contains("line 1"));
        assert!(load(Path::new("/nowhere/es.csv")).unwrap_err().to_string().contains("may read"));
    }
}
