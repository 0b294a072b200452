//! Tells people what only they can fix, wherever they are: over a webhook or by mail. One message says that something is
//! wrong, one that it is over, and nothing about alerts ever holds up the pipeline.
//!
//! # Layout
//!
//! - [`causes`]: what may be wrong, found in a [`situation`], which the [`Observer`] reads from a running service;
//!   `silence` knows how often each source posts, and `disk` how much room is left.
//! - `record`: which messages were sent, and what is still to be sent; `store` has it in the ledger.
//! - [`message`]: what a message says; [`receivers`]: who gets it, and how; `delivery`: sends and retries.
//! - [`settings`]: the settings as the service uses them.
//!
//! Several instances may share a ledger. Each looks, the record is shared, and each message belongs to the instance that
//! claims it there first, so that it is sent once.

pub mod causes;
mod delivery;
mod disk;
pub mod message;
mod observer;
pub mod receivers;
mod record;
pub mod settings;
mod silence;
pub mod situation;
mod store;
#[cfg(test)]
mod testing;

use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};

use jiff::Timestamp;
use log::{info, warn};
use mynah_domain::ports::Facts;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

pub use causes::{Condition, Severity};
pub use observer::{Observer, report_of_ledger};
pub use record::{Entry, State};
pub use settings::AlertsSettings;

use causes::Past;
use delivery::Desk;
use observer::Doubts;
use record::{Look, Policy};
use store::Store;

/// The name of the receiver that sends mail.
pub const MAIL: &str = "mail";

/// How long a process that must stop waits until its receivers know.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How long a service that stops waits for answers to what it has sent.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// Alerts of a running service.
pub struct Alerts {
    settings: AlertsSettings,
    observer: Observer,
    receivers: Vec<&'static str>,
    desk: Rc<Desk>,
    watch: JoinHandle<()>,
    deliveries: Vec<JoinHandle<()>>,
}

impl Alerts {
    /// Starts to watch and to send; `None` if nobody is to be notified.
    pub fn start(settings: &AlertsSettings, observer: &Observer, ledger: Arc<dyn Facts>) -> Option<Self> {
        let receivers = receivers::all(settings);
        if receivers.is_empty() {
            return None;
        }
        let desk = Rc::new(Desk {
            store: Store::new(ledger),
            policy: Policy { settle: settings.settle, repeat: settings.repeat },
            me: observer.id.to_string(),
            troubles: observer.troubles.clone(),
            looked: watch::Sender::new(()),
            delivered: Notify::new(),
            sending: Cell::new(0),
            is_stopping: Cell::new(false),
        });
        let watch = Watch { observer: observer.clone(), desk: desk.clone(), interval: settings.interval };
        Some(Self {
            settings: settings.clone(),
            observer: observer.clone(),
            receivers: receivers.iter().map(|receiver| receiver.name()).collect(),
            watch: actix_rt::spawn(watch.run()),
            deliveries: receivers
                .into_iter()
                .map(|receiver| actix_rt::spawn(delivery::run(receiver, desk.clone())))
                .collect(),
            desk,
        })
    }

    /// Whether these are the settings that they work by.
    pub fn are_of(&self, settings: &AlertsSettings) -> bool {
        self.settings == *settings
    }

    /// Stops, after messages that are on their way were answered, if that does not take long. What was not sent is sent
    /// by the next start.
    pub async fn stop(self) {
        self.watch.abort();
        self.desk.is_stopping.set(true);
        let answered = async {
            loop {
                let delivered = self.desk.delivered.notified();
                if self.desk.sending.get() == 0 {
                    return;
                }
                delivered.await;
            }
        };
        // After that, a receiver may be sent the same message twice.
        let _ = actix_rt::time::timeout(LAST_ANSWERS, answered).await;
        for delivery in self.deliveries {
            delivery.abort();
        }
    }

    /// Reports that the service stops because a part of it could not go on, waits a while until all receivers know, and
    /// stops. A receiver that cannot be reached is notified by the next start.
    pub async fn stop_because(self, reason: &str) {
        self.observer.escalated(reason).await;
        self.watch.abort();
        let (observer, desk) = (self.observer.clone(), self.desk.clone());
        let watch = Watch { observer, desk, interval: self.settings.interval };
        let all_know = async {
            let conditions = watch.look().await;
            let key = conditions.iter().find(|condition| condition.cause.name == "actor_escalated");
            let Some(key) = key.map(Condition::key) else { return };
            loop {
                // Created before the record is read, so that no delivery is missed.
                let delivered = self.desk.delivered.notified();
                if self.desk.store.update(|record| record.is_known(&key, &self.receivers)).await {
                    return;
                }
                delivered.await;
            }
        };
        if actix_rt::time::timeout(LAST_WORDS, all_know).await.is_err() {
            warn!("alerts not sent before the end");
        }
        self.stop().await;
    }
}

/// Looks at the service, and records what it finds.
struct Watch {
    observer: Observer,
    desk: Rc<Desk>,
    interval: Duration,
}

impl Watch {
    async fn run(self) {
        loop {
            self.look().await;
            actix_rt::time::sleep(self.interval).await;
        }
    }

    /// Looks once. Returns what is wrong.
    async fn look(&self) -> Vec<Condition> {
        let doubts = self.desk.store.update(|record| Doubts::about(record)).await;
        let situation = self.observer.situation(&doubts).await;
        let (conditions, unknown) = causes::find(&situation);
        let seen_here = self.observer.found_so_far(&conditions);
        let is_over = |entry: &Entry| {
            let Entry { cause, about, .. } = entry;
            let past = Past {
                about,
                seen: entry.seen(),
                seen_here: seen_here.contains(&format!("{cause} {about}")),
            };
            // A version that knew another cause may have recorded it.
            causes::named(cause)
                .is_none_or(|cause| !unknown.contains(&cause.name) && (cause.is_over)(&situation, &past))
        };
        let look = Look {
            now: situation.now,
            watching_since: situation.watching_since,
            by: &self.observer.instance,
            interval: self.interval,
            conditions: &conditions,
            is_over: &is_over,
        };
        let (changes, over) = self
            .desk
            .store
            .update(|record| {
                let before = record.clone();
                let changes = record.observe(&look, self.desk.policy.settle);
                let over: Vec<_> =
                    changes.over.iter().filter_map(|key| before.entries.get(key).cloned()).collect();
                (changes, over)
            })
            .await;
        for condition in conditions.iter().filter(|condition| changes.began.contains(&condition.key())) {
            let (cause, about) = (condition.cause.name, condition.finding.about.as_str());
            let reason = message::clean(&condition.finding.summary);
            warn!(cause = cause, about = about, reason = reason.as_str(); "alert began");
        }
        for Entry { cause, about, .. } in &over {
            info!(cause = cause.as_str(), about = about.as_str(); "alert over");
        }
        self.desk.looked.send_replace(());
        conditions
    }
}

/// The time from one moment to another; none if the clock was set back.
fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}
