//! X's specification 2.167, cut to what the sandbox answers, and a check of values against it. An answer that breaks it in
//! any other way than the one that was ordered would test a client against a mistake of the sandbox.

use std::sync::LazyLock;

use serde_json::{Map, Value};

static SCHEMAS: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../fixtures/x-2.167.json")).unwrap());

/// The specification's names of keys that answers have under their older ones.
const RENAMED: [(&str, &str); 7] = [
    ("tweets", "posts"),
    ("referenced_tweets", "referenced_posts"),
    ("note_tweet", "note_post"),
    ("edit_history_tweet_ids", "edit_history_post_ids"),
    ("retweet_count", "repost_count"),
    ("tweet_count", "post_count"),
    ("pinned_tweet_id", "pinned_post_id"),
];

/// What is wrong with a value, by path. Null stands for absent where a property is not required.
pub(crate) fn faults(schema: &str, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(&SCHEMAS[schema], value, schema, &mut faults);
    faults
}

fn check(schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return check(&SCHEMAS[name], value, at, faults);
    }
    for choice in ["anyOf", "oneOf"] {
        let Some(choices) = schema[choice].as_array() else { continue };
        let fits = choices.iter().any(|schema| {
            let mut faults = Vec::new();
            check(schema, value, at, &mut faults);
            faults.is_empty()
        });
        if !fits {
            faults.push(format!("{at} is none of {choice}: {value}"));
        }
        return;
    }
    let right = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !right {
        return faults.push(format!("{at} is no {}: {value}", schema["type"]));
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        faults.push(format!("{at} is none of {values:?}: {value}"));
    }
    if let Some(list) = value.as_array() {
        for (index, member) in list.iter().enumerate() {
            check(&schema["items"], member, &format!("{at}[{index}]"), faults);
        }
    }
    if let (Some(object), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        check_object(schema, object, properties, at, faults);
    }
}

fn check_object(
    schema: &Value,
    object: &Map<String, Value>,
    properties: &Map<String, Value>,
    at: &str,
    faults: &mut Vec<String>,
) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for name in &required {
        if !object.contains_key(*name) {
            faults.push(format!("{at}.{name} is required"));
        }
    }
    for (key, value) in object {
        let name = RENAMED.iter().find(|(old, _)| old == key).map_or(&**key, |(_, new)| new);
        match properties.get(name) {
            Some(_) if value.is_null() && !required.contains(&name) => {}
            Some(property) => check(property, value, &format!("{at}.{key}"), faults),
            None if schema["additionalProperties"] == false => {
                faults.push(format!("{at}.{key} is not known"));
            }
            None => {}
        }
    }
}
