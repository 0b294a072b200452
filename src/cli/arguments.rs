//! The options that all commands share. A person may write them before or after the command's name, and each of them
//! must have an effect: a command that cannot use one refuses it.

use std::{collections::HashMap, ffi::OsString, path::PathBuf};

use clap::Args;

use super::Failure;
use crate::settings::{self, Needed, Settings, SettingsSources};

/// The heading of these options in every command's help.
const HEADING: &str = "Common options";

/// Options that all commands take.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct CommonArgs {
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
    /// Print JSON, for scripts
    #[arg(long, global = true, help_heading = HEADING)]
    pub(super) json: bool,
    /// Print without colors, as with `NO_COLOR=1`
    #[arg(long, global = true, help_heading = HEADING)]
    pub(super) no_color: bool,
}

/// The sources of the settings.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct SettingsArgs {
    /// The settings file; without it, `MYNAH_CONFIG` names it, or it is `config.toml`
    #[arg(long, short, global = true, value_name = "FILE", help_heading = HEADING)]
    pub(super) config: Option<PathBuf>,
    /// Set one key, overriding file and environment; can be repeated
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE", help_heading = HEADING)]
    pub(super) overrides: Vec<String>,
    /// Read environment variables from a file of NAME=VALUE lines; the real environment overrides it
    #[arg(long, global = true, value_name = "FILE", help_heading = HEADING)]
    pub(super) env_file: Option<PathBuf>,
}

/// Which of the common options a command can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uses {
    /// All of them.
    All,
    /// `--set` and `--json`: it reads no settings file.
    OverridesAndJson,
    /// Only `--no-color`.
    Nothing,
}

impl CommonArgs {
    /// Refuses options that would have no effect.
    pub(super) fn check(&self, uses: Uses) -> Result<(), Failure> {
        let SettingsArgs { config, overrides, env_file } = &self.settings;
        let useless = match uses {
            Uses::All => return Ok(()),
            Uses::OverridesAndJson => {
                vec![("--config", config.is_some()), ("--env-file", env_file.is_some())]
            }
            Uses::Nothing => vec![
                ("--config", config.is_some()),
                ("--env-file", env_file.is_some()),
                ("--set", !overrides.is_empty()),
                ("--json", self.json),
            ],
        };
        match useless.into_iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => {
                Err(Failure::Usage(format!("{option} has no effect on this command; leave it out")))
            }
            None => Ok(()),
        }
    }
}

impl SettingsArgs {
    pub(super) fn load(&self) -> Result<Settings, Failure> {
        self.load_for(Needed::All)
    }

    pub(super) fn load_for(&self, needed: Needed) -> Result<Settings, Failure> {
        Ok(settings::load(&self.sources(needed)?)?)
    }

    /// Where the settings come from.
    pub(super) fn sources(&self, needed: Needed) -> Result<SettingsSources, Failure> {
        let mut env = match &self.env_file {
            Some(file) => read_env_file(file)?,
            None => HashMap::new(),
        };
        env.extend(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        Ok(SettingsSources {
            file: self.config.clone(),
            env,
            overrides: self.overrides.clone(),
            needed,
            ..SettingsSources::default()
        })
    }
}

/// Moves all `--set` options to the end. The parser keeps only the values at the deepest command, so without this
/// `mynah --set a=1 once --set b=2` would lose the first one.
pub(super) fn sets_last(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let (mut others, mut sets) = (Vec::new(), Vec::new());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            // Everything behind it is a value, whatever it looks like.
            let values = std::iter::once(argument).chain(arguments);
            return others.into_iter().chain(sets).chain(values).collect();
        }
        if argument == "--set" {
            sets.push(argument);
            sets.extend(arguments.next());
        } else if argument.as_encoded_bytes().starts_with(b"--set=") {
            sets.push(argument);
        } else {
            others.push(argument);
        }
    }
    others.into_iter().chain(sets).collect()
}

/// Lines of `NAME=VALUE`, with or without `export`; `#` begins a comment line.
fn read_env_file(file: &std::path::Path) -> Result<HashMap<String, String>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::Usage(format!("--env-file {}: {error}; name a file of NAME=VALUE lines", file.display()))
    })?;
    let lines = (1..).zip(text.lines().map(str::trim));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            let line = line.strip_prefix("export ").unwrap_or(line);
            // The value is not shown: it may be a secret.
            let (name, value) = line.split_once('=').ok_or_else(|| {
                let place = file.display();
                Failure::Usage(format!(
                    "{place}:{number}: this is not a NAME=VALUE line; fix it, or put `#` in front of it"
                ))
            })?;
            let value = value.trim();
            let bare =
                ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(value);
            Ok((name.trim().to_owned(), bare.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(arguments: &str) -> String {
        let moved = sets_last(arguments.split(' ').map(OsString::from));
        moved.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn settings_at_all_levels_of_the_command_line_are_kept_in_their_order() {
        assert_eq!(
            moved("mynah --set a=1 once --set=b=2 --json --set c=3"),
            "mynah once --json --set a=1 --set=b=2 --set c=3"
        );
        assert_eq!(moved("mynah once"), "mynah once");
        assert_eq!(moved("mynah preview --set a=1 -- --set b=2"), "mynah preview --set a=1 -- --set b=2");
        assert_eq!(moved("mynah once --set"), "mynah once --set");
    }
}
