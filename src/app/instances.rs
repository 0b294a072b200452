//! This instance among those that share the ledger.

use std::sync::Arc;

use jiff::Timestamp;
use mynah_actors::{
    leases::{View, holdings::LeasedHoldings},
    pipeline::LeasesParts,
};
use mynah_domain::{
    lease_term::LeaseTerm,
    ports::leases::{HeldLeases, Instance, InstanceId, Leases},
};

use crate::settings::ClusterSettings;

/// What the leases are kept with, if the ledger grants any.
pub(super) fn leases(
    granted: Option<(Arc<dyn Leases>, HeldLeases)>,
    settings: ClusterSettings,
    this: Instance,
) -> Option<LeasesParts> {
    let (leases, held) = granted?;
    let holdings = LeasedHoldings::new(held, LeaseTerm::new(settings.lease));
    Some(LeasesParts { leases, holdings, view: View::new(this) })
}

/// This process. Its id is new at every start, so that it is not taken for its predecessor.
pub(super) fn this() -> Instance {
    let host = sysinfo::System::host_name().unwrap_or_else(|_| "unknown".into());
    Instance {
        id: InstanceId::from(format!("{host}-{:08x}", fastrand::u32(..)).as_str()),
        host,
        admin: None,
        version: env!("CARGO_PKG_VERSION").into(),
        started: Timestamp::now(),
    }
}
