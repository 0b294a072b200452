//! The pipeline: one file an actor, its messages beside it.
//!
//! # Layout
//!
//! - [`poller`] asks the source for posts and hands pages to the router.
//! - [`router`] writes them to the ledger, owns the one bounded queue and every lease.
//! - [`translator`]: a pool that pulls jobs, asks the [`cache`], else an engine, and runs the gate.
//! - [`warm_up`] fills the cache before it is asked.
//! - [`publisher`], one per account: pulls what is ready in its targets' lines, in order, and publishes it within the
//!   account's limits.
//! - [`retrying`] repeats calls of the ledger where that may help.
//! - [`upstreams`] knows which services are down and how much each is asked at once, for all callers.
//! - [`stats`] gathers latencies, counts and samples of memory and CPU.
//! - [`supervision`]: the [`supervision::supervisor`] starts, watches and restarts all of them. It knows none by name.
//! - [`pipeline`] puts them together on their arbiters.
//!
//! Work is pulled: a worker asks when it is free, so nothing waits in a worker's mailbox, and what a dead worker had in
//! hand is still the router's to lease again.

pub mod cache;
pub mod events;
pub mod failpoint;
pub mod pauses;
pub mod pipeline;
pub mod poller;
pub mod publisher;
pub mod retrying;
pub mod router;
pub mod stats;
pub mod supervision;
#[cfg(test)]
mod testing;
pub mod translator;
pub mod upstreams;
pub mod warm_up;
