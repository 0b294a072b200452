//! One post for one target on its way through the engines: what they are asked, and whether an answer is accepted.
//! Nothing here waits.

pub mod drafts;

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;
use mynah_domain::{
    Hold, JobEvent, Post, PostId, Style, Target, TooLong, Translation,
    budget::OverBudget,
    gate,
    job::{HoldKind, RejectedTranslation},
    network::NetworkRules,
    ports::engine::{EngineError, Item, ItemError, MaxWeight},
    review::{Guidance, ReviewPolicy},
    text::{
        Hashtags, Links, Mask, MaskedText, Masking, Protected, ProtectedKind, is_wordless, split::split, tags,
    },
};

use crate::cache::Key;

/// How often to request a shorter translation before a long one is accepted.
const SHORTENED_MOST: u8 = 2;

/// How many characters of a translation that is not published to store. No post has more than 25,000.
const REJECTED_MOST: usize = 25_000;

/// When a budget may allow what it refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetWait {
    /// `None` if it never will; of several times, the first.
    pub until: Option<Timestamp>,
}

/// A post to translate for a target.
pub struct Task {
    /// The post's id; its tasks for other targets have the same.
    pub post: PostId,
    /// The post's translations into other languages.
    pub others: Vec<String>,
    /// The target.
    pub target: Target,
    /// The post's text, masked for the target.
    pub mask: Mask,
    /// The earlier posts of its thread, oldest first.
    pub context: Vec<String>,
    /// What a person wants of this translation, if they were not content with one before. It is not looked up in the cache.
    pub guidance: Option<Box<Guidance>>,
    /// The outcome, once it is known.
    pub outcome: Option<JobEvent>,
    /// What went wrong so far, for a person.
    pub troubles: Vec<String>,
    /// Whether another attempt may succeed.
    pub retry: Retry,
    /// When to retry, if an engine named a time.
    pub until: Option<Timestamp>,
    /// Every engine that was asked is out of quota.
    pub out_of_quota: bool,
    /// What a budget that did not allow a call means for it.
    pub over_budget: Option<BudgetWait>,
    /// The engine that refused it, if no other may translate it instead.
    pub waits_for: Option<Arc<str>>,
    /// The last translation that did not pass, for a person.
    pub rejected: Option<Rejected>,
    room: Room,
    /// Whether there is nothing to translate.
    is_wordless: bool,
    /// Whether the translation that others use is too long here.
    wants_shorter: bool,
    tries: Tries,
}

/// How often to retry a job that no engine translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retry {
    /// An engine would answer the same again: it refused the text, or its answers did not pass the gate.
    Never,
    /// A few times: an answer could not be used, and a model that answers nonsense once may answer well the next time.
    Few,
    /// Until it succeeds: an engine was down or out of quota.
    Always,
}

/// How long a translation may be, and what to do with a longer one.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// The most that one publication, or an alt text, may weigh on the target's network.
    most: usize,
    too_long: TooLong,
}

/// The most that a translated warning may weigh: twice the author's, but no more than half of a message.
fn room_for_warning(warning: &str, rules: &dyn NetworkRules) -> usize {
    (2 * rules.weigh(warning)).min(rules.limits().text / 2)
}

/// The most that each part of a translation may weigh: each has the post's warning as well.
fn room_for_text(post: &Post, rules: &dyn NetworkRules) -> usize {
    let warning = post.warning.as_ref().map_or(0, |warning| room_for_warning(warning, rules));
    rules.limits().text - warning
}

/// A translation that did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The engine that made it.
    pub engine: String,
    /// The text; `None` if it could not be assembled.
    pub text: Option<String>,
    /// The rules that it breaks.
    pub findings: Vec<gate::Finding>,
}

/// The attempts with one engine so far.
#[derive(Default)]
struct Tries {
    slipped: bool,
    advised: bool,
    shortened: u8,
    advice: Vec<String>,
    /// The best answer that was only too long.
    long: Option<(MaskedText, String)>,
}

/// The verdict on an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is accepted, and may be cached.
    Taken(MaskedText),
    /// The engine must be asked again, with advice.
    Again,
    /// The engine cannot translate it.
    GivenUp,
}

impl Task {
    /// Creates the task of a post to be published on a target.
    pub fn new(post: &Post, context: Vec<String>, target: Target) -> Self {
        let rules = &*target.source.network;
        let has_own_warning = target.network.has_warnings();
        let post = if has_own_warning { Cow::Borrowed(post) } else { post.with_warning_in_text(rules) };
        let mask = target.mask(&post.text, &post.entities_by(rules)).composed();
        let room = Room { most: room_for_text(&post, &*target.network), too_long: target.too_long };
        let is_wordless = is_wordless(&post.text, &mask.text);
        Self { context, is_wordless, ..Self::of(post.id.clone(), mask, target, room) }
    }

    /// Creates a task without any attempts.
    fn of(post: PostId, mask: Mask, target: Target, room: Room) -> Self {
        let is_wordless = !mask.text.has_words();
        Self {
            post,
            others: Vec::new(),
            target,
            mask,
            context: Vec::new(),
            guidance: None,
            outcome: None,
            troubles: Vec::new(),
            retry: Retry::Never,
            until: None,
            out_of_quota: true,
            over_budget: None,
            waits_for: None,
            rejected: None,
            room,
            is_wordless,
            wants_shorter: false,
            tries: Tries::default(),
        }
    }

    /// Creates the task of a medium's alt text.
    pub fn of_alt(post: &Post, alt: &str, target: Target) -> Self {
        let most = target.network.limits().alt_text;
        Self::beside(post, "media", alt, target, most)
    }

    /// Creates the task of the post's warning.
    pub fn of_warning(post: &Post, warning: &str, target: Target) -> Self {
        let most = room_for_warning(warning, &*target.network);
        Self::beside(post, "warning", warning, target, most)
    }

    /// Creates the task of the title or the description of the post's card.
    pub fn of_card(post: &Post, words: &str, target: Target) -> Self {
        let most = target.network.limits().alt_text;
        Self::beside(post, "card", words, target, most)
    }

    /// Creates the task of a text that is published with the post's own.
    fn beside(post: &Post, name: &str, text: &str, target: Target, most: usize) -> Self {
        // Keep it apart from the post's own text, also when texts are compared with those of other targets.
        let id = PostId(format!("{}/{name}", post.id));
        // Nobody follows a link in such a text, and no network charges for it.
        let target = Target { masking: Masking { links: Links::Keep, ..target.masking.clone() }, ..target };
        let mask = target.mask(text, &target.source.network.entities(text)).composed();
        Self::of(id, mask, target, Room { most, too_long: TooLong::Hold })
    }

    /// The words of the hashtags to translate, if the target wants that, each with the number of its protected part.
    pub fn tags(&self) -> Vec<(usize, Self)> {
        if self.target.masking.hashtags != Hashtags::Translate {
            return Vec::new();
        }
        let of_hashtags = |(_, thing): &(usize, &Protected)| thing.kind == ProtectedKind::Hashtag;
        let things = self.mask.protected.iter().enumerate().filter(of_hashtags);
        things
            .map(|(number, thing)| {
                let words = tags::words_of(&thing.text);
                let post = PostId(format!("{}/tag{number}", self.post));
                let entities = self.target.source.network.entities(&words);
                let mask = self.target.mask(&words, &entities);
                (number, Self::of(post, mask, self.target.clone(), self.room))
            })
            .collect()
    }

    /// Replaces a hashtag with these words, if they can form one.
    pub fn set_tag(&mut self, number: usize, words: &str) {
        let thing = &mut self.mask.protected[number];
        if let Some(tag) = tags::tag_of(words, &thing.text, &*self.target.network) {
            thing.becomes = tag;
        }
    }

    /// The cache key of its translation by an engine, which is named as by [`maker`](crate::cache::maker). An engine that takes no advice reads only the text, so for it a
    /// template with another number has the same key. For other engines the number must be of the same class
    /// ([`mynah_domain::text::plural`]), unless the instructions may do more with a number than agree with it, such as
    /// converting measures.
    pub fn key(&self, maker: &str, takes_advice: bool) -> Key {
        let Target { source, language, style, .. } = &self.target;
        let languages = (source.language, *language);
        if !takes_advice {
            return Key::new(&self.mask.text.key(), languages, &Style::default(), &[], maker);
        }
        let text = if style.adapt || !style.instructions.is_empty() {
            self.mask.key()
        } else {
            self.mask.key_between(source.language, *language)
        };
        Key::new(&text, languages, style, &self.context, maker)
    }

    /// The item to send to an engine.
    pub fn item(&self) -> Item {
        let shorter = self.wants_shorter || self.tries.shortened > 0;
        Item {
            stands_for: self.mask.stands_for(),
            style: self.target.style.clone(),
            context: self.context.clone(),
            advice: self.hint().chain(self.tries.advice.clone()).collect(),
            max_weight: shorter
                .then(|| MaxWeight { most: self.room.most, counting: self.network().counting() }),
            ..Item::new(self.mask.text.clone(), self.target.source.language, self.target.language)
        }
    }

    /// What a person wants better, as advice for an engine.
    fn hint(&self) -> impl Iterator<Item = String> + use<> {
        let hint = self.guidance.as_ref().and_then(|guidance| guidance.hint.clone());
        hint.map(|hint| format!("a person who read it asks for this: {hint}")).into_iter()
    }

    /// The places, among engines with these names, of those that may translate it, in order.
    pub fn places<'a>(&self, engines: &(impl Iterator<Item = &'a str> + Clone)) -> Vec<usize> {
        let all = self.target.engines.places(engines.clone());
        let named = self.guidance.as_ref().and_then(|guidance| guidance.engine.as_deref());
        let named = named.and_then(|name| engines.clone().position(|engine| engine == name));
        // The settings may not have it any more.
        named.filter(|place| all.contains(place)).map_or(all, |place| vec![place])
    }

    /// Whether its translation may be used for other posts before anybody approved it.
    pub fn may_be_cached(&self) -> bool {
        self.target.review != ReviewPolicy::Always
    }

    /// If there is nothing to translate, settles the task without an engine: the text is published as it is, apart from
    /// what the target drops or replaces. The gate, which compares languages, has nothing to judge; but the target's
    /// network may refuse what the source's accepts.
    pub fn copy_if_wordless(&mut self) {
        if !self.is_wordless {
            return;
        }
        let text = self.mask.untranslated();
        let has_links = !self.links_of_reply().is_empty();
        let parts = if has_links && text.trim().is_empty() {
            Vec::new()
        } else if self.network().weigh(&text) <= self.room.most {
            vec![text]
        } else if self.room.too_long == TooLong::Hold {
            self.outcome = Some(self.held_as_too_long());
            return;
        } else {
            split(&text, self.network(), self.room.most)
        };
        let parts = self.with_reply(parts);
        self.outcome = Some(match parts.iter().find_map(|part| self.network().refusal(part)) {
            None => JobEvent::Translated(Translation::copy(parts)),
            Some(refusal) => {
                JobEvent::Held(Hold { kind: HoldKind::Gate, reason: refusal.message, until: None })
            }
        });
    }

    /// The event of a text that is too long for a target that does not split.
    fn held_as_too_long(&self) -> JobEvent {
        let reason = format!(
            "the translation is longer than {}; publish it by hand, or set too_long = \"thread\" and retry it",
            self.room.most
        );
        JobEvent::Held(Hold { kind: HoldKind::TooLong, reason, until: None })
    }

    /// Starts with another engine.
    pub fn begin(&mut self) {
        self.tries = Tries::default();
    }

    /// Judges a translation; if the engine takes advice, it is asked again to fix what is wrong or too long.
    pub fn judge(&mut self, mut text: MaskedText, revision: &str, takes_advice: bool) -> Judged {
        let max = self.room.most;
        let advise = takes_advice && !self.tries.advised;
        let mut restored = match self.mask.restore_for(&text, self.network()) {
            Ok(restored) => restored,
            Err(error) if advise => return self.advise(vec![error.advice()]),
            Err(error) => {
                let finding = gate::Finding { rule: "protected", message: error.to_string() };
                return self.give_up(revision, None, vec![finding]);
            }
        };
        let mut wrong = self.findings(std::slice::from_ref(&restored), None);
        // An engine that takes no advice may have made a link of two words by accident.
        if !wrong.is_empty()
            && !takes_advice
            && let Some(unlinked) = text.unlinked(self.network())
            && let Ok(again) = self.mask.restore_for(&unlinked, self.network())
        {
            wrong = self.findings(std::slice::from_ref(&again), None);
            (text, restored) = (unlinked, again);
        }
        let weight = self.network().weigh(&restored);
        if !wrong.is_empty() {
            if advise {
                return self.advise(wrong.iter().map(|finding| finding.message.clone()).collect());
            }
            return self.give_up(revision, Some(restored), wrong);
        }
        if weight > max && takes_advice && self.tries.shortened < SHORTENED_MOST {
            self.tries.shortened += 1;
            self.tries.advice = vec![format!("it weighs {weight} and may weigh {max}: make it shorter")];
            let shorter =
                self.tries.long.as_ref().is_none_or(|(_, known)| weight < self.network().weigh(known));
            if shorter {
                self.tries.long = Some((text, restored));
            }
            return Judged::Again;
        }
        match self.tries.long.take() {
            Some((text, restored)) if self.network().weigh(&restored) < weight => {
                self.settle(text, &restored, revision)
            }
            _ => self.settle(text, &restored, revision),
        }
    }

    /// Whether a translation that was made for another target is too long for this one. An engine that can make a shorter
    /// one is then asked for it at once.
    pub fn is_too_long(&mut self, text: &MaskedText) -> bool {
        let restored = self.mask.restore_for(text, self.network());
        self.wants_shorter = restored.is_ok_and(|restored| self.network().weigh(&restored) > self.room.most);
        self.wants_shorter
    }

    /// The rules of the network that it is published on.
    fn network(&self) -> &dyn NetworkRules {
        &*self.target.network
    }

    /// The events that end the task: a job that is held keeps its last translation, for a person.
    pub fn into_events(self) -> Vec<JobEvent> {
        let rejected = self.rejected.and_then(|Rejected { engine, text, .. }| {
            let text = text?.chars().take(REJECTED_MOST).collect();
            Some(JobEvent::Rejected(RejectedTranslation { text, engine }))
        });
        match self.outcome {
            Some(held @ JobEvent::Held(_)) => rejected.into_iter().chain([held]).collect(),
            outcome => outcome.into_iter().collect(),
        }
    }

    /// Its translation, if there is one.
    pub fn translated_text(&self) -> Option<String> {
        match &self.outcome {
            Some(JobEvent::Translated(translation)) => Some(translation.parts.join("\n")),
            _ => None,
        }
    }

    /// The engine did not answer. Its earlier answer that was only too long is better than nothing; returns it if there
    /// is one.
    pub fn unanswered(&mut self, revision: &str) -> Option<MaskedText> {
        let (text, restored) = self.tries.long.take()?;
        match self.settle(text, &restored, revision) {
            Judged::Taken(text) => Some(text),
            Judged::Again | Judged::GivenUp => None,
        }
    }

    /// Accepts a translation that passed the gate: as one publication, as several, or on hold for a person.
    fn settle(&mut self, text: MaskedText, restored: &str, revision: &str) -> Judged {
        let max = self.room.most;
        let fits = self.network().weigh(restored) <= max;
        if !fits && self.room.too_long == TooLong::Hold {
            self.outcome = Some(self.held_as_too_long());
            self.rejected = Some(Rejected {
                engine: revision.to_owned(),
                text: Some(restored.to_owned()),
                findings: Vec::new(),
            });
            return Judged::Taken(text);
        }
        let parts = if fits {
            // Keep the text that was judged.
            vec![restored.to_owned()]
        } else {
            let parts = split(restored, self.network(), max);
            let findings = self.findings(&parts, Some(max));
            if !findings.is_empty() {
                return self.give_up(revision, Some(restored.to_owned()), findings);
            }
            parts
        };
        self.outcome = Some(JobEvent::Translated(Translation::by(revision, self.with_reply(parts))));
        Judged::Taken(text)
    }

    /// The links that the target wants in a reply.
    fn links_of_reply(&self) -> &[String] {
        self.mask.links_of_reply(self.target.masking.links)
    }

    /// Adds a part with the links that the target wants in a reply. They are the author's, so the gate has nothing to
    /// judge.
    fn with_reply(&self, mut parts: Vec<String>) -> Vec<String> {
        let links = self.links_of_reply();
        if !links.is_empty() {
            parts.extend(split(&links.join("\n"), self.network(), self.room.most));
        }
        parts
    }

    fn findings(&self, parts: &[String], max_weight: Option<usize>) -> Vec<gate::Finding> {
        gate::findings(&gate::Candidate {
            source: &self.mask,
            parts,
            rules: self.network(),
            max_weight,
            from: self.target.source.language,
            to: self.target.language,
            others: &self.others,
        })
    }

    fn advise(&mut self, advice: Vec<String>) -> Judged {
        self.tries.advised = true;
        self.tries.advice = advice;
        Judged::Again
    }

    fn give_up(&mut self, revision: &str, text: Option<String>, findings: Vec<gate::Finding>) -> Judged {
        self.out_of_quota = false;
        self.troubles.extend(findings.iter().map(|finding| format!("{revision}: {finding}")));
        self.rejected = Some(Rejected { engine: revision.to_owned(), text, findings });
        Judged::GivenUp
    }

    /// The answer was unusable; returns whether to ask the engine once more.
    pub fn may_slip(&mut self) -> bool {
        !std::mem::replace(&mut self.tries.slipped, true)
    }

    /// The engine answered for the others but not for this task.
    pub fn spoiled(&mut self, engine: &str, error: &ItemError) {
        self.troubles.push(format!("{engine}: {error}"));
        if matches!(error, ItemError::Unusable(_)) {
            self.retry = self.retry.max(Retry::Few);
        }
        self.out_of_quota = false;
    }

    /// The call as a whole failed.
    pub fn failed(&mut self, engine: &str, error: &EngineError) {
        self.troubles.push(format!("{engine}: {error}"));
        // Time does not fix a wrong key, but a person may, and then the job should continue by itself.
        self.retry = Retry::Always;
        match error {
            EngineError::RateLimited { until: Some(until), .. } => self.not_before(*until),
            _ => self.out_of_quota = false,
        }
    }

    /// The engine is considered down or out of quota, and was not asked.
    pub fn not_asked(&mut self, engine: &str, until: Timestamp) {
        self.troubles
            .push(format!("{engine}: it is down or out of quota, and will not be called before {until:.0}"));
        self.retry = Retry::Always;
        self.not_before(until);
    }

    /// A budget does not allow a call to the engine.
    pub fn over_budget(&mut self, engine: &str, over: &OverBudget, now: Timestamp) {
        self.troubles.push(format!("{engine}: {over}"));
        self.retry = Retry::Always;
        let again_at = over.retry_at(now);
        if let Some(again_at) = again_at {
            self.not_before(again_at);
        }
        let known = self.over_budget.and_then(|wait| wait.until);
        self.over_budget = Some(BudgetWait { until: [known, again_at].into_iter().flatten().min() });
    }

    fn not_before(&mut self, moment: Timestamp) {
        // It is enough to wait for the first engine to come back.
        self.until = Some(self.until.map_or(moment, |known| known.min(moment)));
    }
}

#[cfg(test)]
mod tests {
    use mynah_domain::{
        fixtures,
        text::{Mentions, Segment},
    };

    use super::*;

    fn task(text: &str, too_long: TooLong) -> Task {
        Task::new(&fixtures::post(1, text), Vec::new(), Target { too_long, ..fixtures::target() })
    }

    const STORY: &str = "One more sentence of the long story of the port. ";

    fn words(text: &str) -> MaskedText {
        MaskedText(vec![Segment::Words(text.into())])
    }

    fn parts(task: &Task) -> usize {
        match &task.outcome {
            Some(JobEvent::Translated(translation)) => translation.parts.len(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_engine_that_reads_only_the_text_shares_the_key_of_a_template_with_another_number() {
        let [one, two] =
            ["We planted 2 trees", "We planted 350 trees"].map(|text| task(text, TooLong::Thread));
        assert!(one.key("fixed", false) == two.key("fixed", false));
        assert!(one.key("model", true) != two.key("model", true));
    }

    #[test]
    fn every_engine_shares_the_key_of_a_number_of_the_same_class_unless_it_has_instructions() {
        let [mut one, mut two] =
            ["We planted 250 trees", "We planted 350 trees"].map(|text| task(text, TooLong::Thread));
        assert!(one.key("model", true) == two.key("model", true));
        for task in [&mut one, &mut two] {
            task.target.style.adapt = true;
        }
        assert!(one.key("model", true) != two.key("model", true));
        for task in [&mut one, &mut two] {
            task.target.style = Style { instructions: "Say miles in km.".into(), ..Style::default() };
        }
        assert!(one.key("model", true) != two.key("model", true));
    }

    #[test]
    fn a_letter_encoded_in_two_ways_has_one_key_and_one_form() {
        let [one, two] = ["Cafe\u{301} open", "Café open"].map(|text| task(text, TooLong::Thread));
        assert!(one.key("fixed", false) == two.key("fixed", false));
        assert_eq!(one.item(), two.item());
    }

    #[test]
    fn a_wrong_answer_is_requested_once_more_with_the_finding_and_then_given_up() {
        let mut task = task("Thanks @bob", TooLong::Thread);
        assert_eq!(task.judge(words("Gracias"), "model", true), Judged::Again);
        assert_eq!(task.item().advice, ["placeholder 0 is missing"]);
        assert_eq!(task.judge(words("Gracias"), "model", true), Judged::GivenUp);
        assert_eq!(task.troubles, ["model: the translation lacks “@bob” [protected]"]);
        task.begin();
        assert!(task.item().advice.is_empty());
        assert_eq!(task.judge(words("Gracias"), "fixed", false), Judged::GivenUp);
    }

    #[test]
    fn a_tag_grown_together_with_words_gets_the_spaces_that_the_network_needs() {
        let mut task = Task::new(
            &fixtures::post(1, "This #rust team is the best team in town"),
            Vec::new(),
            Target { language: fixtures::language("ja"), ..fixtures::target() },
        );
        let words = |text: &str| Segment::Words(text.into());
        let answer =
            MaskedText(vec![words("この"), Segment::Placeholder(0), words("のチームは町で一番です。")]);
        assert_eq!(task.judge(answer.clone(), "model", true), Judged::Taken(answer));
        assert_eq!(task.translated_text().as_deref(), Some("この #rust のチームは町で一番です。"));
    }

    #[test]
    fn links_go_where_the_target_wants_them() {
        let text = "Read https://a.example and https://b.example today";
        for (links, parts) in [
            (Links::Keep, &["Lee https://a.example y https://b.example hoy"][..]),
            (Links::First, &["Lee https://a.example y hoy"]),
            (Links::Drop, &["Lee y hoy"]),
            (Links::Reply, &["Lee y hoy", "https://a.example\nhttps://b.example"]),
        ] {
            let masking = Masking { links, ..Masking::default() };
            let target = Target { masking, ..fixtures::target() };
            let mut task = Task::new(&fixtures::post(1, text), Vec::new(), target);
            let placeholders: Vec<Segment> =
                task.mask.text.placeholders().map(Segment::Placeholder).collect();
            let words = |text: &str| Segment::Words(text.into());
            let answer = match placeholders.as_slice() {
                [a, b] => vec![words("Lee "), a.clone(), words(" y "), b.clone(), words(" hoy")],
                [a] => vec![words("Lee "), a.clone(), words(" y hoy")],
                _ => vec![words("Lee y hoy")],
            };
            task.judge(MaskedText(answer), "model", true);
            let Some(JobEvent::Translated(translation)) = &task.outcome else { panic!("{:?}", task.outcome) };
            assert_eq!(translation.parts, parts, "{links:?}");
        }
    }

    #[test]
    fn a_post_that_is_only_a_link_is_published_as_that_link() {
        let masking = Masking { links: Links::Reply, ..Masking::default() };
        let target = Target { masking, ..fixtures::target() };
        let mut task = Task::new(&fixtures::post(1, "https://a.example"), Vec::new(), target);
        task.copy_if_wordless();
        let copy = Translation::copy(vec!["https://a.example".into()]);
        assert_eq!(task.outcome, Some(JobEvent::Translated(copy)));
    }

    #[test]
    fn a_long_answer_is_shortened_twice_and_then_the_shortest_is_split() {
        let mut task = task(&STORY.repeat(8), TooLong::Thread);
        let [long, longer] = ["Una frase. ".repeat(60), "Una frase. ".repeat(90)];
        assert_eq!(task.judge(words(&longer), "model", true), Judged::Again);
        assert_eq!(task.item().max_weight.map(|max| max.most), Some(500));
        assert_eq!(task.judge(words(&long), "model", true), Judged::Again);
        assert_eq!(task.judge(words(&longer), "model", true), Judged::Taken(words(&long)));
        assert_eq!(parts(&task), 2);
    }

    #[test]
    fn if_the_engine_stops_answering_the_long_answer_is_accepted() {
        let mut task = task(&STORY.repeat(8), TooLong::Thread);
        assert_eq!(task.unanswered("model"), None);
        let long = "Una frase. ".repeat(60);
        assert_eq!(task.judge(words(&long), "model", true), Judged::Again);
        assert_eq!(task.unanswered("model"), Some(words(&long)));
        assert_eq!(parts(&task), 2);
    }

    #[test]
    fn a_target_without_threads_holds_a_translation_that_is_too_long() {
        let mut task = task(&STORY.repeat(8), TooLong::Hold);
        let long = words(&"Una frase. ".repeat(60));
        assert_eq!(task.judge(long.clone(), "fixed", false), Judged::Taken(long));
        assert!(matches!(&task.outcome, Some(JobEvent::Held(hold)) if hold.kind == HoldKind::TooLong));
    }

    #[test]
    fn a_link_made_by_accident_by_an_engine_without_advice_is_broken_up() {
        let mut by_rules = task("He is a nobody here", TooLong::Thread);
        let broken = words("Es un nadie aquí");
        assert_eq!(by_rules.judge(words("Es un @nadie aquí"), "fixed", false), Judged::Taken(broken));
        let mut advised = task("He is a nobody here", TooLong::Thread);
        assert_eq!(advised.judge(words("Es un @nadie aquí"), "model", true), Judged::Again);
    }

    #[test]
    fn an_alt_text_has_its_own_limit_and_is_never_split() {
        let target = fixtures::target();
        let mut task = Task::of_alt(&fixtures::post(1, ""), &STORY.repeat(20), target);
        let (fitting, long) = (words(&"Una frase. ".repeat(90)), words(&"Una frase. ".repeat(200)));
        assert_eq!(task.judge(long.clone(), "fixed", false), Judged::Taken(long));
        assert!(matches!(&task.outcome, Some(JobEvent::Held(hold)) if hold.kind == HoldKind::TooLong));
        assert_eq!(task.judge(fitting.clone(), "fixed", false), Judged::Taken(fitting));
        assert_eq!(parts(&task), 1);
    }

    #[test]
    fn a_text_without_words_is_copied_as_its_target_wants_it() {
        let masking = Masking { mentions: Mentions::Name, hashtags: Hashtags::Drop, ..Masking::default() };
        let target = Target { masking, ..fixtures::target() };
        for (text, copy) in [
            ("https://a.example/b", "https://a.example/b"),
            ("🎉 #goal", "🎉"),
            ("1/3 @bob", "1/3 bob"),
            ("", ""),
            ("if (a) { b(); }", "if (a) { b(); }"),
        ] {
            let mut task = Task::new(&fixtures::post(1, text), Vec::new(), target.clone());
            task.copy_if_wordless();
            let copied = JobEvent::Translated(Translation::copy(vec![copy.into()]));
            assert_eq!(task.outcome, Some(copied), "{text}");
        }
        let mut with_words = task("Goal!", TooLong::Thread);
        with_words.copy_if_wordless();
        assert_eq!(with_words.outcome, None);
    }

    #[test]
    fn a_long_text_without_words_is_split_or_held_like_any_other() {
        let links = "https://a.example/one-more-page-of-the-long-story ".repeat(15);
        let mut split = task(&links, TooLong::Thread);
        split.copy_if_wordless();
        assert!(parts(&split) > 1);
        let mut whole = task(&links, TooLong::Hold);
        whole.copy_if_wordless();
        assert!(matches!(&whole.outcome, Some(JobEvent::Held(hold)) if hold.kind == HoldKind::TooLong));
    }

    #[test]
    fn a_held_job_keeps_its_last_translation_and_a_translated_one_does_not() {
        let held = || Hold { kind: HoldKind::Gate, reason: "it lacks a name".into(), until: None };
        let mut gave_up = task("Thanks @bob", TooLong::Thread);
        assert_eq!(gave_up.judge(words("Gracias"), "model", false), Judged::GivenUp);
        gave_up.outcome = Some(JobEvent::Held(held()));
        assert_eq!(gave_up.into_events(), [JobEvent::Held(held())], "its text was not assembled");

        let mut too_long = task(&STORY.repeat(8), TooLong::Hold);
        let long = "Una frase. ".repeat(60);
        too_long.judge(words(&long), "fixed", false);
        let events = too_long.into_events();
        let rejected = RejectedTranslation { text: long, engine: "fixed".into() };
        assert_eq!(events.len(), 2);
        assert_eq!(events[0], JobEvent::Rejected(rejected));

        let mut translated = task("Hello", TooLong::Thread);
        translated.judge(words("Hola"), "fixed", false);
        let [JobEvent::Translated(translation)] = &translated.into_events()[..] else {
            panic!("not one event")
        };
        assert_eq!(translation.parts, ["Hola"]);
    }

    #[test]
    fn an_unusable_answer_is_worth_a_few_retries_and_a_refused_text_none() {
        for (error, retry) in [
            (ItemError::Unusable("no JSON".into()), Retry::Few),
            (ItemError::Refused("no".into()), Retry::Never),
        ] {
            let mut task = task("Hello", TooLong::Thread);
            task.spoiled("model", &error);
            assert_eq!((task.retry, task.out_of_quota), (retry, false));
            assert_eq!(task.troubles, [format!("model: {error}")]);
        }
    }

    #[test]
    fn an_item_has_what_the_engine_needs_beside_the_text() {
        let style = Style { adapt: true, ..Style::default() };
        let target = Target { style: style.clone(), ..fixtures::target() };
        let post = fixtures::post(1, "We planted 350 trees");
        let item = Task::new(&post, vec!["A park for all".into()], target).item();
        assert_eq!((item.style, item.context), (style, vec!["A park for all".to_owned()]));
        assert_eq!(item.stands_for, [(0, "350".to_owned())]);
    }

    #[test]
    fn a_first_request_has_no_limit_and_a_repeated_one_that_of_the_network() {
        let mut task = task(&STORY.repeat(8), TooLong::Thread);
        assert_eq!(task.item().max_weight, None);
        task.judge(words(&"Una frase. ".repeat(60)), "model", true);
        assert_eq!(task.item().max_weight.map(|max| max.most), Some(500));
    }

    #[test]
    fn a_hashtag_becomes_one_of_the_targets_network() {
        let masking = Masking { hashtags: Hashtags::Translate, ..Masking::default() };
        let target = Target { masking, ..fixtures::target() };
        let mut task = Task::new(&fixtures::post(1, "Up the #WorldCup2026"), Vec::new(), target);
        let [(number, words)] = &task.tags()[..] else { panic!("it has one hashtag") };
        assert_eq!(words.mask.text.key(), "World Cup \u{1}0\u{1}");
        task.set_tag(*number, "Copa del Mundo 2026");
        assert_eq!(task.mask.protected[0].becomes, "#CopaDelMundo2026");
        task.set_tag(0, "…");
        assert_eq!(task.mask.protected[0].becomes, "#CopaDelMundo2026");
    }
}
