//! Validates values against X's specification 2.167, reduced to what the sandbox answers. If the sandbox broke it in
//! any way other than the ordered one, clients would be tested against a mistake of the sandbox.

use std::sync::LazyLock;

use serde_json::{Map, Value};

static SCHEMAS: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../fixtures/x-2.167.json")).unwrap());

/// The specification's names for keys that answers have under their legacy names.
const RENAMED: [(&str, &str); 7] = [
    ("tweets", "posts"),
    ("referenced_tweets", "referenced_posts"),
    ("note_tweet", "note_post"),
    ("edit_history_tweet_ids", "edit_history_post_ids"),
    ("retweet_count", "repost_count"),
    ("tweet_count", "post_count"),
    ("pinned_tweet_id", "pinned_post_id"),
];

/// The violations in a value, by path. Null counts as absent for a property that is not required.
pub(crate) fn violations(schema: &str, value: &Value) -> Vec<String> {
    let mut violations = Vec::new();
    check(&SCHEMAS[schema], value, schema, &mut violations);
    violations
}

fn check(schema: &Value, value: &Value, at: &str, violations: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return check(&SCHEMAS[name], value, at, violations);
    }
    for choice in ["anyOf", "oneOf"] {
        let Some(choices) = schema[choice].as_array() else { continue };
        let fits = choices.iter().any(|schema| {
            let mut violations = Vec::new();
            check(schema, value, at, &mut violations);
            violations.is_empty()
        });
        if !fits {
            violations.push(format!("{at} matches none of {choice}: {value}"));
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
        return violations.push(format!("{at} is not of type {}: {value}", schema["type"]));
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        violations.push(format!("{at} is not one of {values:?}: {value}"));
    }
    if let Some(list) = value.as_array() {
        for (index, member) in list.iter().enumerate() {
            check(&schema["items"], member, &format!("{at}[{index}]"), violations);
        }
    }
    if let (Some(object), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        check_object(schema, object, properties, at, violations);
    }
}

fn check_object(
    schema: &Value,
    object: &Map<String, Value>,
    properties: &Map<String, Value>,
    at: &str,
    violations: &mut Vec<String>,
) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for name in &required {
        if !object.contains_key(*name) {
            violations.push(format!("{at}.{name} is missing"));
        }
    }
    for (key, value) in object {
        let name = RENAMED.iter().find(|(old, _)| old == key).map_or(&**key, |(_, new)| new);
        match properties.get(name) {
            Some(_) if value.is_null() && !required.contains(&name) => {}
            Some(property) => check(property, value, &format!("{at}.{key}"), violations),
            None if schema["additionalProperties"] == false => {
                violations.push(format!("{at}.{key} is unknown"));
            }
            None => {}
        }
    }
}
