//! The intent to publish one message: what is on record before it is sent. Whoever begins a message does it by such an
//! intent, so what is sent is what was recorded, and a message whose answer was lost can be recognized by it.

use mynah_domain::{
    Job, JobEvent, PostId, Translation,
    job::Publication,
    ports::{Draft, MediaId},
};

/// The intent to publish one part of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Which part, from 0.
    pub part: u32,
    /// The exact text.
    pub text: String,
    /// What it answers.
    pub reply_to: Option<PostId>,
}

impl Intent {
    /// The intent to publish a job of one message, which answers nothing.
    pub(super) fn of_only_part(translation: &Translation) -> Option<Self> {
        let text = translation.parts.first()?.clone();
        Some(Self { part: 0, text, reply_to: None })
    }

    /// The intent that is on record.
    pub(crate) fn recorded(publication: &Publication) -> Self {
        Self { part: publication.part, text: publication.text.clone(), reply_to: None }
    }

    /// The event that records it.
    pub(crate) fn event(&self) -> JobEvent {
        JobEvent::PartBegun { part: self.part, text: self.text.clone() }
    }

    /// The event that takes it back: it was certainly not published.
    pub(crate) fn absent(&self) -> JobEvent {
        JobEvent::PartAbsent { part: self.part }
    }

    /// What is sent.
    pub(crate) fn draft(&self, media: Vec<MediaId>) -> Draft {
        Draft { text: self.text.clone(), reply_to: self.reply_to.clone(), media }
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
