//! What was last seen of all instances, for people and monitors. It works even if the keeper is dead.

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use mynah_domain::ports::leases::{Instance, InstanceId, LeaseName, Survey};
use tokio::{sync::watch, time::timeout};

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

    /// Waits until this instance holds all that it would work for.
    ///
    /// # Errors
    /// Another instance holds something, and still does after `patience`. That must be long enough for the leases of an
    /// instance that died to run out, and to be acquired here. If nobody can hold anything, because the ledger does not
    /// answer, this waits until somebody can.
    pub async fn until_all_held(&self, patience: Duration) -> Result<(), (LeaseName, InstanceId)> {
        let mut changes = self.seen.subscribe();
        // The sender lives as long as this view.
        if let Ok(Ok(_)) = timeout(patience, changes.wait_for(|seen| self.holds_all(seen))).await {
            return Ok(());
        }
        let of_another = |seen: &Seen| {
            let mut leases = seen.survey.leases.iter();
            leases.find(|(name, owner, _)| owner != self.id() && seen.wanted.contains(name)).cloned()
        };
        let is_settled = |seen: &Seen| self.holds_all(seen) || of_another(seen).is_some();
        match changes.wait_for(is_settled).await.ok().and_then(|seen| of_another(&seen)) {
            Some((name, owner, _)) => Err((name, owner)),
            None => Ok(()),
        }
    }

    fn holds_all(&self, seen: &Seen) -> bool {
        let held: HashSet<&LeaseName> = seen.survey.held_by(self.id()).collect();
        !seen.wanted.is_empty() && seen.wanted.iter().all(|name| held.contains(name))
    }

    pub(super) fn answered(&self, survey: Survey, wanted: Vec<LeaseName>) {
        self.seen.send_replace(Seen { survey, wanted, trouble: None });
    }

    /// Records why a call was not answered. The next survey that is answered ends that.
    pub(super) fn set_trouble(&self, trouble: String) {
        self.seen.send_if_modified(|seen| {
            let is_new = seen.trouble.as_ref() != Some(&trouble);
            seen.trouble = Some(trouble);
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
}

#[cfg(test)]
mod tests {
    use mynah_domain::ports::leases::Fence;

    use super::*;
    use crate::testing::instance;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn name(of: &str) -> LeaseName {
        LeaseName::Source(of.into())
    }

    fn see(view: &View, owners: &[(&str, &str)]) {
        let leases =
            owners.iter().map(|(of, owner)| (name(of), InstanceId::from(*owner), Fence(1))).collect();
        view.answered(Survey { leases, ..Survey::default() }, vec![name("a"), name("b")]);
    }

    #[actix_rt::test]
    async fn it_holds_all_once_the_leases_of_a_dead_instance_are_its_own() {
        tokio::time::pause();
        let view = View::new(instance("me"));
        see(&view, &[("a", "me"), ("b", "dead")]);
        let holds = actix_rt::spawn({
            let view = view.clone();
            async move { view.until_all_held(PATIENCE).await }
        });
        tokio::time::sleep(PATIENCE / 2).await;
        assert!(!holds.is_finished());
        see(&view, &[("a", "me"), ("b", "me")]);
        assert_eq!(holds.await.unwrap(), Ok(()));
    }

    #[actix_rt::test]
    async fn an_instance_that_still_holds_something_after_a_while_is_named() {
        tokio::time::pause();
        let view = View::new(instance("me"));
        see(&view, &[("a", "me"), ("b", "other")]);
        assert_eq!(view.until_all_held(PATIENCE).await, Err((name("b"), InstanceId::from("other"))));
    }

    #[actix_rt::test]
    async fn nobody_is_blamed_while_the_ledger_does_not_answer() {
        tokio::time::pause();
        let view = View::new(instance("me"));
        let holds = actix_rt::spawn({
            let view = view.clone();
            async move { view.until_all_held(PATIENCE).await }
        });
        tokio::time::sleep(PATIENCE * 10).await;
        assert!(!holds.is_finished());
        see(&view, &[("a", "me"), ("b", "me")]);
        assert_eq!(holds.await.unwrap(), Ok(()));
    }
}
