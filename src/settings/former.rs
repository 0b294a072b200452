//! The settings of the Python bot that Mynah replaces. Who moves from it to Mynah has them in an environment file, and would
//! otherwise believe them in force. Each is taken for what is nearest to it here, and a line says for what.

use std::collections::HashMap;

use super::{model::Preset, variables::variable_of_key};

/// A setting of the former bot, and what it became; both as a person reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// `POLL_INTERVAL_SECONDS=300`
    pub was: String,
    /// `source.poll_interval = "300s"`
    pub is: String,
}

/// Its presets, and what they are called here: what was made for a large machine, for a small one, and for trying things.
pub(super) const PRESETS: [(&str, Preset); 3] =
    [("production", Preset::Speed), ("low_resource", Preset::Memory), ("development", Preset::Balanced)];

/// What a variable of the former bot says about one of our keys.
pub(super) struct Said {
    pub(super) key: &'static str,
    pub(super) variable: &'static str,
    pub(super) value: String,
}

/// A variable, and our keys that have its place.
const VARIABLES: [(&str, &[&str]); 6] = [
    ("OPTIMIZATION_MODE", &["preset"]),
    ("MAX_CONCURRENT_TRANSLATIONS", &["translator.pool_size"]),
    ("CONNECTION_POOL_SIZE", &["engine.gemini.connections", "x.connections"]),
    ("POLL_INTERVAL_SECONDS", &["source.poll_interval"]),
    ("ENABLE_PERFORMANCE_MONITORING", &[]),
    ("GEMINI_MODEL", &["engine.gemini.model"]),
];

/// What the former bot's variables say, where ours do not say it.
pub(super) fn said(env: &HashMap<String, String>) -> Vec<Said> {
    let set = |name: &str| env.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let mut all = vec![];
    for (variable, keys) in VARIABLES {
        let Some(value) = set(variable) else { continue };
        for key in keys.iter().filter(|key| set(&variable_of_key(key)).is_none()) {
            all.push(Said { key, variable, value: value_of(variable, value) });
        }
    }
    all
}

fn value_of(variable: &str, value: &str) -> String {
    let value = value.trim();
    match variable {
        // It had no unit. What is no number is refused as it was written.
        "POLL_INTERVAL_SECONDS" if value.parse::<f64>().is_ok() => format!("{value}s"),
        "OPTIMIZATION_MODE" => value.to_lowercase(),
        _ => value.to_owned(),
    }
}

/// What is to be told of former names: of variables, and of the preset that was written.
pub(super) fn told(env: &HashMap<String, String>, preset: Option<&str>) -> Vec<Former> {
    let mut told: Vec<Former> = said(env)
        .into_iter()
        .map(|Said { key, variable, value }| Former {
            was: format!("{variable}={}", env.get(variable).map_or("", |value| value)),
            is: format!("{key} = \"{}\"", now_called(key, &value)),
        })
        .collect();
    let monitoring = "ENABLE_PERFORMANCE_MONITORING";
    if let Some(value) = env.get(monitoring).filter(|value| !value.is_empty()) {
        let is = "nothing: it is always measured; stats.interval says how often it is logged".into();
        told.push(Former { was: format!("{monitoring}={value}"), is });
    }
    let is_set = |name: &str| env.get(name).is_some_and(|value| !value.is_empty());
    if is_set("GOOGLE_API_KEY") && !is_set("GEMINI_API_KEY") && !is_set("GEMINI_API_KEY_FILE") {
        told.push(Former { was: "GOOGLE_API_KEY".into(), is: "GEMINI_API_KEY".into() });
    }
    let by_variable = told.iter().any(|former| former.is.starts_with("preset"));
    if let Some(name) = preset.filter(|name| !by_variable && now_called("preset", name) != *name) {
        let is = format!("preset = \"{}\"", now_called("preset", name));
        told.push(Former { was: format!("preset = \"{name}\""), is });
    }
    told
}

fn now_called<'a>(key: &str, value: &'a str) -> &'a str {
    let preset = PRESETS.iter().find(|(name, _)| key == "preset" && *name == value);
    preset.map_or(value, |(_, preset)| preset.as_str())
}
