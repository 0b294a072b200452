//! Gemini's section of the settings, and its key.

use std::{rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use config::ValueKind;
use mynah_domain::tariff::Tariff;
use secrecy::SecretString;
use url::Url;

use super::{Gemini, prices::PRICES};
use crate::{
    engines::{ConfiguredEngine, EngineFactory, EngineKind, EngineSection, prices},
    http_client::Transport,
    settings::{
        Reader, Vault,
        kinds::{CONNECTIONS, Read, base_url, count, quoted, refuse, text_of},
    },
};

const KIND: &str = "gemini";

/// The second is what Google's own libraries call it.
const SECRETS: [&str; 2] = ["GEMINI_API_KEY", "GOOGLE_API_KEY"];

/// The variable in which the key of the engine with this name belongs.
pub(super) fn variable(name: &str) -> String {
    EngineSection::named(name, KIND).variable(&SECRETS)
}

/// Google's Gemini, in the registry of engines.
#[derive(Debug)]
pub struct GeminiKind;

/// How Gemini is called.
#[derive(Debug, Clone)]
pub struct GeminiSettings {
    /// What the settings call the engine.
    pub name: Arc<str>,
    /// Where it listens: `https://generativelanguage.googleapis.com`.
    pub base_url: Url,
    /// The model, `gemini-3.5-flash-lite`.
    pub model: String,
    /// The API key. It goes into a header, never into a URL.
    pub key: SecretString,
    /// How long a call may take.
    pub timeout: Duration,
    /// The most calls at once, from one arbiter.
    pub connections: usize,
    /// The most posts in one call.
    pub max_batch: usize,
    /// What Google charges.
    pub tariff: Tariff,
}

impl EngineKind for GeminiKind {
    fn name(&self) -> &'static str {
        KIND
    }

    fn secrets(&self) -> &'static [&'static str] {
        &SECRETS
    }

    fn charges(&self) -> bool {
        true
    }

    fn read(
        &self,
        section: &EngineSection<'_>,
        reader: &mut Reader<'_>,
        vault: &mut Vault<'_>,
    ) -> Option<Arc<dyn ConfiguredEngine>> {
        let model = reader.or(&section.key("model"), "gemini-3.5-flash-lite", model);
        let base_url =
            reader.or(&section.key("base_url"), "https://generativelanguage.googleapis.com", base_url);
        let batch = reader.by_preset(&section.key("batch"), ["20", "40", "10"], count(1..=100));
        let connections = reader.by_preset(&section.key("connections"), ["8", "32", "2"], count(CONNECTIONS));
        let listed = model.as_deref().and_then(|model| prices::listed(&PRICES, model));
        let tariff = prices::by_token(section, reader, listed);
        let key =
            section.secret(vault, self.secrets(), "a key is free at https://aistudio.google.com/apikey");
        Some(Arc::new(GeminiSettings {
            name: section.name.into(),
            base_url: base_url?,
            model: model?,
            key: key?,
            timeout: section.timeout?,
            connections: connections?,
            max_batch: batch?,
            tariff: tariff?,
        }))
    }
}

/// A model's name. It becomes part of an address, so nothing in it may change where that leads.
fn model(value: &ValueKind) -> Read<String> {
    let text = text_of(value)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !text.is_empty() && text.bytes().all(fits) && text.bytes().any(|byte| byte != b'.') {
        return Ok(text.to_owned());
    }
    refuse(
        format!("{} is no name of a model", quoted(value)),
        "write it as Google lists it, without \"models/\", such as \"gemini-3.5-flash-lite\"",
    )
}

#[async_trait(?Send)]
impl ConfiguredEngine for GeminiSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn longest_call(&self) -> Duration {
        self.timeout
    }

    fn tariff(&self) -> Tariff {
        self.tariff.clone()
    }

    fn factory(&self, transport: Transport) -> Result<EngineFactory, String> {
        let settings = self.clone();
        Ok(Arc::new(move || Rc::new(Gemini::new(settings.clone(), transport))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_cannot_lead_elsewhere() {
        assert_eq!(model(&ValueKind::from("gemini-3.5-flash-lite")).unwrap(), "gemini-3.5-flash-lite");
        for wrong in ["", "models/gemini", "..", "a?b", "a b"] {
            let refusal = model(&ValueKind::from(wrong)).unwrap_err();
            assert!(
                refusal.what.contains("no name of a model") && refusal.fix.contains("models/"),
                "{wrong}"
            );
        }
    }
}
