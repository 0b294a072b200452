//! DeepL's section of the settings, and its key.

use std::{rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use config::ValueKind;
use mynah_domain::{Language, Money, ports::Engine, tariff::Tariff};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{Deepl, MAX_TEXTS, usage::Characters};
use crate::{
    engines::{ConfiguredEngine, EngineFactory, EngineKind, EngineSection, try_engine},
    http_client::Transport,
    settings::{
        Reader, Vault,
        kinds::{CONNECTIONS, Read, base_url, choice, count, price, quoted, refuse, text_of},
    },
};

const KIND: &str = "deepl";
const SECRETS: [&str; 1] = ["DEEPL_API_KEY"];

/// Where keys are.
const KEYS: &str = "https://www.deepl.com/your-account/keys";

/// Where keys of the free plan are accepted. They end in [`OF_FREE_PLAN`].
const FREE: &str = "https://api-free.deepl.com";

/// Where all others are.
const PRO: &str = "https://api.deepl.com";

const OF_FREE_PLAN: &str = ":fx";

/// What the Pro plan costs for a million characters, beside its monthly fee (read in November 2026). The free plan charges
/// nothing.
const PRO_PRICE: Money = Money::from_micros(25_000_000);

/// DeepL, in the registry of engines.
#[derive(Debug)]
pub struct DeeplKind;

/// How DeepL is called.
#[derive(Debug, Clone)]
pub struct DeeplSettings {
    /// What the settings call the engine.
    pub name: Arc<str>,
    /// Where it listens; `None` for the address that the key is for.
    pub base_url: Option<Url>,
    /// The API key. It goes into a header, never into a URL.
    pub key: SecretString,
    /// The form of address, for targets without a tone.
    pub formality: Formality,
    /// A glossary in DeepL's account.
    pub glossary_id: Option<String>,
    /// How long a call may take.
    pub timeout: Duration,
    /// The most calls at once, from one arbiter.
    pub connections: usize,
    /// The most posts in one call.
    pub max_batch: usize,
    /// What DeepL charges.
    pub tariff: Tariff,
}

/// The form of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Formality {
    /// As DeepL thinks fit.
    #[default]
    Default,
    /// Formal; an error for languages that have no forms of address.
    More,
    /// Informal; an error for languages that have no forms of address.
    Less,
    /// Formal, if the language has forms of address.
    PreferMore,
    /// Informal, if the language has forms of address.
    PreferLess,
}

impl Formality {
    const ALL: [Self; 5] = [Self::Default, Self::More, Self::Less, Self::PreferMore, Self::PreferLess];

    /// DeepL's name for it, and that in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::More => "more",
            Self::Less => "less",
            Self::PreferMore => "prefer_more",
            Self::PreferLess => "prefer_less",
        }
    }

    /// What a request says of it: nothing, if DeepL is to choose.
    pub(super) fn as_parameter(self) -> Option<&'static str> {
        (self != Self::Default).then(|| self.as_str())
    }
}

impl DeeplSettings {
    /// The address of a call.
    pub(super) fn address(&self, path: &str) -> String {
        let of_key = || if self.key.expose_secret().ends_with(OF_FREE_PLAN) { FREE } else { PRO };
        let base = self.base_url.as_ref().map_or_else(of_key, Url::as_str);
        format!("{}/{path}", base.trim_end_matches('/'))
    }
}

/// Where the key of the engine with this name belongs and comes from.
pub(super) fn where_to_set(name: &str) -> (String, &'static str) {
    (EngineSection::named(name, KIND).variable(&SECRETS), KEYS)
}

impl EngineKind for DeeplKind {
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
        let base_url = reader.optional(&section.key("base_url"), base_url);
        let names = Formality::ALL.map(|formality| (formality.as_str(), formality));
        let formality = reader.or(&section.key("formality"), "default", choice(&names));
        let glossary_id = reader.optional(&section.key("glossary_id"), glossary_id);
        let batch = reader.by_preset(&section.key("batch"), ["20", "50", "10"], count(1..=MAX_TEXTS));
        let connections = reader.by_preset(&section.key("connections"), ["8", "32", "2"], count(CONNECTIONS));
        let price = reader.optional(&section.key("price_characters"), price);
        let key = section.secret(vault, &SECRETS, &format!("keys are at {KEYS}"));
        let (key, price) = (key?, price.ok()?);
        let is_free = key.expose_secret().ends_with(OF_FREE_PLAN);
        let price = price.unwrap_or(if is_free { Money::ZERO } else { PRO_PRICE });
        Some(Arc::new(DeeplSettings {
            name: section.name.into(),
            base_url: base_url.ok()?,
            key,
            formality: formality?,
            glossary_id: glossary_id.ok()?,
            timeout: section.timeout?,
            connections: connections?,
            max_batch: batch?,
            tariff: Tariff::Characters(price),
        }))
    }
}

/// The id of a glossary, as DeepL lists it.
fn glossary_id(value: &ValueKind) -> Read<String> {
    let text = text_of(value)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    refuse(
        format!("{} is no id of a glossary", quoted(value)),
        "write it as DeepL lists it, such as \"def3a26b-3e84-45b3-84ae-0c0aaf3525f7\"",
    )
}

#[async_trait(?Send)]
impl ConfiguredEngine for DeeplSettings {
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
        Ok(Arc::new(move || Rc::new(Deepl::new(settings.clone(), transport))))
    }

    /// The quota costs nothing to ask for, so it comes first.
    async fn check(&self, engine: &dyn Engine, pairs: &[(Language, Language)]) -> Result<String, String> {
        let used = Characters::ask(self).await?.describe()?;
        let translated = try_engine(engine, pairs).await.map_err(|error| error.to_string())?;
        Ok(format!("{translated}; {used}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(key: &str, base_url: Option<&str>) -> DeeplSettings {
        DeeplSettings {
            name: "deepl".into(),
            base_url: base_url.map(|url| url.parse().unwrap()),
            key: key.into(),
            formality: Formality::Default,
            glossary_id: None,
            timeout: Duration::from_secs(1),
            connections: 1,
            max_batch: 1,
            tariff: Tariff::Free,
        }
    }

    #[test]
    fn a_key_of_the_free_plan_is_sent_to_the_free_api() {
        for (key, base_url, expected) in [
            ("abc:fx", None, "https://api-free.deepl.com/v2/usage"),
            ("abc", None, "https://api.deepl.com/v2/usage"),
            ("abc:fx", Some("http://127.0.0.1:7/proxy/"), "http://127.0.0.1:7/proxy/v2/usage"),
        ] {
            assert_eq!(settings(key, base_url).address("v2/usage"), expected);
        }
    }

    #[test]
    fn a_glossary_is_named_by_its_id() {
        let id = "def3a26b-3e84-45b3-84ae-0c0aaf3525f7";
        assert_eq!(glossary_id(&ValueKind::from(id)).unwrap(), id);
        for wrong in ["", "terms.csv", "a b", &"a".repeat(65)] {
            assert!(glossary_id(&ValueKind::from(wrong)).is_err(), "{wrong}");
        }
    }
}
