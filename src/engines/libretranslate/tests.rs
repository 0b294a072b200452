//! LibreTranslate against the sandbox's.

use std::time::Duration;

use mynah_domain::{
    fixtures::language,
    ports::{EngineError, Item, ItemError},
};
use mynah_sandbox::{
    Endpoint, Fault, FaultRule, LIBRETRANSLATE_API_KEY, LibreTranslateFault, TranslatorFault,
};
use url::Url;

use super::*;
use crate::engines::{
    ConfiguredEngine as _,
    marked::tests::{InSandbox, TEXT, are_refused, are_unusable, item, restored},
};

type Bench = marked::tests::Bench<LibreTranslateSettings>;

impl InSandbox for LibreTranslateSettings {
    const ENDPOINT: Endpoint = Endpoint::LibreTranslateTranslate;
    type Engine = LibreTranslate;

    fn at(url: Url) -> Self {
        Self {
            name: "libretranslate".into(),
            base_url: url,
            key: None,
            timeout: Duration::from_secs(20),
            connections: 2,
            max_batch: 20,
            languages: KnownLanguages::default(),
        }
    }

    fn engine(&self) -> LibreTranslate {
        LibreTranslate::new(self.clone(), Transport::default())
    }
}

#[actix_rt::test]
async fn lines_come_back_with_their_parts() {
    let bench = Bench::new().await;
    let text = format!("{TEXT}\n\n • so <b>what</b> &amp; R&D  \n#tag\n");
    let reply = bench.translate(&[&text, "One"]).await.unwrap();
    let translated = restored(&text, &reply.items[0]);
    let lines: Vec<&str> = translated.split('\n').collect();
    assert!(
        lines[0].starts_with("es · ") && lines[0].contains("@bob & 5 ") && lines[0].contains("(#good)"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with(' ') && lines[2].ends_with("  ") && lines[2].contains("&amp;"), "{lines:?}");
    assert_eq!((lines[1], lines[3], lines[4]), ("", "#tag", ""));
    assert_eq!((reply.calls, bench.calls()), (1, 1));
}

#[actix_rt::test]
async fn a_key_is_sent_if_there_is_one_and_shown_nowhere() {
    let mut bench = Bench::new().await;
    bench.settings.key = Some(LIBRETRANSLATE_API_KEY.into());
    assert!(bench.translate(&["one"]).await.unwrap().items[0].is_ok());
    assert_eq!(bench.sandbox.requests().last().unwrap().auth, Some("key"));
    bench.settings.key = Some("a-key-not-to-be-seen".into());
    let error = bench.translate(&["one"]).await.unwrap_err();
    assert!(matches!(error, EngineError::Unauthorized(_)), "{error:?}");
    for shown in [error.to_string(), format!("{:?}", bench.engine())] {
        assert!(!shown.contains("not-to-be-seen"), "{shown}");
    }
}

#[actix_rt::test]
async fn only_pairs_that_the_server_has_are_supported_once_it_was_asked() {
    let bench = Bench::new().await;
    let pairs = [(language("en"), language("gl")), (language("en"), language("sw"))];
    assert!(pairs.iter().all(|(from, to)| bench.engine().supports(*from, *to)), "nobody knows better yet");
    bench.settings.prepare(&pairs, Transport::default()).await.unwrap();
    let engine = bench.engine();
    assert_eq!(pairs.map(|(from, to)| engine.supports(from, to)), [true, false]);
    let swahili = Item { to: language("sw"), ..item("one") };
    let reply = engine.translate(&[swahili]).await.unwrap();
    assert!(
        matches!(&reply.items[..], [Err(ItemError::Refused(why))] if why.contains("Swahili")),
        "{reply:?}"
    );
    assert_eq!(bench.calls(), 0);
    let brazilian = Item { to: language("pt-BR"), ..item("one") };
    let reply = engine.translate(&[brazilian]).await.unwrap();
    assert!(restored("one", &reply.items[0]).starts_with("pt-BR · "));
}

#[actix_rt::test]
async fn a_server_that_does_not_list_its_languages_stops_no_start() {
    let bench = Bench::new().await;
    for fault in
        [Fault::Website, Fault::Status(500), Fault::Garbage, Fault::EndlessBody, Fault::DropConnection]
    {
        bench.order(FaultRule::new(Endpoint::LibreTranslateLanguages, fault));
        let pairs = [(language("en"), language("es"))];
        assert!(bench.settings.prepare(&pairs, Transport::default()).await.is_err(), "{fault:?}");
        let engine = bench.engine();
        assert!(engine.supports(pairs[0].0, pairs[0].1), "{fault:?}");
        assert!(bench.settings.check(&engine, &pairs).await.is_err(), "{fault:?}");
    }
}

#[actix_rt::test]
async fn a_check_names_the_pairs_that_are_missing() {
    let bench = Bench::new().await;
    let pairs = [("en", "es"), ("en", "sw"), ("sw", "en")].map(|(from, to)| (language(from), language(to)));
    bench.settings.prepare(&pairs, Transport::default()).await.unwrap();
    let checked = bench.settings.check(&bench.engine(), &pairs).await.unwrap();
    assert!(checked.contains("in Spanish; it does not translate en→sw, sw→en"), "{checked}");
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
        assert!(
            text.contains("@bob") && !text.contains("<code") && !text.contains("X0"),
            "{fault:?}: {text}"
        );
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
}

#[actix_rt::test]
async fn texts_beyond_the_servers_limit_are_sent_in_smaller_requests_and_refused_alone() {
    let bench = Bench::failing(Fault::LibreTranslate(LibreTranslateFault::TooManyTexts)).await;
    let reply = bench.translate(&["one", "two", "three"]).await.unwrap();
    assert!(reply.items.iter().all(Result::is_ok), "{reply:?}");
    assert_eq!((reply.calls, reply.spoiled), (5, 2));
    let bench = Bench::failing(Fault::LibreTranslate(LibreTranslateFault::TextLimit)).await;
    let reply = bench.translate(&["one"]).await.unwrap();
    assert!(matches!(&reply.items[..], [Err(ItemError::Refused(why))] if why.contains("5000")), "{reply:?}");
    let bench = Bench::failing(Fault::LibreTranslate(LibreTranslateFault::CannotTranslate)).await;
    let reply = bench.translate(&["one"]).await.unwrap();
    assert!(matches!(&reply.items[..], [Err(ItemError::Unusable(_))]), "{reply:?}");
}

#[actix_rt::test]
async fn languages_that_the_server_lost_are_refused_for_the_item() {
    for fault in [LibreTranslateFault::NotSupported, LibreTranslateFault::NotAvailable] {
        let bench = Bench::failing(Fault::LibreTranslate(fault)).await;
        let reply = bench.translate(&["one", "two"]).await.unwrap();
        assert!(are_refused(&reply), "{reply:?}");
        assert_eq!(bench.calls(), 1, "it is the same for each");
    }
}

#[actix_rt::test]
async fn every_refusal_is_told_from_the_others() {
    type Is = fn(&EngineError) -> bool;
    let unauthorized: Is = |error| matches!(error, EngineError::Unauthorized(_));
    let banned: Is = |error| matches!(error, EngineError::RateLimited { until: Some(until), .. } if *until > Timestamp::now());
    let limited: Is = |error| matches!(error, EngineError::RateLimited { until: None, .. });
    let refused: Is = |error| matches!(error, EngineError::Refused(_));
    let unavailable: Is = |error| matches!(error, EngineError::Unavailable(_));
    let cut_off: Is = |error| matches!(error, EngineError::Unanswered(_) | EngineError::Unavailable(_));
    for (fault, is) in [
        (Fault::LibreTranslate(LibreTranslateFault::InvalidKey), unauthorized),
        (Fault::LibreTranslate(LibreTranslateFault::KeyNeeded), unauthorized),
        (Fault::LibreTranslate(LibreTranslateFault::KeyFromOperator), unauthorized),
        (Fault::LibreTranslate(LibreTranslateFault::ErrorInSuccess), unauthorized),
        (Fault::LibreTranslate(LibreTranslateFault::Banned), banned),
        (Fault::LibreTranslate(LibreTranslateFault::SlowDown), limited),
        (Fault::Status(503), unavailable),
        (Fault::Status(404), refused),
        (Fault::Website, unavailable),
        (Fault::HtmlPage, refused),
        (Fault::Garbage, cut_off),
        (Fault::HalfBody, cut_off),
        (Fault::InvalidUtf8, cut_off),
        (Fault::EndlessBody, unavailable),
        (Fault::Translator(TranslatorFault::NullTranslations), unavailable),
    ] {
        let error = Bench::failing(fault).await.translate(&["A banana"]).await.unwrap_err();
        assert!(is(&error), "{fault:?}: {error:?}");
    }
}
