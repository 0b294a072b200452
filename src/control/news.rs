//! What an operator asks of one instance is done by all that share its ledger. Pauses and jobs are in the ledger anyway,
//! and the other requests are left there, each under a name of its own, as a *notice* with a random number: whoever sees
//! a number that it has not seen does what the notice says. So nothing is lost if an instance is asked while another one
//! is away for a moment, and no instance needs to reach another.
//!
//! One fact changes with every notice, so that instances that follow the news read one fact a second.

use std::{collections::HashMap, sync::Arc, time::Duration};

use actix::Addr;
use log::{info, warn};
use mynah_actors::{
    pauses::{self, Pauses},
    pipeline::PipelineHandle,
    router::{ReloadLines, Router, Unblock},
    supervision::{ActorRef, Supervisor, supervisor::Restart},
};
use mynah_domain::{
    TargetId,
    ports::{Ledger, LedgerError},
};
use tokio::sync::{mpsc, oneshot, watch};

use super::configured::Configured;
use crate::http::ReloadRequest;

/// How often to look for news.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The fact that changes with every notice.
const NEWS: &str = "news";

/// Something for all instances to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something was paused or resumed; the ledger says what.
    Pauses,
    /// Jobs were changed; the ledger says which.
    Jobs,
    /// Read the settings again.
    Reload,
    /// Run this many translators.
    PoolSize(usize),
    /// Restart the actor with this name.
    Restart(String),
    /// Resume the account of this target if it is blocked.
    Unblock(TargetId),
}

impl Notice {
    /// The fact that the notice is left in. A newer one takes the place of an older one that means the same.
    fn fact(&self) -> Option<String> {
        match self {
            Self::Pauses => None,
            Self::Jobs => Some(JOBS.into()),
            Self::Reload => Some(RELOAD.into()),
            Self::PoolSize(_) => Some(POOL.into()),
            Self::Restart(actor) => Some(restart(actor)),
            Self::Unblock(target) => Some(unblock(target)),
        }
    }
}

const JOBS: &str = "news:jobs";
const RELOAD: &str = "news:reload";
const POOL: &str = "news:pool";

fn restart(actor: &str) -> String {
    format!("news:restart:{actor}")
}

fn unblock(target: &TargetId) -> String {
    format!("news:unblock:{target}")
}

/// Where notices are left. Clones share it.
#[derive(Clone)]
pub struct News {
    ledger: Arc<dyn Ledger>,
    /// Whether there may be other instances.
    is_shared: bool,
    /// What the numbers of this instance's notices begin with. It has done what they say already.
    own: u64,
}

impl News {
    /// Creates news in a ledger. Without other instances, there are none.
    pub fn new(ledger: Arc<dyn Ledger>, is_shared: bool) -> Self {
        Self { ledger, is_shared, own: fastrand::u64(..) }
    }

    /// Leaves a notice for the other instances.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn leave(&self, notice: &Notice) -> Result<(), LedgerError> {
        if !self.is_shared {
            return Ok(());
        }
        let number = format!("{:016x}-{:016x}", self.own, fastrand::u64(..));
        if let Some(fact) = notice.fact() {
            let value = match notice {
                Notice::PoolSize(size) => format!("{number} {size}"),
                _ => number.clone(),
            };
            self.ledger.remember(&fact, &value).await?;
        }
        // Written last: whoever sees it finds the rest.
        self.ledger.remember(NEWS, &number).await
    }

    fn is_own(&self, value: &str) -> bool {
        value.starts_with(&format!("{:016x}-", self.own))
    }

    /// Calls `act` for the new notices of other instances among these facts. A notice counts as seen once `act` succeeds.
    /// The first time, this only takes note of what is old.
    async fn read(
        &self,
        facts: Vec<String>,
        seen: &mut Option<Seen>,
        act: impl AsyncFn(&str, &str) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let mut found = Vec::new();
        for fact in facts {
            let value = self.ledger.fact(&fact).await?;
            found.extend(value.map(|value| (fact, value)));
        }
        let Some(seen) = seen else {
            *seen = Some(found.into_iter().collect());
            return Ok(());
        };
        for (fact, value) in found {
            if seen.get(&fact) != Some(&value) {
                if !self.is_own(&value) {
                    act(&fact, &value).await?;
                }
                seen.insert(fact, value);
            }
        }
        Ok(())
    }
}

/// Does what the notices of other instances say.
pub struct Follower {
    /// The news.
    pub news: News,
    /// What is paused.
    pub pauses: Pauses,
    /// The settings in force.
    pub configured: watch::Receiver<Configured>,
    /// The router.
    pub router: ActorRef<Router>,
    /// The supervisor.
    pub supervisor: Addr<Supervisor>,
    /// The pipeline.
    pub pipeline: PipelineHandle,
    /// Asks for a reload.
    pub reload: mpsc::Sender<ReloadRequest>,
}

/// The values of facts as they were last seen.
type Seen = HashMap<String, String>;

impl Follower {
    /// Follows the news for as long as it is polled; returns at once if there are no other instances.
    pub async fn follow(self) {
        if !self.news.is_shared {
            return;
        }
        let mut seen = None;
        loop {
            // A ledger that does not answer is reported elsewhere.
            match self.look(&mut seen).await {
                Ok(()) => {}
                Err(error) => log::debug!(reason:% = error; "news not read"),
            }
            actix_rt::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Looks for news. What fails is tried again the next time.
    async fn look(&self, seen: &mut Option<Seen>) -> Result<(), LedgerError> {
        let newest = self.news.ledger.fact(NEWS).await?;
        if seen.as_ref().is_some_and(|seen| seen.get(NEWS) == newest.as_ref()) {
            return Ok(());
        }
        self.recall_pauses().await?;
        let facts = self.facts().await;
        self.news.read(facts, seen, async |fact, value| self.act(fact, value).await).await?;
        if let (Some(seen), Some(newest)) = (seen, newest) {
            seen.insert(NEWS.to_owned(), newest);
        }
        Ok(())
    }

    /// The facts of all notices that concern this instance.
    async fn facts(&self) -> Vec<String> {
        let actors = self.pipeline.actor_names().await;
        let targets = self.targets();
        let fixed = [JOBS, RELOAD, POOL].map(str::to_owned);
        let actors = actors.iter().map(|actor| restart(actor));
        fixed.into_iter().chain(actors).chain(targets.iter().map(unblock)).collect()
    }

    async fn act(&self, fact: &str, value: &str) -> Result<(), LedgerError> {
        match fact {
            JOBS => self.router.ask_until_answered(ReloadLines).await?,
            RELOAD => {
                info!("settings reload requested by another instance");
                let (sender, _) = oneshot::channel();
                // A service that stops reads no settings.
                let _ = self.reload.send(ReloadRequest(sender)).await;
            }
            POOL => {
                let size = value.split_whitespace().nth(1).and_then(|size| size.parse().ok());
                if let Some(size) = size {
                    let _ = self.pipeline.resize(size).await;
                }
            }
            fact => self.act_on_named(fact).await,
        }
        Ok(())
    }

    async fn act_on_named(&self, fact: &str) {
        if let Some(actor) = fact.strip_prefix(&restart("")) {
            // It may run on another instance.
            let _ = self.supervisor.send(Restart(actor.to_owned())).await;
            return;
        }
        let targets = self.targets();
        if let Some(target) = targets.into_iter().find(|target| unblock(target) == fact) {
            self.router.ask_until_answered(Unblock { target }).await;
        }
    }

    fn targets(&self) -> Vec<TargetId> {
        self.configured.borrow().targets.iter().map(|target| target.id.clone()).collect()
    }

    async fn recall_pauses(&self) -> Result<(), LedgerError> {
        let all = self.configured.borrow().names.pausable();
        let paused = pauses::recall(&*self.news.ledger, all.clone()).await?;
        for what in all {
            if paused.contains(&what) {
                if self.pauses.pause(what.clone()) {
                    info!(what:%; "paused by operator");
                }
            } else if self.pauses.resume(&what) {
                info!(what:%; "resumed by operator");
            }
        }
        Ok(())
    }
}

/// Leaves a notice after something was done that stands in any case.
pub async fn tell(news: &News, notice: &Notice) {
    if let Err(error) = news.leave(notice).await {
        warn!(reason:% = error; "other instances not told");
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use mynah_domain::ports::SystemClock;

    use super::*;

    #[actix_rt::test]
    async fn a_notice_of_another_instance_is_tried_until_it_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = crate::ledger::open(&folder.path().join("ledger"), Arc::new(SystemClock)).unwrap();
        let [one, two] = [(); 2].map(|()| News::new(ledger.clone(), true));
        let (mut seen, done) = (None, RefCell::new(Vec::new()));
        let mut read = async |succeeds: bool| {
            let facts = vec![JOBS.to_owned(), POOL.to_owned()];
            let act = async |fact: &str, _: &str| {
                done.borrow_mut().push(fact.to_owned());
                if succeeds { Ok(()) } else { Err(LedgerError::Retryable("it is away".into())) }
            };
            one.read(facts, &mut seen, act).await.is_ok()
        };
        two.leave(&Notice::PoolSize(2)).await.unwrap();
        assert!(read(true).await && done.take().is_empty(), "it is old");
        two.leave(&Notice::Jobs).await.unwrap();
        one.leave(&Notice::PoolSize(3)).await.unwrap();
        assert!(!read(false).await && read(true).await && read(true).await);
        assert_eq!(done.take(), [JOBS, JOBS]);
    }
}
