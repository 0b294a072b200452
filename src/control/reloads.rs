//! How the last attempts to read the settings went, as monitors know it from Prometheus itself: whether the last one
//! succeeded, and when one last did. A start counts as a success.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::wire::ConfigReload;

/// The last reloads. Clones share them.
#[derive(Debug, Clone)]
pub struct Reloads(Arc<Mutex<ConfigReload>>);

impl Reloads {
    /// The settings were read just now, at the start.
    pub fn started() -> Self {
        Self(Arc::new(Mutex::new(ConfigReload { last_successful: true, last_success: Timestamp::now() })))
    }

    /// Records how a reload went.
    pub fn record(&self, successful: bool) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.last_successful = successful;
        if successful {
            last.last_success = Timestamp::now();
        }
    }

    /// How it went last.
    pub fn last(&self) -> ConfigReload {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
