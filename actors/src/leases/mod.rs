//! Several instances share one ledger, and each source and account must be worked for by one of them at a time. The
//! keeper acquires this instance's share of the leases, renews them, and starts and stops what runs under them.
//!
//! - [`keeper`]: the actor. It makes the calls, waits, and lets the pipeline take up and put down work.
//! - [`tenure`]: what the keeper knows about its leases and what it decides. It waits for nothing.
//! - [`holdings`]: which leases this instance holds, for the other actors.
//! - [`view`]: what was last seen of all instances, for people.
//!
//! **The order.** A lease is in the [`Holdings`] before anything runs under it, and is removed from them before anything
//! is told to stop. So whatever still runs for a moment is refused by the ledger. Only a lease that is given back in
//! order is held until what ran under it has finished.
//!
//! **What the clock decides.** If no renewal succeeds, the instance stops by its own clock before the lease can have
//! run out ([`LeaseTerm`](mynah_domain::lease_term::LeaseTerm)). That only makes the change of owners quick: that nothing
//! is published twice is ensured by the fences, and by the lookup of everything whose outcome is unknown.

pub mod holdings;
pub mod keeper;
mod tasks;
mod tenure;
pub mod view;

pub use holdings::Holdings;
pub use keeper::{KeeperParts, Workplace};
pub use view::View;

/// The keeper's name in logs, in statistics and for people.
pub(crate) const NAME: &str = "lease-keeper";
