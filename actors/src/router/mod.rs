//! Decides what is done next. The router records posts, jobs and the checkpoint in one transaction, keeps a bounded
//! stretch of every target's line in memory, and hands jobs to workers that ask. A worker holds a *lease*: the job
//! stays here until the worker reports, and is leased again when the worker dies.
//!
//! The ledger is authoritative and the memory is only a window on it: a router that dies is rebuilt from the ledger.
//!
//! - [`messages`]: the messages that others send to the router.
//! - [`intent`]: what is recorded before a message is sent.
//! - [`actor`]: the actor, which answers each message with a future of its own.
//! - [`state`]: the state that these futures share, and which events wake them.
//! - [`load`], [`translation`], [`publication`], [`report`], [`timer`]: the router's tasks, by concern.
//! - [`window`]: the lines in memory.
//! - [`pending`]: waiting publishers, for which a job can be begun as soon as it is translated.
//! - [`decide`], [`review`], [`activity`], [`inspect`]: what people and the supervisor ask.

mod activity;
mod actor;
mod completed;
mod decide;
mod holding;
mod inspect;
mod intent;
mod load;
mod messages;
mod parts;
mod pending;
mod publication;
mod report;
mod review;
mod state;
#[cfg(test)]
mod tests;
mod timer;
mod translation;
mod window;

pub use activity::AskActivity;
pub use actor::Router;
pub use decide::{Decide, Decided, Decision, Refusal, decide};
pub use holding::ReloadLines;
pub(crate) use holding::{PutDown, Refused, TakeUp};
pub use inspect::{AskWorkload, Unblock, Workload};
pub(crate) use intent::held_by;
pub use intent::{Assigned, Intent};
pub use messages::{
    Block, Depth, Depths, Drain, Drained, JobReport, PublishedMessage, PullPublications, PullTranslations,
    Reclaim, Record, ReportJobs,
};
pub use parts::{Route, RouterParts, RouterSettings};
pub use review::{Review, ReviewDrafts, ReviewRefusal, Reviewed, Verdict, review};

/// The actor's name.
pub const NAME: &str = "router";
