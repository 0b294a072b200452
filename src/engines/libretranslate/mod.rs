//! LibreTranslate: a translation service that people run on a server of their own.
//!
//! - `languages` asks the server which pairs it has, and knows what it calls them.
//! - `answer` reads what came back, good or bad: some servers and proxies report errors with a status of 200.
//!
//! Texts go as HTML: in this format only, the server promises to leave something alone, the content of `<code>`; as plain text,
//! it also changes capitals and punctuation. Each line is a text, because the server translates sentence by sentence anyway.
//! What it shares with other services is in [`marked`](super::marked).

mod answer;
mod languages;
mod settings;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use mynah_domain::{
    Language,
    ports::engine::{CallShape, Engine, EngineError, Item, Languages as Mixed, Reply, Usage},
    text::MaskedText,
};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::{
    client,
    lines::{self, Part},
    marked::{self, Outcome, Service, markup::Form, refusal::no_answer},
};
use crate::http_client::{HttpClient, Request, Transport};

use answer::Answer;
use languages::Languages;

pub use settings::{KnownLanguages, LibreTranslateKind, LibreTranslateSettings};

/// What errors call it.
const NAME: &str = "LibreTranslate";

/// The most bytes in one request. Servers have limits of their own, and say so.
const MAX_BYTES: usize = 256 * 1024;

/// The most lines in one request, however many posts they are of.
const MAX_LINES: usize = 200;

/// The engine. It cannot leave its thread: the settings can.
pub struct LibreTranslate {
    settings: LibreTranslateSettings,
    /// What the server had when it was asked; `None` if it was not or did not answer.
    languages: Option<Arc<Languages>>,
    endpoint: String,
    client: HttpClient,
}

impl fmt::Debug for LibreTranslate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LibreTranslate").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The body of a request.
#[derive(Serialize)]
struct Body<'a> {
    q: &'a [&'a str],
    source: &'a str,
    target: &'a str,
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
}

impl LibreTranslate {
    /// An engine that shares the connections of its arbiter's others. It supports what the server was found to have
    /// ([`prepare`](super::ConfiguredEngine::prepare)), or everything if nobody asked the server.
    pub fn new(settings: LibreTranslateSettings, transport: Transport) -> Self {
        Self {
            client: client(&settings.name, settings.connections, settings.timeout, transport),
            languages: settings.known_languages(),
            endpoint: settings.address("translate"),
            settings,
        }
    }

    /// What the server calls a pair of languages; `None` if it does not have it.
    fn pair(&self, from: Language, to: Language) -> Option<(String, String)> {
        match &self.languages {
            Some(languages) => languages.pair(from, to),
            None => languages::likely_pair(from, to),
        }
    }
}

impl Service for LibreTranslate {
    const NAME: &'static str = NAME;

    fn max_texts(&self) -> usize {
        MAX_LINES
    }

    fn max_bytes(&self) -> usize {
        MAX_BYTES
    }

    fn form(&self, _: Language, _: Language) -> Form {
        Form::Html
    }

    fn parts(&self, text: &MaskedText) -> Vec<Part> {
        lines::lines(text)
    }

    async fn ask(&self, texts: &[&str], _: Form, like: &Item) -> Result<Outcome, EngineError> {
        let Some((source, target)) = self.pair(like.from, like.to) else {
            return Ok(Outcome::Refused(languages::unsupported(like.from, like.to)));
        };
        let api_key = self.settings.key.as_ref().map(ExposeSecret::expose_secret);
        let body = Body { q: texts, source: &source, target: &target, format: "html", api_key };
        let request = Request::post(self.endpoint.as_str()).json(&body).map_err(|error| {
            EngineError::Refused(format!("the request to LibreTranslate cannot be written: {error}"))
        })?;
        let answer = self.client.send(request).await.map_err(|error| no_answer(NAME, &error))?;
        let retry_after = answer.header("retry-after");
        let name = &self.settings.name;
        match answer::read(answer.status, &answer.body, retry_after, name, Timestamp::now()) {
            Answer::Translations(translations) => {
                log::debug!(texts = texts.len(), target = target.as_str(); "LibreTranslate request completed");
                Ok(Outcome::Translations(translations, Usage::default()))
            }
            Answer::Languages(error) => Ok(Outcome::Refused(error)),
            Answer::Spoiled(error) => Ok(Outcome::Spoiled(error)),
            Answer::Failed(error) => Err(error),
        }
    }
}

#[async_trait(?Send)]
impl Engine for LibreTranslate {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn revision(&self) -> String {
        "libretranslate".into()
    }

    fn supports(&self, from: Language, to: Language) -> bool {
        self.pair(from, to).is_some()
    }

    fn composition(&self) -> CallShape {
        CallShape::new(self.settings.max_batch, Mixed::One).with_max_chars(MAX_BYTES / 8)
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        marked::translate(self, items).await
    }
}
