//! What a person has paused: polling, of all sources or of one, or publishing on a target. A paused actor finishes its
//! work in progress and takes no more; nothing is lost, and it resumes where it stopped.
//!
//! A pause survives a restart, as a fact in the ledger: a service that restarts at night must not publish on an account
//! that was paused in the evening.

use std::{collections::BTreeSet, fmt, sync::Arc};

use mynah_domain::{
    TargetId,
    people::Author,
    ports::{Decisions, Facts, LedgerError},
};
use tokio::sync::watch;

/// Something that can be paused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Paused {
    /// Polling for new posts, whatever the source.
    Polling,
    /// Polling this source, by its name in the ledger.
    Source(Arc<str>),
    /// Publishing on this target.
    Target(TargetId),
}

/// The name of polling, used in place of a target's id.
const POLLER: &str = "poller";

impl Paused {
    /// The key of the ledger's fact about this pause.
    fn fact(&self) -> String {
        format!("paused:{self}")
    }
}

/// The name that people use: `poller`, `net:example`, `net:example_es`. No source has the name of a target, because no
/// source may follow an account that is published on.
impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Polling => f.write_str(POLLER),
            Self::Source(source) => f.write_str(source),
            Self::Target(target) => target.fmt(f),
        }
    }
}

/// What is paused now. Clones share the state.
#[derive(Debug, Clone)]
pub struct Pauses(Arc<watch::Sender<BTreeSet<Paused>>>);

impl Pauses {
    /// Creates the state with these paused.
    pub fn new(paused: impl IntoIterator<Item = Paused>) -> Self {
        Self(Arc::new(watch::Sender::new(paused.into_iter().collect())))
    }

    /// Whether `what` is paused.
    pub fn is_paused(&self, what: &Paused) -> bool {
        self.0.borrow().contains(what)
    }

    /// Waits until none of these is paused.
    pub async fn until_all_resumed(&self, all: &[Paused]) {
        // The sender lives as long as `self`, so the wait cannot fail.
        let are_resumed = |paused: &BTreeSet<Paused>| !all.iter().any(|what| paused.contains(what));
        let _ = self.0.subscribe().wait_for(are_resumed).await;
    }

    /// Waits until at least one of these is not paused.
    pub async fn until_any_resumed(&self, any: &[Paused]) {
        // The sender lives as long as `self`, so the wait cannot fail.
        let is_resumed = |paused: &BTreeSet<Paused>| any.iter().any(|what| !paused.contains(what));
        let _ = self.0.subscribe().wait_for(is_resumed).await;
    }

    /// Pauses `what`; returns whether it was not paused before.
    pub fn pause(&self, what: Paused) -> bool {
        self.0.send_if_modified(|paused| paused.insert(what))
    }

    /// Resumes `what`; returns whether it was paused.
    pub fn resume(&self, what: &Paused) -> bool {
        self.0.send_if_modified(|paused| paused.remove(what))
    }

    /// Receives every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<BTreeSet<Paused>> {
        self.0.subscribe()
    }
}

/// Reads from the ledger which of these are paused.
///
/// # Errors
/// If the ledger cannot be read.
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

/// Records in the ledger whether `what` is paused, and who decided it.
///
/// # Errors
/// If the ledger cannot be written.
pub async fn note(
    ledger: &dyn Decisions,
    what: &Paused,
    paused: bool,
    author: &Author,
) -> Result<(), LedgerError> {
    let (value, action) = if paused { ("yes", "pause") } else { ("no", "resume") };
    ledger.remember_decided(&what.fact(), value, author.decides(action, what.to_string())).await
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[actix_rt::test]
    async fn a_waiting_caller_continues_only_after_its_pause_ends() {
        let es = Paused::Target(TargetId::new("net", "town_es"));
        let pauses = Pauses::new([es.clone()]);
        let other = pauses.clone();
        pauses.until_all_resumed(&[Paused::Polling, Paused::Source("net:town".into())]).await;
        let both = [es.clone(), Paused::Source("net:town".into())];
        let mut waits = std::pin::pin!(other.until_all_resumed(&both));
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(pauses.pause(Paused::Polling) && !pauses.pause(Paused::Polling));
        assert!(waits.as_mut().now_or_never().is_none(), "another pause ended, not this one");
        assert!(pauses.resume(&es) && !pauses.resume(&es));
        waits.await;
        assert!(other.is_paused(&Paused::Polling));
    }

    #[test]
    fn a_pause_has_the_name_that_people_use() {
        assert_eq!(Paused::Polling.fact(), "paused:poller");
        assert_eq!(Paused::Source("net:town".into()).fact(), "paused:net:town");
        assert_eq!(Paused::Target(TargetId::new("net", "Town_ES")).fact(), "paused:net:town_es");
    }
}
