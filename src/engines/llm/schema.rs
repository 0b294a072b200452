//! What an answer looks like, as a JSON Schema, for services that hold a model to one. It allows no id but those of the items.

use serde::Serialize;

use super::{echo::Echo, ids::Id, prompt::Prompt};

/// The schema of all answers: an object, because services accept no list at the top, with the list in it. It has no bounds,
/// because not every service knows them; what is missing or doubled is found when the answer is read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schema<'a> {
    r#type: &'static str,
    properties: Items<'a>,
    required: [&'static str; 1],
    additional_properties: bool,
}

#[derive(Debug, Serialize)]
struct Items<'a> {
    items: List<'a>,
}

#[derive(Debug, Serialize)]
struct List<'a> {
    r#type: &'static str,
    items: Answer<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    r#type: &'static str,
    properties: Properties<'a>,
    required: &'static [&'static str],
    additional_properties: bool,
}

/// The order is that in which a model writes: one that has repeated a text translates that one.
#[derive(Debug, Serialize)]
struct Properties<'a> {
    id: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    echo: Option<Text<'a>>,
    text: Text<'a>,
}

#[derive(Debug, Serialize)]
struct Text<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#enum: Option<&'a [Id]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl Text<'_> {
    const ANY: Self = Self { r#type: "string", r#enum: None, description: None };
}

impl<'a> Schema<'a> {
    /// The schema of the answers to a prompt.
    pub(crate) fn of(prompt: &'a Prompt<'_>) -> Self {
        let described = |echo: &Echo| Text { description: Some(echo.description()), ..Text::ANY };
        let answer = Answer {
            r#type: "object",
            properties: Properties {
                id: Text { r#enum: Some(&prompt.ids), ..Text::ANY },
                echo: prompt.echo.as_ref().map(described),
                text: Text::ANY,
            },
            required: required(prompt),
            additional_properties: false,
        };
        Self {
            r#type: "object",
            properties: Items { items: List { r#type: "array", items: answer } },
            required: ["items"],
            additional_properties: false,
        }
    }
}

/// The fields of each answer, in the order in which a model writes them.
pub(crate) fn required(prompt: &Prompt<'_>) -> &'static [&'static str] {
    if prompt.echo.is_some() { &["id", "echo", "text"] } else { &["id", "text"] }
}

#[cfg(test)]
mod tests {
    use mynah_domain::{
        fixtures::{language, mask},
        ports::Item,
    };
    use serde_json::json;

    use super::*;
    use crate::engines::llm::placeholders::Brackets;

    #[test]
    fn it_allows_no_ids_but_those_asked_for_and_an_echo_where_there_are_several() {
        let item = |text: &str| Item::new(mask(text).text, language("en"), language("es"));
        let (one, two) = (item("Hi"), item("The market opens"));
        let both = [&one, &two];
        let prompt = Prompt::new(&both, Brackets('⟦', '⟧'), false, 1);
        let schema = serde_json::to_value(Schema::of(&prompt)).unwrap();
        let answer = &schema["properties"]["items"]["items"];
        assert_eq!(answer["properties"]["id"]["enum"], json!(prompt.ids));
        assert_eq!(answer["required"], json!(["id", "echo", "text"]));
        assert!(answer["properties"]["echo"]["description"].as_str().unwrap().contains("last 4 words"));
        // A service that is strict refuses a schema without these.
        assert_eq!(
            (&schema["additionalProperties"], &answer["additionalProperties"]),
            (&json!(false), &json!(false))
        );
        let written = serde_json::to_string(&Schema::of(&prompt)).unwrap();
        assert!(written.find("\"echo\":").unwrap() < written.find("\"text\":").unwrap(), "{written}");
        let alone = [&one];
        let prompt = Prompt::new(&alone, Brackets('⟦', '⟧'), false, 1);
        let schema = serde_json::to_value(Schema::of(&prompt)).unwrap();
        assert_eq!(schema["properties"]["items"]["items"]["required"], json!(["id", "text"]));
    }
}
