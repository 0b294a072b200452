//! The events of the log stream as they are before they become lines: the last of them are kept, and whoever looks in by the
//! admin API hears those that come. Nobody who looks can slow the service down: who cannot keep up misses some.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use log::kv::{self, VisitSource};
use serde_json::Value;
use tokio::sync::broadcast;

use super::outside::bounded;

/// How many are kept, which take some hundred kilobytes at most.
const KEPT: usize = 256;

/// How many may come before whoever looks has read one.
const AHEAD: usize = 1024;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number since the service was started, from 1 on.
    pub number: u64,
    /// When, as RFC 3339 in UTC.
    pub time: String,
    /// How grave.
    pub level: log::Level,
    /// Who speaks, `router`.
    pub module: String,
    /// Its name.
    pub name: String,
    /// What differs, in order; numbers as numbers.
    pub fields: Vec<(String, Value)>,
}

impl Event {
    /// The event of a record.
    pub fn of(record: &log::Record<'_>, time: String) -> Self {
        let mut fields = Fields(Vec::new());
        // Collecting into a vector cannot fail.
        let _ = record.key_values().visit(&mut fields);
        Self {
            number: 0,
            time,
            level: record.level(),
            module: module(record.target()).to_owned(),
            name: bounded(&record.args().to_string()),
            fields: fields.0,
        }
    }
}

/// Who speaks, without the crate that it is in.
fn module(target: &str) -> &str {
    let ours = ["mynah_actors::", "mynah::"].into_iter().find_map(|krate| target.strip_prefix(krate));
    ours.unwrap_or(target)
}

/// The fields of a record.
struct Fields(Vec<(String, Value)>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let told = (value.to_u64().map(Value::from))
            .or_else(|| value.to_i64().map(Value::from))
            .or_else(|| value.to_bool().map(Value::from))
            .or_else(|| value.to_f64().map(Value::from))
            .unwrap_or_else(|| bounded(&value.to_string()).into());
        self.0.push((key.to_string(), told));
        Ok(())
    }
}

/// What was logged and will be.
#[derive(Debug)]
pub struct Events {
    kept: Mutex<Kept>,
    coming: broadcast::Sender<Arc<Event>>,
}

#[derive(Debug, Default)]
struct Kept {
    last: VecDeque<Arc<Event>>,
    number: u64,
}

impl Events {
    fn new() -> Self {
        Self { kept: Mutex::default(), coming: broadcast::Sender::new(AHEAD) }
    }

    /// Those of this process.
    pub fn of_this_process() -> &'static Self {
        static EVENTS: OnceLock<Events> = OnceLock::new();
        EVENTS.get_or_init(Self::new)
    }

    /// Keeps an event, and tells it to whoever looks.
    pub(super) fn add(&self, mut event: Event) -> Arc<Event> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.number += 1;
        event.number = kept.number;
        let event = Arc::new(event);
        if kept.last.len() >= KEPT {
            kept.last.pop_front();
        }
        kept.last.push_back(event.clone());
        // Under the lock, so that whoever begins to look misses none and hears none twice. Nobody may look.
        let _ = self.coming.send(event.clone());
        event
    }

    /// Those kept that came after that number, and all that come from now on.
    pub fn after(&self, number: u64) -> (Vec<Arc<Event>>, broadcast::Receiver<Arc<Event>>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // A number that was never given is one of an earlier process.
        let number = if number > kept.number { 0 } else { number };
        let last = kept.last.iter().filter(|event| event.number > number).cloned().collect();
        (last, self.coming.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str) -> Event {
        let args = format_args!("{name}");
        Event::of(&log::Record::builder().args(args).build(), "T".into())
    }

    #[test]
    fn no_field_is_longer_than_a_line_of_a_log_should_be() {
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
    fn who_looks_sees_the_last_and_then_each_that_comes_once() {
        let events = Events::new();
        for number in 0..KEPT + 10 {
            events.add(event(&number.to_string()));
        }
        let (last, mut coming) = events.after(0);
        assert_eq!((last.len(), last[0].number), (KEPT, 11));
        events.add(event("next"));
        assert_eq!(coming.try_recv().unwrap().name, "next");
        assert!(coming.try_recv().is_err());
        let (last, _) = events.after(last.last().unwrap().number);
        assert_eq!(last.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["next"]);
        assert_eq!(events.after(u64::MAX).0.len(), KEPT, "a number of an earlier process");
    }
}
