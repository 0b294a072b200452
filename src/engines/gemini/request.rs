//! The body of a `generateContent` call.

use serde::Serialize;

use crate::engines::llm::{
    echo::Echo,
    ids::Id,
    prompt::{Form, Prompt},
    schema,
};

/// What Google's filters may be told to allow. The posts are public already; what is refused here would be missing there. What
/// Google never allows it refuses all the same.
const SAFETY_SETTINGS: [SafetySetting; 4] = [
    SafetySetting::off("HARM_CATEGORY_HARASSMENT"),
    SafetySetting::off("HARM_CATEGORY_HATE_SPEECH"),
    SafetySetting::off("HARM_CATEGORY_SEXUALLY_EXPLICIT"),
    SafetySetting::off("HARM_CATEGORY_DANGEROUS_CONTENT"),
];

/// The body of a request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    system_instruction: Content,
    contents: [Content; 1],
    generation_config: GenerationConfig<'a>,
    safety_settings: [SafetySetting; 4],
}

#[derive(Debug, Serialize)]
struct Content {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: [Part; 1],
}

#[derive(Debug, Serialize)]
struct Part {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig<'a> {
    temperature: f32,
    candidate_count: u32,
    response_mime_type: &'static str,
    response_schema: ListSchema<'a>,
}

/// The schema of all answers. It has no bounds: Gemini answers 400 to `maxItems` and, in one of its APIs, to `minItems`
/// (measured on gemini-3.8-flash, <https://github.com/linxule/openinterviewer/pull/23>). What is missing or doubled is found
/// when the answer is read.
#[derive(Debug, Serialize)]
struct ListSchema<'a> {
    r#type: &'static str,
    items: AnswerSchema<'a>,
}

/// The schema of one answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerSchema<'a> {
    r#type: &'static str,
    properties: Properties<'a>,
    required: &'static [&'static str],
    property_ordering: &'static [&'static str],
}

#[derive(Debug, Serialize)]
struct Properties<'a> {
    id: StringSchema<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    echo: Option<StringSchema<'a>>,
    text: StringSchema<'a>,
}

#[derive(Debug, Serialize)]
struct StringSchema<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#enum: Option<&'a [Id]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl StringSchema<'_> {
    const ANY: Self = Self { r#type: "STRING", format: None, r#enum: None, description: None };
}

#[derive(Debug, Serialize)]
struct SafetySetting {
    category: &'static str,
    threshold: &'static str,
}

impl SafetySetting {
    const fn off(category: &'static str) -> Self {
        Self { category, threshold: "BLOCK_NONE" }
    }
}

/// The body of a request.
pub(super) fn body<'a>(prompt: &'a Prompt<'_>) -> Body<'a> {
    let content = |role, text| Content { role, parts: [Part { text }] };
    Body {
        system_instruction: content(None, prompt.instruction(Form::Array)),
        contents: [content(Some("user"), prompt.data())],
        generation_config: GenerationConfig {
            // The same post should be translated the same way twice.
            temperature: 0.2,
            candidate_count: 1,
            response_mime_type: "application/json",
            response_schema: ListSchema { r#type: "ARRAY", items: schema(prompt) },
        },
        safety_settings: SAFETY_SETTINGS,
    }
}

/// The schema of one answer. It allows no id but those of the items.
fn schema<'a>(prompt: &'a Prompt<'_>) -> AnswerSchema<'a> {
    let described = |echo: &Echo| StringSchema { description: Some(echo.description()), ..StringSchema::ANY };
    let order = schema::required(prompt);
    AnswerSchema {
        r#type: "OBJECT",
        properties: Properties {
            id: StringSchema { format: Some("enum"), r#enum: Some(&prompt.ids), ..StringSchema::ANY },
            echo: prompt.echo.as_ref().map(described),
            text: StringSchema::ANY,
        },
        required: order,
        property_ordering: order,
    }
}

#[cfg(test)]
mod tests {
    use mynah_domain::{fixtures::mask, ports::Item};
    use serde_json::{Value, json};

    use super::*;
    use crate::engines::llm::placeholders::Brackets;

    /// The body of a request for these texts, and its ids.
    fn body_of(texts: &[&str]) -> (Value, Vec<String>) {
        let item = |text: &&str| Item::new(mask(text).text, "en".parse().unwrap(), "es".parse().unwrap());
        let items: Vec<Item> = texts.iter().map(item).collect();
        let items: Vec<&Item> = items.iter().collect();
        let prompt = Prompt::new(&items, Brackets('⟦', '⟧'), false, 1);
        (serde_json::to_value(body(&prompt)).unwrap(), prompt.ids.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_posts_are_the_users_part_and_the_rules_the_systems() {
        let (body, ids) = body_of(&["Hi @bob"]);
        let data = body["contents"][0]["parts"][0]["text"].as_str().unwrap();
        let expected =
            format!(r#"{{"items":[{{"id":"{}","source":"en","target":"es","text":"Hi ⟦0⟧"}}]}}"#, ids[0]);
        assert_eq!(data, expected);
        let instruction = body["systemInstruction"]["parts"][0]["text"].as_str().unwrap();
        assert!(instruction.contains("es is Spanish") && !instruction.contains("Hi"), "{instruction}");
    }

    #[test]
    fn thinking_is_left_to_the_model_as_some_refuse_to_be_told() {
        let (body, _) = body_of(&["Hi"]);
        assert_eq!(body["generationConfig"].get("thinkingConfig"), None);
        assert_eq!(body["generationConfig"]["responseMimeType"], "application/json");
        assert_eq!(body["generationConfig"]["responseSchema"]["type"], "ARRAY");
    }
    #[test]
    fn an_answer_may_have_no_ids_but_those_asked_for_and_an_echo_where_there_are_several() {
        let schema = |body: &Value| body["generationConfig"]["responseSchema"]["items"].clone();
        let (body, ids) = body_of(&["Hi", "The market opens"]);
        let several = schema(&body);
        assert_eq!(several["properties"]["id"]["enum"], json!(ids));
        assert_eq!(several["required"], json!(["id", "echo", "text"]));
        assert_eq!(several["propertyOrdering"], several["required"]);
        assert!(several["properties"]["echo"]["description"].as_str().unwrap().contains("last 4 words"));
        let (body, _) = body_of(&["Hi"]);
        assert_eq!(schema(&body)["required"], json!(["id", "text"]), "a single one needs none");
    }
}
