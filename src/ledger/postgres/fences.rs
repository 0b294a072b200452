//! What this process may write. A process cannot know that it still holds a lease when it writes; the database can: a
//! transaction that needs a lease locks its row, and writes only if nobody acquired the lease since.

use std::collections::{BTreeMap, BTreeSet};

use mynah_domain::ports::leases::{Fence, HeldLeases, InstanceId, LeaseName};

/// The leases of this process. Without any, as in a tool, it can neither record pages nor begin publications.
#[derive(Debug, Clone)]
pub(super) struct Fences {
    pub(super) instance: InstanceId,
    pub(super) held: HeldLeases,
}

/// The leases that a transaction needs.
#[derive(Debug, Default)]
pub(super) struct Needed {
    /// Those that the process believes to hold.
    fences: BTreeMap<LeaseName, Fence>,
    /// Those that turned out to be another's.
    lost: BTreeSet<LeaseName>,
}

impl Needed {
    /// Whether the process holds a lease, as far as it knows. The transaction must verify it.
    pub(super) fn holds(&mut self, name: LeaseName, fences: &Fences) -> Result<(), LeaseName> {
        match fences.held.fence(&name) {
            Some(fence) if !self.lost.contains(&name) => {
                self.fences.insert(name, fence);
                Ok(())
            }
            _ => Err(name),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fences.is_empty()
    }

    /// The names and fences to verify, in the order in which they are locked.
    pub(super) fn columns(&self) -> (Vec<String>, Vec<i64>) {
        self.fences.iter().map(|(name, fence)| (name.to_string(), fence.0)).unzip()
    }

    /// Notes which leases are held indeed. Returns whether all are; if not, the transaction must be decided again.
    pub(super) fn verified(&mut self, held: &BTreeSet<String>) -> bool {
        let lost: Vec<LeaseName> =
            self.fences.keys().filter(|name| !held.contains(&name.to_string())).cloned().collect();
        let all = lost.is_empty();
        self.lost.extend(lost);
        all
    }

    /// Begins again, with what is known to be lost.
    pub(super) fn again(&mut self) {
        self.fences.clear();
    }
}

/// Locks those leases that are held under these fences by this instance until the transaction ends. `$1` has the names,
/// `$2` the fences, `$3` is the instance.
pub(super) const LOCK: &str = "
    SELECT leases.name FROM leases
    JOIN UNNEST($1::text[], $2::bigint[]) AS held (name, fence)
      ON leases.name = held.name AND leases.fence = held.fence
    WHERE leases.owner = $3 ORDER BY leases.name FOR SHARE OF leases";
