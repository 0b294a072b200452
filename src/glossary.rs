//! Glossaries in files: a person keeps the terms of an account in a table, and changes them while the service runs. A
//! change with a mistake in it is told, and the terms of before stay in force.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use log::{info, warn};
use mynah_domain::text::{Glossary, GlossaryError, SharedGlossary, Term};

/// How often files are looked at for a change.
const LOOK: Duration = Duration::from_secs(5);

/// The largest file that is read: some ten thousand terms.
const LARGEST: u64 = 1024 * 1024;

/// A glossary cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("glossary {path}: {error}; name a .toml or .csv file that this user may read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is too large.
    #[error("glossary {path}: more than 1 MiB; keep the terms that matter")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is not in its form.
    #[error("glossary {path}: {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// Its terms cannot be used.
    #[error("glossary {path}: {error}")]
    Terms {
        /// The file.
        path: PathBuf,
        /// Which, and why.
        error: GlossaryError,
    },
}

/// Reads a glossary: `"term" = "translation"` in a `.toml` file, `term,translation` in any other. An empty translation keeps
/// the term as the post has it.
///
/// # Errors
/// Each [`LoadError`] names the file, and the line where there is one.
pub fn load(path: &Path) -> Result<Glossary, LoadError> {
    let unreadable = |error| LoadError::Unreadable { path: path.to_owned(), error };
    if fs::metadata(path).map_err(unreadable)?.len() > LARGEST {
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
                format!("“{name}” is no text; write \"{name}\" = \"translation\", or \"\" to keep it")
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
                    "line {line} has more than two columns; write term,translation, with quotes where one has a comma"
                ));
            }
        }
    }
    Ok(terms)
}

/// Looks for changes for as long as it is polled, and takes them.
pub async fn watch(files: Vec<(PathBuf, SharedGlossary)>) {
    let changed_at = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let mut seen: Vec<Option<SystemTime>> = files.iter().map(|(path, _)| changed_at(path)).collect();
    loop {
        actix_rt::time::sleep(LOOK).await;
        for ((path, glossary), seen) in files.iter().zip(&mut seen) {
            let now = changed_at(path);
            if now == *seen {
                continue;
            }
            *seen = now;
            match load(path) {
                Ok(terms) => {
                    glossary.exchange(terms);
                    info!(file:% = path.display(); "glossary read anew");
                }
                Err(error) => warn!(reason:% = error; "glossary not read; the terms of before stay in force"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, text: &str) -> String {
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
    fn both_forms_say_the_same() {
        let csv = "term,translation\n# names\nCity Hall,Ayuntamiento\n\"Mynah, Inc.\",\nmayor\n";
        let toml = "\"City Hall\" = \"Ayuntamiento\"\n\"Mynah, Inc.\" = \"\"\nmayor = \"\"\n";
        assert_eq!(told("es.csv", csv), "Ayuntamiento; Mynah, Inc.; mayor");
        assert_eq!(told("es.toml", toml), told("es.csv", csv));
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        assert!(told("es.csv", "a,b\nc,d,e\n").contains("line 2 has more than two columns"));
        assert!(told("es.csv", "a,b\nA,d\n").contains("appears twice"));
        assert!(told("es.toml", "a = 1\n").contains("“a” is no text"));
        assert!(told("es.toml", "a = \n").contains("line 1"));
        assert!(load(Path::new("/nowhere/es.csv")).unwrap_err().to_string().contains("may read"));
    }
}
