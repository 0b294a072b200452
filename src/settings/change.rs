//! Decides what new settings change in a running service. Most take effect at once, because the actors restart with
//! them. Settings of the process itself wait for the next start, and are reported so that nobody believes them in
//! force.

use std::collections::BTreeMap;

use super::Settings;

/// Settings that a running service cannot change: its folder, threads, supervisor, log and port.
const WAITS: [&str; 7] =
    ["data_dir", "translator.arbiters", "stats.", "supervisor.", "shutdown.", "log.", "admin."];

/// A changed setting, with both values as written; `unset` if there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `publisher.min_interval`, `targets[0].tone`.
    pub key: String,
    /// The old value.
    pub before: String,
    /// The new value.
    pub after: String,
}

impl Change {
    /// Whether the change takes effect in a running service.
    pub fn is_live(&self) -> bool {
        !waits(&self.key)
    }
}

fn waits(key: &str) -> bool {
    WAITS.iter().any(|waits| if waits.ends_with('.') { key.starts_with(waits) } else { key == *waits })
}

impl Settings {
    /// The settings that a running service continues with when it is given `new`: all of them, except those that cannot
    /// change while it runs; and every difference. Secrets are replaced, and never shown.
    #[must_use]
    pub fn updated_with(&self, new: Self) -> (Self, Vec<Change>) {
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
        // A setting that waits is reported again with each change, until a start puts it in force.
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
