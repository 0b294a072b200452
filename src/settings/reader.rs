//! Reads keys one by one, so that a wrong one does not hide the next, and remembers which were asked for: what was
//! written and never asked for is unknown.

use config::ValueKind;

use super::{
    InForce, KnownKey, Preset,
    kinds::{Read, Refusal, shown},
    layers::Layers,
    problem::{Origin, Problem},
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

    /// A key that somebody has to write; `fix` says what.
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
            Otherwise::Default(text) => Some((*text, Origin::Default)),
            Otherwise::Preset(texts) => Some((texts[self.preset as usize], Origin::Preset(self.preset))),
        };
        self.asked
            .push(KnownKey { key: unknown::general(key), default: default.as_ref().map(|(text, _)| *text) });
        let written = self.layers.value(key).map(|value| (value, self.layers.origin(key)));
        let found = written.or_else(|| default.map(|(text, origin)| (ValueKind::from(text), origin)));
        let Some((value, origin)) = found else {
            let Otherwise::Required(fix) = otherwise else {
                return Ok(None);
            };
            self.complain(key, "this is missing", *fix);
            return Err(Complained);
        };
        match kind(&value) {
            Ok(typed) => {
                self.in_force.push(InForce { key: key.to_owned(), value: shown(&value), origin });
                Ok(Some(typed))
            }
            Err(Refusal { what, fix }) => {
                self.problems.push(Problem { origin, key: key.to_owned(), what, fix });
                Err(Complained)
            }
        }
    }

    /// How many sections a list of sections has. None at all is a problem, and so is what is no section in it.
    pub(super) fn sections(&mut self, key: &str, missing: &str) -> usize {
        let fix = format!("write a section that begins with [[{key}]] for each");
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
        self.complain(key, what, fix);
        0
    }

    /// Whether a key was written at all.
    pub fn is_written(&self, key: &str) -> bool {
        self.layers.written.contains_key(key)
    }

    /// Records a problem with a key, in the place where it was written or should be.
    pub fn complain(&mut self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        let origin = self.layers.origin(key);
        self.problems.push(Problem { origin, key: key.to_owned(), what: what.into(), fix: fix.into() });
    }

    /// Where a key was written.
    pub(super) fn origin(&self, key: &str) -> Origin {
        self.layers.origin(key)
    }
}
