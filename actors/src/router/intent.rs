//! The intent to publish one message: what is on record before it is sent. Whoever begins a message does it by such an
//! intent, so what is sent is what was recorded, and a message whose answer was lost can be recognized or sent again as it
//! was.

use jiff::Timestamp;
use mynah_domain::{
    AccountId, Job, JobEvent, Publication, PublicationKey, Reply, Translation,
    ports::{Draft, MediaId},
};

/// The intent to publish one part of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Which part, from 0.
    pub part: u32,
    /// The account that it is sent from.
    pub account: AccountId,
    /// The exact text.
    pub text: String,
    /// The key that it is sent with, and no other message.
    pub key: PublicationKey,
    /// What it answers.
    pub reply: Option<Reply>,
}

impl Intent {
    /// An intent at `now`, with a key of its own.
    pub(crate) fn new(
        part: u32,
        account: &AccountId,
        text: &str,
        reply: Option<Reply>,
        now: Timestamp,
    ) -> Self {
        let (account, text) = (account.clone(), text.to_owned());
        Self { part, account, text, key: PublicationKey::new(now), reply }
    }

    /// The intent to publish a job of one message, which answers nothing.
    pub(super) fn of_only_part(
        translation: &Translation,
        account: &AccountId,
        now: Timestamp,
    ) -> Option<Self> {
        let text = translation.parts.first()?;
        Some(Self::new(0, account, text, None, now))
    }

    /// The intent that is on record; `None` for one of a version that chose no key.
    pub(crate) fn recorded(publication: &Publication) -> Option<Self> {
        let Publication { part, account, text, key, reply, .. } = publication;
        let (account, text, key) = (account.clone(), text.clone(), (*key)?);
        Some(Self { part: *part, account, text, key, reply: reply.clone() })
    }

    /// The event that records it.
    pub(crate) fn event(&self) -> JobEvent {
        let Self { part, account, text, key, reply } = self.clone();
        JobEvent::PartBegun { part, account, text, key, reply: reply.map(Box::new) }
    }

    /// The event that takes it back: it was certainly not published.
    pub(crate) fn absent(&self) -> JobEvent {
        JobEvent::PartAbsent { part: self.part }
    }

    /// What is sent.
    pub(crate) fn draft(&self, media: Vec<MediaId>) -> Draft {
        Draft { key: self.key, text: self.text.clone(), reply: self.reply.clone(), media }
    }
}

/// A job that a publisher has in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The job.
    pub job: Job,
    /// The intent to publish its only part, where that was recorded with the lease: it is to be sent, or taken back.
    pub begun: Option<Intent>,
}

impl Assigned {
    /// The events by which a job is given back with which nothing was done.
    pub(crate) fn untouched(&self) -> Vec<JobEvent> {
        untouched(self.begun.as_ref())
    }
}

/// The events by which a lease is given back with which nothing was done, and the intent that was recorded with it.
pub(super) fn untouched(begun: Option<&Intent>) -> Vec<JobEvent> {
    begun.map(Intent::absent).into_iter().chain([JobEvent::Untouched]).collect()
}
