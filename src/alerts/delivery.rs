//! Sends each receiver what it does not know yet, one message at a time. After a failure it waits, longer each time, and then
//! sends what is true by then.

use std::{cell::Cell, rc::Rc, time::Duration};

use jiff::Timestamp;
use log::{info, warn};
use mynah_domain::backoff::Backoff;
use tokio::sync::{Notify, watch};

use super::{
    message::Message,
    observer::Troubles,
    receivers::{self, Receiver},
    record::Policy,
    store::Store,
};

/// The waits after a failure: a receiver may be down for a day.
const BACKOFF: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_mins(15) };

/// What all receivers share.
pub(super) struct Desk {
    pub(super) store: Store,
    pub(super) policy: Policy,
    /// This process, among those that share the record.
    pub(super) me: String,
    pub(super) troubles: Troubles,
    /// Changes with every look.
    pub(super) looked: watch::Sender<()>,
    /// Wakes whoever waits until a message was answered.
    pub(super) delivered: Notify,
    /// How many messages are on their way.
    pub(super) sending: Cell<usize>,
    /// Whether no more messages may be sent.
    pub(super) is_stopping: Cell<bool>,
}

/// Sends a receiver its messages, for as long as it is polled.
pub(super) async fn run(receiver: Rc<dyn Receiver>, desk: Rc<Desk>) {
    let mut looked = desk.looked.subscribe();
    let mut failures = 0;
    loop {
        looked.borrow_and_update();
        match desk.send_next(&*receiver, failures).await {
            Next::Nothing => {
                // The desk has the sender, so this waits for the next look.
                let _ = looked.changed().await;
            }
            Next::Delivered => failures = 0,
            Next::Failed(wait) => {
                failures += 1;
                actix_rt::time::sleep(wait).await;
            }
        }
    }
}

/// What became of the next message.
enum Next {
    Nothing,
    Delivered,
    /// It was not taken; how long to wait.
    Failed(Duration),
}

impl Desk {
    async fn send_next(&self, receiver: &dyn Receiver, failures: u32) -> Next {
        if self.is_stopping.get() {
            return Next::Nothing;
        }
        self.sending.update(|sending| sending + 1);
        let next = self.claim_and_send(receiver, failures).await;
        self.sending.update(|sending| sending.saturating_sub(1));
        self.delivered.notify_waiters();
        next
    }

    async fn claim_and_send(&self, receiver: &dyn Receiver, failures: u32) -> Next {
        let name = receiver.name();
        let claimed = self.store.update(|record| {
            let (key, state) = record.claim(name, &self.me, Timestamp::now(), self.policy.repeat)?;
            let message = Message::about(record.entries.get(&key)?, name, state);
            Some((key, state, message))
        });
        let Some((key, state, message)) = claimed.await else { return Next::Nothing };
        let Message { cause, about, .. } = &message;
        match receivers::deliver(receiver, &message).await {
            Ok(_) => {
                self.store.update(|record| record.delivered(&key, name, state, Timestamp::now())).await;
                self.troubles.set(name, None);
                info!(receiver = name, cause = cause.as_str(), about = about.as_str(), state = state.as_str(); "alert sent");
                Next::Delivered
            }
            Err(error) => {
                self.store.update(|record| record.not_delivered(&key, name)).await;
                let attempt = failures.saturating_add(1);
                let wait = BACKOFF.pause(attempt, fastrand::f64(), error.wait).min(BACKOFF.max);
                self.troubles.set(name, Some(error.reason.clone()));
                warn!(receiver = name, cause = cause.as_str(), about = about.as_str(), attempt = attempt, wait:? = wait, reason:% = error; "alert not sent; retry scheduled");
                Next::Failed(wait)
            }
        }
    }
}
