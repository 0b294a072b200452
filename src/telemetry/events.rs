//! Clients of the admin API want to see the latest log events and follow new ones. This module keeps a bounded number
//! of events and broadcasts new ones. A slow client never slows down the service: it misses events instead.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use log::kv::{self, VisitSource};
use serde_json::Value;
use tokio::sync::broadcast;

use super::outside::bounded;

/// How many events to keep; they take a few hundred kilobytes at most.
const CAPACITY: usize = 256;

/// How many regular measurements to keep. They have a place of their own, or in a quiet service nothing else would be
/// left after a while.
const STATS_CAPACITY: usize = 32;

/// How many events a client may fall behind before it misses some.
const MAX_LAG: usize = 1024;

/// One log event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number since the start of the service, from 1.
    pub number: u64,
    /// The time, as RFC 3339 in UTC.
    pub time: String,
    /// The severity.
    pub level: log::Level,
    /// The module that logged it, such as `router`.
    pub module: String,
    /// Its name.
    pub name: String,
    /// The fields, in order; numbers stay numbers.
    pub fields: Vec<(String, Value)>,
}

impl Event {
    /// Whether it is the line of measurements that is logged every `stats.interval`.
    pub fn is_stats(&self) -> bool {
        self.name == "stats" && self.module == "stats"
    }

    /// Converts a log record.
    pub fn of(record: &log::Record<'_>, time: String) -> Self {
        let mut fields = Fields(Vec::new());
        // Collecting into a vector cannot fail.
        let _ = record.key_values().visit(&mut fields);
        Self {
            number: 0,
            time,
            level: record.level(),
            module: module(record.target()).to_owned(),
            name: record.args().as_str().map_or_else(|| bounded(&record.args().to_string()), bounded),
            fields: fields.0,
        }
    }
}

/// The module without its crate.
fn module(target: &str) -> &str {
    let ours = ["mynah_actors::", "mynah::"].into_iter().find_map(|krate| target.strip_prefix(krate));
    ours.unwrap_or(target)
}

/// The fields of a record.
struct Fields(Vec<(String, Value)>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let value = (value.to_borrowed_str().map(|text| bounded(text).into()))
            .or_else(|| value.to_u64().map(Value::from))
            .or_else(|| value.to_i64().map(Value::from))
            .or_else(|| value.to_bool().map(Value::from))
            .or_else(|| value.to_f64().map(Value::from))
            .unwrap_or_else(|| bounded(&value.to_string()).into());
        self.0.push((key.as_str().to_owned(), value));
        Ok(())
    }
}

/// The latest events, and a broadcast of new ones.
#[derive(Debug)]
pub struct Events {
    recent: Mutex<Recent>,
    new: broadcast::Sender<Arc<Event>>,
}

#[derive(Debug, Default)]
struct Recent {
    events: VecDeque<Arc<Event>>,
    stats: VecDeque<Arc<Event>>,
    number: u64,
}

impl Events {
    fn new() -> Self {
        Self { recent: Mutex::default(), new: broadcast::Sender::new(MAX_LAG) }
    }

    /// Drops the stored events about a post, whose reasons may quote it.
    pub fn forget(&self, post: &str) {
        let is_about =
            |event: &Event| event.fields.iter().any(|(name, value)| name == "post" && *value == post);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.events.retain(|event| !is_about(event));
    }

    /// The events of this process.
    pub fn global() -> &'static Self {
        static EVENTS: OnceLock<Events> = OnceLock::new();
        EVENTS.get_or_init(Self::new)
    }

    /// Stores an event and sends it to all followers.
    pub(super) fn add(&self, mut event: Event) -> Arc<Event> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.number += 1;
        event.number = recent.number;
        let event = Arc::new(event);
        let (kept, capacity) = if event.is_stats() {
            (&mut recent.stats, STATS_CAPACITY)
        } else {
            (&mut recent.events, CAPACITY)
        };
        if kept.len() >= capacity {
            kept.pop_front();
        }
        kept.push_back(event.clone());
        // Sent under the lock, so that a new follower misses none and sees none twice. Without followers it fails.
        let _ = self.new.send(event.clone());
        event
    }

    /// The stored events after `number`, and a receiver of all events from now on.
    pub fn after(&self, number: u64) -> (Vec<Arc<Event>>, broadcast::Receiver<Arc<Event>>) {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        // A number that does not exist yet is from an earlier process.
        let number = if number > recent.number { 0 } else { number };
        let kept = recent.events.iter().chain(&recent.stats);
        let mut last: Vec<_> = kept.filter(|event| event.number > number).cloned().collect();
        last.sort_unstable_by_key(|event| event.number);
        (last, self.new.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str) -> Event {
        let args = format_args!("{name}");
        Event::of(&log::Record::builder().args(args).target("mynah::stats").build(), "T".into())
    }

    #[test]
    fn measurements_displace_no_other_event() {
        let events = Events::new();
        events.add(event("job published"));
        for _ in 0..2 * CAPACITY {
            events.add(event("stats"));
        }
        events.add(event("job held"));
        let (last, _) = events.after(0);
        assert_eq!(last.len(), STATS_CAPACITY + 2);
        assert!(last.is_sorted_by_key(|event| event.number));
        let names = [&*last[0].name, &*last[1].name, &*last.last().unwrap().name];
        assert_eq!(names, ["job published", "stats", "job held"]);
    }

    #[test]
    fn long_fields_are_cut() {
        let long = "é".repeat(2_000_000);
        for (value, is_cut) in [("short", false), (long.as_str(), true)] {
            let fields = [("reason", kv::Value::from(value)), ("other", kv::Value::from_display(&value))];
            let args = format_args!("{value}");
            let event = Event::of(&log::Record::builder().args(args).key_values(&fields).build(), "T".into());
            let texts = event.fields.iter().filter_map(|(_, value)| value.as_str());
            for text in texts.chain([event.name.as_str()]) {
                assert_eq!(text.ends_with('…'), is_cut);
                assert!(text.chars().count() <= 1001);
            }
        }
    }

    #[test]
    fn a_follower_sees_the_latest_events_and_then_each_new_one_once() {
        let events = Events::new();
        for number in 0..CAPACITY + 10 {
            events.add(event(&number.to_string()));
        }
        let (last, mut new) = events.after(0);
        assert_eq!((last.len(), last[0].number), (CAPACITY, 11));
        events.add(event("next"));
        assert_eq!(new.try_recv().unwrap().name, "next");
        assert!(new.try_recv().is_err());
        let (last, _) = events.after(last.last().unwrap().number);
        assert_eq!(last.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["next"]);
        assert_eq!(events.after(u64::MAX).0.len(), CAPACITY, "the number is from an earlier process");
    }
}
