//! Handles what happens by time alone: delayed jobs become ready, quiet hours end, and jobs that have blocked others for
//! too long are held.

use std::time::Duration;

use mynah_domain::{Hold, Job, JobEvent, JobState, job::HoldKind, ports::LedgerError};

use super::{
    messages::JobReport,
    parts::RouterSettings,
    state::RouterState,
    window::{Overdue, Wake},
};
use crate::failpoint;

/// The longest sleep before the timer checks the clock again, which may have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

impl RouterState {
    /// Wakes delayed jobs when their time comes, for as long as the actor lives.
    pub(super) async fn wake_delayed(&self) -> Result<(), LedgerError> {
        loop {
            let timer = self.timer.notified();
            failpoint::reach("router.interval");
            let woken = self.window.borrow_mut().wake(self.now());
            let (opened, opens) = self.window.borrow_mut().opened(self.now());
            for account in &opened {
                self.ready.wake(account);
            }
            if !opened.is_empty() {
                self.changed.notify_waiters();
            }
            let sleep = match woken {
                Wake::Now => {
                    self.wake_translator();
                    self.ready.wake_all();
                    continue;
                }
                Wake::In(left) => Some(left),
                Wake::Never => None,
            };
            let sleep = sleep.into_iter().chain(opens).min().map(|left| left.min(LONGEST_SLEEP));
            let overdue = self.hold_overdue().await?;
            match sleep.into_iter().chain(overdue).min() {
                None => timer.await,
                // Whichever comes first; both only mean "check again".
                Some(sleep) => drop(actix_rt::time::timeout(sleep, timer).await),
            }
        }
    }

    /// Holds the jobs that have blocked others for too long; returns how long until the next one has.
    async fn hold_overdue(&self) -> Result<Option<Duration>, LedgerError> {
        let RouterSettings { order_patience, routes, .. } = &self.parts.settings;
        let upstreams = &self.parts.upstreams;
        let is_down = |job: &Job| match job.translation {
            None => {
                let route = routes.iter().find(|route| route.target == job.target);
                route.is_some_and(|route| route.lacks_engines(upstreams))
            }
            Some(_) => upstreams.is_down(job.target.network()),
        };
        let (overdue, next) = self.window.borrow_mut().overdue(self.now(), *order_patience, is_down);
        if overdue.is_empty() {
            return Ok(next);
        }
        let reports = overdue
            .into_iter()
            .map(|Overdue { job, reason }| {
                if job.state == JobState::Review {
                    let reason = format!(
                        "it blocked the jobs behind it for {order_patience:?} and gave its place up; approve it to publish \
                         it late, or skip it"
                    );
                    return JobReport::without_lease(&job, vec![JobEvent::SetAside { reason }]);
                }
                let reason = format!(
                    "it blocked the jobs behind it for {order_patience:?} and was set aside: {reason}; retry it to publish it \
                     late, or skip it"
                );
                let hold = Hold { kind: HoldKind::Stalled, reason, until: None };
                JobReport::without_lease(&job, vec![JobEvent::Held(hold)])
            })
            .collect();
        self.report(reports).await?;
        Ok(next)
    }
}
