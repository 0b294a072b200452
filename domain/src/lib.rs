//! What Mynah is about, free of how it runs: posts, targets, jobs and their states, the rules for text, and the ports
//! behind which networks, engines and the ledger live. No actors, no HTTP, no SQL: `Cargo.toml` proves it.
//!
//! # Layout
//!
//! - [`post`], [`target`], [`language`]: what is read, and what it becomes.
//! - [`network`]: what differs from network to network: how a text is counted, what is linked in it, how much is taken.
//! - [`account`]: where it is published, and what limits it.
//! - [`job`]: one post for one target, and the table of states it goes through; [`publication`]: one message of it.
//! - [`eligibility`], [`filters`]: which posts become jobs at all.
//! - [`text`]: masking what must not change, splitting what is too long.
//! - [`gate`]: the checks a translation must pass before it may be published, one file a rule.
//! - [`caps`], [`backoff`], [`breaker`]: the arithmetic of quotas, of retries, and of leaving in peace what is down.
//! - [`adaptive_limit`], [`batch_sizer`]: the arithmetic of how many calls a service gets at once, and of how much is in each.
//! - [`ports`]: `Source`, `Engine`, `Destination`, `Ledger` (`Work`, `Listing`, `Facts`), `Clock`.

pub mod account;
pub mod adaptive_limit;
pub mod backoff;
pub mod batch_sizer;
pub mod breaker;
pub mod caps;
pub mod eligibility;
pub mod filters;
#[cfg(any(test, feature = "fixtures"))]
#[doc(hidden)]
pub mod fixtures;
pub mod gate;
pub mod job;
pub mod language;
pub mod network;
pub mod ports;
pub mod post;
pub mod publication;
pub mod target;
pub mod text;

pub use account::AccountId;
pub use job::{Hold, Job, JobEvent, JobId, JobState, Skip, Translation};
pub use language::Language;
pub use post::{Media, MediaKind, Post, PostId, PostKind};
pub use publication::{Publication, PublicationKey, Reply};
pub use target::{MediaMissing, MediaPolicy, SourceProfile, Style, Target, TargetId, Tone, TooLong};
