//! The pipeline: one file per actor, together with its messages.
//!
//! # Layout
//!
//! - [`poller`] reads posts from the source and hands pages to the router.
//! - [`router`] records them in the ledger; owns the bounded queue and all leases.
//! - [`translator`]: a pool of workers that pull jobs, ask the [`cache`], then an engine, and run the gate.
//! - [`warm_up`] fills the cache in advance.
//! - [`publisher`], one per account: pulls the jobs that are ready in its targets' lines, in order, and publishes them
//!   within the account's limits.
//! - [`leases`]: which sources and accounts this instance works for, if several share the ledger.
//! - [`spending`] reserves the money that a call may cost, and records what it did cost.
//! - [`retrying`] retries ledger calls if that may help.
//! - [`costs`]: what messages cost, and which budgets must allow it.
//! - [`shortages`]: which budgets have refused something, and which sources wait for one.
//! - [`upstreams`] knows which services are down and limits the calls to each, for all callers.
//! - [`stats`] gathers latencies, counts and samples of memory and CPU.
//! - [`supervision`]: the [`supervision::supervisor`] starts, watches and restarts all actors. It knows none by name.
//! - [`pipeline`] builds the actors on their arbiters and connects them.
//!
//! Work is pulled: a worker asks when it is free. So no work waits in a worker's mailbox, and when a worker dies, the
//! router still has its jobs and leases them again.

pub mod blocks;
pub mod cache;
pub mod costs;
pub mod events;
pub mod failpoint;
pub mod leases;
pub mod pauses;
pub mod pipeline;
pub mod poller;
pub mod publisher;
pub mod retrying;
pub mod router;
pub mod shortages;
pub mod spending;
pub mod stats;
pub mod supervision;
#[cfg(test)]
mod testing;
pub mod translator;
pub mod upstreams;
pub mod warm_up;
