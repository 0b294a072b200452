//! What runs under leases: a poller for each source; a publisher and the lines of its targets for each account.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::join;
use log::warn;
use mynah_domain::{AccountId, ports::leases::LeaseName};

use super::{ActorRefs, PipelineHandle};
use crate::{
    leases::Workplace,
    router::{PutDown, TakeUp},
    supervision::shell::StopAsked,
};

/// How long to wait before an account is taken up again after the ledger failed.
const PAUSE: Duration = Duration::from_secs(1);

/// The pipeline, as the keeper of the leases sees it.
#[derive(Clone)]
pub(super) struct PipelineWorkplace {
    pub(super) actors: ActorRefs,
    /// Set when the pipeline has started: the keeper is one of its actors.
    pub(super) handle: Arc<OnceLock<PipelineHandle>>,
}

#[async_trait(?Send)]
impl Workplace for PipelineWorkplace {
    async fn wanted(&self) -> BTreeSet<LeaseName> {
        match self.handle.get() {
            Some(handle) => handle.lease_names().await,
            None => BTreeSet::new(),
        }
    }

    async fn take_up(&self, name: &LeaseName) {
        let Some(handle) = self.handle.get() else { return };
        if let LeaseName::Account(account) = name {
            self.take_up_lines(account).await;
        }
        // A service that is stopping starts nothing.
        let _ = handle.start(name).await;
    }

    async fn finish(&self, name: &LeaseName) {
        self.stop(name, StopAsked::InOrder).await;
        if let LeaseName::Account(account) = name {
            self.actors.router.ask_until_answered(PutDown { account: account.clone() }).await;
        }
    }

    async fn stop_now(&self, name: &LeaseName) {
        let stopped = self.stop(name, StopAsked::AtOnce("its lease is gone".into()));
        if let LeaseName::Account(account) = name {
            let put_down = self.actors.router.ask_until_answered(PutDown { account: account.clone() });
            join!(put_down, stopped);
        } else {
            stopped.await;
        }
    }

    async fn is_closing(&self) -> bool {
        match self.handle.get() {
            Some(handle) => handle.is_closing().await,
            None => false,
        }
    }
}

impl PipelineWorkplace {
    /// Recovers and loads an account's lines. Until that succeeds, nothing may be published on it.
    async fn take_up_lines(&self, account: &AccountId) {
        let take_up = TakeUp { account: account.clone() };
        while let Err(error) = self.actors.router.ask_until_answered(take_up.clone()).await {
            warn!(account = account.as_str(), reason:% = error; "account not taken up");
            actix_rt::time::sleep(PAUSE).await;
        }
    }

    async fn stop(&self, name: &LeaseName, how: StopAsked) {
        let Some(handle) = self.handle.get() else { return };
        // In a service that is stopping, everything stops.
        let _ = handle.stop(name, how).await;
    }
}
