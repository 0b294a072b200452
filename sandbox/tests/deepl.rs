//! DeepL: several texts in one request, ignored tags, its quota, and its errors.

mod support;

use mynah_sandbox::{
    DEEPL_API_KEY, DeeplFault, Endpoint, Fault, FaultRule, Sandbox, SandboxConfig, TranslatorFault,
};
use serde_json::{Value, json};
use support::{Answer, As, get, plan, post, sandbox};

fn key() -> As {
    As::Raw(format!("DeepL-Auth-Key {DEEPL_API_KEY}"))
}

async fn translate(sandbox: &Sandbox, body: Value) -> Answer {
    post(sandbox, key(), "/v2/translate", body).await
}

fn request(texts: &[&str]) -> Value {
    json!({"text": texts, "source_lang": "EN", "target_lang": "ES", "tag_handling": "xml",
        "tag_handling_version": "v2", "ignore_tags": ["x"], "show_billed_characters": true})
}

fn texts(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let translations = body["translations"].as_array().into_iter().flatten();
    translations.filter_map(|translation| translation["text"].as_str().map(str::to_owned)).collect()
}

#[actix_rt::test]
async fn texts_are_answered_marked_and_billed_and_ignored_tags_stay() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let answer = translate(&sandbox, request(&["Hello <x id=\"0\">Bob</x> &amp; all", "Bye"])).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let texts = texts(&answer);
    assert!(texts[0].starts_with("ES · ") && texts[0].contains("<x id=\"0\">Bob</x> &amp; "), "{texts:?}");
    assert!(!texts[0].contains("Hello") && !texts[1].contains("Bye"), "{texts:?}");
    assert_eq!(answer.json()["translations"][1]["billed_characters"], 3);
    assert!(!answer.header("x-trace-id").is_empty());
    let usage = get(&sandbox, key(), "/v2/usage").await.json();
    assert_eq!(
        (&usage["character_limit"], usage["character_count"].as_u64() > Some(30)),
        (&json!(500_000), true)
    );
    let page = get(&sandbox, As::Nobody, "/").await.text;
    assert!(page.contains("does not translate"));
}

#[actix_rt::test]
async fn what_deepl_refuses_is_refused_in_its_words() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    for who in [As::Nobody, As::Raw("DeepL-Auth-Key wrong".into()), As::Bearer(DEEPL_API_KEY.into())] {
        assert_eq!(post(&sandbox, who.clone(), "/v2/translate", request(&["a"])).await.status, 403);
        assert_eq!(get(&sandbox, who, "/v2/usage").await.status, 403);
    }
    let with = |name: &str, value: Value| {
        let mut body = request(&["a"]);
        body[name] = value;
        body
    };
    let without_source = json!({"text": ["a"], "target_lang": "ES", "glossary_id": "abc"});
    for (body, status, message) in [
        (with("target_lang", json!("XX")), 400, "Value for 'target_lang' not supported."),
        (with("source_lang", json!("EN-GB")), 400, "Value for 'source_lang' not supported."),
        (with("text", json!([])), 400, "'text' not specified"),
        (with("text", json!(vec!["a"; 51])), 400, "Too many texts"),
        (with("text", json!(["a & b"])), 400, "Tag handling parsing failed"),
        (with("text", json!(["<x>"])), 400, "Tag handling parsing failed"),
        (with("text", json!(["a".repeat(128 * 1024)])), 413, "Too Large"),
        (without_source, 400, "requires the source_lang"),
        (
            json!({"text": ["a"], "target_lang": "CA", "formality": "more"}),
            400,
            "'formality' is not supported",
        ),
    ] {
        let answer = translate(&sandbox, body).await;
        assert_eq!(answer.status, status, "{message}: {}", answer.text);
        assert!(answer.json()["message"].as_str().unwrap().contains(message), "{}", answer.text);
    }
    let preferred = json!({"text": ["a"], "target_lang": "CA", "formality": "prefer_more"});
    assert_eq!(translate(&sandbox, preferred).await.status, 200);
}

#[actix_rt::test]
async fn every_fault_is_answered_as_deepl_answers() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    for (fault, status, text) in [
        (Fault::Deepl(DeeplFault::WrongKey), 403, "Authorization failure"),
        (Fault::Deepl(DeeplFault::QuotaExceeded), 456, "{\"message\":\"Quota Exceeded\"}"),
        (Fault::Deepl(DeeplFault::QuotaOfPeriodExceeded), 456, "billing period"),
        (Fault::Deepl(DeeplFault::TooManyRequests), 429, "Too many requests"),
        (Fault::Deepl(DeeplFault::TooManyRequestsEmpty), 429, ""),
        (Fault::Deepl(DeeplFault::Busy), 529, ""),
        (Fault::Deepl(DeeplFault::TooLarge), 413, "Too Large"),
        (Fault::Deepl(DeeplFault::UnsupportedTarget), 400, "'target_lang' not supported"),
        (Fault::Deepl(DeeplFault::ErrorInSuccess), 200, "Quota Exceeded"),
        (Fault::Status(503), 503, "Service unavailable"),
        (Fault::Website, 200, "It works!"),
    ] {
        sandbox.set_faults(plan([FaultRule::new(Endpoint::DeeplTranslate, fault)]));
        let answer = translate(&sandbox, request(&["a", "b"])).await;
        assert_eq!(answer.status, status, "{fault:?}");
        assert!(
            answer.text.contains(text) && (answer.text.is_empty() == text.is_empty()),
            "{fault:?}: {}",
            answer.text
        );
    }
    sandbox.set_faults(plan([FaultRule::new(Endpoint::DeeplTranslate, Fault::Deepl(DeeplFault::TooLarge))]));
    assert_eq!(translate(&sandbox, request(&["a"])).await.status, 200, "one text is never too large");
}

#[actix_rt::test]
async fn a_misbehaving_service_answers_for_too_few_or_too_many() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    for (fault, count) in [
        (TranslatorFault::MissingTranslation, 1),
        (TranslatorFault::ExtraTranslation, 3),
        (TranslatorFault::NoTranslations, 0),
        (TranslatorFault::EmptyText, 2),
    ] {
        sandbox.set_faults(plan([FaultRule::new(Endpoint::DeeplTranslate, Fault::Translator(fault))]));
        assert_eq!(texts(&translate(&sandbox, request(&["a", "b"])).await).len(), count, "{fault:?}");
    }
}
