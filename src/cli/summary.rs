//! What a run did, counted as it happened and told at its end.

use std::{collections::BTreeMap, fmt, time::Duration};

use mynah_actors::{events::Event, router::Drained};
use mynah_domain::TargetId;

use crate::telemetry::logging::printable;

/// What a run did.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) posts: u64,
    targets: BTreeMap<TargetId, Tally>,
    left: Drained,
    /// A person paused polling.
    unpolled: bool,
}

#[derive(Debug, Default)]
struct Tally {
    published: u64,
    skipped: u64,
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
            Event::Held(_, target, _) => self.tally(target).held += 1,
            Event::Failed(_, target, _) => self.tally(target).failed += 1,
        }
    }

    fn tally(&mut self, target: &TargetId) -> &mut Tally {
        self.targets.entry(target.clone()).or_default()
    }

    pub(super) fn leave(&mut self, left: Drained, polled: bool) {
        self.left = left;
        self.unpolled = !polled;
    }

    /// How many jobs are done with, one way or another.
    pub(super) fn settled(&self) -> u64 {
        self.targets.values().map(|tally| tally.published + tally.held + tally.failed).sum()
    }

    pub(super) fn published(&self) -> u64 {
        self.targets.values().map(|tally| tally.published).sum()
    }

    /// What a person must mend before the rest can go on, if anything.
    pub(super) fn trouble(&self) -> Option<String> {
        let blocked = self.left.blocked.iter().map(|(target, why)| format!("{target}: {why}"));
        let waiting = self.left.waiting.iter().filter(|(_, (_, why))| !why.contains(" cap of "));
        let waiting = waiting.map(|(target, (jobs, why))| format!("{target}: {jobs} jobs wait: {why}"));
        let unpolled = self.unpolled.then(|| {
            "poller: paused, so nothing new was asked for; `mynah resume poller` lets it go on".to_owned()
        });
        let all: Vec<String> = unpolled.into_iter().chain(blocked).chain(waiting).collect();
        (!all.is_empty()).then(|| {
            format!(
                "not everything could be said; nothing is lost, and the next run goes on\n  {}",
                all.join("\n  ")
            )
        })
    }

    pub(super) fn told_after(&self, took: Duration) -> Told<'_> {
        Told { summary: self, took }
    }
}

/// A summary as people read it.
pub(super) struct Told<'a> {
    summary: &'a Summary,
    took: Duration,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { summary, took } = self;
        let seconds = took.as_secs_f64();
        write!(f, "{} new posts, {} publications in {seconds:.1} s", summary.posts, summary.published())?;
        for (target, tally) in &summary.targets {
            write!(f, "\n  {target:<28} {:>5} published", tally.published)?;
            for (count, what) in [(tally.skipped, "skipped"), (tally.held, "held"), (tally.failed, "failed")]
            {
                if count > 0 {
                    write!(f, ", {count} {what}")?;
                }
            }
        }
        for (target, (jobs, why)) in &summary.left.waiting {
            write!(f, "\n  {target}: {jobs} jobs wait: {}", printable(why))?;
        }
        Ok(())
    }
}
