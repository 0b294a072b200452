//! The line of measurements has some sixty fields, which hide every other event on a terminal. There, a person wants to
//! see what has changed since the last line, and how fast. All fields stay in JSON, and in text that goes to a file or
//! a container's log.

use std::collections::HashMap;

use serde_json::Value;

use super::events::Event;

/// Groups of measurements that follow from the others, or that matter only to somebody who looks for them.
const DETAILS: [&str; 11] = [
    "cache.get.",
    "cache.shared.claim.",
    "cache.shared.get.",
    "cache.shared.ping.",
    "cache.shared.put.",
    "cache.shared.release.",
    "cache.shared.remove.",
    "ledger.",
    "post.",
    "publisher.",
    "items.",
];

/// Shortens the lines of measurements of one service.
#[derive(Debug, Default)]
pub struct StatsDigest {
    /// The counts in the line before.
    before: HashMap<String, u64>,
}

impl StatsDigest {
    /// Shortens an event that has measurements; returns others as they are.
    #[must_use]
    pub fn shorten(&mut self, event: Event) -> Event {
        if !event.is_stats() {
            return event;
        }
        let counts: HashMap<String, u64> =
            event.fields.iter().filter_map(|(name, value)| Some((name.clone(), value.as_u64()?))).collect();
        let uptime = |counts: &HashMap<String, u64>| counts.get("uptime_s").copied().unwrap_or_default();
        if uptime(&counts) < uptime(&self.before) {
            // The counts began again.
            self.before.clear();
        }
        let seconds = uptime(&counts) - uptime(&self.before);
        let mut fields = vec![("seconds".to_owned(), Value::from(seconds))];
        fields.extend(event.fields.iter().filter_map(|(name, value)| {
            let growth = value.as_u64()?.checked_sub(self.before.get(name).copied().unwrap_or_default())?;
            (growth > 0).then_some((counted(name)?, growth_in(growth, seconds).into()))
        }));
        let state = |name: &String| name == "rss_mb" || name == "cpu_percent";
        fields.extend(event.fields.iter().filter(|(name, _)| state(name)).cloned());
        self.before = counts;
        Event { fields, ..event }
    }
}

/// The short name of a count of calls, errors or events; none for other measurements and for details.
fn counted(name: &str) -> Option<String> {
    let is_level = ["uptime_s", "rss_mb", "rss_max_mb", "cpu_percent", "cpu_mean_percent"].contains(&name);
    if is_level || name.ends_with("_ms") || DETAILS.iter().any(|detail| name.starts_with(detail)) {
        return None;
    }
    Some(name.strip_suffix(".calls").unwrap_or(name).to_owned())
}

/// `+12(0.4/s)`
#[expect(clippy::cast_precision_loss, reason = "no count reaches 2^53")]
fn growth_in(growth: u64, seconds: u64) -> String {
    match seconds {
        0 => format!("+{growth}"),
        _ => format!("+{growth}({:.1}/s)", growth as f64 / seconds as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::logging::text_line, *};

    fn stats(fields: &[(&str, f64)]) -> Event {
        let args = format_args!("stats");
        let record = log::Record::builder().args(args).target("mynah::stats").build();
        let number = |value: f64| match value.fract() {
            0.0 => Value::from(value.to_string().parse::<u64>().unwrap()),
            _ => Value::from(value),
        };
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), number(*value))).collect();
        Event { fields, ..Event::of(&record, "T".into()) }
    }

    #[test]
    fn a_line_shows_what_has_changed_and_how_fast() {
        let mut digest = StatsDigest::default();
        let mut line = |uptime: f64, published: f64, calls: f64, errors: f64| {
            text_line(&digest.shorten(stats(&[
                ("uptime_s", uptime),
                ("rss_mb", 52.0),
                ("rss_max_mb", 60.0),
                ("cpu_percent", 29.5),
                ("cpu_mean_percent", 14.5),
                ("jobs.published", published),
                ("ledger.commit.calls", uptime * 10.0),
                ("x.post.calls", calls),
                ("x.post.errors", errors),
                ("x.post.p99_ms", calls * 2.0),
            ])))
        };
        let start = "T INFO  stats stats";
        assert_eq!(
            line(30.0, 12.0, 15.0, 3.0),
            format!(
                "{start} seconds=30 jobs.published=+12(0.4/s) x.post=+15(0.5/s) x.post.errors=+3(0.1/s) rss_mb=52 \
                 cpu_percent=29.5"
            )
        );
        assert_eq!(
            line(60.0, 12.0, 15.0, 3.0),
            format!("{start} seconds=30 rss_mb=52 cpu_percent=29.5"),
            "nothing has changed"
        );
        assert_eq!(
            line(10.0, 1.0, 0.0, 0.0),
            format!("{start} seconds=10 jobs.published=+1(0.1/s) rss_mb=52 cpu_percent=29.5"),
            "the counts began again"
        );
    }

    #[test]
    fn other_events_stay_as_they_are() {
        let record =
            log::Record::builder().args(format_args!("job published")).target("mynah::router").build();
        let event = Event::of(&record, "T".into());
        assert_eq!(StatsDigest::default().shorten(event.clone()), event);
    }
}
