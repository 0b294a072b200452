//! What a setting may be: each type says how it is written and what would do instead.

use std::{fmt, time::Duration};

use config::{Value, ValueKind};
use jiff::Timestamp;
use mynah_domain::{Language, PostId};

/// Something that a setting can be read as.
pub(super) trait Setting: Sized {
    /// How it is written, for a mend: `a number`, `a time such as "30s"`.
    const FORM: &'static str;

    /// Reads it; `None` where it is something else.
    fn read(value: &Value) -> Option<Self>;

    /// As a person would write it.
    fn show(&self) -> String;
}

fn text(value: &Value) -> Option<&str> {
    match &value.kind {
        ValueKind::String(text) => Some(text.trim()),
        _ => None,
    }
}

impl Setting for String {
    const FORM: &'static str = "a text in quotes";

    fn read(value: &Value) -> Option<Self> {
        text(value).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Setting for bool {
    const FORM: &'static str = "true or false";

    fn read(value: &Value) -> Option<Self> {
        value.clone().into_bool().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

macro_rules! whole_number {
    ($($number:ty),*) => {$(
        impl Setting for $number {
            const FORM: &'static str = "a whole number";

            fn read(value: &Value) -> Option<Self> {
                match &value.kind {
                    ValueKind::I64(number) => (*number).try_into().ok(),
                    ValueKind::U64(number) => (*number).try_into().ok(),
                    ValueKind::I128(number) => (*number).try_into().ok(),
                    ValueKind::U128(number) => (*number).try_into().ok(),
                    // The environment and the command line know only texts.
                    ValueKind::String(text) => text.trim().parse().ok(),
                    _ => None,
                }
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

whole_number!(usize, u64, u32);

impl Setting for Language {
    const FORM: &'static str = "a language code such as \"es\"";

    fn read(value: &Value) -> Option<Self> {
        text(value)?.parse().ok()
    }

    fn show(&self) -> String {
        self.code().to_owned()
    }
}

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span(pub(super) Duration);

impl Setting for Span {
    const FORM: &'static str = "a time with its unit, such as \"500ms\", \"30s\" or \"7d\"";

    fn read(value: &Value) -> Option<Self> {
        humantime::parse_duration(text(value)?).ok().map(Self)
    }

    fn show(&self) -> String {
        humantime::format_duration(self.0).to_string()
    }
}

impl Setting for Duration {
    const FORM: &'static str = Span::FORM;

    fn read(value: &Value) -> Option<Self> {
        Span::read(value).map(|span| span.0)
    }

    fn show(&self) -> String {
        Span(*self).show()
    }
}

/// An account's handle on X, without `@`: 1 to 15 letters, digits and `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle(String);

impl Handle {
    /// The handle as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both name one account: X knows no case.
    pub fn is(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for Handle {
    const FORM: &'static str = "a handle on X: 1 to 15 letters, digits or _";

    fn read(value: &Value) -> Option<Self> {
        let text = text(value)?;
        let handle = text.strip_prefix('@').unwrap_or(text);
        let fits = (1..=15).contains(&handle.len())
            && handle.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        fits.then(|| Self(handle.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// The most of something, or `"none"` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap(pub Option<u64>);

impl Setting for Cap {
    const FORM: &'static str = "a whole number, or \"none\" for no limit";

    fn read(value: &Value) -> Option<Self> {
        if text(value) == Some("none") {
            Some(Self(None))
        } else {
            u64::read(value).map(|cap| Self(Some(cap)))
        }
    }

    fn show(&self) -> String {
        self.0.map_or_else(|| "none".to_owned(), |cap| cap.to_string())
    }
}

/// Where a fresh ledger begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartAt {
    /// With what is said from now on.
    Now,
    /// With the oldest post that X still shows.
    Beginning,
    /// After this post.
    After(PostId, u64),
    /// With what was said from this moment on.
    From(Timestamp),
}

impl Setting for StartAt {
    const FORM: &'static str =
        "\"now\", \"beginning\", a post's id in quotes, or a moment such as \"2026-11-01T00:00:00Z\"";

    fn read(value: &Value) -> Option<Self> {
        match text(value)? {
            "now" => Some(Self::Now),
            "beginning" => Some(Self::Beginning),
            other => {
                let id = || Some(Self::After(PostId(other.to_owned()), other.parse().ok()?));
                other.parse().ok().map(Self::From).or_else(id)
            }
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Now => "now".to_owned(),
            Self::Beginning => "beginning".to_owned(),
            Self::After(id, _) => id.0.clone(),
            Self::From(moment) => moment.to_string(),
        }
    }
}

/// An engine's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineName {
    /// Google's models, over the network.
    Gemini,
    /// Debian's packages, on this machine.
    Apertium,
}

impl EngineName {
    pub(super) fn default_order() -> Vec<Self> {
        vec![Self::Gemini, Self::Apertium]
    }

    /// The name in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gemini => "gemini",
            Self::Apertium => "apertium",
        }
    }
}

impl Setting for Vec<EngineName> {
    const FORM: &'static str = "a list of engines, each once: [\"gemini\", \"apertium\"]";

    fn read(value: &Value) -> Option<Self> {
        let names: Vec<String> = match &value.kind {
            ValueKind::Array(names) => {
                names.iter().map(|name| text(name).map(str::to_owned)).collect::<Option<_>>()?
            }
            // The environment and the command line know no lists.
            ValueKind::String(names) => names.split(',').map(|name| name.trim().to_owned()).collect(),
            _ => return None,
        };
        let mut order = Vec::new();
        for name in names.iter().filter(|name| !name.is_empty()) {
            let engine =
                [EngineName::Gemini, EngineName::Apertium].into_iter().find(|e| e.as_str() == name)?;
            if order.contains(&engine) {
                return None;
            }
            order.push(engine);
        }
        Some(order)
    }

    fn show(&self) -> String {
        self.iter().map(|engine| engine.as_str()).collect::<Vec<_>>().join(", ")
    }
}
