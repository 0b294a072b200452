//! Reads keys one by one from the merged sources, and keeps a list of what was wrong instead of stopping at the first.
//! What was never read is no key of ours, and is told with the nearest that is.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::RangeInclusive,
    time::Duration,
};

use config::{Config, Environment, File, FileFormat, Value, ValueKind};
use toml_edit::{Document, Item, TableLike};
use url::Url;

use super::{DEFAULT_FILE, Problem, SettingsError, SettingsSources, values::Setting};

/// Words that a secret's key ends in. None belongs into a file that people show each other.
const SECRET_WORDS: [&str; 6] = ["key", "secret", "token", "password", "bearer", "credentials"];

pub(super) struct Reader {
    leaves: BTreeMap<String, Value>,
    places: BTreeMap<String, String>,
    file: String,
    read: RefCell<BTreeSet<String>>,
    problems: RefCell<Vec<Problem>>,
    in_force: RefCell<BTreeMap<String, (String, String)>>,
}

impl Reader {
    /// Merges the sources.
    ///
    /// # Errors
    /// Where the file cannot be read at all; everything else is found key by key.
    pub(super) fn new(sources: &SettingsSources) -> Result<Self, SettingsError> {
        let file = sources.file.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        let name = file.display().to_string();
        let fatal = |place: &str, what: String, mend: &str| {
            let problem = Problem {
                place: place.to_owned(),
                key: "the settings file".to_owned(),
                what,
                mend: mend.to_owned(),
            };
            SettingsError::new(vec![problem])
        };
        let text = fs::read_to_string(&file).map_err(|error| {
            fatal(
                &name,
                error.to_string(),
                "name a file with --config; config.toml of the project is a full example",
            )
        })?;
        let mut places = BTreeMap::new();
        let document = Document::parse(text.as_str()).map_err(|error| {
            let place = error
                .span()
                .map_or_else(|| name.clone(), |span| format!("{name}:{}", line(&text, span.start)));
            fatal(&place, error.message().to_owned(), "write it as TOML; https://toml.io has the form")
        })?;
        find_places(&name, &text, "", document.as_table(), &mut places);

        let env = Environment::with_prefix("MYNAH").prefix_separator("__").separator("__");
        let mut builder = Config::builder()
            .add_source(File::from_str(&text, FileFormat::Toml))
            .add_source(env.source(Some(sources.env.clone().into_iter().collect())));
        for name in sources.env.keys().filter(|name| name.starts_with("MYNAH__")) {
            let key = name["MYNAH__".len()..].to_lowercase().replace("__", ".");
            places.insert(key, name.clone());
        }
        let mut problems = Vec::new();
        for given in &sources.overrides {
            let place = format!("--set {given}");
            let wrong = |what: &str| Problem {
                place: place.clone(),
                key: "--set".to_owned(),
                what: what.to_owned(),
                mend: "write --set section.key=value".to_owned(),
            };
            let Some((key, value)) = given.split_once('=') else {
                problems.push(wrong("there is no = in it"));
                continue;
            };
            match builder.clone().set_override(key.trim(), value.trim()) {
                Ok(with) => {
                    builder = with;
                    places.insert(key.trim().to_owned(), format!("--set {}", key.trim()));
                }
                Err(error) => problems.push(wrong(&error.to_string())),
            }
        }
        let merged = builder.build().map_err(|error| {
            fatal(&name, error.to_string(), "write it as TOML; https://toml.io has the form")
        })?;
        let mut leaves = BTreeMap::new();
        flatten("", &merged.cache, &mut leaves);
        Ok(Self {
            leaves,
            places,
            file: name,
            read: RefCell::default(),
            problems: RefCell::new(problems),
            in_force: RefCell::default(),
        })
    }

    /// A key's value, or its default.
    pub(super) fn get<T: Setting>(&self, key: &str, default: T) -> T {
        self.find(key).unwrap_or_else(|| {
            self.note(key, &default);
            default
        })
    }

    /// A key that there is no default for.
    pub(super) fn require<T: Setting>(&self, key: &str, mend: &str) -> Option<T> {
        let found = self.find(key);
        if found.is_none() && !self.leaves.contains_key(key) {
            self.problem(key, "it is missing", mend);
        }
        found
    }

    /// A key's value within bounds.
    pub(super) fn between<T: Setting + PartialOrd>(
        &self,
        key: &str,
        default: T,
        bounds: RangeInclusive<T>,
    ) -> T {
        let value = self.get(key, default);
        if !bounds.contains(&value) {
            let what = format!("{} is out of bounds", value.show());
            self.problem(
                key,
                what,
                format!("set it to {} up to {}", bounds.start().show(), bounds.end().show()),
            );
        }
        value
    }

    /// A time that may not be zero.
    pub(super) fn seconds(&self, key: &str, default: u64) -> Duration {
        let bounds = Duration::from_millis(10)..=Duration::from_hours(24);
        self.between(key, Duration::from_secs(default), bounds)
    }

    /// One of a few words.
    pub(super) fn one_of(&self, key: &str, words: &[&str], default: &str) -> String {
        let word = self.get(key, default.to_owned());
        if words.contains(&word.as_str()) {
            return word;
        }
        let near = nearest(&word, words.iter().copied());
        let hint = near.map(|near| format!("did you mean \"{near}\"? ")).unwrap_or_default();
        self.problem(
            key,
            format!("“{word}” is none of its values"),
            format!("{hint}use one of {}", words.join(", ")),
        );
        default.to_owned()
    }

    /// An address of a service.
    pub(super) fn url(&self, key: &str, default: &str) -> Option<Url> {
        let text = self.get(key, default.to_owned());
        let url =
            Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if url.is_none() {
            self.problem(
                key,
                format!("“{text}” is no address of a service"),
                format!("write it like \"{default}\""),
            );
        }
        url
    }

    /// How many tables a list of them holds.
    pub(super) fn count(&self, list: &str) -> usize {
        let indices = self.leaves.keys().filter_map(|key| {
            let index = key.strip_prefix(list)?.strip_prefix('[')?.split_once(']')?.0;
            index.parse::<usize>().ok()
        });
        indices.max().map_or(0, |last| last + 1)
    }

    fn find<T: Setting>(&self, key: &str) -> Option<T> {
        self.read.borrow_mut().insert(key.to_owned());
        let value = self.leaves.get(key)?;
        let found = T::read(value);
        if let Some(found) = &found {
            self.note(key, found);
        } else {
            let what = format!("{} is not what it can be", shown(value));
            self.problem(key, what, mend_form::<T>(value));
        }
        found
    }

    fn note<T: Setting>(&self, key: &str, value: &T) {
        let place = self.places.get(key).cloned().unwrap_or_else(|| "default".to_owned());
        self.in_force.borrow_mut().insert(key.to_owned(), (value.show(), place));
    }

    /// A mistake about a key.
    pub(super) fn problem(&self, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        let place = self.place(key);
        self.problem_at(place, key, what, mend);
    }

    /// A mistake that stands somewhere else.
    pub(super) fn problem_at(
        &self,
        place: impl Into<String>,
        key: &str,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) {
        let problem =
            Problem { place: place.into(), key: key.to_owned(), what: what.into(), mend: mend.into() };
        self.problems.borrow_mut().push(problem);
    }

    /// Where a key stands, or the table that it is missing in.
    fn place(&self, key: &str) -> String {
        let mut path = key;
        loop {
            if let Some(place) = self.places.get(path) {
                return place.clone();
            }
            match path.rsplit_once('.') {
                Some((table, _)) => path = table,
                None => return self.file.clone(),
            }
        }
    }

    /// Every setting in force.
    pub(super) fn origins(&self) -> BTreeMap<String, (String, String)> {
        self.in_force.borrow().clone()
    }

    /// Everything that was wrong.
    pub(super) fn finish(self) -> Vec<Problem> {
        let read = self.read.borrow().clone();
        for (key, value) in &self.leaves {
            if read.contains(key) {
                continue;
            }
            let last = key.rsplit('.').next().unwrap_or(key).to_lowercase();
            if SECRET_WORDS.iter().any(|word| last.ends_with(word)) {
                let mend = "take it out, make a new one, and give it by the environment (docs/configuration.md, Secrets)";
                self.problem(key, "a secret does not belong into the settings", mend);
                continue;
            }
            // What stands in a list that cannot be one is told where the list was read.
            if matches!(value.kind, ValueKind::Nil) {
                continue;
            }
            let known = read.iter().map(String::as_str);
            let mend = match nearest(key, known) {
                Some(near) => format!("did you mean {near}? Else take it out"),
                None => "take it out; docs/configuration.md has every key".to_owned(),
            };
            self.problem(key, "there is no such key", mend);
        }
        self.problems.into_inner()
    }
}

/// How a setting is written, with what was perhaps meant.
fn mend_form<T: Setting>(value: &Value) -> String {
    let mut mend = format!("write {}", T::FORM);
    if T::FORM.starts_with("a language code")
        && let ValueKind::String(asked) = &value.kind
    {
        let by_name = mynah_domain::Language::all().find(|known| known.name().eq_ignore_ascii_case(asked));
        let near = by_name
            .map(mynah_domain::Language::code)
            .or_else(|| nearest(asked, mynah_domain::Language::all().map(mynah_domain::Language::code)));
        if let Some(near) = near {
            mend = format!("{mend}; did you mean \"{near}\"?");
        }
    }
    mend
}

/// A value as it is shown in an error: short, and never the whole of something long.
fn shown(value: &Value) -> String {
    let text = match &value.kind {
        ValueKind::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        _ => value.to_string(),
    };
    let text: String = text.chars().take(40).collect();
    if matches!(value.kind, ValueKind::Array(_)) {
        return text;
    }
    format!("“{text}”")
}

fn flatten(path: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
    match &value.kind {
        ValueKind::Table(table) => {
            for (name, inner) in table {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, inner, leaves);
            }
        }
        ValueKind::Array(items) if items.iter().any(|item| matches!(item.kind, ValueKind::Table(_))) => {
            for (index, inner) in items.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), inner, leaves);
            }
        }
        _ => {
            leaves.insert(path.to_owned(), value.clone());
        }
    }
}

fn find_places(
    file: &str,
    text: &str,
    path: &str,
    table: &dyn TableLike,
    places: &mut BTreeMap<String, String>,
) {
    for (name, item) in table.iter() {
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let span = table.get_key_value(name).and_then(|(key, _)| key.span()).or_else(|| item.span());
        if let Some(span) = span {
            places.insert(path.clone(), format!("{file}:{}", line(text, span.start)));
        }
        match item {
            Item::ArrayOfTables(tables) => {
                for (index, inner) in tables.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    if let Some(span) = inner.span() {
                        places.insert(path.clone(), format!("{file}:{}", line(text, span.start)));
                    }
                    find_places(file, text, &path, inner, places);
                }
            }
            item => {
                if let Some(inner) = item.as_table_like() {
                    find_places(file, text, &path, inner, places);
                }
            }
        }
    }
}

fn line(text: &str, offset: usize) -> usize {
    text[..offset.min(text.len())].matches('\n').count() + 1
}

/// The nearest word, if one is near enough to be what was meant.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .filter(|(distance, known)| *distance <= 2.max(known.len() / 3))
        .min()
        .map(|(_, known)| known)
}
