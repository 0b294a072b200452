//! A model that **does not translate**, for every service that has one. Each answer begins with its target's code, so that
//! nobody takes it for a translation, and keeps every protected part, so that everything after the model can be tested.

mod answer;
mod faults;

use serde::Deserialize;
use serde_json::Value;

pub(crate) use self::answer::{Around, text};
pub use self::faults::{AnthropicFault, GeminiFault, ModelFault, OpenAiFault};

/// What a model is asked.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The texts to translate. If the user's message was not a list of items, one item without an id.
    pub(crate) items: Vec<Item>,
    /// Whether the user's message was the JSON that Mynah sends.
    pub(crate) structured: bool,
    /// What each answer repeats of its text, if that is asked for.
    pub(crate) echo: Option<Echo>,
}

impl Asked {
    /// Reads the user's message.
    pub(crate) fn read(&mut self, message: String) {
        match serde_json::from_str::<Items>(&message) {
            Ok(items) => {
                self.items = items.items;
                self.structured = true;
            }
            Err(_) => self.items.push(Item { text: message, ..Item::default() }),
        }
    }
}

/// What an answer repeats of the text that it translates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Echo {
    /// Only this many words, from the end.
    pub(crate) words: Option<usize>,
    /// Whether the target's code comes before it.
    pub(crate) with_target: bool,
}

impl Echo {
    /// What the schema of a list of answers asks for in words.
    pub(crate) fn asked(schema: &Value) -> Option<Self> {
        let description = schema["items"]["properties"].get("echo")?["description"].as_str();
        Some(Self::described(description.unwrap_or_default()))
    }

    /// What an instruction asks for, if it does.
    pub(crate) fn instructed(instruction: &str) -> Option<Self> {
        let (_, description) = instruction.split_once("comes \"echo\": ")?;
        Some(Self::described(
            description.split_once(", exactly").map_or(description, |(description, _)| description),
        ))
    }

    fn described(description: &str) -> Self {
        let number = description.split(' ').find_map(|word| word.parse().ok());
        Self { words: number, with_target: description.contains("\"target\"") }
    }
}

/// One text. Other keys are allowed and ignored.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) target: String,
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) max_weighted_length: Option<usize>,
}

#[derive(Deserialize)]
struct Items {
    items: Vec<Item>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_schema_tells_what_to_repeat_of_each_text() {
        let echo = |description: &str| {
            let properties = json!({"echo": {"type": "STRING", "description": description}});
            Echo::asked(&json!({"type": "ARRAY", "items": {"properties": properties}}))
        };
        let four = echo("the last 4 words of the item's \"text\"");
        assert_eq!(four, Some(Echo { words: Some(4), with_target: false }));
        let whole = echo("the item's \"target\", a colon, and the item's whole \"text\"");
        assert_eq!(whole, Some(Echo { words: None, with_target: true }));
        assert_eq!(Echo::asked(&json!({"type": "ARRAY"})), None);
    }

    #[test]
    fn an_instruction_tells_it_as_well() {
        let instruction = "Once. Before \"text\" comes \"echo\": the last 4 words of the item's \"text\", exactly as it stands";
        assert_eq!(Echo::instructed(instruction), Some(Echo { words: Some(4), with_target: false }));
        assert_eq!(Echo::instructed("Translate."), None);
    }
}
