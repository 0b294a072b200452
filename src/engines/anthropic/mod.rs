//! Claude, a language model of Anthropic's, by its messages API. What it shares with other models is in [`llm`](super::llm).
//!
//! - `answer` reads what came back for each post, `failure` what refusals mean; `prices` is what Anthropic
//!   charges.

mod answer;
mod failure;
mod prices;
mod settings;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use mynah_domain::{
    Language,
    ports::engine::{CallShape, Engine, EngineError, Item, Languages, Reply, Usage},
};
use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::{
    client,
    llm::{
        self, Model, Outcome,
        estimate::most_usage,
        failure::without_answer,
        prompt::{Form, Prompt},
    },
};
use crate::http_client::{HttpClient, Request, Transport};

pub use settings::{AnthropicKind, AnthropicSettings};

/// What errors call it.
const NAME: &str = "Claude";

/// The version of the API that this is written for.
const VERSION: &str = "2023-06-01";

/// The engine. It cannot leave its thread: the settings can.
pub struct Anthropic {
    settings: AnthropicSettings,
    endpoint: String,
    client: HttpClient,
}

impl fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anthropic").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The body of a request. It names no temperature: newer models refuse one.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    system: String,
    messages: [Message; 1],
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
}

impl Anthropic {
    /// An engine that shares the connections of its arbiter's others.
    fn new(settings: AnthropicSettings, transport: Transport) -> Self {
        let client = client(&settings.name, settings.connections, settings.timeout, transport);
        let base = settings.base_url.as_str().trim_end_matches('/');
        Self { endpoint: format!("{base}/v1/messages"), client, settings }
    }
}

impl Model for Anthropic {
    fn name(&self) -> &str {
        NAME
    }

    async fn ask(&self, prompt: &Prompt<'_>) -> Result<(Outcome, Usage), EngineError> {
        let AnthropicSettings { name, model, max_tokens, key, .. } = &self.settings;
        let body = Body {
            model,
            max_tokens: *max_tokens,
            system: prompt.instruction(Form::Object),
            messages: [Message { role: "user", content: prompt.data() }],
        };
        let request = Request::post(self.endpoint.as_str())
            .header("x-api-key", key.expose_secret())
            .header("anthropic-version", VERSION)
            .json(&body)
            .map_err(|error| {
                EngineError::Refused(format!("the request to {NAME} cannot be written: {error}"))
            })?;
        let answer = self.client.send(request).await.map_err(|error| without_answer(NAME, &error))?;
        if answer.status != 200 {
            let retry = answer.header("retry-after");
            let about = failure::read(answer.status, &answer.body, retry, (name, model), Timestamp::now())?;
            return Ok((Outcome::Spoiled(about), Usage::default()));
        }
        let (outcome, usage) = answer::read(&answer.body, &prompt.ids)
            .map_err(|error| EngineError::Unavailable(error.to_string()))?;
        log::debug!(
            upstream = &**name,
            model = model.as_str(),
            items = prompt.items.len(),
            input_tokens = usage.input_tokens.unwrap_or_default(),
            output_tokens = usage.output_tokens.unwrap_or_default();
            "model request completed"
        );
        Ok((outcome, usage))
    }
}

#[async_trait(?Send)]
impl Engine for Anthropic {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn revision(&self) -> String {
        format!("anthropic/{}", self.settings.model)
    }

    /// It speaks every language that Mynah knows.
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
