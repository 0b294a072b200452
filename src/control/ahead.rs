//! When jobs may go on, and what they wait for: for one job, from its own times and its target's schedule; and for the week
//! ahead, where no job of a line goes before the one in front of it.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use mynah_domain::{
    Job, JobId, JobState, TargetId,
    ports::{
        Ledger, LedgerError,
        ledger::{JobFilter, JobLine},
    },
    schedule::Schedule,
};

use super::{
    configured::ConfiguredTarget,
    wire::{Ahead, AheadJob},
};

/// The most jobs of a line to look at.
const MOST: usize = 500;

/// How far ahead to look.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A moment, and what is waited for until then.
type Next = (Timestamp, String);

/// When each target publishes.
#[derive(Debug, Clone, Default)]
pub struct Timetable(HashMap<TargetId, Schedule>);

impl Timetable {
    /// The schedules of these targets.
    pub fn of(targets: &[ConfiguredTarget]) -> Self {
        Self(targets.iter().map(|target| (target.id.clone(), target.schedule.clone())).collect())
    }

    /// When a job may go on, if it waits for a time.
    pub fn next(&self, line: &JobLine, now: Timestamp) -> Option<Next> {
        let waits_by_itself = match line.state {
            JobState::Queued | JobState::Translating | JobState::Ready | JobState::Unknown => true,
            JobState::Held => line.not_before.is_some(),
            // For a person, not for a time; or for nothing.
            JobState::Review
            | JobState::Publishing
            | JobState::Published
            | JobState::Failed
            | JobState::Skipped => false,
        };
        if !waits_by_itself {
            return None;
        }
        // What was begun is finished.
        let is_begun = line.unanswered > 0 || !line.messages.is_empty();
        let schedule = self.0.get(&line.target).filter(|_| !is_begun);
        next(schedule, line.written_at, retry_of(line.not_before, line.kind.as_deref()), now)
    }
}

/// When a job is tried again, and why not before.
fn retry_of(not_before: Option<Timestamp>, kind: Option<&str>) -> Option<Next> {
    Some((not_before?, kind.unwrap_or("retry").to_owned()))
}

/// When a job may go on that may not before `from`; `None` if then.
fn next(
    schedule: Option<&Schedule>,
    written_at: Timestamp,
    retry: Option<Next>,
    from: Timestamp,
) -> Option<Next> {
    let retry = retry.filter(|(moment, _)| *moment > from);
    let earliest = retry.as_ref().map_or(from, |(moment, _)| *moment);
    let scheduled = schedule.and_then(|schedule| schedule.next(written_at, earliest));
    scheduled.map(|(moment, wait)| (moment, wait.to_string())).or(retry)
}

/// What prevents all publications of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// A person paused it.
    Paused,
    /// Its account is blocked until a person fixes it.
    Blocked,
}

impl Stopped {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Blocked => "blocked",
        }
    }
}

/// What waits for these targets, in the order in which it may go on within a week.
///
/// # Errors
/// The ledger cannot be read.
pub async fn ahead(
    ledger: &dyn Ledger,
    targets: &[ConfiguredTarget],
    stopped: impl Fn(&ConfiguredTarget) -> Option<Stopped>,
    now: Timestamp,
) -> Result<Ahead, LedgerError> {
    let mut ahead = Ahead::default();
    for target in targets {
        let jobs = ledger.open_jobs(&target.id, None, MOST).await?;
        if jobs.is_empty() {
            continue;
        }
        ahead.more |= jobs.len() == MOST;
        let spent = ledger.spent(&target.account, now).await?;
        let capped = target.caps.allow(spent, 1, now).err().map(|reached| (reached.until, "cap".to_owned()));
        let ids = jobs.iter().map(|job| job.id).collect();
        let filter = JobFilter { ids, ..JobFilter::default() };
        let lines: BTreeMap<JobId, JobLine> =
            ledger.jobs(&filter, None, MOST).await?.into_iter().map(|line| (line.id, line)).collect();
        let times = times(&target.schedule, &jobs, &lines, capped, now);
        let stopped = stopped(target);
        for (job, time) in jobs.iter().zip(times) {
            let (at, waits_for) = match (&stopped, time) {
                (Some(stopped), _) => (None, Some(stopped.as_str().to_owned())),
                (None, _) if job.state == JobState::Review => (None, Some("review".to_owned())),
                (None, Some((at, waits_for))) => (Some(at), Some(waits_for)),
                (None, None) => (Some(now), None),
            };
            if at.is_some_and(|at| at.duration_since(now) > WEEK) {
                ahead.later += 1;
                continue;
            }
            ahead.jobs.push(AheadJob {
                at,
                waits_for,
                id: job.id.0,
                post: job.post.id.0.clone(),
                target: job.target.to_string(),
                state: job.state,
                text: job.post.text.clone(),
            });
        }
    }
    // Within a line, the order stays; what needs a person comes last.
    ahead.jobs.sort_by_key(|job| (job.at.is_none(), job.at));
    Ok(ahead)
}

/// When each job of a line may go on; `None` if now.
fn times(
    schedule: &Schedule,
    jobs: &[Job],
    lines: &BTreeMap<JobId, JobLine>,
    capped: Option<Next>,
    now: Timestamp,
) -> Vec<Option<Next>> {
    let mut ahead = capped;
    let time = |job: &Job| {
        let from = ahead.as_ref().map_or(now, |(moment, _)| *moment);
        let kind = lines.get(&job.id).and_then(|line| line.kind.as_deref());
        let is_begun = job.state == JobState::Unknown || !job.publications.is_empty();
        let schedule = Some(schedule).filter(|_| !is_begun);
        let own = next(schedule, job.written_at, retry_of(job.not_before, kind), from);
        ahead = own.or(ahead.take());
        ahead.clone()
    };
    jobs.iter().map(time).collect()
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use jiff::tz::TimeZone;
    use mynah_domain::{fixtures, quiet_hours::QuietHours};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn job(number: u64, written_at: &str) -> Job {
        Job {
            id: JobId(number.try_into().unwrap()),
            source: "plain:town".into(),
            post: Arc::new(fixtures::post(number, "Hello")),
            target: fixtures::target().id,
            state: JobState::Ready,
            token: 0,
            attempt: 0,
            not_before: None,
            written_at: at(written_at),
            translation: None,
            publications: Vec::new(),
            guidance: None,
        }
    }

    fn schedule() -> Schedule {
        let range = "22:00-07:00".parse().unwrap();
        Schedule {
            quiet: Some(QuietHours::new(vec![range], TimeZone::UTC).unwrap()),
            delay: Duration::from_mins(10),
        }
    }

    fn shown(jobs: &[Job], capped: Option<Next>, now: &str) -> Vec<Option<(String, String)>> {
        let times = times(&schedule(), jobs, &BTreeMap::new(), capped, at(now));
        times.into_iter().map(|time| time.map(|(at, why)| (at.to_string(), why))).collect()
    }

    fn until(moment: &str, why: &str) -> (String, String) {
        (moment.to_owned(), why.to_owned())
    }

    #[test]
    fn no_job_goes_before_the_one_in_front_of_it() {
        let mut jobs =
            [job(1, "2026-11-28T09:00:00Z"), job(2, "2026-11-28T09:55:00Z"), job(3, "2026-11-28T08:00:00Z")];
        let now = "2026-11-28T10:00:00Z";
        let delayed = Some(until("2026-11-28T10:05:00Z", "delay"));
        assert_eq!(shown(&jobs, None, now), [None, delayed.clone(), delayed]);
        jobs[0].not_before = Some(at("2026-11-28T21:59:00Z"));
        let retried = Some(until("2026-11-28T21:59:00Z", "retry"));
        assert_eq!(shown(&jobs, None, now), [retried.clone(), retried.clone(), retried]);
        jobs[1].not_before = Some(at("2026-11-28T22:30:00Z"));
        let morning = Some(until("2026-11-29T07:00:00Z", "quiet hours"));
        assert_eq!(shown(&jobs, None, now)[1..], [morning.clone(), morning.clone()]);
        let tomorrow = Some((at("2026-11-29T00:00:00Z"), "cap".to_owned()));
        assert_eq!(shown(&jobs, tomorrow, now), [morning.clone(), morning.clone(), morning]);
    }

    #[test]
    fn a_job_of_which_something_may_be_on_the_account_waits_for_no_quiet_hours() {
        let unknown = Job { state: JobState::Unknown, ..job(1, "2026-11-28T09:00:00Z") };
        let jobs = [unknown, job(2, "2026-11-28T09:00:00Z")];
        let morning = Some(until("2026-11-29T07:00:00Z", "quiet hours"));
        assert_eq!(shown(&jobs, None, "2026-11-28T23:00:00Z"), [None, morning]);
    }
}
