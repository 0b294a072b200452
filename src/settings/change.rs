//! Decides what new settings change in a running service. Most take effect at once, because the actors restart with
//! them. Settings of the process itself wait for the next start, and are reported so that nobody believes them in
//! force.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    CacheSettings, Settings,
    model::LedgerSettings,
    secrets::{ADMIN_TOKEN, CACHE_PASSWORD, LEDGER_PASSWORD},
};

/// Settings that a running service cannot change: its folder, ledger and shared cache, threads, leases, supervisor, log, port and token.
const WAITS: [&str; 13] = [
    "data_dir",
    "translator.arbiters",
    "cluster.",
    "ledger.url",
    "cache.url",
    "stats.",
    "supervisor.",
    "shutdown.",
    "log.",
    "admin.",
    ADMIN_TOKEN,
    LEDGER_PASSWORD,
    CACHE_PASSWORD,
];

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

/// A secret that was set, replaced or unset. Its values are never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretChange {
    /// The variable that holds it.
    pub name: String,
    /// Whether a running service uses the new value.
    pub is_live: bool,
}

fn waits(key: &str) -> bool {
    WAITS.iter().any(|waits| if waits.ends_with('.') { key.starts_with(waits) } else { key == *waits })
}

impl Settings {
    fn secret(&self, name: &str) -> Option<&str> {
        self.secrets.get(name).map(SecretString::expose_secret)
    }

    /// The secrets that differ in `new`, by name.
    pub fn changed_secrets(&self, new: &Self) -> Vec<SecretChange> {
        let mut names: Vec<&String> = self.secrets.keys().chain(new.secrets.keys()).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| self.secret(name) != new.secret(name));
        names.into_iter().map(|name| SecretChange { name: name.clone(), is_live: !waits(name) }).collect()
    }

    /// The settings that a running service continues with when it is given `new`: all of them, except those that cannot
    /// change while it runs; and every difference. Secrets are replaced, and not listed: see
    /// [`Settings::changed_secrets`].
    #[must_use]
    pub fn updated_with(&self, new: Self) -> (Self, Vec<Change>) {
        let written = |settings: &Self| -> BTreeMap<String, String> {
            let listed = settings.in_force.iter().filter(|one| !settings.secrets.contains_key(&one.key));
            listed.map(|one| (one.key.clone(), one.value.clone())).collect()
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
        // The same holds for a secret that waits.
        let mut secrets = new.secrets;
        secrets.retain(|name, _| !waits(name));
        secrets.extend(
            self.secrets
                .iter()
                .filter(|(name, _)| waits(name))
                .map(|(name, secret)| (name.clone(), secret.clone())),
        );
        let settings = Self {
            data_dir: self.data_dir.clone(),
            translator,
            cache: CacheSettings { server: self.cache.server.clone(), ..new.cache },
            ledger: LedgerSettings { server: self.ledger.server.clone(), ..new.ledger },
            cluster: self.cluster,
            stats: self.stats,
            supervisor: self.supervisor,
            shutdown: self.shutdown,
            log: self.log.clone(),
            admin: self.admin.clone(),
            in_force,
            secrets,
            ..new
        };
        (settings, changes)
    }
}
