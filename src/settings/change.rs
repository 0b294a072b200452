//! What other settings change while the service runs. Most of it takes effect at once, as whoever works is built anew;
//! what the process itself stands on waits for the next start, and is named so that nobody believes it in force.

use std::collections::BTreeMap;

use super::Settings;

/// What a running service cannot change: its folder, its threads, its supervisor, its log and its port.
const WAITS: [&str; 7] =
    ["data_dir", "translator.arbiters", "stats.", "supervisor.", "shutdown.", "log.", "admin."];

/// A setting that is another, as both were written; `unset` where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `publisher.min_interval`, `targets[0].tone`.
    pub key: String,
    /// What it was.
    pub before: String,
    /// What it is.
    pub after: String,
}

impl Change {
    /// Whether it takes effect in a running service.
    pub fn is_live(&self) -> bool {
        !waits(&self.key)
    }
}

fn waits(key: &str) -> bool {
    WAITS.iter().any(|waits| if waits.ends_with('.') { key.starts_with(waits) } else { key == *waits })
}

impl Settings {
    /// The settings that a running service goes on with when it is told `new`: all of them, but for what cannot change
    /// while it runs; and everything that differs. Secrets are taken anew, and never shown.
    #[must_use]
    pub fn exchanged_for(&self, new: Self) -> (Self, Vec<Change>) {
        let written = |settings: &Self| -> BTreeMap<String, String> {
            settings.in_force.iter().map(|one| (one.key.clone(), one.value.clone())).collect()
        };
        let (old, mut now) = (written(self), written(&new));
        let mut changes = Vec::new();
        for (key, before) in old {
            let after = now.remove(&key);
            if after.as_ref() != Some(&before) {
                changes.push(Change { key, before, after: after.unwrap_or_else(|| "unset".into()) });
            }
        }
        changes.extend(now.into_iter().map(|(key, after)| Change { key, before: "unset".into(), after }));
        changes.sort_by(|a, b| a.key.cmp(&b.key));

        let mut translator = new.translator;
        translator.arbiters = self.translator.arbiters;
        let mut in_force = new.in_force;
        // What waits is told again with the next change, until a start puts it in force.
        in_force.retain(|one| !waits(&one.key));
        in_force.extend(self.in_force.iter().filter(|one| waits(&one.key)).cloned());
        let settings = Self {
            data_dir: self.data_dir.clone(),
            translator,
            stats: self.stats,
            supervisor: self.supervisor,
            shutdown: self.shutdown,
            log: self.log.clone(),
            admin: self.admin.clone(),
            in_force,
            ..new
        };
        (settings, changes)
    }
}
