//! Operators name a source by its name, its id or its account, a target by its id or its account, and polling and
//! everything by a word. This module resolves the names.

use mynah_actors::pauses::Paused;
use mynah_domain::{AccountId, TargetId};

use super::InvalidRequest;
use crate::settings::Settings;

/// How many valid names an error lists.
const LISTED: usize = 20;

/// The names of the configured sources and targets.
#[derive(Debug, Clone, Default)]
pub struct Names {
    sources: Vec<SourceNames>,
    targets: Vec<TargetNames>,
}

/// The names of a source.
#[derive(Debug, Clone)]
struct SourceNames {
    /// `x:town`.
    id: String,
    /// What people call it.
    label: String,
}

/// The names of a target.
#[derive(Debug, Clone)]
struct TargetNames {
    id: TargetId,
    account: AccountId,
    /// The id of its source.
    source: String,
}

impl Names {
    /// The names in these settings.
    pub fn of(settings: &Settings) -> Self {
        let sources =
            settings.sources.iter().map(|source| SourceNames { id: source.id(), label: source.label() });
        let targets = settings.targets.iter().map(|target| TargetNames {
            id: target.id(),
            account: target.account_id(),
            source: target.source.id(),
        });
        Self { sources: sources.collect(), targets: targets.collect() }
    }

    /// Everything that can be paused.
    pub fn pausable(&self) -> Vec<Paused> {
        let polling = std::iter::once(Paused::Polling);
        // The only source is paused with all polling.
        let sources: &[SourceNames] = if self.sources.len() > 1 { &self.sources } else { &[] };
        let sources = sources.iter().map(|source| Paused::Source(source.id.as_str().into()));
        let targets = self.targets.iter().map(|target| Paused::Target(target.id.clone()));
        polling.chain(sources).chain(targets).collect()
    }

    /// Resolves the name of what to pause or resume: `poller` for all sources, a source, a target, an account with all of
    /// its targets, or `all`.
    ///
    /// # Errors
    /// An unknown or ambiguous name; the error lists the valid ones.
    pub fn to_pause(&self, what: &str) -> Result<Vec<Paused>, InvalidRequest> {
        let all = self.pausable();
        match what {
            "all" => return Ok(all),
            "poller" => return Ok(vec![Paused::Polling]),
            _ => {}
        }
        let targets = self.known_targets(what);
        match (self.known_source(what), targets.as_slice()) {
            (Some(_), []) if self.sources.len() == 1 => Ok(vec![Paused::Polling]),
            (Some(source), []) => Ok(vec![Paused::Source(source.id.as_str().into())]),
            (Some(source), [target, ..]) => Err(InvalidRequest(format!(
                "{what:?} is a source and an account; write {} for the source, or {} for the account",
                source.id, target.account
            ))),
            (None, []) => {
                let names: Vec<String> = all.iter().map(ToString::to_string).collect();
                Err(unknown(&format!("cannot pause or resume {what:?}; valid names"), &names, ", all"))
            }
            (None, targets) => Ok(targets.iter().map(|target| Paused::Target(target.id.clone())).collect()),
        }
    }

    /// Resolves targets by an id, or by an account with all of its targets. An id of a target that was removed from the
    /// settings is valid: its jobs are still on record.
    ///
    /// # Errors
    /// An unknown target; the error lists the valid ones.
    pub fn targets(&self, what: &str) -> Result<Vec<TargetId>, InvalidRequest> {
        let known = self.known_targets(what);
        if !known.is_empty() {
            return Ok(known.into_iter().map(|target| target.id.clone()).collect());
        }
        if let Some((network, account)) = what.split_once(':') {
            return Ok(vec![TargetId::new(network, account)]);
        }
        let names: Vec<&str> = self.targets.iter().map(|target| target.id.as_str()).collect();
        Err(unknown(&format!("unknown target {what:?}; valid targets"), &names, ""))
    }

    /// The id of a source.
    ///
    /// # Errors
    /// An unknown source; the error lists the valid ones.
    pub fn source(&self, what: &str) -> Result<&str, InvalidRequest> {
        self.known_source(what).map(|source| source.id.as_str()).ok_or_else(|| {
            let names: Vec<&str> = self.sources.iter().map(|source| source.label.as_str()).collect();
            unknown(&format!("unknown source {what:?}; valid sources"), &names, "")
        })
    }

    /// The targets of a source.
    ///
    /// # Errors
    /// An unknown source; the error lists the valid ones.
    pub fn targets_of_source(&self, what: &str) -> Result<Vec<TargetId>, InvalidRequest> {
        let source = self.source(what)?;
        let of_source = self.targets.iter().filter(|target| target.source == source);
        Ok(of_source.map(|target| target.id.clone()).collect())
    }

    /// Resolves a filter by target, by source, or by both. Empty if it has neither.
    ///
    /// # Errors
    /// An unknown name, or a target of another source.
    pub fn chosen(
        &self,
        target: Option<&str>,
        source: Option<&str>,
    ) -> Result<Vec<TargetId>, InvalidRequest> {
        let targets = target.map(|target| self.targets(target)).transpose()?;
        let of_source = source.map(|source| self.targets_of_source(source)).transpose()?;
        match (targets, of_source) {
            (Some(mut targets), Some(of_source)) => {
                targets.retain(|target| of_source.contains(target));
                if targets.is_empty() {
                    return Err(InvalidRequest("this target republishes another source".into()));
                }
                Ok(targets)
            }
            (targets, of_source) => Ok(targets.or(of_source).unwrap_or_default()),
        }
    }

    fn known_source(&self, what: &str) -> Option<&SourceNames> {
        let name = what.trim().to_ascii_lowercase();
        let of_poller = name.strip_prefix("poller-").unwrap_or(&name);
        let account = name.strip_prefix('@').unwrap_or(&name);
        let by_name = self.sources.iter().find(|source| source.label == of_poller || source.id == name);
        by_name.or_else(|| self.sources.iter().find(|source| handle(&source.id) == account))
    }

    /// The target with this id, or all targets on this account.
    fn known_targets(&self, what: &str) -> Vec<&TargetNames> {
        let name = what.trim().to_ascii_lowercase();
        let account = name.strip_prefix('@').unwrap_or(&name);
        if let Some(target) = self.targets.iter().find(|target| target.id.as_str() == name) {
            return vec![target];
        }
        let is_meant = |target: &&TargetNames| {
            target.account.handle() == account || handle(target.id.as_str()) == account
        };
        self.targets.iter().filter(is_meant).collect()
    }
}

/// The part of an id behind the network.
fn handle(id: &str) -> &str {
    id.split_once(':').map_or(id, |(_, handle)| handle)
}

/// An error that lists the valid names, or the first of many.
fn unknown(what: &str, names: &[impl AsRef<str>], and: &str) -> InvalidRequest {
    let listed: Vec<&str> = names.iter().take(LISTED).map(AsRef::as_ref).collect();
    let more = match names.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    InvalidRequest(format!("{what}: {}{more}{and}", listed.join(", ")))
}

#[cfg(test)]
impl Names {
    /// The names of targets of a single source, each on its own account.
    pub(super) fn of_targets(targets: &[TargetId]) -> Self {
        let targets = targets.iter().map(|id| TargetNames {
            id: id.clone(),
            account: AccountId::from(id),
            source: "x:town".into(),
        });
        let sources = vec![SourceNames { id: "x:town".into(), label: "x:town".into() }];
        Self { sources, targets: targets.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::of_targets(&[TargetId::new("x", "town_es"), TargetId::new("x", "town_fr")])
    }

    /// Two sources whose translations into Spanish share an account.
    fn two_sources() -> Names {
        let source = |name: &str| SourceNames { id: format!("x:{name}_hall"), label: name.into() };
        let target = |id: &str, account: &str, source: &str| TargetNames {
            id: id.into(),
            account: account.into(),
            source: format!("x:{source}_hall"),
        };
        Names {
            sources: vec![source("town"), source("port")],
            targets: vec![
                target("x:news_es", "x:news_es", "town"),
                target("x:news_es~port", "x:news_es", "port"),
                target("x:port", "x:port", "port"),
            ],
        }
    }

    fn paused(names: &Names, what: &str) -> Vec<String> {
        names.to_pause(what).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_target_is_known_by_its_id_and_by_its_account() {
        for name in ["x:town_es", "town_es", "@Town_ES"] {
            assert_eq!(
                names().to_pause(name).unwrap(),
                [Paused::Target(TargetId::new("x", "town_es"))],
                "{name}"
            );
        }
        assert_eq!(names().to_pause("poller").unwrap(), [Paused::Polling]);
        assert_eq!(names().to_pause("all").unwrap().len(), 3);
        let unknown = names().to_pause("town_de").unwrap_err().0;
        assert!(unknown.contains("valid names: poller, x:town_es, x:town_fr, all"), "{unknown}");
    }

    #[test]
    fn a_target_that_was_removed_from_the_settings_can_be_named() {
        assert_eq!(names().targets("town_fr").unwrap(), [TargetId::from("x:town_fr")]);
        assert_eq!(names().targets("x:Gone").unwrap(), [TargetId::from("x:gone")]);
        assert!(names().targets("gone").is_err());
    }

    #[test]
    fn the_only_source_is_paused_with_all_polling() {
        for name in ["town", "x:town", "@Town"] {
            assert_eq!(names().to_pause(name).unwrap(), [Paused::Polling], "{name}");
        }
    }

    #[test]
    fn a_source_is_known_by_its_name_its_id_its_account_and_its_poller() {
        let names = two_sources();
        for name in ["town", "poller-town", "x:town_hall", "@town_hall"] {
            assert_eq!(paused(&names, name), ["x:town_hall"], "{name}");
        }
        assert_eq!(paused(&names, "poller"), ["poller"]);
        assert_eq!(names.to_pause("all").unwrap().len(), 6);
        assert_eq!(names.targets_of_source("port").unwrap().len(), 2);
        let unknown = names.targets_of_source("harbor").unwrap_err().0;
        assert_eq!(unknown, "unknown source \"harbor\"; valid sources: town, port");
    }

    #[test]
    fn an_account_stands_for_all_of_its_targets() {
        let names = two_sources();
        assert_eq!(paused(&names, "news_es"), ["x:news_es", "x:news_es~port"]);
        assert_eq!(paused(&names, "news_es~port"), ["x:news_es~port"]);
        assert_eq!(paused(&names, "x:news_es"), ["x:news_es"], "an id is one target's");
        let chosen = names.chosen(Some("news_es"), Some("port")).unwrap();
        assert_eq!(chosen, [TargetId::from("x:news_es~port")]);
        names.chosen(Some("news_es~port"), Some("town")).unwrap_err();
    }

    #[test]
    fn a_name_of_a_source_and_of_an_account_is_ambiguous_but_its_id_is_not() {
        let names = two_sources();
        let ambiguous = names.to_pause("port").unwrap_err().0;
        assert!(ambiguous.contains("x:port_hall for the source, or x:port for the account"), "{ambiguous}");
        assert_eq!(paused(&names, "x:port"), ["x:port"]);
        assert_eq!(paused(&names, "x:port_hall"), ["x:port_hall"]);
    }

    #[test]
    fn an_error_lists_some_of_many_names() {
        let targets: Vec<TargetId> =
            (0..400).map(|number| TargetId::new("x", &format!("t{number}"))).collect();
        let unknown = Names::of_targets(&targets).to_pause("nobody").unwrap_err().0;
        assert!(unknown.ends_with("x:t18 and 381 more, all"), "{unknown}");
    }
}
