//! Gemini: several texts in one request, keys, and errors with Google's wording.

mod support;

use mynah_sandbox::{Endpoint, Fault, FaultRule, GeminiFault, SandboxConfig, credentials};
use serde_json::{Value, json};
use support::{Answer, As, get, plan, post, sandbox};

const PATH: &str = "/v1beta/models/gemini-3.5-flash-lite:generateContent";

fn request(items: &Value) -> Value {
    json!({
        "systemInstruction": {"parts": [{"text": "Translate."}]},
        "contents": [{"role": "user", "parts": [{"text": json!({"items": items}).to_string()}]}],
        "generationConfig": {"responseMimeType": "application/json", "responseSchema": {"type": "ARRAY"}},
    })
}

fn key() -> As {
    As::Key("sandbox-gemini-key")
}

fn texts(answer: &Answer) -> Value {
    let body = answer.json();
    let text = body["candidates"][0]["content"]["parts"][0]["text"].as_str();
    serde_json::from_str(text.unwrap_or_default()).unwrap_or_default()
}

#[actix_rt::test]
async fn all_texts_of_a_request_are_answered_marked_and_counted() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let items = json!([
        {"id": "1", "target": "es", "text": "Hello ⟦0⟧"},
        {"id": "2", "target": "pt-BR", "source": "en", "tone": "informal", "text": "Bye"},
    ]);
    let answer = post(&sandbox, key(), PATH, request(&items)).await;
    assert_eq!(answer.status, 200);
    let texts = texts(&answer);
    let text = |index: usize| texts[index]["text"].as_str().unwrap().to_owned();
    assert!(
        text(0).starts_with("es · ") && text(0).ends_with(" ⟦0⟧") && !text(0).contains("Hello"),
        "{texts}"
    );
    assert!(text(1).starts_with("pt-BR · ") && !text(1).contains("Bye"), "{texts}");
    let body = answer.json();
    assert_eq!(body["candidates"][0]["finishReason"], "STOP");
    assert!(body["usageMetadata"]["candidatesTokenCount"].as_u64().unwrap() > 0);
    assert_eq!(body["modelVersion"], "gemini-3.5-flash-lite");
    let counters = sandbox.gemini();
    assert_eq!((counters.requests, counters.items, counters.max_concurrent), (1, 2, 1));
    assert_eq!(counters.items_per_request[&2], 1);
}

#[actix_rt::test]
async fn wrong_keys_and_models_get_googles_errors() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let body = || request(&json!([{"id": "1", "target": "es", "text": "a"}]));
    let wrong = post(&sandbox, As::Key("wrong"), PATH, body()).await;
    assert_eq!(wrong.status, 400);
    let error = wrong.json()["error"].clone();
    assert_eq!(error["message"], "API key not valid. Please pass a valid API key.");
    assert_eq!(error["details"][0]["reason"], "API_KEY_INVALID");
    assert_eq!(post(&sandbox, As::Nobody, PATH, body()).await.status, 403);
    let by_query = format!("{PATH}?key={}", credentials("").gemini_api_key);
    assert_eq!(post(&sandbox, As::Nobody, &by_query, body()).await.status, 200);
    assert_eq!(sandbox.requests().last().unwrap().query, "key=…");
    let model = post(&sandbox, key(), "/v1beta/models/gemini-1:generateContent", body()).await;
    assert_eq!((model.status, &model.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
    let mut misspelled = body();
    misspelled["generationConfig"]["x"] = json!(1);
    let refused = post(&sandbox, key(), PATH, misspelled).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("Unknown name \\\"x\\\" at 'generation_config': Cannot find field."));
}

#[actix_rt::test]
async fn a_quota_error_tells_whether_it_is_per_minute_or_per_day() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    for (fault, span) in [(GeminiFault::QuotaPerMinute, "PerMinute"), (GeminiFault::QuotaPerDay, "PerDay")] {
        sandbox.set_faults(plan([FaultRule::new(Endpoint::Generate, Fault::Gemini(fault)).count(1)]));
        let body = request(&json!([{"id": "1", "target": "es", "text": "a"}]));
        let answer = post(&sandbox, key(), PATH, body.clone()).await;
        assert_eq!(answer.status, 429);
        let details = answer.json()["error"]["details"].clone();
        assert!(details[1]["violations"][0]["quotaId"].as_str().unwrap().contains(span));
        assert!(details[2]["retryDelay"].as_str().unwrap().ends_with('s'));
        assert_eq!(post(&sandbox, key(), PATH, body).await.status, 200, "the fault fires only once");
    }
}

#[actix_rt::test]
async fn the_state_says_that_gemini_does_not_translate_and_the_page_does_once_it_was_asked() {
    let sandbox = sandbox(SandboxConfig::default()).await;
    let page = get(&sandbox, As::Nobody, "/").await.text;
    assert!(!page.contains("does not translate"), "nobody uses Gemini");
    let body = request(&json!([{"id": "1", "target": "es", "text": "a"}]));
    assert_eq!(post(&sandbox, key(), PATH, body).await.status, 200);
    let page = get(&sandbox, As::Nobody, "/").await.text;
    assert!(page.contains("does not translate"));
    assert!(sandbox.snapshot().notice.contains("does not translate"));
}
