//! Counts what a run does, and reports it at the end.

use std::{collections::BTreeMap, fmt, time::Duration};

use mynah_actors::{events::Event, router::Drained};
use mynah_domain::TargetId;
use serde_json::json;

use crate::telemetry::logging::printable;

/// The results of a run.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) posts: u64,
    targets: BTreeMap<TargetId, Tally>,
    left: Drained,
    poll: Poll,
    /// Jobs in the ledger that wait for a person.
    unresolved: u64,
}

/// The run's poll of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Poll {
    /// New posts were read.
    #[default]
    Done,
    /// The source is followed from now on.
    First,
    /// An operator paused polling.
    Paused,
}

#[derive(Debug, Default)]
struct Tally {
    published: u64,
    /// The messages of the published jobs: a long translation has several.
    messages: u64,
    skipped: u64,
    /// Skipped by the publisher, after they were recorded as jobs to publish.
    repeated: u64,
    held: u64,
    failed: u64,
}

impl Tally {
    fn all_skipped(&self) -> u64 {
        self.skipped + self.repeated
    }
}

impl Summary {
    pub(super) fn count(&mut self, event: &Event) {
        match event {
            Event::Recorded(_, jobs, _) => {
                self.posts += 1;
                for (target, skip) in jobs {
                    self.tally(target).skipped += u64::from(skip.is_some());
                }
            }
            Event::Published(_, target, translation, _) => {
                let tally = self.tally(target);
                tally.published += 1;
                // A message without words has no part.
                tally.messages += translation.parts.len().max(1) as u64;
            }
            Event::Skipped(_, target, _) => self.tally(target).repeated += 1,
            Event::Held(_, target, _) => self.tally(target).held += 1,
            Event::Failed(_, target, _) => self.tally(target).failed += 1,
        }
    }

    fn tally(&mut self, target: &TargetId) -> &mut Tally {
        self.targets.entry(target.clone()).or_default()
    }

    pub(super) fn finish(&mut self, left: Drained, poll: Poll, unresolved: u64) {
        self.left = left;
        self.poll = poll;
        self.unresolved = unresolved;
    }

    /// Whether there was nothing to publish and nothing went wrong.
    fn had_nothing_to_do(&self) -> bool {
        let nothing_left = self.left.waiting.is_empty() && self.left.blocked.is_empty();
        self.posts == 0 && self.settled() == 0 && nothing_left && self.poll == Poll::Done
    }

    /// How many jobs are published, held, failed or skipped after all.
    pub(super) fn settled(&self) -> u64 {
        self.targets.values().map(|tally| tally.published + tally.held + tally.failed + tally.repeated).sum()
    }

    pub(super) fn published(&self) -> u64 {
        self.targets.values().map(|tally| tally.published).sum()
    }

    /// How many publications there are: messages on the accounts, which networks and caps count.
    fn publications(&self) -> u64 {
        self.targets.values().map(|tally| tally.messages).sum()
    }

    /// What an operator must fix before the rest can continue, if anything.
    pub(super) fn trouble(&self) -> Option<String> {
        let blocked = self.left.blocked.iter().map(|(target, why)| format!("{target}: {why}"));
        let waiting = self.left.waiting.iter().filter(|(_, (_, why))| !why.contains(" cap of "));
        let waiting = waiting
            .map(|(target, (jobs, why))| format!("{target}: {} waiting: {why}", count_of(*jobs as u64)));
        let poller = (self.poll == Poll::Paused).then(|| {
            "poller: paused, so no new posts were read; resume it with `mynah resume poller`".to_owned()
        });
        let all: Vec<String> = poller.into_iter().chain(blocked).chain(waiting).collect();
        (!all.is_empty()).then(|| {
            format!(
                "not everything could be published; nothing is lost, and the next run continues\n  {}",
                all.join("\n  ")
            )
        })
    }

    /// The summary for scripts.
    pub(super) fn to_json(&self, took: Duration) -> serde_json::Value {
        let targets: BTreeMap<&str, serde_json::Value> = self
            .targets
            .iter()
            .map(|(target, tally)| {
                let Tally { published, messages, held, failed, .. } = tally;
                let counts = json!({
                    "published": published,
                    "publications": messages,
                    "skipped": tally.all_skipped(),
                    "held": held,
                    "failed": failed,
                });
                (target.as_str(), counts)
            })
            .collect();
        let waiting: BTreeMap<&str, serde_json::Value> = (self.left.waiting.iter())
            .map(|(target, (jobs, reason))| (target.as_str(), json!({"jobs": jobs, "reason": reason})))
            .collect();
        let blocked: BTreeMap<&str, &String> =
            self.left.blocked.iter().map(|(target, reason)| (target.as_str(), reason)).collect();
        json!({
            "seconds": took.as_secs_f64(),
            "posts": self.posts,
            "published": self.published(),
            "publications": self.publications(),
            "targets": targets,
            "waiting": waiting,
            "blocked": blocked,
            "first_run": self.poll == Poll::First,
            "poller_paused": self.poll == Poll::Paused,
        })
    }

    pub(super) fn report(&self, took: Duration) -> Report<'_> {
        Report { summary: self, took }
    }
}

fn count_of(jobs: u64) -> String {
    if jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") }
}

/// Formats a summary for people.
pub(super) struct Report<'a> {
    summary: &'a Summary,
    took: Duration,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { summary, took } = self;
        let seconds = took.as_secs_f64();
        if summary.poll == Poll::First {
            writeln!(
                f,
                "This is the first run: the account is followed from now on, and its earlier posts are not \
                 republished. To republish them too, set source.start and start with an empty data_dir."
            )?;
        }
        write!(f, "{} new posts, {} publications in {seconds:.1} s", summary.posts, summary.publications())?;
        if summary.had_nothing_to_do() {
            write!(f, "\nNothing to publish: the source has no new posts, and no job is waiting")?;
            if summary.unresolved > 0 {
                write!(f, "; {} held or failed: see `mynah jobs`", count_of(summary.unresolved))?;
            }
        }
        for (target, tally) in &summary.targets {
            write!(f, "\n  {target:<28} {:>5} published", tally.published)?;
            if tally.messages != tally.published {
                write!(f, " as {} messages", tally.messages)?;
            }
            for (count, what) in
                [(tally.all_skipped(), "skipped"), (tally.held, "held"), (tally.failed, "failed")]
            {
                if count > 0 {
                    write!(f, ", {count} {what}")?;
                }
            }
        }
        for (target, (jobs, why)) in &summary.left.waiting {
            write!(f, "\n  {target}: {} waiting: {}", count_of(*jobs as u64), printable(why))?;
        }
        Ok(())
    }
}
