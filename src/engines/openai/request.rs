//! The body of a call to `chat/completions`.

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{
    service::{LimitName, Shape},
    settings::OpenAiSettings,
    wire::Parts,
};
use crate::engines::llm::{
    prompt::{Form, Prompt},
    schema::Schema,
};

/// The body of a request.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: [Message; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(flatten)]
    limit: Limit,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
}

#[derive(Debug, Serialize)]
struct Message {
    role: &'static str,
    content: String,
}

/// The most tokens of the answer, under the name that the service knows.
#[derive(Debug)]
struct Limit(Option<(LimitName, u32)>);

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((name, most)) = self.0 {
            map.serialize_entry(name.as_str(), &most)?;
        }
        map.end()
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat<'a> {
    JsonObject,
    JsonSchema { json_schema: Box<NamedSchema<'a>> },
}

#[derive(Debug, Serialize)]
struct NamedSchema<'a> {
    name: &'static str,
    strict: bool,
    schema: Schema<'a>,
}

/// The body of a request with these parts.
pub(super) fn body<'a>(settings: &'a OpenAiSettings, prompt: &'a Prompt<'_>, parts: Parts) -> Body<'a> {
    let message = |role, content| Message { role, content };
    Body {
        model: &settings.model,
        messages: [message("system", prompt.instruction(Form::Object)), message("user", prompt.data())],
        // The same post should be translated the same way twice.
        temperature: parts.temperature.then_some(0.2),
        limit: Limit(parts.limit.map(|name| (name, settings.max_tokens))),
        reasoning_effort: settings.reasoning_effort.filter(|_| parts.effort),
        response_format: match parts.shape {
            Shape::Schema => Some(ResponseFormat::JsonSchema {
                json_schema: Box::new(NamedSchema {
                    name: "translations",
                    strict: true,
                    schema: Schema::of(prompt),
                }),
            }),
            Shape::Object => Some(ResponseFormat::JsonObject),
            Shape::Words => None,
        },
    }
}
