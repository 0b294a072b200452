//! The interface between the service and an engine: a folder whose [`EngineKind`] is in the registry
//! ([`Engines`](super::Engines)). Settings, commands and wiring ask it and know no engine by name.
//!
//! An engine is asked in two steps. [`EngineKind`] reads its section of the settings and its secrets. What comes of that is a
//! [`ConfiguredEngine`], which makes the adapters of the domain's port on the threads where they are used.

use std::{any::Any, fmt, path::Path, rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use mynah_actors::pipeline::Factory;
use mynah_domain::{
    Language,
    ports::{Engine, Item, engine::EngineError},
    tariff::Tariff,
    text::{MaskedText, Segment},
};
use secrecy::SecretString;

use crate::{
    http_client::Transport,
    settings::{Found, Needed, Reader, Vault},
    telemetry::outside::printable,
};

/// Makes an engine on the thread where it is used. An engine may be unable to leave its thread; a factory can.
pub type EngineFactory = Factory<Rc<dyn Engine>>;

/// A kind of engine.
pub trait EngineKind: fmt::Debug + Sync {
    /// Its name in `kind = "…"`. It is also the name of a section that needs no `kind`, and of that engine in `engine.order`:
    /// `[engine.gemini]`.
    fn name(&self) -> &'static str;

    /// The environment variables that may hold the secret of the section with this kind's name; the first is the one to set.
    /// None where it needs no secret. [`EngineSection::variables`] has those of other sections.
    fn secrets(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether it is of no use without its secret.
    fn needs_secret(&self) -> bool {
        !self.secrets().is_empty()
    }

    /// Whether its calls may cost money, so that its section may have a budget.
    fn charges(&self) -> bool {
        false
    }

    /// Reads its section, and its secrets where it is used. The section is read in any case, so that what is written in it is
    /// checked.
    ///
    /// `None` where there was a problem, which the reader or the vault has; or where it is not used.
    fn read(
        &self,
        section: &EngineSection<'_>,
        reader: &mut Reader<'_>,
        vault: &mut Vault<'_>,
    ) -> Option<Arc<dyn ConfiguredEngine>>;
}

/// The section of one engine, and the settings that all engines share.
#[derive(Debug, Clone, Copy)]
pub struct EngineSection<'a> {
    /// What the engine is called: the name of its section.
    pub name: &'a str,
    /// The name of its kind.
    pub kind: &'a str,
    /// `engine.timeout`, for one that has no timeout of its own; `None` where there is a problem with it.
    pub timeout: Option<Duration>,
    /// The key of the setting that names it first, `engine.order` or a target's; `None` if nothing uses it. Its secrets must be
    /// there only if something does.
    pub named_in: Option<&'a str>,
    /// Mynah's own folder, for one that stores files; `None` where there is a problem with it.
    pub data_dir: Option<&'a Path>,
}

impl<'a> EngineSection<'a> {
    /// A section of which only the names matter: for messages about an engine that was made from it.
    pub(super) fn named(name: &'a str, kind: &'a str) -> Self {
        Self { name, kind, timeout: None, named_in: None, data_dir: None }
    }

    /// The whole key of a setting in it: `engine.gemini.model`.
    pub fn key(&self, setting: &str) -> String {
        format!("engine.{}.{setting}", self.name)
    }

    /// The environment variables that may hold its secret, the one to set first: those of its kind, or `GROQ_API_KEY` for
    /// a section with a name of its own, `[engine.groq]`. Such a section may be another service, which must not receive the
    /// key of the first.
    pub fn variables(&self, of_kind: &[&str]) -> Vec<String> {
        match of_kind {
            [] => Vec::new(),
            _ if self.name == self.kind => of_kind.iter().map(|variable| (*variable).to_owned()).collect(),
            _ => vec![own_variable(self.name)],
        }
    }

    /// The environment variable in which its secret belongs.
    pub fn variable(&self, of_kind: &[&str]) -> String {
        self.variables(of_kind).into_iter().next().unwrap_or_default()
    }

    /// Its secret, from the first of [its variables](Self::variables) that is set; `None` where the engine is not used, or where
    /// there is a problem, which the vault has. `whence` says where people get one: `a key comes from https://…`.
    pub fn secret(&self, vault: &mut Vault<'_>, of_kind: &[&str], whence: &str) -> Option<SecretString> {
        let found = self.secret_if_set(vault, of_kind);
        let named_in = self.named_in?;
        let variable = Some(self.variable(of_kind)).filter(|variable| !variable.is_empty())?;
        vault.need(Needed::Engines, &variable, found, || {
            let name = self.name;
            let fix = format!(
                "set {variable}, or set {variable}_FILE to a file that contains it ({whence}), or remove {name:?} from \
                 {named_in}"
            );
            (format!("{name} is in {named_in}, but has no key"), fix)
        })
    }

    /// The same for an engine that may have no secret: no problem where none is set.
    ///
    /// # Errors
    /// If there was a problem, which the vault has.
    pub fn secret_if_set(&self, vault: &mut Vault<'_>, of_kind: &[&str]) -> Found {
        if self.named_in.is_none() {
            return Ok(None);
        }
        for variable in self.variables(of_kind) {
            let found = vault.find(&variable);
            if !matches!(found, Ok(None)) {
                return found;
            }
        }
        Ok(None)
    }
}

/// The environment variable for the key of a section with a name of its own: `GROQ_API_KEY` for `[engine.groq]`.
pub(super) fn own_variable(section: &str) -> String {
    format!("{}_API_KEY", section.to_uppercase().replace('-', "_"))
}

/// An engine with all that is needed to call it.
#[async_trait(?Send)]
pub trait ConfiguredEngine: Any + fmt::Debug + Send + Sync {
    /// What the settings call it.
    fn name(&self) -> &str;

    /// The longest that one call may take.
    fn longest_call(&self) -> Duration;

    /// What it charges.
    fn tariff(&self) -> Tariff {
        Tariff::Free
    }

    /// Makes the factory of its adapters.
    ///
    /// # Errors
    /// A sentence that says why the engine cannot be used at all, and what to do.
    fn factory(&self, transport: Transport) -> Result<EngineFactory, String>;

    /// What to do so that it translates between these languages, each `(from, to)`, as part of a sentence; `None` where that
    /// cannot be done.
    fn more_languages(&self, _pairs: &[(Language, Language)]) -> Option<String> {
        None
    }

    /// Gets what its adapters need for these pairs of languages, each `(from, to)`, before they are made: what only a service
    /// itself knows, such as its languages, or files, if the settings ask for that.
    ///
    /// # Errors
    /// A sentence that says what it could not get and what to do. The service starts nevertheless.
    async fn prepare(&self, _pairs: &[(Language, Language)], _transport: Transport) -> Result<(), String> {
        Ok(())
    }

    /// Finds out whether it can be used for any of these pairs of languages, each `(from, to)`, for `mynah check`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    async fn check(&self, engine: &dyn Engine, pairs: &[(Language, Language)]) -> Result<String, String> {
        translate_a_word(engine, pairs).await
    }
}

impl dyn ConfiguredEngine {
    /// For downcasting to a concrete engine.
    pub fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Translates a word: nothing else shows that key, model and languages are right. On a paid service it costs next to nothing.
async fn translate_a_word(engine: &dyn Engine, pairs: &[(Language, Language)]) -> Result<String, String> {
    try_engine(engine, pairs).await.map_err(|error| error.to_string())
}

/// What is wrong with an engine that supports no language of the targets that use it.
pub const OF_NO_USE: &str = "it supports no target's language; remove it from engine.order and the targets' engines, or install its packages";

/// Which of these pairs of languages an engine does not translate: `en→gl, en→eu`; `None` if it translates all.
pub fn unsupported(engine: &dyn Engine, pairs: &[(Language, Language)]) -> Option<String> {
    let unsupported = pairs.iter().filter(|(from, to)| !engine.supports(*from, *to));
    let names: Vec<String> = unsupported.map(|(from, to)| format!("{from}→{to}")).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Asks an engine to translate a word between the first of these languages, each `(from, to)`, that it supports; returns
/// what it answered, for a person.
///
/// # Errors
/// What is wrong with the engine.
pub async fn try_engine(engine: &dyn Engine, pairs: &[(Language, Language)]) -> Result<String, EngineError> {
    let Some((from, to)) = pairs.iter().copied().find(|(from, to)| engine.supports(*from, *to)) else {
        return Err(EngineError::Refused(OF_NO_USE.into()));
    };
    let hello = MaskedText(vec![Segment::Words("Hello".into())]);
    match engine.translate(&[Item::new(hello, from, to)]).await?.items.into_iter().next() {
        Some(Ok(text)) => {
            let translated = format!("“Hello” is “{}” in {}", printable(&text.key()), to.name());
            Ok(match unsupported(engine, pairs) {
                None => translated,
                Some(unsupported) => format!("{translated}; it does not translate {unsupported}"),
            })
        }
        Some(Err(error)) => Err(EngineError::Unavailable(error.to_string())),
        None => Err(EngineError::Unavailable("the engine returned no translation".into())),
    }
}
