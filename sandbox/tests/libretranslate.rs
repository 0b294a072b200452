//! LibreTranslate: batches, languages, its optional key, and its errors.

mod support;

use mynah_sandbox::{
    Endpoint, Fault, FaultRule, LIBRETRANSLATE_API_KEY, LibreTranslateFault, Sandbox, SandboxConfig,
};
use serde_json::{Value, json};
use support::{Answer, As, get, plan, post, sandbox};

async fn translate(sandbox: &Sandbox, body: Value) -> Answer {
    post(sandbox, As::Nobody, "/translate", body).await
}

fn request(q: &Value) -> Value {
    json!({"q": q, "source": "en", "target": "es", "format": "html"})
}

#[actix_rt::test]
async fn one_text_and_a_list_are_answered_alike_and_code_stays() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let single = translate(&sandbox, request(&json!("Hello"))).await.json();
    let text = single["translatedText"].as_str().unwrap();
    assert!(text.starts_with("es · ") && !text.contains("Hello"), "{text}");
    let list = json!(["Hello <code id=\"0\">Bob</code> &amp; all", "Bye"]);
    let batch = translate(&sandbox, request(&list)).await.json();
    let text = batch["translatedText"][0].as_str().unwrap();
    assert!(text.contains("<code id=\"0\">Bob</code> & "), "entities are resolved: {text}");
    assert_eq!(batch["translatedText"].as_array().unwrap().len(), 2);
}

#[actix_rt::test]
async fn languages_are_listed_with_their_targets_and_old_names_are_understood() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let languages = get(&sandbox, As::Nobody, "/languages").await.json();
    let english =
        languages.as_array().unwrap().iter().find(|language| language["code"] == "en").unwrap().clone();
    let targets = english["targets"].as_array().unwrap();
    assert!(targets.contains(&json!("pt-BR")) && targets.contains(&json!("zh-Hans")), "{english}");
    for (target, becomes) in [("pb", "pt-BR"), ("zh", "zh-Hans"), ("gl", "gl")] {
        let body = json!({"q": "a", "source": "en", "target": target});
        let text = translate(&sandbox, body).await.json()["translatedText"].as_str().unwrap().to_owned();
        assert!(text.starts_with(&format!("{becomes} · ")), "{text}");
    }
}

#[actix_rt::test]
async fn what_libretranslate_refuses_is_refused_in_its_words() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    for (body, status, message) in [
        (json!({"source": "en", "target": "es"}), 400, "missing q parameter"),
        (json!({"q": "a", "target": "es"}), 400, "missing source parameter"),
        (json!({"q": "a", "source": "en", "target": "sw"}), 400, "sw is not supported"),
        (
            json!({"q": "a", "source": "en", "target": "es", "format": "xml"}),
            400,
            "xml format is not supported",
        ),
        (json!({"q": "a", "source": "en", "target": "es", "api_key": "wrong"}), 403, "Invalid API key"),
    ] {
        let answer = translate(&sandbox, body).await;
        assert_eq!(answer.status, status, "{message}");
        assert!(answer.json()["error"].as_str().unwrap().contains(message), "{}", answer.text);
    }
    let with_key = json!({"q": "a", "source": "en", "target": "es", "api_key": LIBRETRANSLATE_API_KEY});
    assert_eq!(translate(&sandbox, with_key).await.status, 200);
    assert_eq!(sandbox.requests().last().unwrap().auth, Some("key"));
}

#[actix_rt::test]
async fn every_fault_is_answered_as_libretranslate_answers() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    for (fault, status, message) in [
        (LibreTranslateFault::InvalidKey, 403, "Invalid API key"),
        (LibreTranslateFault::KeyNeeded, 400, "to get an API key"),
        (LibreTranslateFault::KeyFromOperator, 400, "contact the server operator"),
        (LibreTranslateFault::Banned, 403, "Too many request limits violations"),
        (LibreTranslateFault::SlowDown, 429, "Slowdown: "),
        (LibreTranslateFault::TooManyTexts, 400, "request (2) exceeds text limit (1)"),
        (LibreTranslateFault::TextLimit, 400, "request (5001) exceeds text limit (5000)"),
        (LibreTranslateFault::NotSupported, 400, "xx is not supported"),
        (LibreTranslateFault::NotAvailable, 400, "is not available as a target language"),
        (LibreTranslateFault::CannotTranslate, 500, "Cannot translate text: "),
        (LibreTranslateFault::ErrorInSuccess, 200, "Invalid API key"),
    ] {
        let rule = FaultRule::new(Endpoint::LibreTranslateTranslate, Fault::LibreTranslate(fault));
        sandbox.set_faults(plan([rule]));
        let answer = translate(&sandbox, request(&json!(["a", "b"]))).await;
        assert_eq!(answer.status, status, "{fault:?}");
        assert!(answer.json()["error"].as_str().unwrap().contains(message), "{fault:?}: {}", answer.text);
    }
}

#[actix_rt::test]
async fn a_body_that_is_not_utf8_is_sent_on_demand() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let invalid = FaultRule::new(Endpoint::LibreTranslateLanguages, Fault::InvalidUtf8);
    sandbox.set_faults(plan([invalid]));
    let raw = support::raw(&sandbox, "GET /languages HTTP/1.1\r\nconnection: close", "");
    assert!(raw.starts_with(b"HTTP/1.1 200") && raw.contains(&0xff) && std::str::from_utf8(&raw).is_err());
}
