//! The intent to publish one message, recorded before the message is sent. Every message is begun with such an intent,
//! so what is sent is what was recorded, and a message whose answer was lost can be recognized or sent again unchanged.

use jiff::Timestamp;
use mynah_domain::{
    AccountId, Hold, Job, JobEvent, Publication, PublicationKey, Reply, Translation,
    budget::{Cost, OverBudget},
    job::HoldKind,
};

/// The intent to publish one part of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Which part, counted from 0.
    pub part: u32,
    /// The account that publishes it.
    pub account: AccountId,
    /// The exact text.
    pub text: String,
    /// The key that only this message is sent with.
    pub key: PublicationKey,
    /// The message that it replies to.
    pub reply: Option<Reply>,
    /// What it costs; `None` if it costs nothing.
    pub cost: Option<Box<Cost>>,
}

impl Intent {
    /// Creates an intent at `now`, with its own key.
    pub(crate) fn new(
        part: u32,
        account: &AccountId,
        text: &str,
        reply: Option<Reply>,
        now: Timestamp,
    ) -> Self {
        let (account, text) = (account.clone(), text.to_owned());
        Self { part, account, text, key: PublicationKey::new(now), reply, cost: None }
    }

    /// The same intent at this cost.
    pub(crate) fn at(self, cost: Option<Box<Cost>>) -> Self {
        Self { cost, ..self }
    }

    /// Creates the intent to publish a job that has one part and is not a reply.
    pub(super) fn of_only_part(
        translation: &Translation,
        account: &AccountId,
        now: Timestamp,
    ) -> Option<Self> {
        let text = translation.parts.first()?;
        Some(Self::new(0, account, text, None, now))
    }

    /// The recorded intent, whose cost is recorded with it; `None` if a version of Mynah that chose no key recorded it.
    pub(crate) fn recorded(publication: &Publication) -> Option<Self> {
        let Publication { part, account, text, key, reply, .. } = publication;
        let (account, text, key) = (account.clone(), text.clone(), (*key)?);
        Some(Self { part: *part, account, text, key, reply: reply.clone(), cost: None })
    }

    /// The event that records the intent.
    pub(crate) fn event(&self) -> JobEvent {
        let Self { part, account, text, key, reply, cost } = self.clone();
        JobEvent::PartBegun { part, account, text, key, reply: reply.map(Box::new), cost }
    }

    /// The event that withdraws the intent: the message was certainly not published.
    pub(crate) fn absent(&self) -> JobEvent {
        JobEvent::PartAbsent { part: self.part }
    }
}

/// A job that a publisher holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The job.
    pub job: Job,
    /// The intent to publish its only part, if it was recorded with the lease. The publisher must send or withdraw it.
    pub begun: Option<Intent>,
}

impl Assigned {
    /// The events that return a job unchanged.
    pub(crate) fn untouched(&self) -> Vec<JobEvent> {
        untouched(self.begun.as_ref())
    }
}

/// The hold of a job that a budget does not allow. If no period will ever allow it, a person must decide, and the jobs
/// behind it do not wait for it.
pub(crate) fn held_by(over: &OverBudget, now: Timestamp) -> Hold {
    let until = over.retry_at(now);
    let reason = match until {
        Some(_) => over.to_string(),
        None => format!("{over}; then retry it, or skip it"),
    };
    Hold { kind: HoldKind::Budget, reason, until }
}

/// The events that return a lease unchanged, together with the intent that was recorded with it.
pub(super) fn untouched(begun: Option<&Intent>) -> Vec<JobEvent> {
    begun.map(Intent::absent).into_iter().chain([JobEvent::Untouched]).collect()
}
