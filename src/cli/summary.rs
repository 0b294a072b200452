//! Counts what a run does, and reports it at the end.

use std::{collections::BTreeMap, fmt, time::Duration};

use mynah_actors::{events::Event, poller::Polled, router::Drained};
use mynah_domain::TargetId;
use serde_json::json;

use crate::telemetry::logging::printable;

/// The results of a run.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) posts: u64,
    targets: BTreeMap<TargetId, Tally>,
    left: Drained,
    polls: Polls,
    /// Jobs in the ledger that wait for a person.
    unresolved: u64,
    /// Jobs in the ledger that wait for a person's approval.
    in_review: u64,
}

/// The run's polls, one of each source.
#[derive(Debug, Default)]
pub(super) struct Polls {
    /// How many sources were read as always.
    done: usize,
    /// Sources that are followed from now on.
    first: Vec<String>,
    /// Sources that an operator paused.
    paused: Vec<String>,
    /// Sources that could not be read, and why.
    failed: Vec<(String, String)>,
}

impl Polls {
    pub(super) fn add(&mut self, source: String, ended: Polled) {
        match ended {
            Polled::Done { started_now: true, .. } => self.first.push(source),
            Polled::Done { .. } => self.done += 1,
            Polled::Paused => self.paused.push(source),
            Polled::Failed(error) => self.failed.push((source, error.to_string())),
        }
    }

    fn all(&self) -> usize {
        self.done + self.first.len() + self.paused.len() + self.failed.len()
    }

    /// Whether every source was read as always.
    fn are_all_done(&self) -> bool {
        self.done == self.all()
    }

    /// What an operator must know about them.
    fn troubles(&self) -> impl Iterator<Item = String> + '_ {
        let all = self.all();
        let paused = self.paused.iter().map(move |source| {
            let what = if all == 1 { "poller" } else { source };
            format!("{what}: paused, so no new posts were read; resume it with `mynah resume {what}`")
        });
        let failed = self.failed.iter().map(|(source, why)| format!("{source}: not read: {why}"));
        paused.chain(failed)
    }
}

#[derive(Debug, Default)]
struct Tally {
    published: u64,
    /// The messages of the published jobs: a long translation has several.
    messages: u64,
    skipped: u64,
    /// Skipped by the publisher, after they were recorded as jobs to publish.
    repeated: u64,
    /// Translated, and waiting for a person's approval.
    drafted: u64,
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
            Event::Drafted(_, target) => self.tally(target).drafted += 1,
            Event::Held(_, target, _) => self.tally(target).held += 1,
            Event::Failed(_, target, _) => self.tally(target).failed += 1,
        }
    }

    fn tally(&mut self, target: &TargetId) -> &mut Tally {
        self.targets.entry(target.clone()).or_default()
    }

    pub(super) fn finish(&mut self, left: Drained, polls: Polls, (unresolved, in_review): (u64, u64)) {
        self.left = left;
        self.polls = polls;
        (self.unresolved, self.in_review) = (unresolved, in_review);
    }

    /// Whether there was nothing to publish and nothing went wrong.
    fn had_nothing_to_do(&self) -> bool {
        let Drained { blocked, waiting, in_review, scheduled } = &self.left;
        let nothing_left = blocked.is_empty()
            && waiting.is_empty()
            && in_review.is_empty()
            && scheduled.is_empty()
            && self.in_review == 0;
        self.posts == 0 && self.settled() == 0 && nothing_left && self.polls.are_all_done()
    }

    /// How many jobs are published, in review, held, failed or skipped after all.
    pub(super) fn settled(&self) -> u64 {
        let settled =
            |tally: &Tally| tally.published + tally.drafted + tally.held + tally.failed + tally.repeated;
        self.targets.values().map(settled).sum()
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
        let all: Vec<String> = self.polls.troubles().chain(blocked).chain(waiting).collect();
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
        let waiting: BTreeMap<&str, serde_json::Value> =
            (self.left.waiting.iter().chain(&self.left.scheduled))
                .map(|(target, (jobs, reason))| (target.as_str(), json!({"jobs": jobs, "reason": reason})))
                .collect();
        let blocked: BTreeMap<&str, &String> =
            self.left.blocked.iter().map(|(target, reason)| (target.as_str(), reason)).collect();
        let not_read: BTreeMap<&str, &String> =
            self.polls.failed.iter().map(|(source, why)| (source.as_str(), why)).collect();
        json!({
            "seconds": took.as_secs_f64(),
            "posts": self.posts,
            "published": self.published(),
            "publications": self.publications(),
            "targets": targets,
            "waiting": waiting,
            "blocked": blocked,
            "in_review": self.in_review,
            "behind_review": self.left.in_review.values().sum::<usize>(),
            "first_run": !self.polls.first.is_empty(),
            "poller_paused": !self.polls.paused.is_empty(),
            "not_read": not_read,
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
        match (summary.polls.first.as_slice(), summary.polls.all()) {
            ([], _) => {}
            ([_], 1) => writeln!(
                f,
                "This is the first run: the account is followed from now on, and its earlier posts are not \
                 republished. To republish them too, set source.start and start with an empty data_dir."
            )?,
            (sources, _) => writeln!(
                f,
                "Followed from now on, without their earlier posts: {}. To republish these too, set start in their \
                 sections and start with an empty data_dir.",
                sources.join(", ")
            )?,
        }
        write!(f, "{} new posts, {} publications in {seconds:.1} s", summary.posts, summary.publications())?;
        if summary.had_nothing_to_do() {
            write!(
                f,
                "\nNothing to publish: {} no new posts, and no job is waiting",
                if summary.polls.all() > 1 { "the sources have" } else { "the source has" }
            )?;
            if summary.unresolved > 0 {
                write!(f, "; {} held or failed: see `mynah jobs`", count_of(summary.unresolved))?;
            }
        }
        for (target, tally) in &summary.targets {
            write!(f, "\n  {target:<28} {:>5} published", tally.published)?;
            if tally.messages != tally.published {
                write!(f, " as {} messages", tally.messages)?;
            }
            for (count, what) in [
                (tally.all_skipped(), "skipped"),
                (tally.drafted, "to review"),
                (tally.held, "held"),
                (tally.failed, "failed"),
            ] {
                if count > 0 {
                    write!(f, ", {count} {what}")?;
                }
            }
        }
        for (target, (jobs, why)) in summary.left.waiting.iter().chain(&summary.left.scheduled) {
            write!(f, "\n  {target}: {} waiting: {}", count_of(*jobs as u64), printable(why))?;
        }
        match summary.in_review {
            0 => {}
            1 => write!(f, "\n1 job waits for review: see `mynah review`")?,
            many => write!(f, "\n{many} jobs wait for review: see `mynah review`")?,
        }
        Ok(())
    }
}
