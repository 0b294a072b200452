//! Items of a played service, and what the tests of all services need.

use std::cell::RefCell;

use mynah_domain::{
    fixtures::{language, mask},
    ports::Engine,
};
use mynah_sandbox::{Endpoint, Fault, FaultPlan, FaultRule, Sandbox, SandboxConfig};
use url::Url;

use super::*;
use crate::engines::lines;

/// A service that answers as `answer` says, and notes the texts of each request.
struct Fake<F> {
    answer: F,
    requests: RefCell<Vec<Vec<String>>>,
}

impl<F: Fn(&[&str]) -> Result<Outcome, EngineError>> Service for Fake<F> {
    const NAME: &'static str = "The service";

    fn max_texts(&self) -> usize {
        4
    }

    fn max_bytes(&self) -> usize {
        200
    }

    fn form(&self, _: Language, _: Language) -> Form {
        Form::Xml
    }

    fn parts(&self, text: &MaskedText) -> Vec<Part> {
        lines::whole(text)
    }

    async fn ask(&self, texts: &[&str], _: Form, _: &Item) -> Result<Outcome, EngineError> {
        self.requests.borrow_mut().push(texts.iter().map(|text| (*text).to_owned()).collect());
        (self.answer)(texts)
    }
}

async fn asked(
    answer: impl Fn(&[&str]) -> Result<Outcome, EngineError>,
    texts: &[&str],
) -> (Result<Reply, EngineError>, Vec<Vec<String>>) {
    let service = Fake { answer, requests: RefCell::default() };
    let reply = translate(&service, &texts.iter().map(|text| item(text)).collect::<Vec<_>>()).await;
    (reply, service.requests.into_inner())
}

/// Settings of a service that the sandbox stands in for.
pub(crate) trait InSandbox {
    /// Where it translates.
    const ENDPOINT: Endpoint;
    type Engine: Engine;

    /// For a sandbox with this address.
    fn at(url: Url) -> Self;

    fn engine(&self) -> Self::Engine;
}

/// A service in the sandbox.
pub(crate) struct Bench<S> {
    pub(crate) sandbox: Sandbox,
    pub(crate) settings: S,
}

impl<S: InSandbox> Bench<S> {
    pub(crate) async fn new() -> Self {
        let sandbox = mynah_sandbox::start(SandboxConfig::default()).await.unwrap();
        let settings = S::at(sandbox.url().parse().unwrap());
        Self { sandbox, settings }
    }

    pub(crate) async fn failing(fault: Fault) -> Self {
        let bench = Self::new().await;
        bench.order(FaultRule::new(S::ENDPOINT, fault));
        bench
    }

    pub(crate) fn order(&self, rule: FaultRule) {
        self.sandbox.set_faults(FaultPlan { rules: vec![rule], ..FaultPlan::default() });
    }

    pub(crate) fn engine(&self) -> S::Engine {
        self.settings.engine()
    }

    pub(crate) async fn translate(&self, texts: &[&str]) -> Result<Reply, EngineError> {
        self.engine().translate(&texts.iter().map(|text| item(text)).collect::<Vec<_>>()).await
    }

    /// How often it was asked to translate.
    pub(crate) fn calls(&self) -> u64 {
        self.sandbox.count(S::ENDPOINT).requests
    }
}

/// A text to translate from English to Spanish.
pub(crate) fn item(text: &str) -> Item {
    let mask = mask(text);
    Item { stands_for: mask.stands_for(), ..Item::new(mask.text, language("en"), language("es")) }
}

fn characters(count: u64) -> Usage {
    Usage { billed_characters: Some(count), ..Usage::default() }
}

fn translations<'a>(texts: impl IntoIterator<Item = &'a str>) -> Outcome {
    Outcome::Translations(texts.into_iter().map(|text| Ok(text.to_owned())).collect(), characters(1))
}

/// Each word in capitals; marks and entities stay.
#[expect(clippy::unnecessary_wraps, reason = "other answers fail")]
fn shouted(texts: &[&str]) -> Result<Outcome, EngineError> {
    let shout = |text: &&str| {
        let mut inside = false;
        let shouted = text.chars().map(|c| {
            inside = (inside || matches!(c, '<' | '&')) && !matches!(c, '>' | ';');
            if inside { c } else { c.to_ascii_uppercase() }
        });
        Ok(shouted.collect())
    };
    Ok(Outcome::Translations(texts.iter().map(shout).collect(), characters(1)))
}

/// The translation of a text, with its protected parts.
pub(crate) fn restored(text: &str, answer: &Result<MaskedText, ItemError>) -> String {
    mask(text).restore(answer.as_ref().unwrap()).unwrap()
}

/// Whether nothing but an unusable item came of each text.
pub(crate) fn are_unusable(reply: &Reply) -> bool {
    reply.items.iter().all(|item| matches!(item, Err(ItemError::Unusable(_))))
}

/// Whether each text was refused.
pub(crate) fn are_refused(reply: &Reply) -> bool {
    reply.items.iter().all(|item| matches!(item, Err(ItemError::Refused(_))))
}

/// A post with all that must not change.
pub(crate) const TEXT: &str = "Thanks to @bob & 5 others (#good), see https://a.example/x?y=1";

fn sizes(requests: &[Vec<String>]) -> Vec<usize> {
    requests.iter().map(Vec::len).collect()
}

#[actix_rt::test]
async fn texts_go_into_as_few_requests_as_the_limits_allow() {
    let long = "word ".repeat(38);
    let texts = ["one", "two", "#tag", "three", "four", "five", &long, "six"];
    let (reply, requests) = asked(shouted, &texts).await;
    let reply = reply.unwrap();
    assert_eq!(sizes(&requests), [4, 2, 1]);
    for (text, answer) in texts.iter().zip(&reply.items) {
        let expected = if *text == "#tag" { "#tag".to_owned() } else { text.to_ascii_uppercase() };
        assert_eq!(restored(text, answer), expected);
    }
    assert_eq!((reply.calls, reply.spoiled, reply.usage), (3, 0, characters(3)));
}

#[actix_rt::test]
async fn a_text_beyond_the_limit_is_refused_without_a_request() {
    let long = "word ".repeat(60);
    let (reply, requests) = asked(shouted, &[&long, "one"]).await;
    let items = reply.unwrap().items;
    assert!(matches!(&items[0], Err(ItemError::Refused(why)) if why.contains("200 bytes")), "{items:?}");
    assert_eq!((restored("one", &items[1]), sizes(&requests)), ("ONE".into(), vec![1]));
}

#[actix_rt::test]
async fn items_of_other_languages_are_in_requests_of_their_own() {
    let service = Fake { answer: shouted, requests: RefCell::default() };
    let french = Item { to: language("fr"), ..item("two") };
    let reply = translate(&service, &[item("one"), french, item("three")]).await.unwrap();
    assert_eq!(*service.requests.borrow(), [vec!["one", "three"], vec!["two"]]);
    let words: Vec<String> =
        reply.items.iter().map(|answer| answer.as_ref().unwrap().words().collect()).collect();
    assert_eq!(words, ["ONE", "TWO", "THREE"]);
}

#[actix_rt::test]
async fn a_spoiled_request_is_made_again_in_halves_until_one_text_is_alone() {
    let spoiled = |texts: &[&str]| {
        let error = ItemError::Refused("too long".into());
        if texts.contains(&"bad") { Ok(Outcome::Spoiled(error)) } else { shouted(texts) }
    };
    let (reply, requests) = asked(spoiled, &["a", "b", "bad", "c"]).await;
    let reply = reply.unwrap();
    assert_eq!(sizes(&requests), [4, 2, 2, 1, 1]);
    assert_eq!(reply.items[2], Err(ItemError::Refused("too long".into())));
    assert_eq!(reply.items.iter().filter(|answer| answer.is_ok()).count(), 3);
    assert_eq!((reply.calls, reply.spoiled), (5, 2));
}

#[actix_rt::test]
async fn fewer_or_more_translations_than_texts_are_given_to_nobody() {
    let fewer = |texts: &[&str]| if texts.len() > 1 { Ok(translations(["x"])) } else { shouted(texts) };
    let (reply, requests) = asked(fewer, &["a", "b"]).await;
    assert_eq!(sizes(&requests), [2, 1, 1]);
    assert_eq!(restored("b", &reply.unwrap().items[1]), "B");
    let (reply, _) = asked(|_| Ok(translations(["x", "y"])), &["a"]).await;
    assert!(
        matches!(&reply.unwrap().items[0], Err(ItemError::Unusable(why)) if why.contains("2 translations for 1"))
    );
}

#[actix_rt::test]
async fn a_refusal_of_the_request_is_one_of_every_item_and_not_repeated() {
    let refused = |_: &[&str]| Ok(Outcome::Refused(ItemError::Refused("no Spanish".into())));
    let (reply, requests) = asked(refused, &["a", "b"]).await;
    let reply = reply.unwrap();
    assert_eq!((sizes(&requests), reply.spoiled), (vec![2], 0));
    assert!(reply.items.iter().all(|answer| matches!(answer, Err(ItemError::Refused(_)))));
}

#[actix_rt::test]
async fn a_text_with_a_damaged_mark_is_translated_in_pieces() {
    // Loses or doubles every mark.
    for mark in ["", "<x id=\"0\">X0</x><x id=\"0\">X0</x>"] {
        let damaging = |texts: &[&str]| {
            let texts: Vec<String> =
                texts.iter().map(|text| text.replace("<x id=\"0\">X0</x>", mark)).collect();
            shouted(&texts.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let text = "Hi @bob & all,\nsee you";
        let (reply, requests) = asked(damaging, &["one", text]).await;
        let reply = reply.unwrap();
        assert_eq!(restored(text, &reply.items[1]), "HI @bob & ALL,\nSEE YOU");
        assert_eq!(requests[1], ["Hi", "&amp; all,", "see you"]);
        assert_eq!((reply.calls, reply.usage), (2, characters(2)));
    }
}

#[actix_rt::test]
async fn pieces_that_fail_cost_only_their_item() {
    let failing = |texts: &[&str]| match texts {
        ["one", _] => Ok(translations(["uno", "perdido"])),
        _ => Err(EngineError::Unavailable("down".into())),
    };
    let (reply, _) = asked(failing, &["one", "Hi @bob"]).await;
    let Reply { items, calls, stopped, .. } = reply.unwrap();
    assert_eq!(restored("one", &items[0]), "uno");
    assert_eq!((&items[1], calls), (&Err(ItemError::NotReached), 1));
    assert_eq!(stopped, Some(EngineError::Unavailable("down".into())));
}

#[actix_rt::test]
async fn a_request_that_fails_ends_the_call() {
    let (reply, _) = asked(|_| Err(EngineError::Unauthorized("no".into())), &["a"]).await;
    assert_eq!(reply, Err(EngineError::Unauthorized("no".into())));
}
