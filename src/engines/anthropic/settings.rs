//! Anthropic's section of the settings, and its key.

use std::{rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use config::ValueKind;
use mynah_domain::tariff::Tariff;
use secrecy::SecretString;
use url::Url;

use super::{Anthropic, prices::PRICES};
use crate::{
    engines::{ConfiguredEngine, EngineFactory, EngineKind, EngineSection, prices},
    http_client::Transport,
    settings::{
        Reader, Vault,
        kinds::{CONNECTIONS, Read, base_url, count, quoted, refuse, text_of},
    },
};

const KIND: &str = "anthropic";
const SECRETS: [&str; 1] = ["ANTHROPIC_API_KEY"];

/// Where a key comes from.
const KEYS: &str = "https://platform.claude.com/settings/keys";

/// Anthropic's Claude, in the registry of engines.
#[derive(Debug)]
pub struct AnthropicKind;

/// How Claude is called.
#[derive(Debug, Clone)]
pub struct AnthropicSettings {
    /// What the settings call the engine.
    pub name: Arc<str>,
    /// Where it listens: `https://api.anthropic.com`.
    pub base_url: Url,
    /// The model, `claude-haiku-4-5`.
    pub model: String,
    /// The API key. It goes into a header, never into a URL.
    pub key: SecretString,
    /// The most tokens that one answer may have.
    pub max_tokens: u32,
    /// How long a call may take.
    pub timeout: Duration,
    /// The most calls at once, from one arbiter.
    pub connections: usize,
    /// The most posts in one call.
    pub max_batch: usize,
    /// What Anthropic charges.
    pub tariff: Tariff,
}

/// Where the key of the engine with this name belongs and comes from.
pub(super) fn where_to_set(name: &str) -> (String, &'static str) {
    (EngineSection::named(name, KIND).variable(&SECRETS), KEYS)
}

impl EngineKind for AnthropicKind {
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
        let model = reader.or(&section.key("model"), "claude-haiku-4-5", model);
        let base_url = reader.or(&section.key("base_url"), "https://api.anthropic.com", base_url);
        let max_tokens = reader.or(&section.key("max_tokens"), "8192", count(256..=131_072));
        let batch = reader.by_preset(&section.key("batch"), ["20", "40", "10"], count(1..=100));
        let connections = reader.by_preset(&section.key("connections"), ["8", "32", "2"], count(CONNECTIONS));
        let listed = model.as_deref().and_then(|model| prices::listed(&PRICES, model));
        let tariff = prices::by_token(section, reader, listed);
        let key = section.secret(vault, &SECRETS, &format!("a key comes from {KEYS}"));
        Some(Arc::new(AnthropicSettings {
            name: section.name.into(),
            base_url: base_url?,
            model: model?,
            key: key?,
            max_tokens: max_tokens?,
            timeout: section.timeout?,
            connections: connections?,
            max_batch: batch?,
            tariff: tariff?,
        }))
    }
}

/// A model's name.
fn model(value: &ValueKind) -> Read<String> {
    let text = text_of(value)?;
    if (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    refuse(
        format!("{} is no name of a model", quoted(value)),
        "write it as Anthropic lists it, such as \"claude-haiku-4-5\"",
    )
}

#[async_trait(?Send)]
impl ConfiguredEngine for AnthropicSettings {
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
        Ok(Arc::new(move || Rc::new(Anthropic::new(settings.clone(), transport))))
    }
}
