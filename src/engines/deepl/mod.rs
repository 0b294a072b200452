//! DeepL: a translation service that is paid by the character. It gets the sentences around a post's protected parts whole, the
//! author's earlier posts of the thread as context, and the form of address that a target asks for.
//!
//! - `languages` knows what DeepL calls a language, `request` writes the body of a call, `answer` reads what came back, and
//!   `failure` what its refusals mean.
//! - `usage` asks how much of the quota is used.
//!
//! What it shares with other services is in [`marked`](super::marked).

mod answer;
mod failure;
mod languages;
mod request;
mod settings;
#[cfg(test)]
mod tests;
mod usage;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use mynah_domain::{
    Language,
    ports::engine::{CallShape, Engine, EngineError, Item, Languages, Reply, Usage},
    text::MaskedText,
};
use secrecy::ExposeSecret as _;

use super::{
    client,
    lines::{self, Part},
    marked::{self, Outcome, Service, markup::Form, refusal::no_answer},
};
use crate::http_client::{HttpClient, Request, Transport};

use failure::Failure;

pub use settings::{DeeplKind, DeeplSettings, Formality};

/// What errors call it.
const NAME: &str = "DeepL";

/// The most texts that DeepL accepts in one request.
const MAX_TEXTS: usize = 50;

/// The most bytes that DeepL accepts as the body of a request.
const MAX_BODY: usize = 128 * 1024;

/// How much of the body is for everything but the texts.
const RESERVED: usize = 16 * 1024;

/// The engine. It cannot leave its thread: the settings can.
pub struct Deepl {
    settings: DeeplSettings,
    client: HttpClient,
}

impl fmt::Debug for Deepl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deepl").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Deepl {
    /// An engine that shares the connections of its arbiter's others.
    pub fn new(settings: DeeplSettings, transport: Transport) -> Self {
        let client = client(&settings.name, settings.connections, settings.timeout, transport);
        Self { settings, client }
    }
}

/// A request with the key.
fn authorized(request: Request, settings: &DeeplSettings) -> Request {
    request.header("authorization", format!("DeepL-Auth-Key {}", settings.key.expose_secret()))
}

impl Service for Deepl {
    const NAME: &'static str = NAME;

    fn max_texts(&self) -> usize {
        self.settings.max_batch.min(MAX_TEXTS)
    }

    fn max_bytes(&self) -> usize {
        MAX_BODY - RESERVED
    }

    fn form(&self, from: Language, to: Language) -> Form {
        if languages::have_tags(from, to) { Form::Xml } else { Form::Brackets }
    }

    /// Whole posts: a sentence may depend on the line before it.
    fn parts(&self, text: &MaskedText) -> Vec<Part> {
        lines::whole(text)
    }

    fn are_alike(&self, one: &Item, other: &Item) -> bool {
        (one.from, one.to, one.style.tone, &one.context)
            == (other.from, other.to, other.style.tone, &other.context)
    }

    async fn ask(&self, texts: &[&str], form: Form, like: &Item) -> Result<Outcome, EngineError> {
        let Some(pair) = languages::pair(like.from, like.to) else {
            return Ok(Outcome::Refused(languages::unsupported(like.from, like.to)));
        };
        let body = request::body(texts, form, like, &pair, &self.settings);
        let request = authorized(Request::post(self.settings.address("v2/translate")), &self.settings)
            .json(&body)
            .map_err(|error| {
                EngineError::Refused(format!("the request to DeepL cannot be written: {error}"))
            })?;
        // A translation asked for twice costs money, not trust: what the server did does not matter.
        let answer = self.client.send(request).await.map_err(|error| no_answer(NAME, &error))?;
        if answer.status != 200 {
            let retry_after = answer.header("retry-after");
            let name = &self.settings.name;
            return match failure::read(answer.status, &answer.body, retry_after, name, Timestamp::now()) {
                Failure::Call(error) => Err(error),
                Failure::Languages(error) => Ok(Outcome::Refused(error)),
                Failure::TooLarge(error) => Ok(Outcome::Spoiled(error)),
            };
        }
        let (translations, usage) = answer::read(&answer.body)?;
        log::debug!(
            texts = texts.len(),
            target = pair.target.as_str(),
            billed_characters = usage.billed_characters.unwrap_or_default();
            "DeepL request completed"
        );
        Ok(Outcome::Translations(translations, usage))
    }
}

#[async_trait(?Send)]
impl Engine for Deepl {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn revision(&self) -> String {
        let DeeplSettings { formality, glossary_id, .. } = &self.settings;
        let mut revision = "deepl".to_owned();
        if *formality != Formality::Default {
            revision.push('/');
            revision.push_str(formality.as_str());
        }
        if let Some(glossary) = glossary_id {
            revision.push('/');
            revision.push_str(glossary);
        }
        revision
    }

    fn supports(&self, from: Language, to: Language) -> bool {
        languages::pair(from, to).is_some()
    }

    fn composition(&self) -> CallShape {
        // Most characters of posts are a byte, and none is more than four.
        CallShape::new(self.max_texts(), Languages::One).with_max_chars(self.max_bytes() / 4)
    }

    fn most_usage(&self, items: &[Item]) -> Usage {
        Usage { billed_characters: Some(marked::most_characters(items)), ..Usage::default() }
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        marked::translate(self, items).await
    }
}
