//! Parses a request to the model, and refuses what OpenAI refuses: unknown arguments, a schema that is not strict, two limits.

use serde_json::Value;

use super::problems::OpenAiProblem;
use crate::model::{Asked, Echo};

const ARGUMENTS: &[&str] = &[
    "model",
    "messages",
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "reasoning_effort",
    "response_format",
    "seed",
    "top_p",
    "stream",
];

/// The parts of a request that change the answer.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) model: String,
    pub(crate) asked: Asked,
    /// Whether a schema, and whether any form, is asked for.
    pub(crate) has_schema: bool,
    pub(crate) has_format: bool,
    pub(crate) has_temperature: bool,
    pub(crate) max_tokens: Option<u64>,
    /// All characters of the prompt, to count tokens.
    pub(crate) prompt_chars: usize,
}

impl Request {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, OpenAiProblem> {
        let body: Value = serde_json::from_slice(bytes)
            .map_err(|_| OpenAiProblem::invalid("We could not parse the JSON body of your request.", None))?;
        let unknown =
            body.as_object().into_iter().flatten().find(|(name, _)| !ARGUMENTS.contains(&name.as_str()));
        if let Some((name, _)) = unknown {
            return Err(OpenAiProblem::invalid(
                format!("Unrecognized request argument supplied: {name}"),
                None,
            ));
        }
        let Some(model) = body["model"].as_str() else {
            return Err(OpenAiProblem::invalid("you must provide a model parameter", Some("model")));
        };
        let limits =
            ["max_tokens", "max_completion_tokens"].map(|name| body.get(name).and_then(Value::as_u64));
        if let [Some(_), Some(_)] = limits {
            return Err(OpenAiProblem::invalid(
                "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
                Some("max_tokens"),
            ));
        }
        let mut request = Self {
            model: model.to_owned(),
            has_temperature: body.get("temperature").is_some(),
            max_tokens: limits.into_iter().flatten().next(),
            ..Self::default()
        };
        request.read_format(&body["response_format"])?;
        let messages = body["messages"].as_array().filter(|messages| !messages.is_empty());
        let messages = messages
            .ok_or_else(|| OpenAiProblem::invalid("[] is too short - 'messages'", Some("messages")))?;
        for message in messages {
            let text = message["content"].as_str().unwrap_or_default();
            request.prompt_chars += text.chars().count();
            match message["role"].as_str() {
                Some("system" | "developer") => {
                    request.asked.echo = request.asked.echo.or_else(|| Echo::instructed(text));
                }
                Some("user") => request.asked.read(text.to_owned()),
                _ => {
                    return Err(OpenAiProblem::invalid(
                        "Invalid value: 'messages[0].role'",
                        Some("messages[0].role"),
                    ));
                }
            }
        }
        Ok(request)
    }

    fn read_format(&mut self, format: &Value) -> Result<(), OpenAiProblem> {
        self.has_format = !format.is_null();
        if format["type"] != "json_schema" {
            return Ok(());
        }
        self.has_schema = true;
        let format = &format["json_schema"];
        let schema = &format["schema"];
        let is_named = format["name"].as_str().is_some_and(|name| {
            let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            (1..=64).contains(&name.len()) && name.bytes().all(is_valid)
        });
        let list = &schema["properties"]["items"];
        if !is_named || schema["type"] != "object" || !is_strict(schema) || !is_strict(&list["items"]) {
            return Err(OpenAiProblem::invalid(
                "Invalid schema for response_format 'translations': 'additionalProperties' is required to be supplied \
                 and to be false, and 'required' to have every key in properties.",
                Some("response_format"),
            ));
        }
        self.asked.echo = Echo::asked(list);
        Ok(())
    }
}

/// Whether an object's schema allows no other keys, and requires all that it has.
fn is_strict(schema: &Value) -> bool {
    let keys = schema["properties"].as_object().map(|properties| properties.keys());
    let required = schema["required"].as_array();
    schema["additionalProperties"] == false
        && keys.zip(required).is_some_and(|(mut keys, required)| {
            keys.all(|key| required.iter().any(|name| name.as_str() == Some(key)))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(more: &Value) -> Result<Request, OpenAiProblem> {
        let items = json!({"items": [{"id": "1", "target": "es", "text": "a"}]}).to_string();
        let mut body = json!({"model": "gpt-5.4-mini", "messages": [
            {"role": "system", "content": "Before \"text\" comes \"echo\": the last 4 words, exactly as it stands."},
            {"role": "user", "content": items},
        ]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Request::read(body.to_string().as_bytes())
    }

    #[test]
    fn items_and_limits_are_read_and_the_instruction_says_what_to_repeat() {
        let request = read(&json!({"max_tokens": 5})).unwrap();
        assert!(request.asked.structured && request.asked.echo.is_some() && !request.has_format);
        assert_eq!((request.asked.items.len(), request.max_tokens), (1, Some(5)));
    }

    #[test]
    fn what_openai_refuses_is_refused() {
        let answer = json!({"type": "object", "properties": {"id": {}, "text": {}}, "required": ["id", "text"],
            "additionalProperties": false});
        let format = |answer: Value, name: &str| {
            let schema = json!({"type": "object", "properties": {"items": {"type": "array", "items": answer}},
                "required": ["items"], "additionalProperties": false});
            json!({"response_format": {"type": "json_schema",
                "json_schema": {"name": name, "strict": true, "schema": schema}}})
        };
        assert!(read(&format(answer.clone(), "out")).unwrap().has_schema);
        let mut loose = answer.clone();
        loose["required"] = json!(["id"]);
        for wrong in [
            format(answer, "no name"),
            format(loose, "out"),
            json!({"max_tokens": 1, "max_completion_tokens": 1}),
            json!({"responseFormat": {}}),
            json!({"messages": []}),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }
}
