//! Operators name a target by its id or account, and the poller and everything by a word. This module resolves the
//! names.

use mynah_actors::pauses::Paused;
use mynah_domain::TargetId;

use super::InvalidRequest;
use crate::app;

/// Resolves the name of what to pause or resume: `poller`, a target, or `all`.
///
/// # Errors
/// An unknown name; the error lists the valid ones.
pub fn pausable(what: &str, targets: &[TargetId]) -> Result<Vec<Paused>, InvalidRequest> {
    let all = app::pausable(targets);
    if what == "all" {
        return Ok(all);
    }
    if what == "poller" {
        return Ok(vec![Paused::Polling]);
    }
    if let Some(target) = known(what, targets) {
        return Ok(vec![Paused::Target(target)]);
    }
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    Err(InvalidRequest(format!("cannot pause or resume {what:?}; valid names: {}, all", names.join(", "))))
}

/// Resolves a target by its id or account. An id of a target that was removed from the settings is valid: its jobs are
/// still on record.
///
/// # Errors
/// An unknown target; the error lists the valid ones.
pub fn target(what: &str, targets: &[TargetId]) -> Result<TargetId, InvalidRequest> {
    if let Some(target) = known(what, targets) {
        return Ok(target);
    }
    if let Some((network, account)) = what.split_once(':') {
        return Ok(TargetId::new(network, account));
    }
    let names: Vec<&str> = targets.iter().map(TargetId::as_str).collect();
    Err(InvalidRequest(format!("unknown target {what:?}; valid targets: {}", names.join(", "))))
}

fn known(what: &str, targets: &[TargetId]) -> Option<TargetId> {
    let name = what.trim().to_ascii_lowercase();
    let account = name.strip_prefix('@').unwrap_or(&name);
    let is_meant = |target: &&TargetId| {
        let id = target.as_str();
        id == name || id.split_once(':').is_some_and(|(_, of)| of == account)
    };
    targets.iter().find(is_meant).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> [TargetId; 2] {
        [TargetId::new("x", "town_es"), TargetId::new("x", "town_fr")]
    }

    #[test]
    fn a_target_is_known_by_its_id_and_by_its_account() {
        for name in ["x:town_es", "town_es", "@Town_ES"] {
            assert_eq!(pausable(name, &targets()).unwrap(), [Paused::Target(TargetId::new("x", "town_es"))]);
        }
        assert_eq!(pausable("poller", &targets()).unwrap(), [Paused::Polling]);
        assert_eq!(pausable("all", &targets()).unwrap().len(), 3);
        let unknown = pausable("town_de", &targets()).unwrap_err().0;
        assert!(unknown.contains("valid names: poller, x:town_es, x:town_fr, all"), "{unknown}");
    }

    #[test]
    fn a_target_that_was_removed_from_the_settings_can_be_named() {
        assert_eq!(target("town_fr", &targets()).unwrap().as_str(), "x:town_fr");
        assert_eq!(target("x:Gone", &targets()).unwrap().as_str(), "x:gone");
        assert!(target("gone", &targets()).is_err());
    }
}
