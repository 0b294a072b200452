//! The engines that translate, one folder each: adapters of the [`Engine`](mynah_domain::ports::engine::Engine) port. An engine
//! registers itself with one line in [`KINDS`]; `docs/adding-an-engine.md` shows how one is written.
//!
//! - [`kind`]: what the service asks of every engine.
//! - `llm`: what the language models among them share.
//! - `marked`: what the translation services among them share.
//! - `prices`: what engines charge, by lists and by the settings.
//! - `lines`: what all share that know nothing of posts; `routes`: those that go over another language.

pub mod anthropic;
pub mod apertium;
pub mod deepl;
pub mod firefox;
pub mod gemini;
pub mod kind;
pub mod libretranslate;
mod lines;
mod llm;
mod marked;
pub mod openai;
mod prices;
mod routes;

use std::time::Duration;

pub use kind::{
    ConfiguredEngine, EngineFactory, EngineKind, EngineSection, OF_NO_USE, try_engine, unsupported,
};

use crate::http_client::{HttpClient, Limits, Transport};

/// The client for calls to an engine's service. Engines of one arbiter with the same name and limits share its connections.
fn client(name: &str, connections: usize, timeout: Duration, transport: Transport) -> HttpClient {
    HttpClient::shared(name, Limits { connections, transport, timeout, ..Limits::default() })
}

/// Every kind of engine there is. A preview without settings tries them in this order.
const KINDS: [&dyn EngineKind; 7] = [
    &gemini::GeminiKind,
    &openai::OpenAiKind,
    &anthropic::AnthropicKind,
    &deepl::DeeplKind,
    &libretranslate::LibreTranslateKind,
    &firefox::FirefoxKind,
    &apertium::ApertiumKind,
];

/// The kinds of engines that settings may name.
#[derive(Debug, Clone)]
pub struct Engines(Vec<&'static dyn EngineKind>);

impl Default for Engines {
    fn default() -> Self {
        Self(KINDS.to_vec())
    }
}

impl Engines {
    /// Adds a kind of engine.
    #[must_use]
    pub fn with(mut self, kind: &'static dyn EngineKind) -> Self {
        self.0.push(kind);
        self
    }

    /// Each of them, in the order in which they were registered.
    pub fn iter(&self) -> impl Iterator<Item = &'static dyn EngineKind> + '_ {
        self.0.iter().copied()
    }

    /// The kind with this name.
    pub fn named(&self, name: &str) -> Option<&'static dyn EngineKind> {
        self.iter().find(|kind| kind.name() == name)
    }

    /// The variable in which a secret belongs that somebody wrote into the settings under this key; `None` where the key is
    /// none of an engine.
    pub fn variable_of(&self, key: &str) -> Option<String> {
        let section =
            key.strip_prefix("engine.").and_then(|rest| rest.split_once('.')).map(|(section, _)| section);
        if let Some(section) = section {
            match self.named(section).map(EngineKind::secrets) {
                None => return Some(kind::own_variable(section)),
                Some([variable, ..]) => return Some((*variable).to_owned()),
                Some([]) => {}
            }
        }
        // A variable's name begins with the issuer of the key: `GOOGLE_API_KEY`.
        let is_named = |variable: &&str| {
            variable.split('_').next().is_some_and(|giver| key.contains(&giver.to_lowercase()))
        };
        let named = self.iter().find(|kind| kind.secrets().iter().any(is_named));
        let any = || self.iter().find(|kind| !kind.secrets().is_empty());
        let kind = named.or_else(|| if key.starts_with("engine") { any() } else { None });
        kind.and_then(|kind| kind.secrets().first()).map(|variable| (*variable).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_who_gives_it_out() {
        let engines = Engines::default();
        for key in ["engine.gemini.api_key", "google.api_key", "engine.api_key", "engines.token"] {
            assert_eq!(engines.variable_of(key).as_deref(), Some("GEMINI_API_KEY"), "{key}");
        }
        assert_eq!(engines.variable_of("engine.deepl.api_key").as_deref(), Some("DEEPL_API_KEY"));
        assert_eq!(
            engines.variable_of("engine.libretranslate.key").as_deref(),
            Some("LIBRETRANSLATE_API_KEY")
        );
        assert_eq!(engines.variable_of("engine.my-groq.api_key").as_deref(), Some("MY_GROQ_API_KEY"));
        for key in ["x.api_key", "targets[0].token", "admin.token"] {
            assert_eq!(engines.variable_of(key), None, "{key}");
        }
    }
}
