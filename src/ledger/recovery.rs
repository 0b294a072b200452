//! What becomes of a job that was in progress when the process that worked for its target ended.

use mynah_domain::{JobEvent, JobId, JobState, ports::ledger::Change};

/// The jobs of a line that are [`InProgress`], in SQL.
pub(super) const IN_PROGRESS: &str = "(state IN ('translating', 'publishing') OR \
    (state = 'held' AND kind IN ('cap', 'quota', 'engine', 'budget')))";

/// The jobs of a line that wait for a retry, in SQL.
pub(super) const WAITING_TO_RETRY: &str = "(state IN ('queued', 'ready', 'unknown') AND \
    (attempt > 0 OR not_before IS NOT NULL))";

/// A job of a line that is in progress, or held until a limit allows more.
#[derive(Debug, Clone, Copy)]
pub(super) struct InProgress {
    pub(super) job: JobId,
    pub(super) state: JobState,
    pub(super) token: i64,
    pub(super) is_translated: bool,
    /// Whether a part was begun whose outcome is unknown.
    pub(super) may_be_sent: bool,
}

impl InProgress {
    /// Whether a worker had it.
    pub(super) fn was_leased(self) -> bool {
        self.state != JobState::Held
    }

    /// The change that takes the job back and revokes its token.
    pub(super) fn taken_back(self) -> Change {
        let reason = || "the previous run ended while it was in progress".to_owned();
        let event = match self.state {
            // The limit may have changed; the publisher checks it again.
            JobState::Held => JobEvent::Released { translated: self.is_translated },
            JobState::Translating => JobEvent::HandedBack { not_before: None, reason: reason() },
            _ if self.may_be_sent => JobEvent::OutcomeLost { not_before: None, reason: reason() },
            _ => JobEvent::NotSent { not_before: None, reason: reason() },
        };
        Change::revoking(self.job, self.token, vec![event])
    }
}
