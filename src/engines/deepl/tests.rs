//! DeepL against the sandbox's.

use std::time::Duration;

use mynah_domain::{
    Tone,
    fixtures::language,
    ports::{EngineError, Item, ItemError, Usage},
};
use mynah_sandbox::{DEEPL_API_KEY, DeeplFault, Endpoint, Fault, FaultRule, TranslatorFault};
use url::Url;

use super::*;
use crate::engines::{
    ConfiguredEngine as _,
    marked::tests::{InSandbox, TEXT, are_refused, are_unusable, item, restored},
};

type Bench = marked::tests::Bench<DeeplSettings>;

impl InSandbox for DeeplSettings {
    const ENDPOINT: Endpoint = Endpoint::DeeplTranslate;
    type Engine = Deepl;

    fn at(url: Url) -> Self {
        Self {
            name: "deepl".into(),
            base_url: Some(url),
            key: DEEPL_API_KEY.into(),
            formality: Formality::Default,
            glossary_id: None,
            timeout: Duration::from_secs(20),
            connections: 2,
            max_batch: 20,
            tariff: mynah_domain::tariff::Tariff::Free,
        }
    }

    fn engine(&self) -> Deepl {
        Deepl::new(self.clone(), Transport::default())
    }
}

#[actix_rt::test]
async fn a_post_comes_back_with_its_parts_and_what_it_cost() {
    let bench = Bench::new().await;
    let reply = bench.translate(&[TEXT, "#tag", "one\n\n• two <3"]).await.unwrap();
    let text = restored(TEXT, &reply.items[0]);
    assert!(text.starts_with("ES · ") && !text.contains("Thanks"), "{text}");
    for part in ["@bob & 5 ", "(#good)", "https://a.example/x?y=1"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(restored("#tag", &reply.items[1]), "#tag");
    let lines = restored("one\n\n• two <3", &reply.items[2]);
    assert!(lines.contains("\n\n• ") && lines.ends_with("<3"), "{lines:?}");
    assert_eq!((reply.calls, bench.calls()), (1, 1));
    assert!(reply.usage.billed_characters > Some(60), "{reply:?}");
}

#[actix_rt::test]
async fn a_language_without_tags_gets_brackets() {
    let bench = Bench::new().await;
    let catalan = Item { to: language("ca"), ..item(TEXT) };
    let reply = bench.engine().translate(&[catalan]).await.unwrap();
    let text = restored(TEXT, &reply.items[0]);
    assert!(text.starts_with("CA · ") && text.contains("@bob") && text.contains("#good"), "{text}");
}

#[actix_rt::test]
async fn threads_and_tones_are_in_requests_of_their_own() {
    let bench = Bench::new().await;
    let threaded = Item { context: vec!["It was late.".into()], ..item("So we left") };
    let mut formal = item("Come in");
    formal.style.tone = Tone::Formal;
    let reply = bench.engine().translate(&[item("a"), threaded, formal, item("b")]).await.unwrap();
    assert!(reply.items.iter().all(Result::is_ok));
    assert_eq!((reply.calls, bench.calls()), (3, 3));
}

#[actix_rt::test]
async fn a_damaged_placeholder_is_never_published() {
    for (fault, calls) in [
        (TranslatorFault::MissingPlaceholder, 2),
        (TranslatorFault::DoubledPlaceholder, 2),
        (TranslatorFault::BrokenPlaceholder, 2),
        (TranslatorFault::SpacedPlaceholder, 1),
    ] {
        let bench = Bench::failing(Fault::Translator(fault)).await;
        let reply = bench.translate(&[TEXT]).await.unwrap();
        let text = restored(TEXT, &reply.items[0]);
        assert!(text.contains("@bob & 5 ") || text.contains("@bob ES · "), "{fault:?}: {text}");
        assert!(!text.contains("<x") && !text.contains("X0"), "{fault:?}: {text}");
        assert_eq!(reply.calls, calls, "{fault:?}: {text}");
    }
}

#[actix_rt::test]
async fn an_answer_for_other_texts_than_were_sent_is_given_to_nobody() {
    for fault in [
        TranslatorFault::MissingTranslation,
        TranslatorFault::ExtraTranslation,
        TranslatorFault::NoTranslations,
        TranslatorFault::NullText,
        TranslatorFault::EmptyText,
    ] {
        let bench = Bench::failing(Fault::Translator(fault)).await;
        let reply = bench.translate(&["one", "two"]).await.unwrap();
        assert!(are_unusable(&reply), "{fault:?}: {reply:?}");
    }
    let bench = Bench::new().await;
    bench.order(
        FaultRule::new(Endpoint::DeeplTranslate, Fault::Translator(TranslatorFault::MissingTranslation))
            .nth(1),
    );
    let reply = bench.translate(&["one", "two", "three"]).await.unwrap();
    assert!(reply.items.iter().all(Result::is_ok), "{reply:?}");
    assert_eq!((reply.calls, reply.spoiled), (3, 1));
}

#[actix_rt::test]
async fn counts_that_are_none_cost_no_translation() {
    let bench = Bench::failing(Fault::Translator(TranslatorFault::OddCounts)).await;
    let reply = bench.translate(&["one"]).await.unwrap();
    assert!(reply.items[0].is_ok());
    assert_eq!(reply.usage, Usage::default());
}

#[actix_rt::test]
async fn a_request_that_is_too_large_is_made_again_in_halves() {
    let bench = Bench::failing(Fault::Deepl(DeeplFault::TooLarge)).await;
    let reply = bench.translate(&["one", "two", "three"]).await.unwrap();
    assert!(reply.items.iter().all(Result::is_ok), "{reply:?}");
    assert_eq!((reply.calls, reply.spoiled), (5, 2));
    let huge = "word ".repeat(30_000);
    let reply = Bench::new().await.translate(&[&huge, "one"]).await.unwrap();
    assert!(
        matches!(&reply.items[..], [Err(ItemError::Refused(_)), Ok(_)]),
        "no request is larger than 128 KiB"
    );
}

#[actix_rt::test]
async fn every_refusal_is_told_from_the_others() {
    type Is = fn(&EngineError) -> bool;
    let unauthorized: Is = |error| matches!(error, EngineError::Unauthorized(_));
    let quota: Is = |error| matches!(error, EngineError::RateLimited { until: Some(until), .. } if *until > Timestamp::now());
    let limited: Is = |error| matches!(error, EngineError::RateLimited { until: None, .. });
    let refused: Is = |error| matches!(error, EngineError::Refused(_));
    let unavailable: Is = |error| matches!(error, EngineError::Unavailable(_));
    let cut_off: Is = |error| matches!(error, EngineError::Unanswered(_) | EngineError::Unavailable(_));
    for (fault, is) in [
        (Fault::Deepl(DeeplFault::WrongKey), unauthorized),
        (Fault::Deepl(DeeplFault::QuotaExceeded), quota),
        (Fault::Deepl(DeeplFault::QuotaOfPeriodExceeded), quota),
        (Fault::Deepl(DeeplFault::TooManyRequests), limited),
        (Fault::Deepl(DeeplFault::TooManyRequestsEmpty), limited),
        (Fault::Deepl(DeeplFault::UnsupportedFormality), refused),
        (Fault::Deepl(DeeplFault::Busy), unavailable),
        (Fault::Deepl(DeeplFault::ErrorInSuccess), unavailable),
        (Fault::Status(503), unavailable),
        (Fault::Status(504), unavailable),
        (Fault::Status(404), refused),
        (Fault::Website, unavailable),
        (Fault::HtmlPage, unauthorized),
        (Fault::Garbage, cut_off),
        (Fault::HalfBody, cut_off),
        (Fault::InvalidUtf8, cut_off),
        (Fault::EndlessBody, unavailable),
        (Fault::Translator(TranslatorFault::NullTranslations), unavailable),
    ] {
        let error = Bench::failing(fault).await.translate(&["A banana"]).await.unwrap_err();
        assert!(is(&error), "{fault:?}: {error:?}");
        assert!(!error.to_string().contains(DEEPL_API_KEY), "{error}");
    }
}

#[actix_rt::test]
async fn a_language_that_deepl_does_not_have_is_refused_for_the_item() {
    let bench = Bench::failing(Fault::Deepl(DeeplFault::UnsupportedTarget)).await;
    let reply = bench.translate(&["one", "two"]).await.unwrap();
    assert!(are_refused(&reply), "{reply:?}");
    assert_eq!(bench.calls(), 1, "it is the same for each");
}

#[actix_rt::test]
async fn a_wrong_key_is_rejected_and_shown_nowhere() {
    let mut bench = Bench::new().await;
    bench.settings.key = "a-key-not-to-be-seen".into();
    let error = bench.translate(&["one"]).await.unwrap_err();
    assert!(matches!(error, EngineError::Unauthorized(_)), "{error:?}");
    let engine = bench.engine();
    let checked = bench.settings.check(&engine, &[]).await.unwrap_err();
    for shown in [error.to_string(), checked, format!("{engine:?}")] {
        assert!(!shown.contains("not-to-be-seen"), "{shown}");
    }
}

#[actix_rt::test]
async fn a_check_shows_the_quota() {
    let bench = Bench::new().await;
    let pairs = [(language("en"), language("es"))];
    let engine = bench.engine();
    let checked = bench.settings.check(&engine, &pairs).await.unwrap();
    assert!(checked.contains("in Spanish; 0 of 500,000 characters used"), "{checked}");
    bench.order(FaultRule::new(Endpoint::DeeplUsage, Fault::Website));
    let checked = bench.settings.check(&engine, &pairs).await.unwrap_err();
    assert!(checked.contains("engine.deepl.base_url"), "{checked}");
}

#[actix_rt::test]
async fn what_changes_translations_is_in_the_revision() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.engine().revision(), "deepl");
    bench.settings.formality = Formality::PreferLess;
    bench.settings.glossary_id = Some("abc".into());
    assert_eq!(bench.engine().revision(), "deepl/prefer_less/abc");
}
