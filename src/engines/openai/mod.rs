//! Services whose API is OpenAI's chat completions, and there are many: OpenAI, Mistral, Groq, OpenRouter, and on one's own
//! machine Ollama, llama.cpp and vLLM. There may be any number of these engines. What they share with other models is in
//! [`llm`](super::llm).
//!
//! - `service` has the defaults of each service, `wire` what a service turned out not to accept.
//! - `request` writes the body of a call, `answer` reads what came back for each post, `failure` what refusals mean.
//! - `prices` is what OpenAI charges.

mod answer;
mod failure;
mod prices;
mod request;
mod service;
mod settings;
#[cfg(test)]
mod tests;
mod wire;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use mynah_domain::{
    Language,
    ports::engine::{CallShape, Engine, EngineError, Item, Languages, Reply, Usage},
};
use secrecy::ExposeSecret as _;

use super::{
    client,
    llm::{
        self, Model, Outcome,
        estimate::most_usage,
        failure::without_answer,
        prompt::{Form, Prompt},
    },
};
use crate::http_client::{Answer, HttpClient, Request, Transport};
use answer::Read;
use failure::{Failure, Meaning};
use wire::{Parts, Wire};

pub use service::Service;
pub use settings::{OpenAiKind, OpenAiSettings};

/// How often one request may be made again without a part that the service does not accept: once for each step.
const MOST_RETRIES: usize = 6;

/// The engine. It cannot leave its thread: the settings can.
pub struct OpenAi {
    settings: OpenAiSettings,
    wire: Arc<Wire>,
    endpoint: String,
    client: HttpClient,
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl OpenAi {
    /// An engine that shares the connections of its arbiter's others.
    fn new(settings: OpenAiSettings, wire: Arc<Wire>, transport: Transport) -> Self {
        let client = client(&settings.name, settings.connections, settings.timeout, transport);
        let base = settings.base_url.as_str().trim_end_matches('/');
        Self { endpoint: format!("{base}/chat/completions"), wire, client, settings }
    }

    async fn send(&self, prompt: &Prompt<'_>, parts: Parts) -> Result<Answer, EngineError> {
        let title = self.settings.title();
        let mut request = Request::post(self.endpoint.as_str());
        if let Some(key) = &self.settings.key {
            request = request.header("authorization", format!("Bearer {}", key.expose_secret()));
        }
        let request = request.json(&request::body(&self.settings, prompt, parts)).map_err(|error| {
            EngineError::Refused(format!("the request to {title} cannot be written: {error}"))
        })?;
        self.client.send(request).await.map_err(|error| without_answer(title, &error))
    }

    /// What an answer holds, or why it holds nothing.
    fn read(
        &self,
        answer: &Answer,
        prompt: &Prompt<'_>,
    ) -> Result<Result<(Outcome, Usage), Failure>, EngineError> {
        if answer.status != 200 {
            let header = |name: &str| answer.header(name);
            return Ok(Err(Failure::read(answer.status, &answer.body, header, Timestamp::now())));
        }
        match answer::read(self.settings.title(), &answer.body, &prompt.ids) {
            Ok(Read::Answer(outcome, usage)) => Ok(Ok((outcome, usage))),
            Ok(Read::Failure(body)) => Ok(Err(Failure::of_success(&body))),
            Err(error) => Err(EngineError::Unavailable(error.to_string())),
        }
    }
}

impl Model for OpenAi {
    fn name(&self) -> &str {
        self.settings.title()
    }

    async fn ask(&self, prompt: &Prompt<'_>) -> Result<(Outcome, Usage), EngineError> {
        let mut retries = 0;
        loop {
            let parts = self.wire.parts();
            let answer = self.send(prompt, parts).await?;
            let failure = match self.read(&answer, prompt)? {
                Ok((outcome, usage)) => {
                    log::debug!(
                        upstream = &*self.settings.name,
                        model = self.settings.model.as_str(),
                        items = prompt.items.len(),
                        input_tokens = usage.input_tokens.unwrap_or_default(),
                        output_tokens = usage.output_tokens.unwrap_or_default();
                        "model request completed"
                    );
                    return Ok((outcome, usage));
                }
                Err(failure) => failure,
            };
            match failure.meaning(&self.settings, Timestamp::now()) {
                Meaning::Items(error) => return Ok((Outcome::Spoiled(error), Usage::default())),
                Meaning::Call(error) => return Err(error),
                Meaning::Part(part) => {
                    let said = failure.said();
                    retries += 1;
                    if retries > MOST_RETRIES || !self.wire.refused(&self.settings.name, parts, part, &said) {
                        let title = self.settings.title();
                        return Err(EngineError::Refused(format!("{title} refused the request ({said})")));
                    }
                }
            }
        }
    }
}

#[async_trait(?Send)]
impl Engine for OpenAi {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn revision(&self) -> String {
        match self.settings.reasoning_effort {
            Some(effort) => format!("openai/{}+{effort}", self.settings.model),
            None => format!("openai/{}", self.settings.model),
        }
    }

    /// Models speak every language that Mynah knows, some better than others; the gate finds what is in another language.
    fn supports(&self, from: Language, to: Language) -> bool {
        from != to
    }

    fn takes_advice(&self) -> bool {
        true
    }

    fn composition(&self) -> CallShape {
        CallShape::new(self.settings.max_batch, Languages::Many)
    }

    fn most_usage(&self, items: &[Item]) -> Usage {
        most_usage(items, Form::Object, Some(self.settings.max_tokens))
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        llm::translate(self, items, self.composition().max_items()).await
    }
}
