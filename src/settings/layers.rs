//! Settings come from three places, and a problem must name the right one. The `config` crate merges file, environment
//! and flags; this module also records where each key was last written, with line numbers from `toml_edit`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use config::{Config, Environment, File, FileFormat, Value, ValueKind};
use toml_edit::{Document, Item, TableLike};

use super::{
    SettingsSources, former,
    problem::{Origin, Problem},
    sources::LIST,
    variables::{PREFIX, SEPARATOR, key_of_variable, variable_of_key},
};

const DEFAULT_FILE: &str = "config.toml";

/// A key that somebody wrote.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) origin: Origin,
    pub(super) is_section: bool,
}

/// File, environment and flags, merged.
#[derive(Debug)]
pub(super) struct Layers {
    config: Config,
    pub(super) written: BTreeMap<String, Written>,
    pub(super) file: PathBuf,
}

impl Layers {
    /// Reads all three. Problems that leave the rest readable go to `problems`; any other is the error.
    pub(super) fn read(sources: &SettingsSources, problems: &mut Vec<Problem>) -> Result<Self, Box<Problem>> {
        let file = sources.file_in_force();
        let text = read_file(&file, sources.names_file())?;
        Self::over(file, &text, sources, problems)
    }

    /// The same, for a file that was already read.
    pub(super) fn over(
        file: PathBuf,
        text: &str,
        sources: &SettingsSources,
        problems: &mut Vec<Problem>,
    ) -> Result<Self, Box<Problem>> {
        let mut written = BTreeMap::new();
        let document =
            Document::parse(text).map_err(|error| Box::new(syntax_problem(&file, text, &error)))?;
        Lines { path: &file, text, written: &mut written }.note(document.as_table(), "");

        let mut environment = vec![];
        for (name, value) in sources.env.iter().filter(|(_, value)| !value.is_empty()) {
            let Some(key) = key_of_variable(name) else { continue };
            let origin = Origin::Environment(name.clone());
            if let Some(list) = list_of(&key) {
                problems.push(not_in_file(list, origin));
                continue;
            }
            if is_key(&key) {
                environment.push((key.clone(), name.clone(), value.clone()));
            }
            written.insert(key, Written { origin, is_section: false });
        }
        for former::FormerValue { key, variable, value } in
            former::values(&sources.env, written.contains_key(LIST))
        {
            environment.push((key.to_owned(), variable_of_key(key), value));
            let origin = Origin::Environment(variable.to_owned());
            written.insert(key.to_owned(), Written { origin, is_section: false });
        }
        let mut flags = vec![];
        for flag in &sources.overrides {
            let Some((key, value)) = flag.split_once('=').map(|(key, value)| (key.trim(), value.trim()))
            else {
                problems.push(no_assignment(flag));
                continue;
            };
            let origin = Origin::Flag(key.to_owned());
            if let Some(list) = list_of(key) {
                problems.push(not_in_file(list, origin));
                continue;
            }
            if is_key(key) {
                flags.push((key, value));
            }
            written.insert(key.to_owned(), Written { origin, is_section: false });
        }

        // A value in place of a section would remove all keys of the section and so cause many more problems.
        let is_section = |key: &str| {
            let inside = format!("{key}.");
            written.range(inside.clone()..).next().is_some_and(|(other, _)| other.starts_with(&inside))
        };
        let environment = environment.into_iter().filter(|(key, ..)| !is_section(key));
        let environment = Environment::with_prefix(PREFIX)
            .separator(SEPARATOR)
            .source(Some(environment.map(|(_, name, value)| (name, value)).collect()));
        let mut builder =
            Config::builder().add_source(File::from_str(text, FileFormat::Toml)).add_source(environment);
        for (key, value) in flags.into_iter().filter(|(key, _)| !is_section(key)) {
            let wrong = |error| Box::new(odd(Origin::Flag(key.to_owned()), &error));
            builder = builder.set_override(key, value).map_err(wrong)?;
        }
        let config = builder.build().map_err(|error| Box::new(odd(line(&file, None), &error)))?;
        Ok(Self { config, written, file })
    }

    /// The value in force for a key.
    pub(super) fn value(&self, key: &str) -> Option<ValueKind> {
        self.config.get::<Value>(key).ok().map(|value| value.kind)
    }

    /// The value in force for a key, and the key that it was written under: its own, or the default for all sections of
    /// its list.
    pub(super) fn found(&self, key: &str) -> Option<(ValueKind, String)> {
        let own = self.value(key).map(|value| (value, key.to_owned()));
        own.or_else(|| {
            let default = default_for(key)?;
            Some((self.value(&default)?, default))
        })
    }

    /// Where a key was last written, or, if it is missing, the nearest section that exists.
    pub(super) fn origin(&self, key: &str) -> Origin {
        let mut path = key;
        loop {
            if let Some(written) = self.written.get(path) {
                return written.origin.clone();
            }
            match path.rsplit_once('.') {
                Some((parent, _)) => path = parent,
                None => return line(&self.file, None),
            }
        }
    }
}

impl SettingsSources {
    fn named_in_environment(&self) -> Option<&String> {
        self.env.get("MYNAH_CONFIG").filter(|path| !path.is_empty())
    }

    /// Whether there is a settings file, or the user named one.
    pub fn has_file(&self) -> bool {
        self.names_file() || Path::new(DEFAULT_FILE).exists()
    }

    fn names_file(&self) -> bool {
        self.file.is_some() || self.named_in_environment().is_some()
    }

    fn file_in_force(&self) -> PathBuf {
        let in_environment = || self.named_in_environment().map(PathBuf::from);
        self.file.clone().or_else(in_environment).unwrap_or_else(|| DEFAULT_FILE.into())
    }
}

/// The lists of sections.
pub(super) const LISTS: [&str; 2] = [LIST, "targets"];

/// The section of the settings that apply to every section of a list, unless it has its own.
pub(super) const DEFAULTS: &str = "defaults";

/// Keys that no two sections of a list have in common.
const OWN: [&str; 2] = ["name", "account"];

/// The key of the default for a key of a source or a target: `defaults.targets.tone` for `targets[3].tone`.
fn default_for(key: &str) -> Option<String> {
    let (section, name) = key.rsplit_once('.')?;
    let list = match section.split_once('[') {
        Some((list, _)) => list,
        None if section == "source" => LIST,
        None => return None,
    };
    (LISTS.contains(&list) && !OWN.contains(&name)).then(|| format!("{DEFAULTS}.{list}.{name}"))
}

/// The key of a list that a default is for: `targets[].tone` for `defaults.targets.tone`.
pub(super) fn with_default(key: &str) -> Option<String> {
    let key = key.strip_prefix(DEFAULTS)?.strip_prefix('.')?;
    let (list, name) = key.split_once('.').unwrap_or((key, ""));
    if !LISTS.contains(&list) || OWN.contains(&name) {
        return None;
    }
    Some(format!("{list}[].{name}").trim_end_matches('.').to_owned())
}

fn is_key_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

/// Whether a variable or flag names a key. One that does not is reported as unknown later.
fn is_key(key: &str) -> bool {
    !key.is_empty() && key.chars().all(is_key_character) && key.split('.').all(|part| !part.is_empty())
}

/// The list that a key is or is in.
fn list_of(key: &str) -> Option<&'static str> {
    let is_in = |list: &&str| {
        key.strip_prefix(*list).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    LISTS.into_iter().find(is_in)
}

fn not_in_file(list: &str, origin: Origin) -> Problem {
    Problem {
        origin,
        key: list.into(),
        what: format!("{list} are a list and can be set in the file only"),
        fix: format!(
            "remove this, and write it under [[{list}]] in the settings file, or set {DEFAULTS}.{list}.… for all of them"
        ),
    }
}

fn no_assignment(flag: &str) -> Problem {
    Problem {
        // Only the part that may be a key: the rest may hold a secret.
        origin: Origin::Flag(flag.chars().take_while(|c| is_key_character(*c)).collect()),
        key: String::new(),
        what: "this flag has no =".into(),
        fix: "write --set section.key=value".into(),
    }
}

fn line(path: &Path, line: Option<usize>) -> Origin {
    Origin::File { path: path.to_owned(), line, column: None }
}

fn odd(origin: Origin, error: &config::ConfigError) -> Problem {
    Problem {
        origin,
        key: String::new(),
        what: format!("cannot read this: {error}"),
        fix: "see docs/configuration.md for how to write it".into(),
    }
}

fn read_file(path: &Path, named: bool) -> Result<String, Box<Problem>> {
    fs::read_to_string(path).map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        Box::new(Problem {
            origin: line(path, None),
            key: String::new(),
            what: if missing { "file not found".into() } else { format!("cannot read the file: {error}") },
            fix: match (missing, named) {
                (true, true) => "name a settings file that exists with --config or MYNAH_CONFIG".into(),
                (true, false) => {
                    "copy config.toml from Mynah's source to here and enter your accounts, or name \
                                  another file with --config or MYNAH_CONFIG"
                        .into()
                }
                (false, _) => "name a readable TOML file in UTF-8 with --config or MYNAH_CONFIG".into(),
            },
        })
    })
}

fn syntax_problem(path: &Path, text: &str, error: &toml_edit::TomlError) -> Problem {
    let at = error.span().map(|span| span.start.min(text.len()));
    let before = at.and_then(|at| text.get(..at));
    let column = before.map(|before| before.rsplit('\n').next().unwrap_or_default().chars().count() + 1);
    Problem {
        origin: Origin::File { path: path.to_owned(), line: before.map(lines_to), column },
        key: String::new(),
        // Without the excerpt, which could show a secret that should not be in the file.
        what: format!("this is not valid TOML: {}", error.message().trim().replace('\n', ", ")),
        fix: "fix the line; write texts in quotes, lists in [ ] and sections as [name]".into(),
    }
}

fn lines_to(before: &str) -> usize {
    before.matches('\n').count() + 1
}

/// Records the line of each key in the file.
struct Lines<'a> {
    path: &'a Path,
    text: &'a str,
    written: &'a mut BTreeMap<String, Written>,
}

impl Lines<'_> {
    fn note(&mut self, table: &dyn TableLike, section: &str) {
        for (name, item) in table.iter() {
            let key = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
            let span = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
            self.put(key.clone(), span, item.is_table_like() || item.is_array_of_tables());
            self.note_within(item, &key);
        }
    }

    fn note_within(&mut self, item: &Item, key: &str) {
        if let Some(table) = item.as_table_like() {
            return self.note(table, key);
        }
        let tables = item.as_array_of_tables().into_iter().flatten();
        let tables = tables.map(|table| (table.span(), table as &dyn TableLike));
        let inline = item.as_array().into_iter().flatten().filter_map(toml_edit::Value::as_inline_table);
        let inline = inline.map(|table| (table.span(), table as &dyn TableLike));
        for (index, (span, table)) in tables.chain(inline).enumerate() {
            let key = format!("{key}[{index}]");
            self.put(key.clone(), span, true);
            self.note(table, &key);
        }
    }

    fn put(&mut self, key: String, span: Option<std::ops::Range<usize>>, is_section: bool) {
        let number = span.and_then(|span| self.text.get(..span.start)).map(lines_to);
        self.written.insert(key, Written { origin: line(self.path, number), is_section });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_named_file_the_error_says_where_to_get_one() {
        let problem = read_file(Path::new("/nowhere/config.toml"), false).unwrap_err();
        assert!(problem.fix.contains("copy config.toml"), "{problem}");
    }
}
