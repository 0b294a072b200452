//! Helpers that the tests of several actors share: a ledger in memory, an engine, clocks, and jobs.

mod clock;
mod engine;
mod leases;
mod ledger;
mod spending;
mod wallet;

use std::sync::Arc;

use jiff::Timestamp;
use mynah_domain::{
    AccountId, Job, JobId, JobState, Post, PostId, PostKind, Publication, PublicationKey, TargetId,
    Translation, backoff::Backoff, breaker::BreakerPolicy, ports::leases::Instance,
};
use tokio::sync::mpsc;

pub(crate) use clock::{RuntimeClock, noon};
pub(crate) use engine::{FixedEngine, cascade};
pub(crate) use leases::MemoryLeases;
pub(crate) use ledger::{Gate, MemoryLedger};
pub(crate) use spending::MemorySpending;

use crate::supervision::{Exit, ExitGuard, HealthRegistry, WorkerContext};

/// The target that most tests publish on.
pub(crate) fn es() -> TargetId {
    TargetId::new("net", "es")
}

/// An instance with this id.
pub(crate) fn instance(id: &str) -> Instance {
    Instance { id: id.into(), host: "test".into(), admin: None, version: "1".into(), started: noon() }
}

/// A post; its number is its id and its position.
pub(crate) fn post(number: i64) -> Post {
    Post {
        id: PostId(number.to_string()),
        position: number.unsigned_abs(),
        text: "Hello".into(),
        entities: None,
        language: None,
        kind: PostKind::Original,
        created_at: noon(),
        media: vec![],
        has_poll: false,
        warning: None,
        is_sensitive: false,
        card: None,
        versions: vec![],
    }
}

/// A translation with these parts.
pub(crate) fn translation(parts: &[&str]) -> Translation {
    let parts = parts.iter().map(|part| (*part).to_owned()).collect();
    Translation { parts, engine: "test".into(), alts: vec![], warning: None, card: None }
}

/// A job that waits for a translator.
pub(crate) fn queued(number: i64) -> Job {
    Job {
        id: JobId(number),
        post: Arc::new(post(number)),
        source: "net:town".into(),
        target: es(),
        state: JobState::Queued,
        token: 1,
        attempt: 0,
        not_before: None,
        written_at: noon(),
        translation: None,
        guidance: None,
        publications: vec![],
    }
}

/// A job that is translated, as `Hola {number}`.
pub(crate) fn ready(number: i64) -> Job {
    let translation = translation(&[&format!("Hola {number}")]);
    Job { state: JobState::Ready, translation: Some(translation), ..queued(number) }
}

/// A job whose only part was begun at `intent_at` and whose outcome is unknown.
pub(crate) fn unknown(number: i64, intent_at: Timestamp) -> Job {
    let begun = Publication {
        part: 0,
        account: AccountId::from(&es()),
        text: format!("Hola {number}"),
        key: Some(PublicationKey::new(intent_at)),
        reply: None,
        intent_at,
        after: None,
        remote_id: None,
    };
    Job { state: JobState::Unknown, publications: vec![begun], ..ready(number) }
}

/// A breaker that never opens: it uses its own clock, which a test cannot stop.
pub(crate) fn never_broken(pause: Backoff) -> BreakerPolicy {
    BreakerPolicy { failures: u32::MAX, pause, trial: std::time::Duration::from_mins(1) }
}

/// The guard of an actor's first incarnation, and the receiver of its exit.
pub(crate) fn exit_guard_of(name: &str) -> (ExitGuard, mpsc::UnboundedReceiver<Exit>) {
    let (exits, reported) = mpsc::unbounded_channel();
    (ExitGuard::new(name, 1, HealthRegistry::default(), exits), reported)
}

/// A guard whose exit is ignored.
pub(crate) fn exit_guard(name: &str) -> ExitGuard {
    exit_guard_of(name).0
}

/// The first incarnation of a worker with this name.
pub(crate) fn worker(name: &str) -> WorkerContext {
    WorkerContext::new(&exit_guard(name))
}
