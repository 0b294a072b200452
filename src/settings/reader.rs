//! Reads keys one by one, so that one mistake does not hide the next, and records which keys were read: a key that was
//! written but never read is unknown.

use config::ValueKind;

use super::{
    InForce, KnownKey, Preset,
    kinds::{Read, Refusal, shown},
    layers::Layers,
    problem::{Origin, Problem},
    unknown,
};

/// What applies if a key was not written. Defaults are text, as a person would write them, and are parsed like any
/// other value, so that the documentation shows exactly what is in force.
enum Otherwise<'a> {
    /// A problem; the text says what to write.
    Required(&'a str),
    Default(&'static str),
    /// For [`Preset::ALL`], in that order.
    Preset([&'static str; 3]),
    /// The key stays unset.
    Unset,
}

/// `None` for an optional key that is unset.
pub type Outcome<T> = Result<Option<T>, Invalid>;

/// The value is invalid, and the problem is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Invalid;

/// Reads keys.
pub struct Reader<'a> {
    layers: &'a Layers,
    preset: Preset,
    pub(super) problems: Vec<Problem>,
    pub(super) asked: Vec<KnownKey>,
    pub(super) in_force: Vec<InForce>,
    /// Required keys that were not written.
    pub(super) missing: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers, problems: Vec<Problem>) -> Self {
        Self { layers, preset: Preset::default(), problems, asked: vec![], in_force: vec![], missing: vec![] }
    }

    /// From now on, uses the defaults of this preset.
    pub(super) fn follow(&mut self, preset: Preset) {
        self.preset = preset;
    }

    /// A required key; `fix` says what to write.
    pub fn required<T>(&mut self, key: &str, fix: &str, kind: impl Fn(&ValueKind) -> Read<T>) -> Option<T> {
        self.read(key, &Otherwise::Required(fix), kind).ok().flatten()
    }

    /// A key with a default.
    pub fn or<T>(
        &mut self,
        key: &str,
        default: &'static str,
        kind: impl Fn(&ValueKind) -> Read<T>,
    ) -> Option<T> {
        self.read(key, &Otherwise::Default(default), kind).ok().flatten()
    }

    /// A key with a default for each preset.
    pub fn by_preset<T>(
        &mut self,
        key: &str,
        defaults: [&'static str; 3],
        kind: impl Fn(&ValueKind) -> Read<T>,
    ) -> Option<T> {
        self.read(key, &Otherwise::Preset(defaults), kind).ok().flatten()
    }

    /// A key that may be unset.
    ///
    /// # Errors
    /// If there was a problem, which is recorded.
    pub fn optional<T>(&mut self, key: &str, kind: impl Fn(&ValueKind) -> Read<T>) -> Outcome<T> {
        self.read(key, &Otherwise::Unset, kind)
    }

    fn read<T>(
        &mut self,
        key: &str,
        otherwise: &Otherwise<'_>,
        kind: impl Fn(&ValueKind) -> Read<T>,
    ) -> Outcome<T> {
        let default = match otherwise {
            Otherwise::Required(_) | Otherwise::Unset => None,
            Otherwise::Default(text) => Some((*text, Origin::Default)),
            Otherwise::Preset(texts) => Some((texts[self.preset as usize], Origin::Preset(self.preset))),
        };
        self.asked
            .push(KnownKey { key: unknown::general(key), default: default.as_ref().map(|(text, _)| *text) });
        let written = self.layers.found(key).map(|(value, under)| (value, self.layers.origin(&under), under));
        let found =
            written.or_else(|| default.map(|(text, origin)| (ValueKind::from(text), origin, key.to_owned())));
        let Some((value, origin, under)) = found else {
            let Otherwise::Required(fix) = otherwise else {
                return Ok(None);
            };
            self.report(key, "this is missing", *fix);
            self.missing.push(key.to_owned());
            return Err(Invalid);
        };
        match kind(&value) {
            Ok(typed) => {
                self.in_force.push(InForce { key: key.to_owned(), value: shown(&value), origin });
                Ok(Some(typed))
            }
            Err(Refusal { what, fix }) => {
                self.problems.push(Problem { origin, key: under, what, fix });
                Err(Invalid)
            }
        }
    }

    /// The number of sections in a list of sections. An empty list is a problem, and so is an item that is not a
    /// section.
    pub(super) fn sections(&mut self, key: &str, missing: &str) -> usize {
        let fix = format!("write a [[{key}]] section for each");
        let what = match self.layers.value(key) {
            Some(ValueKind::Array(items)) if !items.is_empty() => {
                if items.iter().all(|item| matches!(item.kind, ValueKind::Table(_))) {
                    return items.len();
                }
                "some items of this list are not sections"
            }
            None | Some(ValueKind::Array(_)) => {
                self.missing.push(key.to_owned());
                missing
            }
            Some(ValueKind::Table(_)) => "this is a single section, but should be a list of sections",
            Some(_) => "this is not a list of sections",
        };
        self.report(key, what, fix);
        0
    }

    /// The names of the sections directly under this one that were written, each once.
    pub(super) fn sections_under(&self, section: &str) -> Vec<String> {
        let inside = format!("{section}.");
        let mut names: Vec<String> = Vec::new();
        for (key, written) in &self.layers.written {
            let Some(rest) = key.strip_prefix(&inside) else { continue };
            let name = match rest.split_once('.') {
                Some((name, _)) => name,
                None if written.is_section => rest,
                None => continue,
            };
            if !names.iter().any(|one| one == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// Whether a key was written.
    pub fn is_written(&self, key: &str) -> bool {
        self.layers.written.contains_key(key)
    }

    /// Records a problem with a key, at the place where it was written or should be.
    pub fn report(&mut self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        let origin = self.layers.origin(key);
        self.problems.push(Problem { origin, key: key.to_owned(), what: what.into(), fix: fix.into() });
    }

    /// Records the same problem with a section and with each of its keys that was written outside of the file.
    pub(super) fn report_all_under(&mut self, section: &str, what: &str, fix: &str) {
        let inside = format!("{section}.");
        let keys = self.layers.written.iter().filter(|(key, written)| {
            *key == section || (key.starts_with(&inside) && !matches!(written.origin, Origin::File { .. }))
        });
        let keys: Vec<String> = keys.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.report(&key, what, fix);
        }
    }

    /// Where a key was written.
    pub(super) fn origin(&self, key: &str) -> Origin {
        self.layers.origin(key)
    }
}
