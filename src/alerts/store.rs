//! The record is a fact in the ledger. Several instances may change it at once, so each change is made to what the fact
//! was, and stored only if it still is that; otherwise the change is made again.
//!
//! Alerts matter most when the ledger does not answer. Then changes are made to a copy in memory. Once the ledger answers
//! again, the copy is merged with the fact, which other instances may have changed, or which was never read.

use std::{sync::Arc, time::Duration};

use actix_rt::time::timeout;
use log::{info, warn};
use mynah_domain::ports::{Facts, LedgerError};
use tokio::sync::Mutex;

use super::record::Record;

/// The fact with the record.
const FACT: &str = "alerts";

/// How long to wait for the ledger.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How often to make a change again because another instance was faster.
const TRIES: u32 = 20;

/// Where the record is.
pub(super) struct Store {
    ledger: Arc<dyn Facts>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// What the ledger had when it last answered; nothing before that.
    stored: Record,
    /// The same with the changes that the ledger lacks.
    record: Record,
    /// Whether there may be such changes.
    is_ahead: bool,
}

impl Store {
    pub(super) fn new(ledger: Arc<dyn Facts>) -> Self {
        Self { ledger, memory: Mutex::default() }
    }

    /// Changes the record. `change` may be called several times, each time with the record as it is then.
    pub(super) async fn update<T>(&self, mut change: impl FnMut(&mut Record) -> T) -> T {
        let mut memory = self.memory.lock().await;
        for _ in 0..TRIES {
            let Some(stored) = self.ask(self.ledger.fact(FACT)).await else { break };
            let in_ledger = parsed(stored.as_deref()).unwrap_or_default();
            let record = if memory.is_ahead {
                in_ledger.clone().merged(&memory.stored, &memory.record)
            } else {
                in_ledger.clone()
            };
            *memory = Memory { stored: in_ledger, record, ..*memory };
            let mut after = memory.record.clone();
            let result = change(&mut after);
            let is_stored = after == memory.stored || {
                let text = written(&after);
                match self.ask(self.ledger.replace(FACT, stored.as_deref(), &text)).await {
                    Some(is_stored) => is_stored,
                    None => break,
                }
            };
            if is_stored {
                if memory.is_ahead {
                    info!("alert record stored again");
                }
                *memory = Memory { stored: after.clone(), record: after, is_ahead: false };
                return result;
            }
        }
        if !memory.is_ahead {
            warn!("alert record not stored");
        }
        memory.is_ahead = true;
        change(&mut memory.record)
    }

    /// The ledger's answer, if it comes in time.
    async fn ask<T>(&self, call: impl Future<Output = Result<T, LedgerError>>) -> Option<T> {
        timeout(PATIENCE, call).await.ok()?.ok()
    }
}

/// The record in a ledger.
///
/// # Errors
/// The ledger cannot be read.
pub(super) async fn read(ledger: &dyn Facts) -> Result<Record, LedgerError> {
    Ok(parsed(ledger.fact(FACT).await?.as_deref()).unwrap_or_default())
}

/// A record that cannot be read is as none: at worst, a message is sent twice.
fn parsed(text: Option<&str>) -> Option<Record> {
    let text = text.filter(|text| !text.is_empty())?;
    serde_json::from_str(text).inspect_err(|error| warn!(reason:% = error; "alert record unreadable")).ok()
}

fn written(record: &Record) -> String {
    // A struct of texts and times always serializes.
    serde_json::to_string(record).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::alerts::{
        record::State,
        testing::{MemoryFacts, condition, observe},
    };

    fn store(ledger: &Arc<dyn Facts>) -> Store {
        Store::new(ledger.clone())
    }

    #[actix_rt::test]
    async fn two_instances_that_change_the_record_lose_nothing() {
        let (_folder, ledger) = crate::alerts::testing::ledger();
        let [one, two] = [store(&ledger), store(&ledger)];
        for (store, about) in [(&one, "net:a"), (&two, "net:b"), (&one, "net:c")] {
            store.update(|record| observe(record, 0, &[condition(about)])).await;
        }
        let keys: Vec<String> = read(&*ledger).await.unwrap().entries.into_keys().collect();
        assert_eq!(keys, ["account_blocked net:a", "account_blocked net:b", "account_blocked net:c"]);
    }

    #[actix_rt::test]
    async fn only_one_of_two_instances_may_send_a_message() {
        let (_folder, ledger) = crate::alerts::testing::ledger();
        let [one, two] = [store(&ledger), store(&ledger)];
        one.update(|record| observe(record, 0, &[condition("net:a")])).await;
        one.update(|record| observe(record, 60, &[condition("net:a")])).await;
        let claim = async |store: &Store, me: &str| {
            let now = crate::alerts::testing::at(61);
            store.update(|record| record.claim("mail", me, now, Duration::from_hours(24))).await
        };
        let claims = futures_util::join!(claim(&one, "one"), claim(&two, "two"));
        assert!(matches!(claims, (Some(_), None) | (None, Some(_))), "{claims:?}");
    }

    #[actix_rt::test]
    async fn without_the_ledger_the_record_is_in_memory_and_is_stored_later() {
        let ledger = Arc::new(MemoryFacts::default());
        let store = Store::new(ledger.clone());
        store.update(|record| observe(record, 0, &[condition("net:a")])).await;
        ledger.goes();
        store.update(|record| observe(record, 1, &[condition("net:a"), condition("net:b")])).await;
        assert_eq!(store.update(|record| record.entries.len()).await, 2);
        ledger.returns();
        assert_eq!(read(&*ledger).await.unwrap().entries.len(), 1);
        store.update(|_| ()).await;
        assert_eq!(read(&*ledger).await.unwrap().entries.len(), 2);
    }

    /// A ledger with a record of two blocked accounts, of which the receiver knows.
    async fn with_two_alerts() -> Arc<MemoryFacts> {
        let ledger = Arc::new(MemoryFacts::default());
        let store = Store::new(ledger.clone());
        for second in [0, 60] {
            store.update(|record| observe(record, second, &[condition("net:a"), condition("net:b")])).await;
        }
        assert_eq!(send_all(&store, 61).await, [State::Began, State::Began]);
        ledger
    }

    /// Sends a receiver all that it must be sent.
    async fn send_all(store: &Store, second: i64) -> Vec<State> {
        let mut sent = Vec::new();
        let now = crate::alerts::testing::at(second);
        let next = async || {
            store
                .update(|record| {
                    let (key, state) = record.claim("mail", "me", now, Duration::from_hours(24))?;
                    record.delivered(&key, "mail", state, now);
                    Some(state)
                })
                .await
        };
        while let Some(state) = next().await {
            sent.push(state);
        }
        sent
    }

    #[actix_rt::test]
    async fn a_ledger_that_is_slow_at_first_keeps_what_is_on_record() {
        tokio::time::pause();
        let ledger = with_two_alerts().await;
        ledger.hangs();
        let store = Store::new(ledger.clone());
        store.update(|record| observe(record, 100, &[condition("net:a"), condition("net:c")])).await;
        ledger.returns();
        store.update(|record| observe(record, 110, &[condition("net:a"), condition("net:c")])).await;
        assert_eq!(send_all(&store, 110).await, [], "nothing is sent twice");
        store.update(|record| observe(record, 200, &[condition("net:a"), condition("net:c")])).await;
        assert_eq!(send_all(&store, 200).await, [State::Over, State::Began]);
        let keys: Vec<String> = read(&*ledger).await.unwrap().entries.into_keys().collect();
        assert_eq!(keys, ["account_blocked net:a", "account_blocked net:b", "account_blocked net:c"]);
    }

    #[actix_rt::test]
    async fn an_instance_that_lost_the_ledger_does_not_undo_what_another_sent_meanwhile() {
        let ledger = with_two_alerts().await;
        let away = Arc::new(Link { ledger: ledger.clone(), is_cut: AtomicBool::new(false) });
        let (one, two) = (Store::new(away.clone()), Store::new(ledger.clone()));
        one.update(|_| ()).await;
        away.is_cut.store(true, Ordering::Relaxed);
        let now = [condition("net:a"), condition("net:c")];
        one.update(|record| observe(record, 100, &now)).await;
        for second in [100, 160] {
            two.update(|record| observe(record, second, &now)).await;
        }
        assert_eq!(send_all(&two, 160).await, [State::Over, State::Began]);
        two.update(|record| observe(record, 161, &now)).await;
        one.update(|record| observe(record, 161, &now)).await;
        away.is_cut.store(false, Ordering::Relaxed);
        one.update(|record| observe(record, 162, &now)).await;
        assert_eq!(send_all(&one, 162).await, []);
        let keys: Vec<String> = read(&*ledger).await.unwrap().entries.into_keys().collect();
        assert_eq!(keys, ["account_blocked net:a", "account_blocked net:c"]);
    }

    /// The connection of one instance to the ledger, which can be cut.
    struct Link {
        ledger: Arc<MemoryFacts>,
        is_cut: AtomicBool,
    }

    impl Link {
        fn ledger(&self) -> Result<&MemoryFacts, LedgerError> {
            let is_cut = self.is_cut.load(Ordering::Relaxed);
            if is_cut { Err(LedgerError::Fatal("it is away".into())) } else { Ok(&self.ledger) }
        }
    }

    #[async_trait(?Send)]
    impl Facts for Link {
        async fn fact(&self, key: &str) -> Result<Option<String>, LedgerError> {
            self.ledger()?.fact(key).await
        }

        async fn remember(&self, key: &str, value: &str) -> Result<(), LedgerError> {
            self.ledger()?.remember(key, value).await
        }

        async fn replace(&self, key: &str, expected: Option<&str>, new: &str) -> Result<bool, LedgerError> {
            self.ledger()?.replace(key, expected, new).await
        }
    }

    #[actix_rt::test]
    async fn a_record_that_cannot_be_read_is_as_none() {
        let (_folder, ledger) = crate::alerts::testing::ledger();
        ledger.remember(FACT, "{\"entries\": 7}").await.unwrap();
        assert_eq!(read(&*ledger).await.unwrap(), Record::default());
        store(&ledger).update(|record| observe(record, 0, &[condition("net:a")])).await;
        assert_eq!(read(&*ledger).await.unwrap().entries.len(), 1);
    }
}
