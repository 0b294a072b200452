//! Reads the settings of the Python bot that Mynah replaces. Its users have them in an environment file and would
//! expect them to work. Each one sets the nearest Mynah setting, and Mynah reports which.

use std::collections::HashMap;

use super::{model::Preset, variables::variable_of_key};

/// A setting of the former bot and the Mynah setting it became, as a person reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// `POLL_INTERVAL_SECONDS=300`
    pub was: String,
    /// `source.poll_interval = "300s"`
    pub is: String,
}

/// The former bot's presets (for a large machine, a small one, and for development) and their names in Mynah.
pub(super) const PRESETS: [(&str, Preset); 3] =
    [("production", Preset::Speed), ("low_resource", Preset::Memory), ("development", Preset::Balanced)];

/// The value that a variable of the former bot gives to one of our keys.
pub(super) struct FormerValue {
    pub(super) key: &'static str,
    pub(super) variable: &'static str,
    pub(super) value: String,
}

/// The interval of the only source, and that of all sources in a list.
const POLL_INTERVAL: &str = "source.poll_interval";
const POLL_INTERVAL_OF_ALL: &str = "defaults.sources.poll_interval";

/// The former variables, and our keys that replace them.
const VARIABLES: [(&str, &[&str]); 6] = [
    ("OPTIMIZATION_MODE", &["preset"]),
    ("MAX_CONCURRENT_TRANSLATIONS", &["translator.pool_size"]),
    ("CONNECTION_POOL_SIZE", &["engine.gemini.connections", "x.connections"]),
    ("POLL_INTERVAL_SECONDS", &[POLL_INTERVAL]),
    ("ENABLE_PERFORMANCE_MONITORING", &[]),
    ("GEMINI_MODEL", &["engine.gemini.model"]),
];

/// The values from the former bot's variables, unless our own variables set the same keys. `has_list` is whether the
/// sources are a list.
pub(super) fn values(env: &HashMap<String, String>, has_list: bool) -> Vec<FormerValue> {
    let set = |name: &str| env.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let mut all = vec![];
    for (variable, keys) in VARIABLES {
        let Some(value) = set(variable) else { continue };
        let keys = keys.iter().map(|key| match *key {
            POLL_INTERVAL if has_list => POLL_INTERVAL_OF_ALL,
            key => key,
        });
        for key in keys.filter(|key| set(&variable_of_key(key)).is_none()) {
            all.push(FormerValue { key, variable, value: value_of(variable, value) });
        }
    }
    all
}

fn value_of(variable: &str, value: &str) -> String {
    let value = value.trim();
    match variable {
        // It had no unit. A value that is not a number is refused as written.
        "POLL_INTERVAL_SECONDS" if value.parse::<f64>().is_ok() => format!("{value}s"),
        "OPTIMIZATION_MODE" => value.to_lowercase(),
        _ => value.to_owned(),
    }
}

/// All former names in use: variables, and the preset if it was written under its former name.
pub(super) fn in_use(env: &HashMap<String, String>, preset: Option<&str>, has_list: bool) -> Vec<Former> {
    let mut found: Vec<Former> = values(env, has_list)
        .into_iter()
        .map(|FormerValue { key, variable, value }| Former {
            was: format!("{variable}={}", env.get(variable).map_or("", |value| value)),
            is: format!("{key} = \"{}\"", now_called(key, &value)),
        })
        .collect();
    let monitoring = "ENABLE_PERFORMANCE_MONITORING";
    if let Some(value) = env.get(monitoring).filter(|value| !value.is_empty()) {
        let is = "nothing: Mynah always measures; stats.interval sets how often it logs".into();
        found.push(Former { was: format!("{monitoring}={value}"), is });
    }
    let is_set = |name: &str| env.get(name).is_some_and(|value| !value.is_empty());
    if is_set("GOOGLE_API_KEY") && !is_set("GEMINI_API_KEY") && !is_set("GEMINI_API_KEY_FILE") {
        found.push(Former { was: "GOOGLE_API_KEY".into(), is: "GEMINI_API_KEY".into() });
    }
    let by_variable = found.iter().any(|former| former.is.starts_with("preset"));
    if let Some(name) = preset.filter(|name| !by_variable && now_called("preset", name) != *name) {
        let is = format!("preset = \"{}\"", now_called("preset", name));
        found.push(Former { was: format!("preset = \"{name}\""), is });
    }
    found
}

fn now_called<'a>(key: &str, value: &'a str) -> &'a str {
    let preset = PRESETS.iter().find(|(name, _)| key == "preset" && *name == value);
    preset.map_or(value, |(_, preset)| preset.as_str())
}
