//! What a person calls a target, the poller, or all of them.

use mynah_actors::pauses::Paused;
use mynah_domain::TargetId;

use super::NotUnderstood;
use crate::app;

/// What a person wants to pause or resume: `poller`, a target, or `all`.
///
/// # Errors
/// Names what there is.
pub fn pausable(what: &str, targets: &[TargetId]) -> Result<Vec<Paused>, NotUnderstood> {
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
    Err(NotUnderstood(format!("there is no {what:?} to pause; there are {}, all", names.join(", "))))
}

/// The target that a person means by its id or its account. An id may be that of a target which the settings do not have
/// any more: its jobs are still on record.
///
/// # Errors
/// Names the targets there are.
pub fn target(what: &str, targets: &[TargetId]) -> Result<TargetId, NotUnderstood> {
    if let Some(target) = known(what, targets) {
        return Ok(target);
    }
    if let Some((network, account)) = what.split_once(':') {
        return Ok(TargetId::new(network, account));
    }
    let names: Vec<&str> = targets.iter().map(TargetId::as_str).collect();
    Err(NotUnderstood(format!("there is no target {what:?}; there are {}", names.join(", "))))
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
        assert!(unknown.contains("there are poller, x:town_es, x:town_fr, all"), "{unknown}");
    }

    #[test]
    fn jobs_of_a_target_that_was_taken_away_can_be_named() {
        assert_eq!(target("town_fr", &targets()).unwrap().as_str(), "x:town_fr");
        assert_eq!(target("x:Gone", &targets()).unwrap().as_str(), "x:gone");
        assert!(target("gone", &targets()).is_err());
    }
}
