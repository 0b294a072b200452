//! What a person needs to decide about a draft, and the checks of what they decide. Words that a person writes pass the same
//! gate as an engine's; the person may override what it finds, but not what the network would refuse.

use mynah_actors::{
    router::{Review, ReviewRefusal, Reviewed, Verdict},
    translator::task::{
        Task,
        drafts::{self, EditError, Texts, Written},
    },
};
use mynah_domain::{
    EngineOrder, JobId, JobState, Post, Target, Translation,
    ports::{
        Ledger, LedgerError,
        ledger::{JobFilter, JobLine},
    },
    review::{Doubt, Draft, Guidance, NOTE_MOST},
};

use super::{
    InvalidRequest, PAGE,
    names::Names,
    wire::{self, DraftLine, DraftQuery, Drafts, Finding, MediumText, Part, Passage},
};

/// How many characters of a text to show in a list.
const EXCERPT: usize = 80;

/// Why a decision about a draft was not made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// It cannot be understood.
    #[error("{0}")]
    Invalid(String),
    /// No job has this number.
    #[error("there is no such job")]
    NoSuchJob,
    /// The job is not in review, or it changed since the person looked at it.
    #[error("{0}")]
    Refused(ReviewRefusal),
    /// Something is wrong with the words of the person.
    #[error("{}", explain(.0))]
    Findings(Vec<Finding>),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<EditError> for ReviewError {
    fn from(error: EditError) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<ReviewRefusal> for ReviewError {
    fn from(refusal: ReviewRefusal) -> Self {
        match refusal {
            ReviewRefusal::NoSuchJob => Self::NoSuchJob,
            refusal => Self::Refused(refusal),
        }
    }
}

/// Everything that is wrong, and what to do.
fn explain(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|finding| {
        let Finding { about, rule, message, is_final, .. } = finding;
        let end = if *is_final { "; nobody can override this" } else { "" };
        format!("\n  {about}: {message} [{rule}]{end}")
    });
    let lines: String = lines.collect();
    format!(
        "nothing was changed, because the text did not pass the checks; correct it, or override them with a reason:{lines}"
    )
}

/// The drafts and what they are judged by.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// The ledger.
    pub ledger: &'a dyn Ledger,
    /// The configured targets.
    pub targets: &'a [Target],
    /// The names of all engines.
    pub engines: &'a [std::sync::Arc<str>],
}

impl Desk<'_> {
    /// A page of drafts.
    ///
    /// # Errors
    /// An unknown target or source, or the ledger cannot be read.
    pub async fn list(&self, query: &DraftQuery, names: &Names) -> Result<Drafts, ReviewError> {
        let targets = names.chosen(query.target.as_deref(), query.source.as_deref());
        let targets = targets.map_err(|InvalidRequest(why)| ReviewError::Invalid(why))?;
        let filter = JobFilter { states: vec![JobState::Review], targets, ..JobFilter::default() };
        let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
        // One extra line shows whether there is another page.
        let mut lines = self.ledger.jobs(&filter, query.after.map(JobId), limit + 1).await?;
        let next = (lines.len() > limit).then(|| lines[limit - 1].id.0);
        lines.truncate(limit);
        Ok(Drafts { drafts: lines.iter().map(line).collect(), next })
    }

    /// Everything about one draft.
    ///
    /// # Errors
    /// There is no such job, or the ledger cannot be read.
    pub async fn show(&self, job: i64) -> Result<wire::Draft, ReviewError> {
        let line = self.job(job).await?;
        let decisions = self.ledger.draft_decisions(line.id).await?;
        let target = self.targets.iter().find(|target| target.id == line.target);
        let post = match target {
            Some(target) => self.ledger.post(&target.source.name, &line.post).await?,
            None => None,
        };
        let draft = line.draft.as_deref();
        let translation = draft.map(|draft| &draft.translation).or(line.translation.as_ref());
        let parts = translation.map(|translation| translation.parts.clone()).unwrap_or_default();
        let limit = match (target, &post) {
            (Some(target), Some(post)) => Task::new(post, Vec::new(), target.clone()).most(),
            _ => 0,
        };
        let length = |text: &str| target.map_or(0, |target| target.network.weigh(text));
        let findings = draft.map(|draft| findings(&draft.doubts, &line.text, &parts));
        Ok(wire::Draft {
            job: line.id.0,
            token: line.token,
            state: line.state,
            post: line.post.0.clone(),
            target: line.target.to_string(),
            since: line.updated_at,
            set_aside: is_set_aside(&line),
            warning: post.as_ref().and_then(|post| post.warning.clone()),
            engine: translation.map(|translation| translation.engine.clone()),
            parts: parts.into_iter().map(|text| Part { length: length(&text), limit, text }).collect(),
            translated_warning: translation.and_then(|translation| translation.warning.clone()),
            card: translation.and_then(|translation| translation.card.as_deref().cloned()),
            media: post.as_ref().map(|post| media(post, translation)).unwrap_or_default(),
            findings: findings.unwrap_or_default(),
            accepted: draft.and_then(|draft| draft.accepted.clone()),
            decisions: decisions
                .into_iter()
                .map(|made| wire::DraftDecision {
                    at: made.at,
                    who: made.decision.who,
                    action: made.decision.action,
                    note: made.decision.note,
                })
                .collect(),
            text: line.text,
        })
    }

    async fn job(&self, job: i64) -> Result<JobLine, ReviewError> {
        let filter = JobFilter { ids: vec![JobId(job)], ..JobFilter::default() };
        self.ledger.jobs(&filter, None, 1).await?.pop().ok_or(ReviewError::NoSuchJob)
    }

    /// An approval.
    ///
    /// # Errors
    /// The reason is empty or too long.
    pub fn approve(job: i64, asked: wire::Approve, who: Option<String>) -> Result<Review, ReviewError> {
        let wire::Approve { token, reason } = asked;
        let verdict = Verdict::Approve { accepted: note("the reason", reason)? };
        Ok(Review { job: JobId(job), token, verdict, who })
    }

    /// A decision not to publish.
    pub fn skip(job: i64, asked: wire::Skip, who: Option<String>) -> Review {
        Review { job: JobId(job), token: asked.token, verdict: Verdict::Skip, who }
    }

    /// A request for another translation.
    ///
    /// # Errors
    /// The hint is empty or too long, or the target has no such engine.
    pub async fn again(
        &self,
        job: i64,
        asked: wire::Again,
        who: Option<String>,
    ) -> Result<Review, ReviewError> {
        let wire::Again { token, hint, engine } = asked;
        let hint = note("the hint", hint)?;
        if let Some(engine) = &engine {
            let line = self.job(job).await?;
            let target = self.target(&line)?;
            let known: Vec<&str> = match &target.engines {
                EngineOrder::All => self.engines.iter().map(|name| &**name).collect(),
                EngineOrder::Only(names) => names.iter().map(|name| &**name).collect(),
            };
            if !known.contains(&engine.as_str()) {
                let known = known.join(", ");
                return Err(ReviewError::Invalid(format!(
                    "{engine:?} does not translate for {}; these engines do: {known}",
                    line.target
                )));
            }
        }
        let verdict = Verdict::Again(Guidance { hint, engine });
        Ok(Review { job: JobId(job), token, verdict, who })
    }

    /// An edit, which passes the gate.
    ///
    /// # Errors
    /// The words are not fit to be published, or the job is not in review.
    pub async fn edit(
        &self,
        job: i64,
        asked: wire::Edit,
        who: Option<String>,
    ) -> Result<Review, ReviewError> {
        let wire::Edit { token, text, parts, alts, warning, card, reason, approve } = asked;
        let accepted = note("the reason", reason)?;
        let text = match (text, parts) {
            (Some(_), Some(_)) => {
                return Err(ReviewError::Invalid("give either text or parts, not both".into()));
            }
            (Some(text), None) => Some(Written::Whole(text)),
            (None, Some(parts)) => Some(Written::Parts(parts)),
            (None, None) => None,
        };
        let texts = Texts { text, alts, warning, card };
        if texts == Texts::default() {
            return Err(ReviewError::Invalid(
                "there is nothing to edit: give text, parts, alts, warning or card".into(),
            ));
        }
        let line = self.job(job).await?;
        if line.token != token {
            return Err(ReviewRefusal::Stale(line.state).into());
        }
        let Some(draft) = line.draft.as_ref().filter(|_| line.state == JobState::Review) else {
            return Err(ReviewRefusal::NotInReview(line.state).into());
        };
        let target = self.target(&line)?;
        let post = self.ledger.post(&target.source.name, &line.post).await?;
        let post = post.ok_or_else(|| ReviewError::Invalid("its post is not on record any more".into()))?;
        let (translation, doubts) = drafts::edit(&post, target, &draft.translation, texts)?;
        if doubts.iter().any(|doubt| doubt.is_final || accepted.is_none()) {
            return Err(ReviewError::Findings(findings(&doubts, &line.text, &translation.parts)));
        }
        let draft =
            Box::new(Draft { accepted: accepted.filter(|_| !doubts.is_empty()), translation, doubts });
        Ok(Review { job: JobId(job), token, verdict: Verdict::Edit { draft, approve }, who })
    }

    fn target(&self, line: &JobLine) -> Result<&Target, ReviewError> {
        self.targets.iter().find(|target| target.id == line.target).ok_or_else(|| {
            ReviewError::Invalid(format!("{} is no longer a target in the settings", line.target))
        })
    }
}

/// The answer to a decision that was made.
///
/// # Errors
/// It was refused.
pub fn decided(reviewed: Option<Reviewed>) -> Result<wire::Decided, ReviewError> {
    let (job, outcome) = reviewed.ok_or(ReviewError::NoSuchJob)?;
    let advanced = outcome?;
    Ok(wire::Decided { job: job.0, state: advanced.state, token: advanced.token })
}

/// A reason or a hint, without spaces around it.
fn note(what: &str, text: Option<String>) -> Result<Option<String>, ReviewError> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    match text.chars().count() {
        0 => Err(ReviewError::Invalid(format!("{what} is empty; write it, or leave it out"))),
        length if length > NOTE_MOST => Err(ReviewError::Invalid(format!(
            "{what} has {length} characters, and may have {NOTE_MOST}; make it shorter"
        ))),
        _ => Ok(Some(text.to_owned())),
    }
}

fn is_set_aside(line: &JobLine) -> bool {
    line.state == JobState::Review && line.kind.is_some()
}

fn line(line: &JobLine) -> DraftLine {
    let parts = line.draft.as_ref().map(|draft| draft.translation.parts.as_slice()).unwrap_or_default();
    let doubts = line.draft.as_ref().map(|draft| draft.doubts.as_slice()).unwrap_or_default();
    DraftLine {
        job: line.id.0,
        token: line.token,
        post: line.post.0.clone(),
        target: line.target.to_string(),
        since: line.updated_at,
        set_aside: is_set_aside(line),
        findings: findings(doubts, &line.text, parts),
        translation: excerpt(parts.first().map(String::as_str).unwrap_or_default()),
        text: excerpt(&line.text),
    }
}

/// The beginning of a text.
fn excerpt(text: &str) -> String {
    let head: String = text.chars().take(EXCERPT).collect();
    if head.len() < text.len() { format!("{head}…") } else { head }
}

fn media(post: &Post, translation: Option<&Translation>) -> Vec<MediumText> {
    let alts = translation.map(|translation| translation.alts.as_slice()).unwrap_or_default();
    let translated = alts.iter().map(Some).chain(std::iter::repeat(None));
    let media = post.media.iter().zip(translated);
    media
        .map(|(medium, alt)| MediumText {
            kind: medium.kind.as_str().to_owned(),
            url: medium.url.clone(),
            alt: medium.alt.clone(),
            translation: alt.filter(|alt| !alt.is_empty()).cloned(),
        })
        .collect()
}

/// What is wrong, with the passages that it quotes.
fn findings(doubts: &[Doubt], post: &str, parts: &[String]) -> Vec<Finding> {
    let finding = |doubt: &Doubt| Finding {
        about: doubt.about.clone(),
        rule: doubt.rule.clone(),
        message: doubt.message.clone(),
        is_final: doubt.is_final,
        passages: passages(&doubt.message, post, parts),
    };
    doubts.iter().map(finding).collect()
}

/// The first place of each passage that a message quotes, in the post and in the translation.
fn passages(message: &str, post: &str, parts: &[String]) -> Vec<Passage> {
    let texts = std::iter::once((None, post))
        .chain(parts.iter().map(String::as_str).enumerate().map(|(number, text)| (Some(number), text)));
    let mut found = Vec::new();
    for quoted in message.split('“').skip(1).filter_map(|rest| rest.split('”').next()) {
        if quoted.is_empty() {
            continue;
        }
        for (part, text) in texts.clone() {
            let Some((before, _)) = text.split_once(quoted) else { continue };
            let start = before.chars().count();
            let passage =
                Passage { part, start, end: start + quoted.chars().count(), text: quoted.to_owned() };
            if !found.contains(&passage) {
                found.push(passage);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_the_places_of_what_it_quotes() {
        let parts = ["Hola a".to_owned(), "Ola #día #día".to_owned()];
        let found = passages("the translation contains “#día”, and lacks “@bob”", "¡Hi! @bob", &parts);
        let passage = |part, start, end, text: &str| Passage { part, start, end, text: text.into() };
        assert_eq!(found, [passage(Some(1), 4, 8, "#día"), passage(None, 5, 9, "@bob")]);
        assert!(passages("no quotes here", "Hi", &[]).is_empty());
        assert!(passages("an odd “”, and “never closed", "“never", &[]).is_empty());
    }

    #[test]
    fn a_reason_is_neither_empty_nor_endless() {
        assert_eq!(note("the reason", None).unwrap(), None);
        assert_eq!(note("the reason", Some("  as agreed \n".into())).unwrap().as_deref(), Some("as agreed"));
        let empty = note("the reason", Some(" ".into())).unwrap_err().to_string();
        assert!(empty.contains("is empty"), "{empty}");
        let long = note("the hint", Some("a".repeat(501))).unwrap_err().to_string();
        assert!(long.contains("501 characters, and may have 500"), "{long}");
    }

    #[test]
    fn a_refused_edit_lists_everything_that_is_wrong() {
        let finding = |rule: &str, is_final| Finding {
            about: "text".into(),
            rule: rule.into(),
            message: format!("no {rule}"),
            is_final,
            passages: vec![],
        };
        let why = ReviewError::Findings(vec![finding("numbers", false), finding("fits", true)]).to_string();
        assert!(why.contains("\n  text: no numbers [numbers]\n  text: no fits [fits]; nobody"), "{why}");
    }
}
