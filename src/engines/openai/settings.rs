//! The section of a service whose API is OpenAI's, and its key.

use std::{rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use config::ValueKind;
use mynah_domain::tariff::Tariff;
use secrecy::SecretString;
use url::{Host, Url};

use super::{
    OpenAi,
    prices::PRICES,
    service::{Defaults, Service},
    wire::Wire,
};
use crate::{
    engines::{ConfiguredEngine, EngineFactory, EngineKind, EngineSection, prices},
    http_client::Transport,
    settings::{
        Found, Reader, Reported, Vault,
        kinds::{CONNECTIONS, Read, base_url, call, choice, count, quoted, refuse, text_of},
    },
};

const KIND: &str = "openai";
const SECRETS: [&str; 1] = ["OPENAI_API_KEY"];

/// How much a model thinks before it answers, as services call it.
const EFFORTS: [(&str, &str); 7] = [
    ("none", "none"),
    ("minimal", "minimal"),
    ("low", "low"),
    ("medium", "medium"),
    ("high", "high"),
    ("xhigh", "xhigh"),
    ("max", "max"),
];

/// Services whose API is OpenAI's, in the registry of engines.
#[derive(Debug)]
pub struct OpenAiKind;

/// How such a service is called.
#[derive(Debug, Clone)]
pub struct OpenAiSettings {
    /// What the settings call the engine.
    pub name: Arc<str>,
    /// Whose defaults apply.
    pub service: Service,
    /// Where it listens, with the version: `https://api.openai.com/v1`.
    pub base_url: Url,
    /// The model, `gpt-5.4-mini`.
    pub model: String,
    /// The API key, if the service needs one.
    pub key: Option<SecretString>,
    /// How much the model thinks before it answers; `None` for its own default.
    pub reasoning_effort: Option<&'static str>,
    /// The most tokens that one answer may have, with what the model thinks.
    pub max_tokens: u32,
    /// How long a call may take.
    pub timeout: Duration,
    /// The most calls at once, from one arbiter.
    pub connections: usize,
    /// The most posts in one call.
    pub max_batch: usize,
    /// What the service charges.
    pub tariff: Tariff,
}

impl OpenAiSettings {
    /// What errors call the service.
    pub(super) fn title(&self) -> &str {
        self.service.defaults().title.unwrap_or(&self.name)
    }

    /// The variable in which the key belongs.
    pub(super) fn variable(&self) -> String {
        EngineSection::named(&self.name, KIND).variable(&SECRETS)
    }
}

impl EngineKind for OpenAiKind {
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
        let service =
            reader.or(&section.key("service"), Service::of_section(section.name), choice(&Service::ALL));
        // Where it cannot be read, nothing is reported as missing because of it.
        let defaults = service.unwrap_or(Service::OpenAi).defaults();
        let base_url = match defaults.base_url {
            Some(default) => reader.or(&section.key("base_url"), default, base_url),
            None => reader.required(
                &section.key("base_url"),
                "write the address of the service with its version, such as \"http://127.0.0.1:8080/v1\", or name \
                 its service",
                base_url,
            ),
        };
        let model = match defaults.model {
            Some(default) => reader.or(&section.key("model"), default, model),
            None => reader.required(
                &section.key("model"),
                "write the name of a model that the service has",
                model,
            ),
        };
        let effort = reader.optional(&section.key("reasoning_effort"), choice(&EFFORTS));
        let max_tokens = reader.or(&section.key("max_tokens"), "8192", count(256..=131_072));
        let batch = reader.by_preset(&section.key("batch"), ["20", "40", "10"], count(1..=100));
        let connections = reader.by_preset(&section.key("connections"), ["8", "32", "2"], count(CONNECTIONS));
        let timeout = reader.optional(&section.key("timeout"), call);
        let listed = match (service.unwrap_or(Service::OpenAi), base_url.as_ref()) {
            (_, Some(url)) if is_loopback(url) => Some(prices::FREE),
            (Service::OpenAi, _) => model.as_deref().and_then(|model| prices::listed(&PRICES, model)),
            (Service::Ollama, _) => Some(prices::FREE),
            _ => None,
        };
        let tariff = prices::by_token(section, reader, listed);
        let key = key(section, vault, defaults, base_url.as_ref());
        Some(Arc::new(OpenAiSettings {
            name: section.name.into(),
            service: service?,
            base_url: base_url?,
            model: model?,
            key: key.ok()?,
            reasoning_effort: effort.ok()?,
            max_tokens: max_tokens?,
            timeout: match timeout.ok()? {
                Some(timeout) => timeout,
                None => section.timeout?,
            },
            connections: connections?,
            max_batch: batch?,
            tariff: tariff?,
        }))
    }
}

/// The key, if there is one. A service on this machine needs none.
fn key(
    section: &EngineSection<'_>,
    vault: &mut Vault<'_>,
    defaults: Defaults,
    base_url: Option<&Url>,
) -> Found {
    let Some(keys) = defaults.keys.filter(|_| !base_url.is_none_or(is_loopback)) else {
        return section.secret_if_set(vault, &SECRETS);
    };
    section.secret(vault, &SECRETS, &format!("a key comes from {keys}")).map(Some).ok_or(Reported)
}

/// Whether a service is on this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// A model's name. It is part of the engine's revision, which has no spaces.
fn model(value: &ValueKind) -> Read<String> {
    const MOST: usize = 200;
    let text = text_of(value)?;
    if (1..=MOST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    refuse(
        format!("{} is no name of a model", quoted(value)),
        "write it as the service lists it, such as \"gpt-5.4-mini\" or \"gemma3:4b\"",
    )
}

#[async_trait(?Send)]
impl ConfiguredEngine for OpenAiSettings {
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
        // What one thread learns of the service, all need to know.
        let wire = Arc::new(Wire::of(&settings));
        Ok(Arc::new(move || Rc::new(OpenAi::new(settings.clone(), Arc::clone(&wire), transport))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_as_any_service_does_and_in_no_other_way() {
        for right in ["gpt-5.4-mini", "openai/gpt-oss-120b", "gemma3:4b", "hf.co/a/b@q4"] {
            assert_eq!(model(&ValueKind::from(right)).unwrap(), right);
        }
        for wrong in ["", "a b", "a\nb", "é"] {
            assert!(
                model(&ValueKind::from(wrong)).unwrap_err().what.contains("no name of a model"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_section_takes_the_defaults_of_the_service_it_is_called_after() {
        for (section, service) in [("groq", "groq"), ("openai", "openai"), ("my-groq", "other")] {
            assert_eq!(Service::of_section(section), service);
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (url, expected) in [
            ("http://127.0.0.1:1/v1", true),
            ("http://[::1]:1/v1", true),
            ("http://localhost:11434/v1", true),
            ("http://10.0.0.1/v1", false),
            ("https://localhost.example.com/v1", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
