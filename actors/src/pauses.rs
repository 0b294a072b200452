//! What a person has paused: polling, or publishing on a target. A paused actor finishes what it has in hand and takes up
//! nothing new; nothing is lost, and it resumes where it stopped.
//!
//! A pause outlives the process, as a fact in the ledger: a service that was restarted at night must not begin to speak
//! on an account that somebody silenced in the evening.

use std::{collections::BTreeSet, fmt, sync::Arc};

use mynah_domain::{
    TargetId,
    ports::{Facts, LedgerError},
};
use tokio::sync::watch;

/// Something that can be paused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Paused {
    /// Asking the source for new posts.
    Polling,
    /// Publishing on this target.
    Target(TargetId),
}

/// The name of polling, where a target's would be its id.
const POLLER: &str = "poller";

impl Paused {
    /// The key of the fact that the ledger stores about it.
    fn fact(&self) -> String {
        format!("paused:{self}")
    }
}

/// As people name it: `poller`, `x:example_es`.
impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Polling => f.write_str(POLLER),
            Self::Target(target) => target.fmt(f),
        }
    }
}

/// What is paused now. Clones share it.
#[derive(Debug, Clone)]
pub struct Pauses(Arc<watch::Sender<BTreeSet<Paused>>>);

impl Pauses {
    /// With these paused from the start.
    pub fn new(paused: impl IntoIterator<Item = Paused>) -> Self {
        Self(Arc::new(watch::Sender::new(paused.into_iter().collect())))
    }

    /// Whether it is paused.
    pub fn is_paused(&self, what: &Paused) -> bool {
        self.0.borrow().contains(what)
    }

    /// Waits until it is not paused.
    pub async fn until_resumed(&self, what: &Paused) {
        // The sender lives as long as this does, so the wait can only end in success.
        let _ = self.0.subscribe().wait_for(|paused| !paused.contains(what)).await;
    }

    /// Waits until one of these is not paused.
    pub async fn until_any_resumed(&self, any: &[Paused]) {
        // The sender lives as long as this does, so the wait can only end in success.
        let is_resumed = |paused: &BTreeSet<Paused>| any.iter().any(|what| !paused.contains(what));
        let _ = self.0.subscribe().wait_for(is_resumed).await;
    }

    /// Pauses it; answers whether it was not paused before.
    pub fn pause(&self, what: Paused) -> bool {
        self.0.send_if_modified(|paused| paused.insert(what))
    }

    /// Resumes it; answers whether it was paused.
    pub fn resume(&self, what: &Paused) -> bool {
        self.0.send_if_modified(|paused| paused.remove(what))
    }

    /// Receives every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<BTreeSet<Paused>> {
        self.0.subscribe()
    }
}

/// Which of these are paused by what the ledger has on record.
///
/// # Errors
/// Where the ledger cannot be read.
pub async fn recall(
    ledger: &dyn Facts,
    all: impl IntoIterator<Item = Paused>,
) -> Result<BTreeSet<Paused>, LedgerError> {
    let mut paused = BTreeSet::new();
    for what in all {
        if ledger.fact(&what.fact()).await?.as_deref() == Some("yes") {
            paused.insert(what);
        }
    }
    Ok(paused)
}

/// Writes down that it is paused, or is not any more.
///
/// # Errors
/// Where the ledger cannot be written.
pub async fn note(ledger: &dyn Facts, what: &Paused, paused: bool) -> Result<(), LedgerError> {
    ledger.remember(&what.fact(), if paused { "yes" } else { "no" }).await
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[actix_rt::test]
    async fn a_waiting_caller_continues_when_it_is_resumed_and_not_before() {
        let es = Paused::Target(TargetId::new("x", "town_es"));
        let pauses = Pauses::new([es.clone()]);
        let other = pauses.clone();
        pauses.until_resumed(&Paused::Polling).await;
        let mut waits = std::pin::pin!(other.until_resumed(&es));
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(pauses.pause(Paused::Polling) && !pauses.pause(Paused::Polling));
        assert!(waits.as_mut().now_or_never().is_none(), "another pause is none of its business");
        assert!(pauses.resume(&es) && !pauses.resume(&es));
        waits.await;
        assert!(other.is_paused(&Paused::Polling));
    }

    #[test]
    fn it_is_named_as_people_name_it() {
        assert_eq!(Paused::Polling.fact(), "paused:poller");
        assert_eq!(Paused::Target(TargetId::new("x", "Town_ES")).fact(), "paused:x:town_es");
    }
}
