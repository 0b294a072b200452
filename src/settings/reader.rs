//! Reads keys one by one, so that a wrong one does not hide the next, and remembers which were asked for: what was
//! written and never asked for is unknown.

use config::ValueKind;

use super::{
    InForce, KnownKey, Preset,
    kinds::{Read, Refusal, shown},
    layers::Layers,
    problem::{Place, Problem},
    unknown,
};

/// What holds when nobody wrote a key. Defaults are text, as a person would write them, and are read as such: what the
/// documentation shows is what is in force.
enum Otherwise<'a> {
    /// It is a problem; the text says what to write.
    Required(&'a str),
    Default(&'static str),
    /// For [`Preset::ALL`], in that order.
    Preset([&'static str; 3]),
    /// It stays unset.
    Unset,
}

/// `None` where a key is unset, and may be.
pub type Outcome<T> = Result<Option<T>, Complained>;

/// There was a problem, and it is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Complained;

/// Reads keys.
pub struct Reader<'a> {
    layers: &'a Layers,
    preset: Preset,
    pub(super) problems: Vec<Problem>,
    pub(super) asked: Vec<KnownKey>,
    pub(super) in_force: Vec<InForce>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers, problems: Vec<Problem>) -> Self {
        Self { layers, preset: Preset::default(), problems, asked: vec![], in_force: vec![] }
    }

    /// From here on, defaults are those of this preset.
    pub(super) fn follow(&mut self, preset: Preset) {
        self.preset = preset;
    }

    /// A key that somebody has to write; `mend` says what.
    pub fn required<T>(&mut self, key: &str, mend: &str, kind: impl Fn(&ValueKind) -> Read<T>) -> Option<T> {
        self.read(key, &Otherwise::Required(mend), kind).ok().flatten()
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

    /// A key that may stay unset.
    ///
    /// # Errors
    /// Where there was a problem, which is recorded.
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
            Otherwise::Default(text) => Some((*text, Place::Default)),
            Otherwise::Preset(texts) => Some((texts[self.preset as usize], Place::Preset(self.preset))),
        };
        self.asked
            .push(KnownKey { key: unknown::general(key), default: default.as_ref().map(|(text, _)| *text) });
        let written = self.layers.value(key).map(|value| (value, self.layers.place(key)));
        let found = written.or_else(|| default.map(|(text, place)| (ValueKind::from(text), place)));
        let Some((value, place)) = found else {
            let Otherwise::Required(mend) = otherwise else {
                return Ok(None);
            };
            self.complain(key, "this is missing", *mend);
            return Err(Complained);
        };
        match kind(&value) {
            Ok(typed) => {
                self.in_force.push(InForce { key: key.to_owned(), value: shown(&value), place });
                Ok(Some(typed))
            }
            Err(Refusal { what, mend }) => {
                self.problems.push(Problem { place, key: key.to_owned(), what, mend });
                Err(Complained)
            }
        }
    }

    /// How many sections a list of sections has. None at all is a problem, and so is what is no section in it.
    pub(super) fn sections(&mut self, key: &str, missing: &str) -> usize {
        let mend = format!("write a section that begins with [[{key}]] for each");
        let what = match self.layers.value(key) {
            Some(ValueKind::Array(items)) if !items.is_empty() => {
                if items.iter().all(|item| matches!(item.kind, ValueKind::Table(_))) {
                    return items.len();
                }
                "not everything in this list is a section"
            }
            None | Some(ValueKind::Array(_)) => missing,
            Some(ValueKind::Table(_)) => "this is a single section, and should be a list of sections",
            Some(_) => "this is no list of sections",
        };
        self.complain(key, what, mend);
        0
    }

    /// Whether a key was written at all.
    pub fn is_written(&self, key: &str) -> bool {
        self.layers.written.contains_key(key)
    }

    /// Records a problem with a key, in the place where it was written or should be.
    pub fn complain(&mut self, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        let place = self.layers.place(key);
        self.problems.push(Problem { place, key: key.to_owned(), what: what.into(), mend: mend.into() });
    }

    /// Where a key was written.
    pub(super) fn place(&self, key: &str) -> Place {
        self.layers.place(key)
    }
}
