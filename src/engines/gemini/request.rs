//! The body of a `generateContent` call.

use serde_json::{Value, json};

use crate::engines::llm::prompt::Prompt;

/// The body of a request.
pub(super) fn body(prompt: &Prompt<'_>) -> Value {
    // The posts are public already; what is refused here would be missing there. What Google never allows it refuses all
    // the same.
    let safety = ["HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT"]
        .map(|kind| json!({"category": format!("HARM_CATEGORY_{kind}"), "threshold": "BLOCK_NONE"}));
    json!({
        "systemInstruction": {"parts": [{"text": prompt.instruction()}]},
        "contents": [{"role": "user", "parts": [{"text": prompt.data()}]}],
        "generationConfig": {
            // The same post should be translated the same way twice.
            "temperature": 0.2,
            "candidateCount": 1,
            "responseMimeType": "application/json",
            "responseSchema": {"type": "ARRAY", "items": schema(prompt)},
        },
        "safetySettings": safety,
    })
}

/// The schema of one answer. It allows no id but those of the items. The list has no bounds: Gemini answers 400 to `maxItems`
/// and, in one of its APIs, to `minItems` (measured on gemini-3.8-flash, <https://github.com/linxule/openinterviewer/pull/23>).
/// What is missing or doubled is found when the answer is read.
fn schema(prompt: &Prompt<'_>) -> Value {
    let mut properties = json!({
        "id": {"type": "STRING", "format": "enum", "enum": prompt.ids},
        "text": {"type": "STRING"},
    });
    // The echo comes first: a model that has repeated a text translates that one.
    let order = match &prompt.echo {
        Some(echo) => {
            properties["echo"] = json!({"type": "STRING", "description": echo.description()});
            &["id", "echo", "text"][..]
        }
        None => &["id", "text"],
    };
    json!({"type": "OBJECT", "properties": properties, "required": order, "propertyOrdering": order})
}

#[cfg(test)]
mod tests {
    use mynah_domain::{fixtures::mask, ports::Item};

    use super::*;
    use crate::engines::llm::placeholders::Brackets;

    /// The body of a request for these texts, and its ids.
    fn body_of(texts: &[&str]) -> (Value, Vec<String>) {
        let item = |text: &&str| Item::new(mask(text).text, "en".parse().unwrap(), "es".parse().unwrap());
        let items: Vec<Item> = texts.iter().map(item).collect();
        let items: Vec<&Item> = items.iter().collect();
        let prompt = Prompt::new(&items, Brackets('⟦', '⟧'), false, 1);
        (body(&prompt), prompt.ids.iter().map(ToString::to_string).collect())
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
