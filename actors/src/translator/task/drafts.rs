//! Drafts: what a person is asked to decide about, and what becomes of the words that a person writes. They pass the same
//! gate as an engine's.

use mynah_domain::{
    CardWords, Hold, JobEvent, MediaPolicy, Post, Target, TooLong, Translation, gate,
    job::HoldKind,
    review::{Doubt, Draft, ReviewPolicy, TEXT},
    text::{EntityKind, Hashtags, ProtectedKind, split::split},
};

use super::{REJECTED_MOST, Rejected, Task};

/// The texts that a person writes; `None` leaves a text as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    /// The post's own text.
    pub text: Option<Written>,
    /// The alt texts of all media, in order; an empty one removes it.
    pub alts: Option<Vec<String>>,
    /// The warning.
    pub warning: Option<String>,
    /// The words of the card.
    pub card: Option<CardWords>,
}

/// How a person writes the post's own text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// As one text, which is split like any other if it is too long for one message.
    Whole(String),
    /// Each message by itself.
    Parts(Vec<String>),
}

/// Texts that fit no draft of the post.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// A text is longer than any network's.
    #[error("a text has {0} characters, and none may have more than {REJECTED_MOST}")]
    TooLong(usize),
    /// The number of alt texts is not that of the media.
    #[error("there are {given} alt texts for {media} media; write one for each, in order, empty for none")]
    WrongAlts {
        /// How many alt texts there are.
        given: usize,
        /// How many media are published with the post.
        media: usize,
    },
    /// The post has no warning there.
    #[error("the post is published without a warning, so there is none to edit")]
    NoWarning,
    /// The post has no card there.
    #[error("the post is published without a card, so there are no words of one to edit")]
    NoCard,
}

/// What a person's texts become, and everything that is wrong with them. `before` has the texts that stay as they are.
///
/// # Errors
/// Texts that the post does not have on this target, or that are far too long.
pub fn edit(
    post: &Post,
    target: &Target,
    before: &Translation,
    texts: Texts,
) -> Result<(Translation, Vec<Doubt>), EditError> {
    let Texts { text, alts, warning, card } = texts;
    let mut task = Task::new(post, Vec::new(), target.clone());
    let parts = match text {
        None => task.without_reply(before.parts.clone()),
        Some(Written::Whole(text)) => task.split_whole(&tidy(&text)?),
        Some(Written::Parts(parts)) => {
            let parts = parts.iter().map(|part| tidy(part)).collect::<Result<Vec<_>, _>>()?;
            task.without_reply(parts)
        }
    };
    task.adopt_tags(&parts);
    let mut doubts = task.doubts(TEXT, &parts);
    let parts = task.with_reply(parts);
    let alts = match alts {
        None => before.alts.clone(),
        Some(alts) => edited_alts(post, target, &alts, &mut doubts)?,
    };
    let warning = match warning {
        None => before.warning.clone(),
        Some(_) if before.warning.is_none() => return Err(EditError::NoWarning),
        Some(warning) => {
            let warning = tidy(&warning)?;
            let own = post.warning.as_deref().unwrap_or_default();
            let task = Task::of_warning(post, own, target.clone());
            doubts.extend(task.doubts("warning", std::slice::from_ref(&warning)));
            Some(warning)
        }
    };
    let card = match (card, &before.card) {
        (None, card) => card.clone(),
        (Some(_), None) => return Err(EditError::NoCard),
        (Some(CardWords { title, description }), Some(_)) => {
            let words = CardWords { title: tidy(&title)?, description: tidy(&description)? };
            let own = post.card.as_ref().map(|card| card.words.clone());
            let own = own.unwrap_or_else(|| words.clone());
            for (about, own, text) in [
                ("card title", &own.title, &words.title),
                ("card description", &own.description, &words.description),
            ] {
                if !text.is_empty() {
                    let task = Task::of_card(post, own, target.clone());
                    doubts.extend(task.doubts(about, std::slice::from_ref(text)));
                }
            }
            Some(Box::new(words))
        }
    };
    let translation = Translation { parts, engine: Translation::PERSON.into(), alts, warning, card };
    Ok((translation, doubts))
}

fn edited_alts(
    post: &Post,
    target: &Target,
    alts: &[String],
    doubts: &mut Vec<Doubt>,
) -> Result<Vec<String>, EditError> {
    let media = if target.media == MediaPolicy::None { 0 } else { post.media.len() };
    if alts.len() != media {
        return Err(EditError::WrongAlts { given: alts.len(), media });
    }
    let mut edited = Vec::with_capacity(alts.len());
    for (number, (alt, medium)) in alts.iter().zip(&post.media).enumerate() {
        let alt = tidy(alt)?;
        if !alt.is_empty() {
            // A person may describe what the author did not: then there is nothing to compare with.
            let own = medium.alt.clone().unwrap_or_else(|| alt.clone());
            let task = Task::of_alt(post, &own, target.clone());
            let mut found = task.doubts(&format!("alt text {}", number + 1), std::slice::from_ref(&alt));
            found.retain(|doubt| medium.alt.is_some() || doubt.is_final);
            doubts.append(&mut found);
        }
        edited.push(alt);
    }
    if edited.iter().all(String::is_empty) {
        edited.clear();
    }
    Ok(edited)
}

/// A text as an editor saves it, with the ends of its lines as networks write them.
fn tidy(text: &str) -> Result<String, EditError> {
    let characters = text.chars().count();
    if characters > REJECTED_MOST {
        return Err(EditError::TooLong(characters));
    }
    Ok(text.replace("\r\n", "\n").trim().to_owned())
}

impl Task {
    /// The most that one message, or the text beside it, may weigh.
    pub fn most(&self) -> usize {
        self.room.most
    }

    /// Lets a person decide about the outcome, if the target's settings say so, or if a person asked for it.
    pub fn ask_for_review(&mut self) {
        let (policy, is_asked) = (self.target.review, self.guidance.is_some());
        if policy == ReviewPolicy::Never && !is_asked {
            return;
        }
        self.outcome = match self.outcome.take() {
            Some(JobEvent::Translated(translation))
                if (policy == ReviewPolicy::Always || is_asked) && !translation.is_copy() =>
            {
                Some(drafted(translation, Vec::new()))
            }
            Some(JobEvent::Held(hold)) if matches!(hold.kind, HoldKind::Gate | HoldKind::TooLong) => {
                Some(self.doubtful(hold))
            }
            outcome => outcome,
        };
    }

    /// The draft in place of a hold.
    fn doubtful(&mut self, hold: Hold) -> JobEvent {
        let rejected = match self.rejected.take() {
            Some(rejected) => rejected,
            None if self.is_wordless => Rejected {
                engine: Translation::COPY.into(),
                text: Some(self.mask.untranslated()),
                findings: Vec::new(),
            },
            // No engine made anything: a person may translate it.
            None => {
                let doubt = Doubt {
                    about: TEXT.into(),
                    rule: "engine".into(),
                    message: hold.reason,
                    is_final: false,
                };
                return drafted(Translation::by("", Vec::new()), vec![doubt]);
            }
        };
        let Rejected { engine, text, findings } = rejected;
        let known = findings.into_iter().map(|finding| self.doubt(TEXT, finding, &[]));
        let Some(text) = text else { return drafted(Translation::by(&engine, Vec::new()), known.collect()) };
        let text: String = text.chars().take(REJECTED_MOST).collect();
        let parts = self.split_whole(&text);
        let mut doubts = self.doubts(TEXT, &parts);
        if doubts.is_empty() {
            doubts = known.collect();
        }
        drafted(Translation::by(&engine, self.with_reply(parts)), doubts)
    }

    /// The messages that a whole text becomes.
    fn split_whole(&self, text: &str) -> Vec<String> {
        if self.network().weigh(text) <= self.room.most || self.room.too_long == TooLong::Hold {
            vec![text.to_owned()]
        } else {
            split(text, self.network(), self.room.most)
        }
    }

    /// Everything that is wrong with these messages.
    fn doubts(&self, about: &str, parts: &[String]) -> Vec<Doubt> {
        let findings = self.findings(parts, Some(self.room.most));
        findings.into_iter().map(|finding| self.doubt(about, finding, parts)).collect()
    }

    fn doubt(&self, about: &str, finding: gate::Finding, parts: &[String]) -> Doubt {
        let gate::Finding { rule, message } = finding;
        let refuses =
            |part: &String| self.network().refusal(part).is_some_and(|refusal| refusal.rule == rule);
        let is_final = matches!(rule, "fits" | "not_empty") || parts.iter().any(refuses);
        Doubt { about: about.into(), rule: rule.into(), message, is_final }
    }

    /// The messages without the one that has the links, which is added again.
    fn without_reply(&self, mut parts: Vec<String>) -> Vec<String> {
        let reply = self.with_reply(Vec::new());
        if parts.ends_with(&reply) {
            parts.truncate(parts.len() - reply.len());
        }
        parts
    }

    /// Lets a person choose the words of hashtags that the target translates: each that is not as it was expected is one of
    /// those in the text.
    fn adopt_tags(&mut self, parts: &[String]) {
        if self.target.masking.hashtags != Hashtags::Translate {
            return;
        }
        let network = self.target.network.clone();
        let tags_of = |part: &String| -> Vec<String> {
            let tags = network.entities(part).into_iter().filter(|one| one.kind == EntityKind::Hashtag);
            tags.filter_map(|tag| part.get(tag.range).map(str::to_owned)).collect()
        };
        let mut written: Vec<String> = parts.iter().flat_map(tags_of).collect();
        let mut changed = Vec::new();
        for (number, thing) in self.mask.protected.iter().enumerate() {
            if thing.kind != ProtectedKind::Hashtag {
                continue;
            }
            match written.iter().position(|tag| *tag == thing.becomes) {
                Some(at) => drop(written.remove(at)),
                None => changed.push(number),
            }
        }
        for (number, tag) in changed.into_iter().zip(written) {
            self.mask.protected[number].becomes = tag;
        }
    }
}

fn drafted(translation: Translation, doubts: Vec<Doubt>) -> JobEvent {
    JobEvent::Drafted(Box::new(Draft { translation, doubts, accepted: None }))
}

#[cfg(test)]
mod tests {
    use mynah_domain::{
        Media, MediaKind, MediaMissing, fixtures,
        review::Guidance,
        text::{MaskedText, Masking, Segment},
    };

    use super::*;

    fn target(review: ReviewPolicy) -> Target {
        Target { review, ..fixtures::target() }
    }

    fn judged(text: &str, answer: &str, target: Target) -> Task {
        let mut task = Task::new(&fixtures::post(1, text), Vec::new(), target);
        task.judge(MaskedText(vec![Segment::Words(answer.into())]), "model", false);
        task
    }

    fn draft(task: &Task) -> &Draft {
        match &task.outcome {
            Some(JobEvent::Drafted(draft)) => draft,
            other => panic!("{other:?}"),
        }
    }

    fn whole(text: &str) -> Texts {
        Texts { text: Some(Written::Whole(text.into())), ..Texts::default() }
    }

    fn rules(doubts: &[Doubt]) -> Vec<&str> {
        doubts.iter().map(|doubt| doubt.rule.as_str()).collect()
    }

    fn edited(text: &str, texts: Texts) -> (Vec<String>, Vec<Doubt>) {
        let post = fixtures::post(1, text);
        let before = Translation::by("model", vec!["Hola".into()]);
        let (translation, doubts) = edit(&post, &target(ReviewPolicy::Always), &before, texts).unwrap();
        assert_eq!(translation.engine, Translation::PERSON);
        (translation.parts, doubts)
    }

    const POST: &str = "The market opens at noon";
    const GOOD: &str = "El mercado abre al mediodía";

    #[test]
    fn a_translation_that_passed_waits_only_if_all_do_or_a_person_asked_for_it() {
        for (review, asked, waits) in [
            (ReviewPolicy::Never, false, false),
            (ReviewPolicy::OnDoubt, false, false),
            (ReviewPolicy::Always, false, true),
            (ReviewPolicy::Never, true, true),
        ] {
            let mut task = judged(POST, GOOD, target(review));
            task.guidance = asked.then(Box::<Guidance>::default);
            task.ask_for_review();
            let is_draft = matches!(task.outcome, Some(JobEvent::Drafted(_)));
            assert_eq!(is_draft, waits, "{review:?}");
        }
    }

    #[test]
    fn a_copy_needs_no_approval() {
        let mut task = Task::new(&fixtures::post(1, "1-0"), Vec::new(), target(ReviewPolicy::Always));
        task.copy_if_wordless();
        task.ask_for_review();
        assert!(matches!(&task.outcome, Some(JobEvent::Translated(copy)) if copy.is_copy()));
    }

    #[test]
    fn a_translation_that_would_be_held_waits_with_its_findings() {
        let held = Hold { kind: HoldKind::Gate, reason: "no engine".into(), until: None };
        let mut task = judged("We planted 350 trees", "Plantamos árboles", target(ReviewPolicy::OnDoubt));
        task.outcome = Some(JobEvent::Held(held.clone()));
        task.ask_for_review();
        assert_eq!(draft(&task).doubts[0].rule, "protected", "{:?}", draft(&task));
        assert!(draft(&task).translation.parts.is_empty());

        let mut task = judged(POST, "The market opens at noon", target(ReviewPolicy::OnDoubt));
        task.outcome = Some(JobEvent::Held(held.clone()));
        task.ask_for_review();
        assert_eq!(draft(&task).translation.parts, [POST]);
        assert!(draft(&task).doubts.iter().all(|doubt| !doubt.is_final), "{:?}", draft(&task));

        let mut task = Task::new(&fixtures::post(1, POST), Vec::new(), target(ReviewPolicy::OnDoubt));
        task.outcome = Some(JobEvent::Held(held));
        task.ask_for_review();
        assert_eq!(draft(&task).summary().as_deref(), Some("no engine [engine]"));
    }

    #[test]
    fn what_a_quota_holds_is_no_matter_for_a_person() {
        let mut task = Task::new(&fixtures::post(1, POST), Vec::new(), target(ReviewPolicy::Always));
        let hold = Hold { kind: HoldKind::Quota, reason: "none left".into(), until: None };
        task.outcome = Some(JobEvent::Held(hold.clone()));
        task.ask_for_review();
        assert_eq!(task.outcome, Some(JobEvent::Held(hold)));
    }

    #[test]
    fn a_persons_text_is_split_like_any_other_and_passes_the_same_gate() {
        let (parts, doubts) = edited(POST, whole("El mercado abre al mediodía\r\n"));
        assert_eq!((parts, doubts), (vec![GOOD.to_owned()], vec![]));
        let story = "One more sentence of the long story of the port. ".repeat(12);
        let (parts, doubts) =
            edited(&story, whole(&"Una frase más de la larga historia del puerto. ".repeat(12)));
        assert!(parts.len() > 1, "{parts:?}");
        assert!(rules(&doubts).is_empty(), "{doubts:?}");
        let (_, doubts) = edited("Thanks @bob, see https://a.example", whole("Gracias"));
        assert_eq!(rules(&doubts)[0], "protected");
        assert!(!doubts[0].is_final);
        let (_, doubts) = edited(POST, whole("El mercado abre\u{202e} al mediodía"));
        assert!(!doubts.is_empty());
        let (_, doubts) = edited(POST, whole("  \n "));
        assert!(doubts.iter().any(|doubt| doubt.rule == "not_empty" && doubt.is_final), "{doubts:?}");
    }

    #[test]
    fn nobody_can_accept_a_message_that_the_network_refuses() {
        let long = Texts { text: Some(Written::Parts(vec!["más ".repeat(200)])), ..Texts::default() };
        let (_, doubts) = edited(&"more ".repeat(200), long);
        assert!(doubts.iter().any(|doubt| doubt.rule == "fits" && doubt.is_final), "{doubts:?}");
        let endless = edit(
            &fixtures::post(1, POST),
            &fixtures::target(),
            &Translation::by("model", vec![]),
            whole(&"a".repeat(100_000)),
        );
        assert_eq!(endless, Err(EditError::TooLong(100_000)));
    }

    #[test]
    fn a_person_chooses_the_words_of_a_hashtag_that_is_translated() {
        let masking = Masking { hashtags: Hashtags::Translate, ..Masking::default() };
        let target = Target { masking, ..target(ReviewPolicy::Always) };
        let post = fixtures::post(1, "The fair opens #market");
        let before = Translation::by("model", vec![]);
        let (_, doubts) = edit(&post, &target, &before, whole("Abre la feria #mercado")).unwrap();
        assert!(rules(&doubts).is_empty(), "{doubts:?}");
        let (_, doubts) = edit(&post, &target, &before, whole("Abre la feria")).unwrap();
        assert_eq!(rules(&doubts), ["protected"]);
    }

    #[test]
    fn texts_that_the_post_does_not_have_are_refused() {
        let photo =
            Media { key: "a".into(), kind: MediaKind::Photo, url: None, alt: Some("A red boat".into()) };
        let post = Post { media: vec![photo], ..fixtures::post(1, POST) };
        let media = MediaPolicy::Copy { missing: MediaMissing::Publish };
        let target = Target { media, ..target(ReviewPolicy::Always) };
        let before = Translation::by("model", vec![GOOD.into()]);
        let alts = |alts: &[&str]| Texts {
            alts: Some(alts.iter().map(|alt| (*alt).to_owned()).collect()),
            ..Texts::default()
        };
        let edit = |texts| edit(&post, &target, &before, texts);
        assert_eq!(edit(alts(&[])), Err(EditError::WrongAlts { given: 0, media: 1 }));
        let (translation, doubts) = edit(alts(&["Un barco rojo"])).unwrap();
        assert_eq!((translation.parts, doubts), (before.parts.clone(), vec![]));
        assert_eq!(translation.alts, ["Un barco rojo"]);
        let long = edit(alts(&["Un barco ".repeat(500).as_str()])).unwrap().1;
        assert!(long.iter().any(|doubt| doubt.about == "alt text 1" && doubt.is_final), "{long:?}");
        let warned = Texts { warning: Some("Cuidado".into()), ..Texts::default() };
        assert_eq!(edit(warned), Err(EditError::NoWarning));
        let card = CardWords { title: "El puerto".into(), description: String::new() };
        assert_eq!(edit(Texts { card: Some(card), ..Texts::default() }), Err(EditError::NoCard));
    }
}
