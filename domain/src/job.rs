//! One post for one target, and its states. The promise "nothing lost, nothing twice" is about jobs, so a job's life is
//! one table that a reader can check, and every ledger applies that table and no other.
//!
//! ```text
//! queued ─► translating ─► ready ─► publishing ─► published
//!    ▲           │           ▲          │
//!    └─ handed back          ├─ not sent┤
//!                            └─ absent ─┴─► unknown ─► published
//! ```
//!
//! If a person must approve the translation, the job is in `review` between `translating` and `ready`; the person may also
//! ask for another translation, which leads back to `queued`.
//!
//! In addition, from every state that is not final: `held`, `failed`, `skipped`. A person may retry jobs that are held
//! or failed, and skip jobs that are not in progress. A job that was skipped because of a guess, such as its language,
//! may be retried, too, and a person's own skip may be undone. Neither publishes anything twice: the parts that are on
//! the account stay on record, and a job with a part whose outcome is unknown is not skipped.
//!
//! Each lease of a job has a *token*, larger than the last. A change of state names the token it was leased under, so a
//! worker that lost its lease changes nothing.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::publication::Publication;
use crate::{
    AccountId, CardWords, Post, PostId, PublicationKey, Reply, TargetId,
    budget::Cost,
    review::{Draft, Guidance},
};

/// A job's number in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for a translator.
    Queued,
    /// A translator has it.
    Translating,
    /// Translated; waits for a person's approval, in its place in the line.
    Review,
    /// Translated; waits for its turn on the account.
    Ready,
    /// The publisher has it; something may be on its way to the network.
    Publishing,
    /// Something was sent and no answer came: look it up before sending again.
    Unknown,
    /// All parts are on the account. Final.
    Published,
    /// Waits for a person, a quota or a cap.
    Held,
    /// Mynah gave up. A person may retry it.
    Failed,
    /// Not to be published, for a reason known from the start or because a person decided so. Final, except if the
    /// reason was a guess ([`Skip::RETRYABLE`]) or a person undoes it ([`JobEvent::Restored`]).
    Skipped,
}

impl JobState {
    /// Every state, for tables and counts.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Translating,
        Self::Review,
        Self::Ready,
        Self::Publishing,
        Self::Unknown,
        Self::Published,
        Self::Held,
        Self::Failed,
        Self::Skipped,
    ];

    /// The state's name in the ledger, in logs and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Translating => "translating",
            Self::Review => "review",
            Self::Ready => "ready",
            Self::Publishing => "publishing",
            Self::Unknown => "unknown",
            Self::Published => "published",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// The state after `event`, or `None` if the table has no such step.
    #[rustfmt::skip]
    #[expect(clippy::match_same_arms, reason = "one line per step, so that the table can be checked")]
    pub fn after(self, event: &JobEvent) -> Option<Self> {
        use JobEvent as E;
        Some(match (self, event) {
            (Self::Queued,      E::LeasedForTranslation)     => Self::Translating,
            (Self::Translating, E::Translated(_))            => Self::Ready,
            (Self::Translating, E::HandedBack { .. })        => Self::Queued,
            (Self::Translating, E::Rejected(_))              => Self::Translating,

            // From `queued`, a person undoes the skip of a draft.
            (Self::Translating | Self::Queued | Self::Review, E::Drafted(_)) => Self::Review,
            (Self::Review,      E::SetAside { .. })          => Self::Review,
            (Self::Review,      E::Translated(_))            => Self::Ready,
            (Self::Review,      E::Again(_))                 => Self::Queued,

            (Self::Ready | Self::Unknown, E::LeasedForPublication) => Self::Publishing,
            (Self::Publishing,  E::PartBegun { .. } | E::PartSent { .. } | E::PartAbsent { .. }) => Self::Publishing,
            (Self::Publishing,  E::Published)                => Self::Published,
            (Self::Publishing,  E::NotSent { .. } | E::Untouched) => Self::Ready,
            (Self::Publishing,  E::OutcomeLost { .. })       => Self::Unknown,

            // A passing shortage holds a job until a time; a finding, until a person decides.
            (Self::Queued | Self::Translating | Self::Ready | Self::Publishing | Self::Unknown, E::Held { .. }) => Self::Held,
            // The ledger refuses it for a skipped job whose reason was not a guess.
            (Self::Held | Self::Failed | Self::Skipped, E::Released { translated: true })  => Self::Ready,
            (Self::Held | Self::Failed | Self::Skipped, E::Released { translated: false }) => Self::Queued,
            // The ledger refuses it for a job that no person skipped.
            (Self::Skipped,     E::Restored { translated: true })  => Self::Ready,
            (Self::Skipped,     E::Restored { translated: false }) => Self::Queued,

            (Self::Queued | Self::Translating | Self::Ready | Self::Publishing | Self::Unknown | Self::Held,
                E::Failed { .. })                            => Self::Failed,
            // These are not in progress. The ledger refuses it if a part was begun, which may be on the account.
            (Self::Queued | Self::Review | Self::Ready | Self::Held | Self::Failed, E::Skipped { .. }) => Self::Skipped,
            // Its publisher knows that nothing of it is on the account.
            (Self::Publishing,  E::Skipped(Skip::Repeated))  => Self::Skipped,
            _ => return None,
        })
    }

    /// Whether only a person can change the job.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Published | Self::Failed | Self::Skipped)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that happened to a job. The ledger writes its payload in the same transaction as the new state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum JobEvent {
    /// A translator took it. Brings a new token and counts an attempt.
    LeasedForTranslation,
    /// The translation that passed the gate, or that a person approved.
    Translated(Translation),
    /// The translation that a person must approve.
    Drafted(Box<Draft>),
    /// A person wants another translation.
    Again(Guidance),
    /// A job in review blocked the jobs behind it for too long. It gives its place up, and still waits for a person.
    SetAside {
        /// What happened and what to do.
        reason: String,
    },
    /// The best translation that is not published as it is, stored for a person. The reason follows, with
    /// [`JobEvent::Held`].
    Rejected(RejectedTranslation),
    /// It could not be translated now.
    HandedBack {
        /// The earliest time of the next attempt.
        not_before: Option<Timestamp>,
        /// The reason.
        reason: String,
    },
    /// The publisher took it. Brings a new token and counts an attempt.
    LeasedForPublication,
    /// The intent to publish this part, recorded before anything is sent.
    PartBegun {
        /// Which part of the job, counted from 0.
        part: u32,
        /// The account that it will be sent from.
        account: AccountId,
        /// The exact text that will be sent.
        text: String,
        /// The key that only this message is sent with.
        key: PublicationKey,
        /// The message that it replies to; most are no replies.
        reply: Option<Box<Reply>>,
        /// What it costs, in the same transaction; `None` if it costs nothing.
        cost: Option<Box<Cost>>,
    },
    /// The network accepted this part.
    PartSent {
        /// Which part of the job, counted from 0.
        part: u32,
        /// Its id on the target's network.
        remote_id: PostId,
    },
    /// A part that was begun is certainly not on the account. What it cost is taken back.
    PartAbsent {
        /// Which part of the job, counted from 0.
        part: u32,
    },
    /// Every part is on the account.
    Published,
    /// Certainly nothing was sent.
    NotSent {
        /// The earliest time of the next attempt.
        not_before: Option<Timestamp>,
        /// The reason.
        reason: String,
    },
    /// The publisher held it and its turn did not come: nothing was sent, and no attempt counts.
    Untouched,
    /// Something was sent and no answer came.
    OutcomeLost {
        /// What happened instead of an answer.
        reason: String,
        /// The earliest time to look it up.
        not_before: Option<Timestamp>,
    },
    /// The job is held.
    Held(Hold),
    /// Resumes after a hold, a failure or a skip: in `ready` if it is translated.
    Released {
        /// Whether the ledger has a translation.
        translated: bool,
    },
    /// A person undid the skip of a person. Resumes as after [`JobEvent::Released`]; if the job was held or had failed
    /// before the skip, that event follows again.
    Restored {
        /// Whether the ledger has a translation.
        translated: bool,
    },
    /// Mynah gave up.
    Failed {
        /// What happened and what to do.
        reason: String,
    },
    /// Not to be published on this target.
    Skipped(Skip),
}

impl JobEvent {
    /// Whether the event takes a lease: such an event brings a new token, every other happens under the current one.
    pub fn leases(&self) -> bool {
        matches!(self, Self::LeasedForTranslation | Self::LeasedForPublication)
    }
}

/// A translation that passed the gate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Translation {
    /// The texts to publish, in order: one, or several if the translation was too long.
    pub parts: Vec<String>,
    /// The engine that made it, by name and revision: `apertium`, `gemini/gemini-3.5-flash-lite`; or
    /// [`COPY`](Self::COPY).
    pub engine: String,
    /// The alt texts of the post's media, in order; empty where the author wrote none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alts: Vec<String>,
    /// The post's warning, if the network has warnings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The words of the post's card, if it is published with the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Box<CardWords>>,
}

impl Translation {
    /// Stands in place of the engine for a post without words, which is published as it is.
    pub const COPY: &str = "copy";

    /// Stands in place of the engine for the words of a person.
    pub const PERSON: &str = "person";

    /// Creates a translation of a text alone.
    pub fn by(engine: &str, parts: Vec<String>) -> Self {
        Self { parts, engine: engine.to_owned(), alts: Vec::new(), warning: None, card: None }
    }

    /// Creates the copy of a post without words.
    pub fn copy(parts: Vec<String>) -> Self {
        Self::by(Self::COPY, parts)
    }

    /// Whether the post is published as it is.
    pub fn is_copy(&self) -> bool {
        self.engine == Self::COPY
    }
}

/// A translation that is not published as it is: too long, or it did not pass the gate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RejectedTranslation {
    /// The whole text.
    pub text: String,
    /// The engine that made it, by name and revision.
    pub engine: String,
}

/// What a job was before a person skipped it, for an undo. A job that is not listed here was to be translated or published.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BeforeSkip {
    /// It was held.
    Held(Hold),
    /// It had failed.
    Failed {
        /// The reason.
        reason: String,
    },
    /// It was in review.
    Review,
}

impl BeforeSkip {
    /// The event that follows [`JobEvent::Restored`], for a job with this draft. Without its draft, a job that was in
    /// review is translated again.
    pub fn event(self, draft: Option<&Draft>) -> Option<JobEvent> {
        match self {
            Self::Held(hold) => Some(JobEvent::Held(hold)),
            Self::Failed { reason } => Some(JobEvent::Failed { reason }),
            Self::Review => draft.map(|draft| JobEvent::Drafted(Box::new(draft.clone()))),
        }
    }
}

/// Why a job waits, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hold {
    /// The kind of hold.
    pub kind: HoldKind,
    /// What happened and what to do, for a person.
    pub reason: String,
    /// When it resumes by itself; `None` waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The kind of hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// The account's own cap for the day or month is reached.
    Cap,
    /// A budget does not allow what it costs in this period.
    Budget,
    /// The translation did not pass the gate.
    Gate,
    /// The translation is too long and may not be split.
    TooLong,
    /// The network refused it for its content.
    Refused,
    /// A limit of the network or of the engines is used up.
    Quota,
    /// An engine refuses its work, and no other may stand in for it.
    Engine,
    /// It made no progress and blocked the jobs behind it for too long.
    Stalled,
    /// It continues a part of a thread that is not on the account.
    Thread,
    /// One of its media cannot be copied, and it must not be published without it.
    Media,
    /// The post's format could not be read. It waits for a person from the start.
    Unreadable,
    /// The ledger was restored from a backup, and the post may have been published after that backup.
    Restored,
}

impl HoldKind {
    /// Every kind, for lookups by name.
    pub const ALL: [Self; 12] = [
        Self::Cap,
        Self::Budget,
        Self::Gate,
        Self::TooLong,
        Self::Refused,
        Self::Quota,
        Self::Engine,
        Self::Stalled,
        Self::Thread,
        Self::Media,
        Self::Unreadable,
        Self::Restored,
    ];

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The hold's name in the ledger and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cap => "cap",
            Self::Budget => "budget",
            Self::Gate => "gate",
            Self::TooLong => "too_long",
            Self::Refused => "refused",
            Self::Quota => "quota",
            Self::Engine => "engine",
            Self::Stalled => "stalled",
            Self::Thread => "thread",
            Self::Media => "media",
            Self::Unreadable => "unreadable",
            Self::Restored => "restored",
        }
    }
}

/// Why a post is not published on a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// A reply to another author means little without the post that it replies to.
    Reply,
    /// Another author's words.
    Repost,
    /// The network withholds the post and shows a notice in its place.
    Withheld,
    /// Words about another author's post, which the settings exclude.
    Quote,
    /// It contains its author's mark for posts that must not be republished.
    OptedOut,
    /// It contains something that is excluded.
    Excluded,
    /// It contains nothing that is included.
    NotIncluded,
    /// It asks its readers to choose between options, which the settings exclude.
    Poll,
    /// It has nothing to translate, and the target does not copy such posts, or nothing is left of it.
    Wordless,
    /// It has nothing to translate, and the network refuses it because the account published the same lately.
    Repeated,
    /// It is in the target's language already.
    AlreadyInLanguage,
    /// It is in a language other than the source's.
    OtherLanguage,
    /// Another version of the same post is recorded, or the post is older than the start and was edited since.
    Edited,
    /// It came while its source was not read, and newer posts were enough.
    CatchUp,
    /// A person decided so.
    ByHand,
}

impl Skip {
    /// Reasons that are guesses from what the network reports, or a matter of time. A person may retry such a job. Every other skip is final,
    /// except a person's own, which may be undone ([`JobEvent::Restored`]).
    pub const RETRYABLE: [Self; 4] =
        [Self::AlreadyInLanguage, Self::OtherLanguage, Self::Withheld, Self::CatchUp];

    /// Whether a job that was skipped for the reason with this name may be retried.
    pub fn is_retryable(name: &str) -> bool {
        Self::RETRYABLE.iter().any(|skip| skip.as_str() == name)
    }

    /// The reason's name in the ledger and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Repost => "repost",
            Self::Withheld => "withheld",
            Self::Quote => "quote",
            Self::OptedOut => "opted_out",
            Self::Excluded => "excluded",
            Self::NotIncluded => "not_included",
            Self::Poll => "poll",
            Self::Wordless => "wordless",
            Self::Repeated => "repeated",
            Self::AlreadyInLanguage => "already_in_language",
            Self::OtherLanguage => "other_language",
            Self::Edited => "edited",
            Self::CatchUp => "catch_up",
            Self::ByHand => "by_hand",
        }
    }
}

/// One post for one target, as the ledger returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its number in the ledger.
    pub id: JobId,
    /// The source that the post came from, `plain:town`.
    pub source: Arc<str>,
    /// The post to republish.
    pub post: Arc<Post>,
    /// The target.
    pub target: TargetId,
    /// Its state.
    pub state: JobState,
    /// The token of its last lease; 0 before the first.
    pub token: i64,
    /// How often it was leased since its last progress.
    pub attempt: u32,
    /// Not before this time may any worker take it.
    pub not_before: Option<Timestamp>,
    /// When its post was written by the source's clock, but never after it was recorded.
    pub written_at: Timestamp,
    /// Its translation, once there is one.
    pub translation: Option<Translation>,
    /// What a person wants of its next translation.
    pub guidance: Option<Box<Guidance>>,
    /// The parts begun so far, in order.
    pub publications: Vec<Publication>,
}

impl Job {
    /// The job's name in logs and errors: post and target.
    pub fn label(&self) -> String {
        format!("post {} for {}", self.post.id, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold() -> JobEvent {
        JobEvent::Held(Hold { kind: HoldKind::Cap, reason: String::new(), until: None })
    }

    #[test]
    fn a_hold_is_found_by_its_name_and_by_no_other() {
        for kind in HoldKind::ALL {
            assert_eq!(HoldKind::from_name(kind.as_str()), Some(kind));
        }
        assert_eq!(HoldKind::from_name("none"), None);
    }

    #[test]
    fn a_job_goes_through_all_states() {
        let translation = Translation {
            parts: vec!["hola".into()],
            engine: "test".into(),
            alts: vec![],
            warning: None,
            card: None,
        };
        let mut state = JobState::Queued;
        for event in [
            JobEvent::LeasedForTranslation,
            JobEvent::Translated(translation),
            JobEvent::LeasedForPublication,
            JobEvent::PartBegun {
                part: 0,
                account: AccountId::from("net:town_es"),
                text: "hola".into(),
                key: PublicationKey::new(Timestamp::UNIX_EPOCH),
                reply: None,
                cost: None,
            },
            JobEvent::PartSent { part: 0, remote_id: PostId("1".into()) },
            JobEvent::Published,
        ] {
            state = state.after(&event).unwrap_or_else(|| panic!("{state} has no step for {event:?}"));
        }
        assert_eq!(state, JobState::Published);
    }

    #[test]
    fn a_published_job_never_changes_again_and_a_skipped_one_is_only_released() {
        let events = [
            JobEvent::LeasedForTranslation,
            JobEvent::LeasedForPublication,
            JobEvent::Published,
            hold(),
            JobEvent::Failed { reason: String::new() },
            JobEvent::Skipped(Skip::Reply),
        ];
        for event in &events {
            assert_eq!(JobState::Published.after(event), None);
            assert_eq!(JobState::Skipped.after(event), None);
        }
        for (translated, state) in [(true, JobState::Ready), (false, JobState::Queued)] {
            let released = JobEvent::Released { translated };
            assert_eq!(JobState::Published.after(&released), None);
            assert_eq!(JobState::Skipped.after(&released), Some(state));
            let restored = JobEvent::Restored { translated };
            for before in JobState::ALL {
                let expected = (before == JobState::Skipped).then_some(state);
                assert_eq!(before.after(&restored), expected, "{before}");
            }
        }
    }

    #[test]
    fn a_lost_outcome_leads_back_only_through_the_publisher() {
        let lost =
            JobState::Publishing.after(&JobEvent::OutcomeLost { reason: String::new(), not_before: None });
        assert_eq!(lost, Some(JobState::Unknown));
        assert_eq!(JobState::Unknown.after(&JobEvent::LeasedForTranslation), None);
        assert_eq!(JobState::Unknown.after(&JobEvent::LeasedForPublication), Some(JobState::Publishing));
    }

    #[test]
    fn a_person_may_skip_jobs_that_are_not_in_progress() {
        let skip = JobEvent::Skipped(Skip::ByHand);
        for state in JobState::ALL {
            let may = [JobState::Queued, JobState::Review, JobState::Ready, JobState::Held, JobState::Failed]
                .contains(&state);
            assert_eq!(state.after(&skip), may.then_some(JobState::Skipped), "{state}");
        }
    }

    #[test]
    fn a_job_in_review_is_published_only_after_an_approval() {
        let translation = Translation::by("test", vec!["hola".into()]);
        let draft = Draft { translation: translation.clone(), doubts: vec![], accepted: None };
        let drafted = JobEvent::Drafted(Box::new(draft.clone()));
        assert_eq!(JobState::Translating.after(&drafted), Some(JobState::Review));
        let approved = JobEvent::Translated(translation);
        assert_eq!(JobState::Review.after(&approved), Some(JobState::Ready));
        let again = JobEvent::Again(Guidance::default());
        assert_eq!(JobState::Review.after(&again), Some(JobState::Queued));
        let aside = JobEvent::SetAside { reason: String::new() };
        for event in [&drafted, &aside] {
            assert_eq!(JobState::Review.after(event), Some(JobState::Review));
        }
        let released = JobEvent::Released { translated: true };
        for event in [JobEvent::LeasedForPublication, JobEvent::LeasedForTranslation, released, hold()] {
            assert_eq!(JobState::Review.after(&event), None, "{event:?}");
        }
        for state in JobState::ALL.into_iter().filter(|state| *state != JobState::Review) {
            assert_eq!(state.after(&again), None, "{state}");
            assert_eq!(state.after(&aside), None, "{state}");
        }
        let restored = BeforeSkip::Review.event(Some(&draft));
        assert_eq!(restored.and_then(|event| JobState::Queued.after(&event)), Some(JobState::Review));
        assert_eq!(BeforeSkip::Review.event(None), None);
    }

    #[test]
    fn a_publisher_skips_only_what_the_network_refuses_as_a_repeat() {
        for skip in [Skip::ByHand, Skip::Wordless, Skip::Edited] {
            assert_eq!(JobState::Publishing.after(&JobEvent::Skipped(skip)), None);
        }
        let repeated = JobEvent::Skipped(Skip::Repeated);
        assert_eq!(JobState::Publishing.after(&repeated), Some(JobState::Skipped));
        assert_eq!(JobState::Unknown.after(&repeated), None);
    }

    #[test]
    fn only_a_post_that_is_published_as_it_is_is_a_copy() {
        assert!(Translation::copy(vec!["1-0".into()]).is_copy());
        let translated = Translation {
            parts: vec!["hola".into()],
            engine: "apertium".into(),
            alts: vec![],
            warning: None,
            card: None,
        };
        assert!(!translated.is_copy());
    }

    #[test]
    fn only_a_skip_that_is_a_guess_may_be_retried() {
        for name in ["already_in_language", "other_language", "withheld", "catch_up"] {
            assert!(Skip::is_retryable(name), "{name}");
        }
        for skip in [Skip::Reply, Skip::OptedOut, Skip::Repeated, Skip::Edited, Skip::ByHand] {
            assert!(!Skip::is_retryable(skip.as_str()), "{skip:?}");
        }
    }

    #[test]
    fn every_name_parses_back() {
        for state in JobState::ALL {
            assert_eq!(JobState::from_name(state.as_str()), Some(state));
        }
    }
}
