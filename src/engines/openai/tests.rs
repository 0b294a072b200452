//! The engine on a server that answers as a test says.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, http::StatusCode, web};
use mynah_domain::{fixtures::mask, ports::engine::ItemError, text::MaskedText};
use serde_json::{Value, json};
use url::Url;

use super::*;

const KEY: &str = "sk-not-to-be-seen";

/// A service on loopback, and what it was asked.
struct Fake {
    url: Url,
    handle: ServerHandle,
    requests: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Debug, Clone)]
struct Seen {
    path: String,
    authorization: Option<String>,
    body: Value,
}

impl Seen {
    /// The values of its items under a key.
    fn all(&self, key: &str) -> Vec<String> {
        let user: Value =
            serde_json::from_str(self.body["messages"][1]["content"].as_str().unwrap()).unwrap();
        let items = user["items"].as_array().unwrap();
        items.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
    }

    fn texts(&self) -> Vec<String> {
        self.all("text")
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

/// A status and a body.
type Given = (u16, String);

/// Answers each request by `answer`.
fn fake(answer: impl Fn(&Seen) -> Given + Send + Clone + 'static) -> Fake {
    let requests: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let log = Arc::clone(&requests);
    let server = HttpServer::new(move || {
        let (answer, log) = (answer.clone(), Arc::clone(&log));
        App::new().default_service(web::to(move |request: HttpRequest, body: web::Json<Value>| {
            let header = request.headers().get("authorization");
            let seen = Seen {
                path: request.path().to_owned(),
                authorization: header.map(|value| value.to_str().unwrap().to_owned()),
                body: body.into_inner(),
            };
            log.lock().unwrap().push(seen.clone());
            let (status, body) = answer(&seen);
            async move { HttpResponse::build(StatusCode::from_u16(status).unwrap()).body(body) }
        }))
    })
    .workers(1)
    .disable_signals()
    .bind("127.0.0.1:0")
    .unwrap();
    let url = format!("http://{}/v1/", server.addrs()[0]).parse().unwrap();
    let server = server.run();
    let handle = server.handle();
    actix_rt::spawn(server);
    Fake { url, handle, requests }
}

impl Fake {
    fn settings(&self) -> OpenAiSettings {
        OpenAiSettings {
            name: "acme".into(),
            service: Service::OpenAi,
            base_url: self.url.clone(),
            model: "acme-1".into(),
            key: Some(KEY.into()),
            reasoning_effort: None,
            max_tokens: 1000,
            timeout: Duration::from_secs(5),
            connections: 2,
            max_batch: 4,
            tariff: mynah_domain::tariff::Tariff::Free,
        }
    }

    fn engine(&self) -> OpenAi {
        engine(self.settings())
    }

    fn requests(&self) -> Vec<Seen> {
        self.requests.lock().unwrap().clone()
    }
}

fn engine(settings: OpenAiSettings) -> OpenAi {
    let wire = Arc::new(Wire::of(&settings));
    OpenAi::new(settings, wire, Transport::default())
}

fn item(text: &str) -> Item {
    Item::new(mask(text).text, "en".parse().unwrap(), "es".parse().unwrap())
}

/// A whole answer with this text.
fn saying(text: &str) -> Given {
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110});
    let choice =
        json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
    (200, json!({"choices": [choice], "usage": usage}).to_string())
}

/// The list of answers in which everything is in capitals.
fn capitals(seen: &Seen) -> Value {
    let answer = |(id, text): (String, String)| json!({"id": id, "echo": text, "text": text.to_uppercase()});
    seen.all("id").into_iter().zip(seen.texts()).map(answer).collect::<Vec<_>>().into()
}

fn shouted(seen: &Seen) -> Given {
    saying(&json!({ "items": capitals(seen) }).to_string())
}

fn refused(status: u16, param: &str, message: &str) -> Given {
    let error = json!({"message": message, "type": "invalid_request_error", "param": param, "code": null});
    (status, json!({ "error": error }).to_string())
}

fn words(answers: &[Result<MaskedText, ItemError>]) -> Vec<String> {
    answers
        .iter()
        .map(|answer| match answer {
            Ok(text) => text.words().collect(),
            Err(error) => format!("{error:?}"),
        })
        .collect()
}

#[actix_rt::test]
async fn a_batch_comes_back_in_order_and_its_usage_exactly() {
    let fake = fake(shouted);
    let reply = fake.engine().translate(&["one", "two", "three", "four", "five"].map(item)).await.unwrap();
    assert_eq!(words(&reply.items), ["ONE", "TWO", "THREE", "FOUR", "FIVE"]);
    let usage = Usage { input_tokens: Some(200), output_tokens: Some(20), ..Usage::default() };
    assert_eq!((reply.calls, reply.spoiled, reply.usage), (2, 0, usage));
    let seen = fake.requests().remove(0);
    assert_eq!(seen.path, "/v1/chat/completions");
    assert_eq!(seen.authorization, Some(format!("Bearer {KEY}")));
    assert_eq!((&seen.body["model"], &seen.body["max_completion_tokens"]), (&json!("acme-1"), &json!(1000)));
    assert_eq!(seen.body["response_format"]["json_schema"]["strict"], json!(true));
    assert_eq!(seen.body.get("reasoning_effort"), None);
    let system = seen.body["messages"][0]["content"].as_str().unwrap();
    assert!(system.contains("a JSON object") && !system.contains("three"), "{system}");
}

#[actix_rt::test]
async fn a_service_without_a_key_receives_none() {
    let fake = fake(shouted);
    let settings = OpenAiSettings {
        key: None,
        service: Service::Ollama,
        reasoning_effort: Some("none"),
        ..fake.settings()
    };
    let engine = engine(settings);
    assert_eq!(engine.revision(), "openai/acme-1+none");
    engine.translate(&[item("one")]).await.unwrap();
    let seen = fake.requests().remove(0);
    assert_eq!((seen.authorization, &seen.body["max_tokens"]), (None, &json!(1000)));
    assert_eq!(seen.body["reasoning_effort"], json!("none"));
}

#[actix_rt::test]
async fn what_a_service_does_not_accept_is_left_out_from_then_on() {
    let fake = fake(|seen| match &seen.body {
        body if body["response_format"]["type"] == "json_schema" => {
            refused(400, "response_format", "'response_format' of type 'json_schema' is not supported")
        }
        body if body.get("temperature").is_some() => {
            refused(400, "temperature", "Unsupported value: 'temperature'")
        }
        body if body.get("max_completion_tokens").is_some() => {
            refused(422, "", "max_completion_tokens: Extra inputs are not permitted")
        }
        body if body["response_format"]["type"] == "json_object" => {
            refused(400, "", "response_format is unknown")
        }
        _ => shouted(seen),
    });
    let settings = fake.settings();
    let wire = Arc::new(Wire::of(&settings));
    let engine = OpenAi::new(settings.clone(), Arc::clone(&wire), Transport::default());
    let reply = engine.translate(&[item("one")]).await.unwrap();
    assert_eq!((words(&reply.items), reply.calls), (vec!["ONE".to_owned()], 1));
    assert_eq!(fake.requests().len(), 5);
    // Engines on other threads know it, too.
    let other = OpenAi::new(settings, wire, Transport::default());
    other.translate(&[item("two")]).await.unwrap();
    let requests = fake.requests();
    assert_eq!(requests.len(), 6);
    let last = requests.last().unwrap();
    assert_eq!((last.body.get("response_format"), &last.body["max_tokens"]), (None, &json!(1000)));
}

#[actix_rt::test]
async fn a_service_that_refuses_whatever_it_is_asked_is_not_asked_forever() {
    let fake = fake(|_| refused(400, "temperature", "temperature is wrong"));
    let error = fake.engine().translate(&[item("one")]).await.unwrap_err();
    assert!(matches!(&error, EngineError::Refused(why) if why.contains("temperature is wrong")), "{error:?}");
    assert_eq!(fake.requests().len(), 2);
}

#[actix_rt::test]
async fn texts_that_do_not_fit_or_were_cut_off_are_asked_for_in_halves() {
    for too_long in [
        refused(400, "messages", "This model's maximum context length is 100 tokens"),
        (
            200,
            json!({"choices": [{"message": {"content": "{\"items\": ["}, "finish_reason": "length"}]})
                .to_string(),
        ),
    ] {
        let fake = fake(move |seen| {
            if seen.texts().len() > 1 || seen.texts() == ["long"] { too_long.clone() } else { shouted(seen) }
        });
        let reply = fake.engine().translate(&["a", "long"].map(item)).await.unwrap();
        assert_eq!(words(&reply.items[..1]), ["A"]);
        assert!(matches!(&reply.items[1], Err(ItemError::Unusable(_))), "{reply:?}");
        assert_eq!((reply.calls, reply.spoiled), (3, 1));
    }
}

#[actix_rt::test]
async fn an_answer_in_prose_with_thoughts_or_without_an_object_is_read() {
    for around in ["Sure!\n```json\n{}\n```", "<think>\nFirst [{\"a\": 1}], then…\n</think>\n{}", "{}"] {
        let fake = fake(move |seen| saying(&around.replace("{}", &capitals(seen).to_string())));
        let reply = fake.engine().translate(&["one", "two"].map(item)).await.unwrap();
        assert_eq!(words(&reply.items), ["ONE", "TWO"], "{around}");
    }
}

#[actix_rt::test]
async fn doubled_ids_and_swapped_items_cost_no_item_its_own_translation() {
    let swapped = fake(|seen| {
        let mut answers = capitals(seen);
        let ids = seen.all("id");
        for (answer, id) in answers.as_array_mut().unwrap().iter_mut().zip(ids.iter().rev()) {
            answer["id"] = json!(id);
        }
        saying(&json!({ "items": answers }).to_string())
    });
    let reply = swapped.engine().translate(&["the port", "our school"].map(item)).await.unwrap();
    assert_eq!(words(&reply.items), ["THE PORT", "OUR SCHOOL"]);
    let doubled = fake(|seen| {
        let mut answers = capitals(seen);
        let list = answers.as_array_mut().unwrap();
        list.push(json!({"id": list[0]["id"], "echo": "x", "text": "ANOTHER"}));
        saying(&json!({ "items": answers }).to_string())
    });
    let reply = doubled.engine().translate(&["the port", "our school"].map(item)).await.unwrap();
    assert!(matches!(reply.items[0], Err(ItemError::Unusable(_))), "{reply:?}");
    assert_eq!(words(&reply.items[1..]), ["OUR SCHOOL"]);
}

#[actix_rt::test]
async fn a_refusal_in_a_200_is_what_its_code_says() {
    let limited = fake(|_| (200, json!({"error": {"code": 429, "message": "slow down"}}).to_string()));
    let error = limited.engine().translate(&[item("hi")]).await.unwrap_err();
    assert!(matches!(error, EngineError::RateLimited { until: None, .. }), "{error:?}");
}

#[actix_rt::test]
async fn a_page_or_a_body_without_end_is_unavailable() {
    for body in ["<html>Sign in to the Wi-Fi</html>".to_owned(), " ".repeat(5 * 1024 * 1024)] {
        let fake = fake(move |_| (200, body.clone()));
        let error = fake.engine().translate(&[item("hi")]).await.unwrap_err();
        assert!(matches!(error, EngineError::Unavailable(_)), "{error:?}");
    }
}

#[actix_rt::test]
async fn no_answer_in_time_is_told_from_no_service() {
    // Connections to it are made, and nobody reads what comes.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let fake = fake(shouted);
    let base_url = format!("http://{}/v1", silent.local_addr().unwrap()).parse().unwrap();
    let settings = OpenAiSettings { base_url, timeout: Duration::from_millis(50), ..fake.settings() };
    let error = engine(settings).translate(&[item("hi")]).await.unwrap_err();
    assert!(matches!(error, EngineError::Unanswered(_)), "{error:?}");
    let gone = fake.settings();
    fake.handle.stop(false).await;
    let error = engine(gone).translate(&[item("hi")]).await.unwrap_err();
    assert!(
        matches!(&error, EngineError::Unavailable(why) if why.starts_with("OpenAI: cannot reach")),
        "{error:?}"
    );
}

#[actix_rt::test]
async fn the_key_is_in_no_error_and_no_debug() {
    let fake = fake(|seen| {
        refused(401, "", &format!("Incorrect API key: {}", seen.authorization.as_ref().unwrap()))
    });
    let engine = fake.engine();
    let error = engine.translate(&[item("hi")]).await.unwrap_err();
    assert!(matches!(&error, EngineError::Unauthorized(why) if !why.contains(KEY)), "{error:?}");
    assert!(!format!("{engine:?}").contains(KEY));
}
