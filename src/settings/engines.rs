//! Reads the engines: their order, what they share, and a section for each. A section with the name of a kind needs no more
//! than that, and its keys have defaults; any number of others, each with a name of its own, say their `kind`.

use std::{collections::BTreeMap, path::Path};

use mynah_actors::upstreams::refusals::Fallback;

use super::{
    budget::Own,
    kinds::{call, choice, engines},
    model::EngineSettings,
    reader::{Outcome, Reader},
    secrets::Vault,
    targets::engines_key,
};
use crate::engines::{EngineKind, EngineSection, Engines};

const FALLBACKS: [(&str, Fallback); 2] = [("publish", Fallback::Publish), ("hold", Fallback::Hold)];

/// The keys of `[engine]` that are no sections.
const SHARED: [&str; 3] = ["order", "fallback", "timeout"];

/// The longest name of a section.
const MOST: usize = 40;

/// The budgets of engines in the order, by their names; `None` if there was a problem with one.
type OwnBudgets = Option<Vec<(String, Own)>>;

/// Who names engines, besides `engine.order`.
#[derive(Clone, Copy)]
pub(super) struct Naming<'a> {
    /// The targets that have lists of their own.
    pub(super) own: &'a [Outcome<Vec<String>>],
    /// The command, if it chooses the engines itself.
    pub(super) only: Option<&'a [String]>,
}

/// Reads all sections and makes the engines that are used.
pub(super) fn read(
    reader: &mut Reader<'_>,
    vault: &mut Vault<'_>,
    known: &Engines,
    Sections(sections): &Sections,
    naming: Naming<'_>,
    data_dir: Option<&Path>,
) -> Option<(EngineSettings, OwnBudgets)> {
    let names: Vec<&str> = sections.iter().map(|section| section.name.as_str()).collect();
    let order = reader.or("engine.order", "gemini, apertium", engines(&names));
    let used = used(reader, order.as_deref(), naming);
    let fallback = reader.or("engine.fallback", "publish", choice(&FALLBACKS));
    let timeout = reader.or("engine.timeout", "30s", call);
    // All sections are read and checked, even of engines that are not in the order.
    let (mut configured, mut spare) = (Vec::new(), Vec::new());
    let mut budgets = Some(Vec::new());
    let mut secrets = BTreeMap::new();
    let place_of = |name: &str| used.iter().position(|(used, _)| used == name);
    for Section { name, kind } in sections {
        let place = place_of(name);
        let named_in = place.and_then(|place| used.get(place)).map(|(_, key)| key.as_str());
        let engine = kind.and_then(|kind| {
            let section = EngineSection { name, kind: kind.name(), timeout, named_in, data_dir };
            if place.is_some() {
                secrets.insert(name.clone(), section.variables(kind.secrets()));
            }
            if kind.charges() {
                match (Own::read(reader, &format!("engine.{name}")), &mut budgets) {
                    (Some(own), Some(budgets)) if place.is_some() => budgets.push((name.clone(), own)),
                    (Some(_), _) => {}
                    (None, budgets) => *budgets = None,
                }
            }
            kind.read(&section, reader, vault)
        });
        match place {
            Some(place) => configured.push((place, engine)),
            None => spare.extend(engine),
        }
    }
    let unused = known.iter().filter(|kind| place_of(kind.name()).is_none()).collect();
    configured.sort_by_key(|(place, _)| *place);
    let configured = configured.into_iter().map(|(_, engine)| engine).collect::<Option<_>>();
    let common = naming.only.map_or(order?, <[String]>::to_vec).into_iter();
    let common = common.filter(|name| place_of(name).is_some()).map(Into::into);
    let sections = sections.iter().map(|section| section.name.clone());
    let engines = EngineSettings {
        order: configured?,
        common: common.collect(),
        sections: sections.collect(),
        unused,
        spare,
        secrets,
        fallback: fallback?,
    };
    Some((engines, budgets))
}

/// The engines that any target uses, each with the key of the setting that names it first.
fn used(
    reader: &Reader<'_>,
    order: Option<&[String]>,
    Naming { own, only }: Naming<'_>,
) -> Vec<(String, String)> {
    if let Some(only) = only {
        return only.iter().map(|name| (name.clone(), "--engines".to_owned())).collect();
    }
    let has_own = |list: &Outcome<Vec<String>>| matches!(list, Ok(Some(_)));
    // Nobody needs the keys of engines that no target uses.
    let common = order.filter(|_| own.is_empty() || !own.iter().all(has_own)).unwrap_or_default();
    let mut used: Vec<(String, String)> =
        common.iter().map(|name| (name.clone(), "engine.order".to_owned())).collect();
    for (index, list) in own.iter().enumerate() {
        for name in list.iter().flatten().flatten() {
            if !used.iter().any(|(known, _)| known == name) {
                let own = engines_key(index);
                let key = if reader.is_written(&own) { own } else { "defaults.targets.engines".into() };
                used.push((name.clone(), key));
            }
        }
    }
    used
}

/// The sections under `engine`. They are read before the targets, which may name them.
pub(super) struct Sections(Vec<Section>);

impl Sections {
    pub(super) fn read(reader: &mut Reader<'_>, known: &Engines) -> Self {
        Self(sections(reader, known))
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.0.iter().map(|section| section.name.as_str()).collect()
    }
}

/// A section under `engine`.
struct Section {
    name: String,
    /// `None` where there is a problem with it, which the reader has or the search for unknown keys finds.
    kind: Option<&'static dyn EngineKind>,
}

/// A section for each kind, written or not, and those that were written under names of their own.
fn sections(reader: &mut Reader<'_>, known: &Engines) -> Vec<Section> {
    let kinds: Vec<(&str, &dyn EngineKind)> = known.iter().map(|kind| (kind.name(), kind)).collect();
    let mut sections = Vec::new();
    for (name, kind) in &kinds {
        // It may repeat its name, and nothing else: two meanings of one name would confuse the reader of a log.
        let same = reader.optional(&format!("engine.{name}.kind"), choice(&[(name, *kind)])).ok();
        sections.push(Section { name: (*name).to_owned(), kind: same.map(|_| *kind) });
    }
    for name in reader.sections_under("engine") {
        if known.named(&name).is_some() || SHARED.contains(&name.as_str()) {
            continue;
        }
        let key = format!("engine.{name}.kind");
        let mut kind = None;
        if reader.is_written(&key) {
            kind = reader.optional(&key, choice(&kinds)).ok().flatten();
            if !is_name(&name) {
                reader.report(
                    &format!("engine.{name}"),
                    format!("{:?} is not a name for an engine", name.chars().take(MOST).collect::<String>()),
                    format!(
                        "use 1 to {MOST} small letters, digits, _ or -, beginning with a letter, such as [engine.groq]"
                    ),
                );
                kind = None;
            }
        }
        sections.push(Section { name, kind });
    }
    sections
}

fn is_name(name: &str) -> bool {
    let is_valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    (1..=MOST).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(is_valid)
}
