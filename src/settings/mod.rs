//! What a person decides: which account to follow, where to publish its translations, how fast, and at what cost. A service
//! that runs for months has to find every mistake in that before it starts, and to report all of them at once, each with
//! its origin and how to fix it.
//!
//! Settings come from `config.toml`, then `MYNAH__SECTION__KEY`, then `--set section.key=value`; the later wins. Secrets
//! come from the environment or from files that it names, and from nowhere else.
//!
//! # Layout
//!
//! - [`Settings`] is the outcome, typed so that invalid settings cannot be expressed.
//! - `layers` lays the three over one another and knows the origin of each key; [`Reader`] reads keys one by one and
//!   [`Vault`] secrets; `read` and `targets` name every key but those of networks, which read their own sections
//!   ([`networks`](crate::networks)); [`kinds`] are the types of values.
//! - [`Change`] is what new settings change while the service runs.
//! - [`Former`] names are those of the bot that Mynah replaces.
//! - `unknown` finds keys that were written and are never read, and secrets that stand in the settings.

mod change;
mod former;
pub mod kinds;
mod layers;
mod model;
mod nearest;
mod problem;
mod read;
mod reader;
mod secrets;
mod targets;
#[cfg(test)]
mod tests;
mod unknown;
mod variables;

use std::{collections::HashMap, fmt, path::PathBuf};

pub use change::Change;
pub use former::Former;
pub use model::{
    AdminSettings, CacheSettings, EngineSettings, InForce, LogSettings, Preset, PublisherSettings,
    RouterSettings, Settings, ShutdownSettings, SourceSettings, Start, StatsSettings, SupervisorSettings,
    TargetSettings, TranslatorSettings,
};
pub use problem::{Origin, Problem, SettingsError};
pub use reader::{Complained, Outcome, Reader};
pub use secrets::{Found, Reported, Vault};

use crate::{engines::Engines, networks::Networks};
use layers::Layers;

/// Where settings come from.
#[derive(Clone, Default)]
pub struct SettingsSources {
    /// The file that was named; else `MYNAH_CONFIG` names it, else it is `config.toml` here.
    pub file: Option<PathBuf>,
    /// The environment, with the secrets.
    pub env: HashMap<String, String>,
    /// `section.key=value`; the last one of a key wins.
    pub overrides: Vec<String>,
    /// Which keys must be there.
    pub needed: Needed,
    /// Which networks may be named.
    pub networks: Networks,
    /// Which engines may be named.
    pub engines: Engines,
}

/// Which keys and tokens a command needs. Those that it does not need are empty where nobody set them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Needed {
    /// It calls no service.
    Nothing,
    /// It calls engines.
    Engines,
    /// It reads and publishes, too.
    #[default]
    All,
}

/// Without the environment's values, which are secrets in part.
impl fmt::Debug for SettingsSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettingsSources").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Reads and checks everything.
///
/// # Errors
/// All problems there are, in order of origin.
pub fn load(sources: &SettingsSources) -> Result<Settings, SettingsError> {
    let mut problems = vec![];
    let layers = match Layers::read(sources, &mut problems) {
        Ok(layers) => layers,
        Err(unreadable) => {
            problems.push(*unreadable);
            return Err(SettingsError::new(problems));
        }
    };
    let mut reader = Reader::new(&layers, problems);
    let mut vault = Vault::new(&sources.env, sources.needed);
    let registries = Registries { networks: &sources.networks, engines: &sources.engines };
    let settings = read::settings(&mut reader, &mut vault, registries);
    let Reader { mut problems, mut in_force, .. } = reader;
    problems.append(&mut vault.problems);
    problems.extend(unknown::problems(&layers, registries, &sources.env));
    match settings {
        Some(settings) if problems.is_empty() => {
            in_force.append(&mut vault.in_force);
            let preset = in_force.iter().find(|one| one.key == "preset").map(|one| one.value.as_str());
            let former = former::told(&sources.env, preset);
            Ok(Settings { in_force, former, secret_files: vault.files, ..settings })
        }
        _ => Err(SettingsError::new(problems)),
    }
}

/// A key that the settings know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// `source.poll_interval`; of each target, `targets[].tone`.
    pub key: String,
    /// What holds where nobody writes it; `None` where somebody must, or where it stays unset.
    pub default: Option<&'static str>,
}

/// Every key there is, with its defaults under a preset, in the order in which they are read.
pub fn known_keys(preset: Preset) -> Vec<KnownKey> {
    known_keys_with(preset, Registries { networks: &Networks::default(), engines: &Engines::default() })
}

/// What settings may name.
#[derive(Clone, Copy)]
struct Registries<'a> {
    networks: &'a Networks,
    engines: &'a Engines,
}

/// The same, where these may be named.
fn known_keys_with(preset: Preset, registries: Registries<'_>) -> Vec<KnownKey> {
    let sources =
        SettingsSources { overrides: vec![format!("preset={preset}")], ..SettingsSources::default() };
    // Keys are known by being asked for, and those of a target are asked for where there is one.
    let layers = Layers::over(PathBuf::new(), "[[targets]]", &sources, &mut vec![]);
    let Ok(layers) = layers else { return vec![] };
    let mut reader = Reader::new(&layers, vec![]);
    read::settings(&mut reader, &mut Vault::new(&sources.env, sources.needed), registries);
    reader.asked
}
