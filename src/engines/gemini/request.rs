//! The body of a `generateContent` call.

use serde_json::{Value, json};

use crate::engines::llm::prompt::Prompt;

/// The body of a request.
pub(super) fn body(prompt: Prompt<'_>) -> Value {
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
            "responseSchema": {
                "type": "ARRAY",
                "items": {
                    "type": "OBJECT",
                    "properties": {"id": {"type": "STRING"}, "text": {"type": "STRING"}},
                    "required": ["id", "text"],
                    "propertyOrdering": ["id", "text"],
                },
            },
        },
        "safetySettings": safety,
    })
}

#[cfg(test)]
mod tests {
    use mynah_domain::{fixtures::mask, ports::Item};

    use super::*;
    use crate::engines::llm::placeholders::Brackets;

    fn body_of(text: &str) -> Value {
        let item = Item::new(mask(text).text, "en".parse().unwrap(), "es".parse().unwrap());
        body(Prompt { items: &[&item], brackets: Brackets('⟦', '⟧') })
    }

    #[test]
    fn the_posts_are_the_users_part_and_the_rules_the_systems() {
        let body = body_of("Hi @bob");
        let data = body["contents"][0]["parts"][0]["text"].as_str().unwrap();
        assert_eq!(data, r#"{"items":[{"id":"1","source":"en","target":"es","text":"Hi ⟦0⟧"}]}"#);
        let instruction = body["systemInstruction"]["parts"][0]["text"].as_str().unwrap();
        assert!(instruction.contains("es is Spanish") && !instruction.contains("Hi"), "{instruction}");
    }

    #[test]
    fn thinking_is_left_to_the_model_as_some_refuse_to_be_told() {
        let body = body_of("Hi");
        assert_eq!(body["generationConfig"].get("thinkingConfig"), None);
        assert_eq!(body["generationConfig"]["responseMimeType"], "application/json");
        assert_eq!(body["generationConfig"]["responseSchema"]["type"], "ARRAY");
    }
}
