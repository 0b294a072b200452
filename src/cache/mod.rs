//! The cache that instances share: an adapter of the [`SharedCache`](mynah_domain::ports::SharedCache) port for Redis and
//! servers that speak its protocol.
//!
//! - [`address`]: where the server is.
//! - [`redis`]: the commands that the port becomes.
//! - [`link`]: the connection, on a thread of its own.
//! - [`report`]: what `mynah check` says about the server.

pub mod address;
mod link;
mod redis;
mod report;

pub use address::Address;
pub use redis::RedisCache;
pub use report::report;
