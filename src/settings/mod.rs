//! Settings decide which account to follow, where to publish its translations, how fast, and at what cost. A service
//! that runs for months must find every mistake in them before it starts, and report all of them at once, each with its
//! origin and how to fix it.
//!
//! Settings come from `config.toml`, then `MYNAH__SECTION__KEY`, then `--set section.key=value`; later ones win.
//! Secrets come only from the environment, from files that it names, or from the store that `mynah login` fills.
//!
//! # Layout
//!
//! - [`Settings`] is the result, typed so that invalid settings cannot be expressed.
//! - `budget` reads the budgets of all sections.
//! - `layers` merges the three and knows the origin of each key; [`Reader`] reads keys one by one and
//!   [`Vault`] secrets; `read`, `alerts`, `engines`, `sources` and `targets` name every key except those of networks and engines, which read
//!   their own sections ([`networks`](crate::networks), [`engines`](crate::engines)); [`kinds`] are the types of values.
//! - [`Change`] is a difference that new settings make while the service runs.
//! - [`Former`] is a setting of the bot that Mynah replaces.
//! - `unknown` finds keys that were written but are never read, and secrets in the settings.

mod alerts;
mod budget;
mod change;
mod engines;
mod former;
pub mod kinds;
mod layers;
mod model;
mod nearest;
mod problem;
mod read;
mod reader;
mod secrets;
mod sources;
mod targets;
#[cfg(test)]
mod tests;
mod unknown;
mod variables;

use std::{collections::HashMap, fmt, path::PathBuf};

use secrecy::SecretString;

pub use change::{Change, SecretChange};
pub use former::Former;
pub use model::{
    AdminSettings, CacheSettings, ClusterSettings, EngineSettings, InForce, LogSettings, Preset,
    PublisherSettings, RouterSettings, Settings, ShutdownSettings, SourceSettings, Start, StatsSettings,
    SupervisorSettings, TargetSettings, TranslatorSettings,
};
pub use problem::{Origin, Problem, SettingsError};
pub use reader::{Invalid, Outcome, Reader};
pub use secrets::{Found, Reported, Vault};

use crate::{engines::Engines, networks::Networks};
use layers::Layers;

/// Where settings come from.
#[derive(Clone, Default)]
pub struct SettingsSources {
    /// The settings file. If unset, `MYNAH_CONFIG` names it; otherwise it is `config.toml` in the working directory.
    pub file: Option<PathBuf>,
    /// The environment, with the secrets.
    pub env: HashMap<String, String>,
    /// `section.key=value`; the last one for a key wins.
    pub overrides: Vec<String>,
    /// Which secrets are required.
    pub needed: Needed,
    /// The only engines to use, by their names, whatever the settings name: for a command that compares engines.
    pub only_engines: Option<Vec<String>>,
    /// Which networks may be named.
    pub networks: Networks,
    /// Which engines may be named.
    pub engines: Engines,
}

/// Which keys and tokens a command needs. Those that it does not need are empty if unset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Needed {
    /// The command only checks the settings, perhaps on a machine that has no secrets.
    NoSecret,
    /// The command calls no network and no engine, but perhaps the admin API.
    Nothing,
    /// The command calls engines.
    Engines,
    /// The command reads and publishes, too.
    #[default]
    All,
}

/// Omits the environment, which holds secrets.
impl fmt::Debug for SettingsSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettingsSources").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Reads and checks everything.
///
/// # Errors
/// All problems, in order of origin.
pub fn load(sources: &SettingsSources) -> Result<Settings, SettingsError> {
    load_layers(sources, Layers::read)
}

/// The same with this text in place of the settings file, for a command that works without one.
///
/// # Errors
/// All problems, in order of origin.
pub fn load_text(sources: &SettingsSources, text: &str) -> Result<Settings, SettingsError> {
    load_layers(sources, |sources, problems| {
        Layers::over("(no settings file)".into(), text, sources, problems)
    })
}

fn load_layers(
    sources: &SettingsSources,
    read: impl FnOnce(&SettingsSources, &mut Vec<Problem>) -> Result<Layers, Box<Problem>>,
) -> Result<Settings, SettingsError> {
    let mut problems = vec![];
    let layers = match read(sources, &mut problems) {
        Ok(layers) => layers,
        Err(unreadable) => {
            problems.push(*unreadable);
            return Err(SettingsError::new(problems));
        }
    };
    let mut reader = Reader::new(&layers, problems);
    let mut vault = Vault::new(&sources.env, sources.needed).with_store();
    let registries = Registries {
        networks: &sources.networks,
        engines: &sources.engines,
        only_engines: sources.only_engines.as_deref(),
    };
    let settings = read::settings(&mut reader, &mut vault, registries);
    let Reader { mut problems, mut in_force, missing, .. } = reader;
    let unknown = unknown::find(&layers, registries, &sources.env);
    // A mistyped key is one mistake, not two.
    problems.retain(|problem| {
        !missing.contains(&problem.key) || !unknown.iter().any(|unknown| unknown.stands_for(&problem.key))
    });
    problems.append(&mut vault.problems);
    problems.extend(unknown.into_iter().map(|unknown| unknown.problem));
    match settings {
        Some(settings) if problems.is_empty() => {
            in_force.append(&mut vault.in_force);
            let preset = in_force.iter().find(|one| one.key == "preset").map(|one| one.value.as_str());
            let former = former::in_use(&sources.env, preset, layers.written.contains_key(sources::LIST));
            Ok(Settings {
                in_force,
                former,
                secrets: vault.secrets,
                secret_files: vault.files,
                logins: vault.logins,
                ..settings
            })
        }
        _ => Err(SettingsError::new(problems)),
    }
}

/// The password of a ledger's server, for a command that names the server itself.
///
/// # Errors
/// Why it cannot be used.
pub(crate) fn ledger_password(env: &HashMap<String, String>) -> Result<Option<SecretString>, SettingsError> {
    let mut vault = Vault::new(env, Needed::Nothing);
    vault.find(secrets::LEDGER_PASSWORD).map_err(|_| SettingsError::new(vault.problems))
}

/// The key of the store of logins, for a command that changes the store.
///
/// # Errors
/// Why it cannot be used.
pub(crate) fn store_key(env: &HashMap<String, String>) -> Result<Option<SecretString>, SettingsError> {
    let mut vault = Vault::new(env, Needed::Nothing);
    vault.store_key().map_err(|_| SettingsError::new(vault.problems))
}

/// A key that settings may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// `source.poll_interval`; for a target, `targets[].tone`.
    pub key: String,
    /// The default; `None` if the key is required or stays unset.
    pub default: Option<&'static str>,
}

/// All keys with their defaults under a preset, in the order in which they are read.
pub fn known_keys(preset: Preset) -> Vec<KnownKey> {
    let (networks, engines) = (&Networks::default(), &Engines::default());
    known_keys_with(preset, Registries { networks, engines, only_engines: None })
}

/// The networks and engines that settings may name.
#[derive(Clone, Copy)]
struct Registries<'a> {
    networks: &'a Networks,
    engines: &'a Engines,
    /// The only engines to use, if the command chooses them.
    only_engines: Option<&'a [String]>,
}

/// [`known_keys`] for these networks and engines.
fn known_keys_with(preset: Preset, registries: Registries<'_>) -> Vec<KnownKey> {
    let sources =
        SettingsSources { overrides: vec![format!("preset={preset}")], ..SettingsSources::default() };
    // A key is known because it is read, and the keys of a section in a list are read only if there is one.
    let mut known: Vec<KnownKey> = vec![];
    for text in ["[[targets]]", "[[sources]]\n[[targets]]"] {
        let layers = Layers::over(PathBuf::new(), text, &sources, &mut vec![]);
        let Ok(layers) = layers else { return vec![] };
        let mut reader = Reader::new(&layers, vec![]);
        read::settings(&mut reader, &mut Vault::new(&sources.env, sources.needed), registries);
        known.extend(
            reader
                .asked
                .into_iter()
                .filter(|asked| !known.iter().any(|one| one.key == asked.key))
                .collect::<Vec<_>>(),
        );
    }
    known
}
