//! What was last seen of all instances, for people and monitors. It works even if the keeper is dead.

use std::sync::{Arc, OnceLock};

use mynah_domain::ports::leases::{Instance, InstanceId, LeaseName, Survey};
use tokio::sync::watch;

/// What was last seen of all instances. Clones share it.
#[derive(Debug, Clone)]
pub struct View {
    this: Instance,
    /// Where the admin API listens: it starts after the pipeline.
    admin: Arc<OnceLock<String>>,
    seen: Arc<watch::Sender<Seen>>,
}

/// What one look showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The last survey that was answered.
    pub survey: Survey,
    /// All names that this instance would work for.
    pub wanted: Vec<LeaseName>,
    /// Why no survey was answered since, if so.
    pub trouble: Option<String>,
}

impl View {
    /// Creates the view of an instance that has seen nothing.
    pub fn new(this: Instance) -> Self {
        Self { this, admin: Arc::default(), seen: Arc::default() }
    }

    /// The id of this instance.
    pub fn id(&self) -> &InstanceId {
        &self.this.id
    }

    /// This instance, as others see it.
    pub fn this(&self) -> Instance {
        Instance { admin: self.admin.get().cloned(), ..self.this.clone() }
    }

    /// Tells other instances where this one's admin API listens. Only the first address counts.
    pub fn set_admin(&self, address: String) {
        let _ = self.admin.set(address);
    }

    /// What was last seen.
    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// What prevents this instance from holding leases, if anything.
    pub fn trouble(&self) -> Option<String> {
        self.seen.borrow().trouble.clone()
    }

    pub(super) fn answered(&self, survey: Survey, wanted: Vec<LeaseName>) {
        self.seen.send_replace(Seen { survey, wanted, trouble: None });
    }

    /// Records trouble, or its end.
    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        self.seen.send_if_modified(|seen| {
            let is_new = seen.trouble != trouble;
            seen.trouble = trouble;
            is_new
        });
    }
}

impl Seen {
    /// The names without an owner.
    pub fn unowned(&self) -> Vec<&LeaseName> {
        let is_owned = |name: &LeaseName| self.survey.leases.iter().any(|(owned, ..)| owned == name);
        self.wanted.iter().filter(|name| !is_owned(name)).collect()
    }

    /// What an instance holds.
    pub fn held_by<'a>(&'a self, id: &'a InstanceId) -> impl Iterator<Item = &'a LeaseName> {
        self.survey.leases.iter().filter(move |(_, owner, _)| owner == id).map(|(name, ..)| name)
    }
}
