//! A mistyped key would silently do nothing, so every unknown key is a problem, reported with the nearest known key. So
//! is a secret in the settings, because settings are shown, copied and stored in repositories.

use std::collections::HashMap;

use super::{
    Preset, Registries, known_keys_with,
    layers::{self, DEFAULTS, LISTS, Layers, Written},
    model::ACTORS,
    nearest::{nearest_key, section},
    problem::{Origin, Problem},
    secrets,
    variables::variable_of_key,
};
use crate::engines::EngineKind;

/// Says which kind of engine a section is.
const KIND_OF_ENGINE: &str = "engine.<name>.kind";

/// A key without the number of a source or target, the name of an engine's section, or the kind of an actor: `targets[].tone` for `targets[3].tone` and for
/// `defaults.targets.tone`, `supervisor.<actor>.window` for `supervisor.poller.window`.
pub(super) fn general(key: &str) -> String {
    let within = key.strip_prefix("supervisor.").map(|rest| rest.split_once('.').unwrap_or((rest, "")));
    if let Some((actor, rest)) = within
        && ACTORS.contains(&actor)
    {
        return format!("supervisor.<actor>.{rest}").trim_end_matches('.').to_owned();
    }
    if let Some(key) = layers::with_default(key) {
        return key;
    }
    if let Some((name, "kind")) = key.strip_prefix("engine.").and_then(|rest| rest.split_once('.'))
        && !name.is_empty()
    {
        return KIND_OF_ENGINE.into();
    }
    let Some((list, rest)) = key.split_once('[') else {
        return key.to_owned();
    };
    let rest = rest.split_once(']').map_or("", |(_, rest)| rest);
    format!("{list}[]{rest}")
}

/// A key or section that was written but is never read.
pub(super) struct Unknown {
    pub(super) problem: Problem,
    /// The keys that were probably meant: `targets[1].account`; for a section all that were written in it.
    meant: Vec<String>,
}

impl Unknown {
    /// Whether `key` was probably meant.
    pub(super) fn stands_for(&self, key: &str) -> bool {
        self.meant.iter().any(|meant| meant == key)
    }
}

/// Finds keys that were written but never read.
pub(super) fn find(
    layers: &Layers,
    registries: Registries<'_>,
    env: &HashMap<String, String>,
) -> Vec<Unknown> {
    let known = known_keys_with(Preset::default(), registries);
    let known: Vec<&str> = known.iter().map(|known| known.key.as_str()).collect();
    let mut found = misnamed_variables(&known, env);
    let mut strange: Vec<&str> = vec![];
    for (key, written) in &layers.written {
        // An unknown section is reported once, not for each of its keys.
        let within =
            |section: &&str| key.strip_prefix(*section).is_some_and(|rest| rest.starts_with(['.', '[']));
        let Some(Fault { what, fix, meant }) = fault(key, written, &known, layers, registries) else {
            continue;
        };
        if strange.iter().any(within) && secret_variable(key, layers, registries).is_none() {
            continue;
        }
        strange.push(key);
        let problem = Problem { origin: written.origin.clone(), key: key.clone(), what, fix };
        let meant = meant.map(|meant| numbered_as(&meant, key)).into_iter();
        let written_in = layers.written.keys().filter_map(|written| written.strip_prefix(key.as_str()));
        let meant = meant.flat_map(|meant| written_in.clone().map(move |rest| format!("{meant}{rest}")));
        found.push(Unknown { problem, meant: meant.collect() });
    }
    found
}

/// What is wrong with a key.
struct Fault {
    what: String,
    fix: String,
    /// The key or section that was probably meant, without the number of a target.
    meant: Option<String>,
}

/// A general key with the number of the target that `like` is in; a list as a whole if there is none.
fn numbered_as(general: &str, like: &str) -> String {
    let number = like.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(number, _)| number);
    match (general.split_once("[]"), number) {
        (Some((list, "")), _) => list.to_owned(),
        (Some((list, rest)), Some(number)) => format!("{list}[{number}]{rest}"),
        _ => general.to_owned(),
    }
}

fn fault(
    key: &str,
    written: &Written,
    known: &[&str],
    layers: &Layers,
    registries: Registries<'_>,
) -> Option<Fault> {
    let engine = NamedEngine::of(key, layers, registries);
    if engine.as_ref().is_some_and(|engine| engine.kind.is_none()) {
        // What is wrong with its kind is already reported.
        return None;
    }
    let as_kind = engine.as_ref().and_then(|engine| engine.as_kind(key));
    let general = as_kind.unwrap_or_else(|| general(key));
    // How a known key is written in the section that `key` is in.
    let own = |known: &str| engine.as_ref().map_or_else(|| known.to_owned(), |engine| engine.renamed(known));
    if known.contains(&general.as_str()) || LISTS.contains(&key) || (key == DEFAULTS && written.is_section) {
        return None;
    }
    // A list that is written as a single section is already reported.
    if LISTS.iter().any(|list| key.strip_prefix(list).is_some_and(|rest| rest.starts_with('.'))) {
        return None;
    }
    let within: Vec<&str> = known.iter().copied().filter(|known| is_within(known, &general)).collect();
    if !within.is_empty() {
        let first = written_as(&own(within[0]), &written.origin);
        return (!written.is_section).then(|| Fault {
            what: "this is a section, not a value".into(),
            fix: format!("set one of its keys, such as {first}"),
            meant: Some(general.clone()),
        });
    }
    if let (false, Some(variable)) = (written.is_section, secret_variable(key, layers, registries)) {
        return Some(Fault {
            what: "secrets do not belong in the settings, which are shown and copied".into(),
            fix: format!(
                "remove it, and set the environment variable {variable}, or set {variable}_FILE to a file \
                that contains it"
            ),
            meant: None,
        });
    }
    let (fix, meant) = match nearest_key(&general, known.iter().copied()) {
        Some(near) if !written.is_section => {
            let near_key = own(&among_defaults(near, key));
            (format!("did you mean {}?", written_as(&near_key, &written.origin)), Some(near))
        }
        _ => {
            let near = written
                .is_section
                .then(|| nearest_key(&general, known.iter().map(|key| section(key))))
                .flatten();
            match near.filter(|near| !near.is_empty()) {
                Some(near) => (format!("did you mean [{near}]?{}", needs_kind(key, registries)), Some(near)),
                None if is_engine(key) && written.is_section => {
                    (format!("remove [{key}], or say what it is.{}", needs_kind(key, registries)), None)
                }
                None => (format!("remove it; {}", own(&keys_beside(&general, known))), None),
            }
        }
    };
    Some(Fault { what: "unknown setting".into(), fix, meant: meant.map(str::to_owned) })
}

/// A section of an engine under a name of its own, `[engine.groq]`, that says its kind.
struct NamedEngine<'a> {
    name: &'a str,
    /// `None` where there is no such kind.
    kind: Option<&'static str>,
}

impl<'a> NamedEngine<'a> {
    /// The one that a key is in.
    fn of(key: &'a str, layers: &Layers, Registries { engines, .. }: Registries<'_>) -> Option<Self> {
        let name = key.strip_prefix("engine.")?.split('.').next()?;
        if engines.named(name).is_some() {
            return None;
        }
        let (kind, _) = layers.found(&format!("engine.{name}.kind"))?;
        Some(Self { name, kind: engines.named(kind.to_string().trim()).map(EngineKind::name) })
    }

    /// The key as it is in the section of its kind, where keys have their meaning.
    fn as_kind(&self, key: &str) -> Option<String> {
        let rest = key.strip_prefix("engine.")?.strip_prefix(self.name)?;
        if rest == ".kind" {
            Some(KIND_OF_ENGINE.into())
        } else {
            Some(format!("engine.{}{rest}", self.kind?))
        }
    }

    /// A text with the keys of the section of its kind, for a person who writes this section.
    fn renamed(&self, text: &str) -> String {
        text.replace(&format!("engine.{}", self.kind.unwrap_or_default()), &format!("engine.{}", self.name))
    }
}

/// Whether this is the section of an engine.
fn is_engine(key: &str) -> bool {
    key.strip_prefix("engine.").is_some_and(|name| !name.contains(['.', '[']))
}

/// For a section of an engine that is none of a kind's: what it lacks.
fn needs_kind(key: &str, Registries { engines, .. }: Registries<'_>) -> String {
    if !is_engine(key) {
        return String::new();
    }
    let kinds: Vec<String> = engines.iter().map(|kind| format!("{:?}", kind.name())).collect();
    format!(" An engine with a name of its own needs a kind in [{key}]: {}", kinds.join(", "))
}

fn is_within(key: &str, section: &str) -> bool {
    key.strip_prefix(section).is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// A key of a list, in the section of its defaults if `like` is in there.
fn among_defaults(general: &str, like: &str) -> String {
    if like.starts_with(DEFAULTS) && general.contains("[]") {
        return format!("{DEFAULTS}.{}", general.replace("[]", ""));
    }
    general.to_owned()
}

/// A key in the form that its origin uses.
fn written_as(key: &str, origin: &Origin) -> String {
    match origin {
        Origin::Environment(_) => variable_of_key(key),
        _ => key.replace("[]", ""),
    }
}

fn keys_beside(key: &str, known: &[&str]) -> String {
    let beside: Vec<&str> = known.iter().copied().filter(|known| section(known) == section(key)).collect();
    if beside.is_empty() || section(key).is_empty() {
        return "docs/configuration.md lists all settings".into();
    }
    let names: Vec<&str> = beside.iter().filter_map(|key| key.rsplit('.').next()).collect();
    format!("[{}] has {}", section(key).replace("[]", ""), names.join(", "))
}

/// `MYNAH_SOURCE_ACCOUNT` sets nothing: two underscores separate prefix, section and key.
fn misnamed_variables(known: &[&str], env: &HashMap<String, String>) -> Vec<Unknown> {
    let known: Vec<(&str, String)> = known.iter().map(|key| (*key, variable_of_key(key))).collect();
    let meant = |name: &str| {
        let is_meant = |known: &str| known != name && known.replace("__", "_") == name.replace("__", "_");
        known.iter().find(|(_, variable)| is_meant(variable))
    };
    let mut problems: Vec<Unknown> = vec![];
    for name in env.keys().filter(|name| name.starts_with("MYNAH_") && !name.starts_with("MYNAH__")) {
        if let Some((key, variable)) = meant(name) {
            let problem = Problem {
                origin: Origin::Environment(name.clone()),
                key: String::new(),
                what: "this has no effect: two underscores separate prefix, section and key".into(),
                fix: format!("write {variable}"),
            };
            problems.push(Unknown { problem, meant: vec![(*key).to_owned()] });
        }
    }
    problems
}

/// The variable for the secret, if the key looks like a secret's.
fn secret_variable(key: &str, layers: &Layers, registries: Registries<'_>) -> Option<String> {
    const SECRET_WORDS: [&str; 8] =
        ["secret", "token", "password", "bearer", "credential", "api_key", "apikey", "consumer_key"];
    let name = key.rsplit('.').next()?.to_lowercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| name.contains(word)).then_some(())?;
    let Registries { networks, engines, .. } = registries;
    let whole = key.to_lowercase();
    if whole.starts_with("admin") {
        return Some(secrets::ADMIN_TOKEN.into());
    }
    if whole.starts_with("ledger") {
        return Some(secrets::LEDGER_PASSWORD.into());
    }
    if whole.starts_with("alerts") {
        let of_mail = whole.starts_with("alerts.mail");
        return Some(if of_mail { secrets::MAIL_PASSWORD } else { secrets::WEBHOOK_KEY }.into());
    }
    if let Some(variable) = engines.variable_of(&whole) {
        return Some(variable);
    }
    // A target's section names the account's network; a network's own section bears its name.
    let value = |key: &str| layers.found(key).map(|(value, _)| value.to_string());
    let target = key.split_once(']').map(|(target, _)| format!("{target}]"));
    let network = match (&target, key.split_once('.')) {
        (Some(target), _) => value(&format!("{target}.network")),
        (None, Some(("source", _))) => value("source.network"),
        (None, section) => section.map(|(section, _)| section.to_owned()),
    };
    let network = network.and_then(|name| networks.named(&name)).unwrap_or(networks.default_network());
    let account = target.and_then(|target| value(&format!("{target}.account")));
    let account = account.map(|account| account.trim_start_matches('@').to_owned());
    Some(network.variable_of(&name, account.as_deref()))
}
