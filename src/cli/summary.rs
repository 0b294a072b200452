//! Counts what a run does, and reports it at the end.

use std::{collections::BTreeMap, fmt, time::Duration};

use mynah_actors::{events::Event, router::Drained};
use mynah_domain::TargetId;

use crate::telemetry::logging::printable;

/// The results of a run.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) posts: u64,
    targets: BTreeMap<TargetId, Tally>,
    left: Drained,
    /// Whether an operator paused polling.
    poller_paused: bool,
}

#[derive(Debug, Default)]
struct Tally {
    published: u64,
    skipped: u64,
    /// Skipped by the publisher, after they were recorded as jobs to publish.
    repeated: u64,
    held: u64,
    failed: u64,
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
            Event::Published(_, target, ..) => self.tally(target).published += 1,
            Event::Skipped(_, target, _) => self.tally(target).repeated += 1,
            Event::Held(_, target, _) => self.tally(target).held += 1,
            Event::Failed(_, target, _) => self.tally(target).failed += 1,
        }
    }

    fn tally(&mut self, target: &TargetId) -> &mut Tally {
        self.targets.entry(target.clone()).or_default()
    }

    pub(super) fn finish(&mut self, left: Drained, polled: bool) {
        self.left = left;
        self.poller_paused = !polled;
    }

    /// How many jobs are published, held, failed or skipped after all.
    pub(super) fn settled(&self) -> u64 {
        self.targets.values().map(|tally| tally.published + tally.held + tally.failed + tally.repeated).sum()
    }

    pub(super) fn published(&self) -> u64 {
        self.targets.values().map(|tally| tally.published).sum()
    }

    /// What an operator must fix before the rest can continue, if anything.
    pub(super) fn trouble(&self) -> Option<String> {
        let blocked = self.left.blocked.iter().map(|(target, why)| format!("{target}: {why}"));
        let waiting = self.left.waiting.iter().filter(|(_, (_, why))| !why.contains(" cap of "));
        let waiting =
            waiting.map(|(target, (jobs, why))| format!("{target}: {} waiting: {why}", count_of(*jobs)));
        let poller = self.poller_paused.then(|| {
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

    pub(super) fn report(&self, took: Duration) -> Report<'_> {
        Report { summary: self, took }
    }
}

fn count_of(jobs: usize) -> String {
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
        write!(f, "{} new posts, {} publications in {seconds:.1} s", summary.posts, summary.published())?;
        for (target, tally) in &summary.targets {
            write!(f, "\n  {target:<28} {:>5} published", tally.published)?;
            for (count, what) in
                [(tally.skipped + tally.repeated, "skipped"), (tally.held, "held"), (tally.failed, "failed")]
            {
                if count > 0 {
                    write!(f, ", {count} {what}")?;
                }
            }
        }
        for (target, (jobs, why)) in &summary.left.waiting {
            write!(f, "\n  {target}: {} waiting: {}", count_of(*jobs), printable(why))?;
        }
        Ok(())
    }
}
