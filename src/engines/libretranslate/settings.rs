//! LibreTranslate's section of the settings, and its key, if the server wants one.

use std::{
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use mynah_domain::{Language, ports::Engine};
use secrecy::SecretString;
use url::Url;

use super::{LibreTranslate, NAME, languages::Languages};
use crate::{
    engines::{
        ConfiguredEngine, EngineFactory, EngineKind, EngineSection, marked::refusal::no_answer, try_engine,
    },
    http_client::{HttpClient, Limits, Request, Transport},
    settings::{
        Reader, Vault,
        kinds::{CONNECTIONS, base_url, count},
    },
    telemetry::outside::brief,
};

const KIND: &str = "libretranslate";
const SECRETS: [&str; 1] = ["LIBRETRANSLATE_API_KEY"];

/// A start waits no longer than this for the server's languages.
const PATIENCE: Duration = Duration::from_secs(5);

/// LibreTranslate, in the registry of engines.
#[derive(Debug)]
pub struct LibreTranslateKind;

/// How a LibreTranslate is called. Clones share what is known of its languages.
#[derive(Debug, Clone)]
pub struct LibreTranslateSettings {
    /// What the settings call the engine.
    pub name: Arc<str>,
    /// Where it listens: `http://localhost:5000`.
    pub base_url: Url,
    /// The API key, if the server wants one. It goes into the body, never into a URL.
    pub key: Option<SecretString>,
    /// How long a call may take.
    pub timeout: Duration,
    /// The most calls at once, from one arbiter.
    pub connections: usize,
    /// The most posts in one call.
    pub max_batch: usize,
    /// What the server was found to have.
    pub languages: KnownLanguages,
}

/// What a server was found to have; nothing until it was asked. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct KnownLanguages(Arc<Mutex<Option<Arc<Languages>>>>);

impl KnownLanguages {
    fn get(&self) -> Option<Arc<Languages>> {
        // The lock guards one pointer, which no panic can leave half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, languages: Languages) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(languages));
    }
}

impl LibreTranslateSettings {
    /// The address of a call.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.base_url.as_str().trim_end_matches('/'))
    }

    /// What the server was found to have.
    pub(super) fn known_languages(&self) -> Option<Arc<Languages>> {
        self.languages.get()
    }

    /// Asks the server which languages it has.
    async fn ask_languages(&self) -> Result<Languages, String> {
        // Once, at a start or a check: no connection is worth sharing.
        let timeout = self.timeout.min(PATIENCE);
        let client = HttpClient::new(Limits { timeout, ..Limits::default() });
        let answer = client.send(Request::get(self.address("languages"))).await;
        let answer = answer.map_err(|error| no_answer(NAME, &error).to_string())?;
        Languages::read(&answer.body).filter(|_| answer.is_success()).ok_or_else(|| {
            format!(
                "there is no LibreTranslate at {}, or it does not list its languages: check engine.{}.base_url (HTTP {}: {})",
                self.base_url,
                self.name,
                answer.status,
                brief(&answer.text())
            )
        })
    }
}

/// The variable in which the key of the engine with this name belongs.
pub(super) fn variable(name: &str) -> String {
    EngineSection::named(name, KIND).variable(&SECRETS)
}

impl EngineKind for LibreTranslateKind {
    fn name(&self) -> &'static str {
        KIND
    }

    fn secrets(&self) -> &'static [&'static str] {
        &SECRETS
    }

    fn needs_secret(&self) -> bool {
        false
    }

    fn read(
        &self,
        section: &EngineSection<'_>,
        reader: &mut Reader<'_>,
        vault: &mut Vault<'_>,
    ) -> Option<Arc<dyn ConfiguredEngine>> {
        let base_url = reader.or(&section.key("base_url"), "http://localhost:5000", base_url);
        let batch = reader.by_preset(&section.key("batch"), ["20", "40", "10"], count(1..=100));
        let connections = reader.by_preset(&section.key("connections"), ["4", "16", "2"], count(CONNECTIONS));
        // A server of one's own needs no key.
        let key = section.secret_if_set(vault, self.secrets());
        Some(Arc::new(LibreTranslateSettings {
            name: section.name.into(),
            base_url: base_url?,
            key: key.ok()?,
            timeout: section.timeout?,
            connections: connections?,
            max_batch: batch?,
            languages: KnownLanguages::default(),
        }))
    }
}

#[async_trait(?Send)]
impl ConfiguredEngine for LibreTranslateSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn longest_call(&self) -> Duration {
        self.timeout
    }

    /// Asks the server which languages it has. If it does not answer, Mynah assumes that it has all, and finds out post by
    /// post.
    async fn prepare(&self, _: &[(Language, Language)], _: Transport) -> Result<(), String> {
        self.languages.set(self.ask_languages().await?);
        Ok(())
    }

    fn factory(&self, transport: Transport) -> Result<EngineFactory, String> {
        let settings = self.clone();
        Ok(Arc::new(move || Rc::new(LibreTranslate::new(settings.clone(), transport))))
    }

    fn more_languages(&self, _pairs: &[(Language, Language)]) -> Option<String> {
        Some("start LibreTranslate with these languages (its option --load-only)".into())
    }

    async fn check(&self, engine: &dyn Engine, pairs: &[(Language, Language)]) -> Result<String, String> {
        // Without its languages, the engine would be taken to have all.
        self.ask_languages().await?;
        try_engine(engine, pairs).await.map_err(|error| error.to_string())
    }
}
