//! What Mynah works on, independent of how it runs: posts, targets, jobs and their states, the rules for text, and the
//! ports behind which networks, engines and the ledger are. No actors, no HTTP, no SQL: `Cargo.toml` proves it.
//!
//! # Layout
//!
//! - [`post`], [`target`], [`language`]: what is read, and what it becomes.
//! - [`card`]: what is shown of the page that a link leads to.
//! - [`network`]: the differences between networks: how they count a text, what they link in it, and their limits.
//! - [`account`]: the account that publishes, and its limits.
//! - [`job`]: one post for one target, and the table of its states; [`publication`]: one message of it.
//! - [`eligibility`], [`filters`], [`catch_up`]: which posts become jobs.
//! - [`text`]: masking what must not change, splitting what is too long.
//! - [`gate`]: the checks that a translation must pass before it may be published, one file per rule.
//! - [`money`], [`budget`], [`tariff`]: amounts, the most that may be spent, and what engines charge.
//! - [`people`]: users, roles, sessions, and what people decided.
//! - [`caps`], [`backoff`], [`breaker`]: the arithmetic of caps, retries and circuit breakers.
//! - [`schedule`], [`quiet_hours`]: when a target may publish a post.
//! - [`adaptive_limit`], [`batch_sizer`]: the arithmetic of how many calls a service gets at once, and how much is in
//!   each.
//! - [`fair_share`], [`lease_term`]: the arithmetic of how instances share the work, and for how long one relies on a
//!   lease.
//! - [`ports`]: `Source`, `MediaFetcher`, `Engine`, `Destination`, `Ledger` (`Work`, `Listing`, `Facts`, `Retention`,
//!   `Spending`, `People`, `Decisions`), `Leases`, `SharedCache`, `Clock`.

pub mod account;
pub mod adaptive_limit;
pub mod backoff;
pub mod batch_sizer;
pub mod breaker;
pub mod budget;
pub mod caps;
pub mod card;
pub mod catch_up;
pub mod eligibility;
pub mod fair_share;
pub mod filters;
#[cfg(any(test, feature = "fixtures"))]
#[doc(hidden)]
pub mod fixtures;
pub mod gate;
pub mod job;
pub mod language;
pub mod lease_term;
pub mod money;
pub mod network;
pub mod people;
pub mod ports;
pub mod post;
pub mod publication;
pub mod quiet_hours;
pub mod review;
pub mod schedule;
pub mod target;
pub mod tariff;
pub mod text;

pub use account::AccountId;
pub use card::{Card, CardWords};
pub use job::{Hold, Job, JobEvent, JobId, JobState, Skip, Translation};
pub use language::Language;
pub use money::Money;
pub use post::{Media, MediaKind, Post, PostId, PostKind};
pub use publication::{Publication, PublicationKey, Reply};
pub use target::{
    EngineOrder, MediaMissing, MediaPolicy, SourceProfile, Style, Target, TargetId, Tone, TooLong, Wordless,
};
