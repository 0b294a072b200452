//! Parses a request to the model. Google's parser accepts each field in camel case and in snake case, and refuses
//! unknown fields; so does this one, so that a misspelled setting fails here rather than in production.

use serde_json::{Map, Value};

use super::problems::GeminiProblem;
use crate::model::{Asked, Echo};

/// Field names, per object, in camel case.
const TOP: &[&str] = &[
    "contents",
    "systemInstruction",
    "generationConfig",
    "safetySettings",
    "tools",
    "toolConfig",
    "cachedContent",
    "serviceTier",
    "model",
    "labels",
];
const GENERATION: &[&str] = &[
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "maxOutputTokens",
    "stopSequences",
    "seed",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "thinkingConfig",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "mediaResolution",
];
const THINKING: &[&str] = &["includeThoughts", "thinkingLevel", "thinkingBudget"];
const CONTENT: &[&str] = &["role", "parts"];
const PART: &[&str] = &["text", "inlineData", "fileData", "thought", "thoughtSignature"];
const SAFETY: &[&str] = &["category", "threshold", "method"];

/// The parts of a request that change the answer.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// What the model is asked.
    pub(crate) asked: Asked,
    /// Whether the answer must be bare JSON.
    pub(crate) json: bool,
    pub(crate) include_thoughts: bool,
    pub(crate) max_output_tokens: Option<u64>,
    /// All characters of the prompt, to count tokens.
    pub(crate) prompt_chars: usize,
}

impl Request {
    pub(crate) fn read(bytes: &[u8], model: &str) -> Result<Self, GeminiProblem> {
        let body: Value = serde_json::from_slice(bytes)
            .map_err(|error| GeminiProblem::invalid(format!("Invalid JSON payload received. {error}")))?;
        let top = Object::of(&body, "", TOP)?;
        let mut request = Self::default();
        if let Some(config) = top.get("generationConfig") {
            request.configure(config, model)?;
        }
        if let Some(settings) = top.get("safetySettings").and_then(Value::as_array) {
            for (index, setting) in settings.iter().enumerate() {
                Object::of(setting, &format!("safety_settings[{index}]"), SAFETY)?;
            }
        }
        if let Some(system) = top.get("systemInstruction") {
            request.prompt_chars += text_of(system, "system_instruction")?.chars().count();
        }
        let contents = top.get("contents").and_then(Value::as_array).filter(|list| !list.is_empty());
        let contents = contents.ok_or_else(|| {
            GeminiProblem::invalid("* GenerateContentRequest.contents: contents is not specified\n")
        })?;
        let mut last = String::new();
        for (index, content) in contents.iter().enumerate() {
            let text = text_of(content, &format!("contents[{index}]"))?;
            request.prompt_chars += text.chars().count();
            if content["role"].as_str().is_none_or(|role| role == "user") {
                last = text;
            }
        }
        request.asked.read(last);
        Ok(request)
    }

    fn configure(&mut self, config: &Value, model: &str) -> Result<(), GeminiProblem> {
        let config = Object::of(config, "generation_config", GENERATION)?;
        self.json = config.get("responseMimeType").and_then(Value::as_str) == Some("application/json");
        self.max_output_tokens = config.get("maxOutputTokens").and_then(Value::as_u64);
        let schema = config.get("responseSchema").or_else(|| config.get("responseJsonSchema"));
        self.asked.echo = schema.and_then(Echo::asked);
        if schema.is_some() && !self.json {
            return Err(GeminiProblem::invalid(
                "Function calling config or response schema is set without response mime type \
                application/json.",
            ));
        }
        let Some(thinking) = config.get("thinkingConfig") else {
            return Ok(());
        };
        let thinking = Object::of(thinking, "generation_config.thinking_config", THINKING)?;
        let level = thinking.get("thinkingLevel").and_then(Value::as_str);
        let budget = thinking.get("thinkingBudget").and_then(Value::as_i64);
        if level.is_some() && budget.is_some() {
            return Err(GeminiProblem::invalid(
                "You can only set only one of thinking budget and thinking level.",
            ));
        }
        let minimal = level.is_some_and(|level| level.eq_ignore_ascii_case("minimal"));
        if minimal && ["gemini-3.7-flash", "gemini-3.8-flash"].contains(&model) {
            return Err(GeminiProblem::invalid("Thinking level is not supported for this model."));
        }
        if budget == Some(0) && model == "gemini-3.5-flash-lite" {
            return Err(GeminiProblem::invalid("Thinking budget 0 is not supported for this model."));
        }
        self.include_thoughts = thinking.get("includeThoughts").and_then(Value::as_bool) == Some(true);
        Ok(())
    }
}

/// An object in which all keys are known.
struct Object<'a>(&'a Map<String, Value>);

impl<'a> Object<'a> {
    fn of(value: &'a Value, at: &str, known: &[&str]) -> Result<Self, GeminiProblem> {
        let object = value.as_object().ok_or_else(|| {
            GeminiProblem::invalid(format!("Invalid value at '{at}': an object was expected."))
        })?;
        let unknown =
            object.keys().find(|key| !known.iter().any(|name| *name == **key || snake(name) == **key));
        match unknown {
            Some(key) => Err(GeminiProblem::unknown_name(key, at)),
            None => Ok(Self(object)),
        }
    }

    fn get(&self, camel: &str) -> Option<&'a Value> {
        self.0.get(camel).or_else(|| self.0.get(&snake(camel))).filter(|value| !value.is_null())
    }
}

fn snake(camel: &str) -> String {
    let mut out = String::with_capacity(camel.len() + 4);
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// The concatenated text of a content's parts.
fn text_of(content: &Value, at: &str) -> Result<String, GeminiProblem> {
    let content = Object::of(content, at, CONTENT)?;
    let mut text = String::new();
    let parts = content.get("parts").and_then(Value::as_array);
    for (index, part) in parts.into_iter().flatten().enumerate() {
        let part = Object::of(part, &format!("{at}.parts[{index}]"), PART)?;
        text.push_str(part.get("text").and_then(Value::as_str).unwrap_or_default());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<Request, GeminiProblem> {
        Request::read(body.to_string().as_bytes(), "gemini-3.8-flash")
    }

    #[test]
    fn items_are_read_in_camel_case_and_in_snake_case() {
        let items = json!({"items": [{"id": "1", "target": "es", "text": "a", "context": "b"}]}).to_string();
        let request = read(&json!({
            "system_instruction": {"parts": [{"text": "Translate."}]},
            "contents": [{"role": "user", "parts": [{"text": items}]}],
            "generation_config": {"response_mime_type": "application/json", "maxOutputTokens": 5},
        }))
        .unwrap();
        assert!(request.json && request.asked.structured);
        assert_eq!((request.asked.items.len(), request.max_output_tokens), (1, Some(5)));
    }

    #[test]
    fn a_misspelled_setting_is_refused_with_googles_message() {
        let contents = json!([{"parts": [{"text": "a"}]}]);
        let error = read(&json!({"contents": contents, "generationConfig": {"x": 1}})).unwrap_err();
        assert!(error.to_string().ends_with(
            "Invalid JSON payload received. Unknown name \"x\" at 'generation_config': Cannot find field."
        ));
        let both = json!({"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 1}});
        assert!(read(&json!({"contents": contents, "generationConfig": both})).is_err());
        let minimal = json!({"thinkingConfig": {"thinkingLevel": "MINIMAL"}});
        assert!(read(&json!({"contents": contents, "generationConfig": minimal})).is_err());
        assert!(read(&json!({})).is_err());
    }
}
