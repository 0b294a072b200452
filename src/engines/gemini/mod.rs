//! Gemini: a language model of Google's, asked for several posts at once. It translates best of all; what it shares with other
//! models is in [`llm`](super::llm).
//!
//! - `prices` is what Google charges.
//! - `request` writes the body of a call, `answer` reads what came back for each post, `failure` what its refusals mean.

mod answer;
mod failure;
#[cfg(test)]
mod generated;
mod prices;
mod request;
mod settings;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use mynah_domain::{
    Language,
    ports::engine::{CallShape, Engine, EngineError, Item, Languages, Reply, Usage},
};
use secrecy::ExposeSecret as _;

use super::{
    client,
    llm::{
        self, Model, Outcome,
        estimate::most_usage,
        failure::without_answer,
        prompt::{Form, Prompt},
    },
};
use crate::http_client::{HttpClient, Request, Transport};

pub use settings::{GeminiKind, GeminiSettings};

/// What errors call it.
const NAME: &str = "Gemini";

/// The engine. It cannot leave its thread: the settings can.
pub struct Gemini {
    settings: GeminiSettings,
    endpoint: String,
    client: HttpClient,
}

impl fmt::Debug for Gemini {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gemini").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Gemini {
    /// An engine that shares the connections of its arbiter's others.
    pub fn new(settings: GeminiSettings, transport: Transport) -> Self {
        let client = client(&settings.name, settings.connections, settings.timeout, transport);
        let base = settings.base_url.as_str().trim_end_matches('/');
        Self {
            endpoint: format!("{base}/v1beta/models/{}:generateContent", settings.model),
            client,
            settings,
        }
    }
}

impl Model for Gemini {
    fn name(&self) -> &str {
        NAME
    }

    async fn ask(&self, prompt: &Prompt<'_>) -> Result<(Outcome, Usage), EngineError> {
        let items = prompt.items.len();
        let request = Request::post(self.endpoint.as_str())
            .header("x-goog-api-key", self.settings.key.expose_secret())
            .json(&request::body(prompt))
            .map_err(|error| {
                EngineError::Refused(format!("the request to Gemini cannot be written: {error}"))
            })?;
        let answer = self.client.send(request).await.map_err(|error| without_answer(NAME, &error))?;
        if answer.status != 200 {
            let GeminiSettings { name, model, .. } = &self.settings;
            return Err(failure::read(answer.status, &answer.body, name, model, Timestamp::now()));
        }
        let (outcome, usage) = answer::read(&answer.body, &prompt.ids)
            .map_err(|error| EngineError::Unavailable(error.to_string()))?;
        log::debug!(
            model = self.settings.model.as_str(),
            items = items,
            prompt_tokens = usage.prompt.unwrap_or_default(),
            cached_tokens = usage.cached.unwrap_or_default(),
            answer_tokens = usage.answer.unwrap_or_default(),
            thought_tokens = usage.thoughts.unwrap_or_default();
            "Gemini request completed"
        );
        Ok((outcome, usage.into()))
    }
}

#[async_trait(?Send)]
impl Engine for Gemini {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn revision(&self) -> String {
        format!("gemini/{}", self.settings.model)
    }

    /// It speaks every language that Mynah knows.
    fn supports(&self, from: Language, to: Language) -> bool {
        from != to
    }

    fn takes_advice(&self) -> bool {
        true
    }

    fn composition(&self) -> CallShape {
        CallShape::new(self.settings.max_batch, Languages::Many)
    }

    fn most_usage(&self, items: &[Item]) -> Usage {
        most_usage(items, Form::Array, None)
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        llm::translate(self, items, self.composition().max_items()).await
    }
}

#[cfg(test)]
mod tests {
    use mynah_domain::tariff::Tariff;
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
    use mynah_domain::{fixtures::mask, ports::engine::ItemError, text::MaskedText};
    use serde_json::{Value, json};
    use url::Url;

    use super::*;

    const KEY: &str = "AIza-not-to-be-seen";

    /// A Gemini on loopback, and what it was asked.
    struct Fake {
        url: Url,
        handle: ServerHandle,
        requests: Arc<Mutex<Vec<Seen>>>,
    }

    #[derive(Debug, Clone)]
    struct Seen {
        path: String,
        query: String,
        key: Option<String>,
        body: Value,
    }

    impl Seen {
        /// The values of its items under a key.
        fn all(&self, key: &str) -> Vec<String> {
            let user = self.body["contents"][0]["parts"][0]["text"].as_str().unwrap();
            let user: Value = serde_json::from_str(user).unwrap();
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

    /// Answers each request by `answer`: a status and a body.
    fn fake(answer: impl Fn(&Seen) -> (u16, Value) + Send + Clone + 'static) -> Fake {
        let requests: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = Arc::clone(&requests);
        let server = HttpServer::new(move || {
            let (answer, log) = (answer.clone(), Arc::clone(&log));
            App::new().default_service(web::to(move |request: HttpRequest, body: web::Json<Value>| {
                let seen = Seen {
                    path: request.path().to_owned(),
                    query: request.query_string().to_owned(),
                    key: request.headers().get("x-goog-api-key").map(|key| key.to_str().unwrap().to_owned()),
                    body: body.into_inner(),
                };
                log.lock().unwrap().push(seen.clone());
                let (status, body) = answer(&seen);
                async move {
                    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).json(body)
                }
            }))
        })
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
        let url = format!("http://{}/", server.addrs()[0]).parse().unwrap();
        let server = server.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        Fake { url, handle, requests }
    }

    impl Fake {
        fn gemini(&self) -> Gemini {
            let settings = GeminiSettings {
                name: "gemini".into(),
                base_url: self.url.clone(),
                model: "gemini-x".into(),
                key: KEY.into(),
                timeout: Duration::from_secs(5),
                connections: 2,
                max_batch: 4,
                tariff: Tariff::Free,
            };
            Gemini::new(settings, Transport::default())
        }

        fn requests(&self) -> Vec<Seen> {
            self.requests.lock().unwrap().clone()
        }
    }

    fn item(text: &str) -> Item {
        Item::new(mask(text).text, "en".parse().unwrap(), "es".parse().unwrap())
    }

    fn saying(answers: &Value) -> Value {
        json!({"candidates": [{"content": {"parts": [{"text": answers.to_string()}]}, "finishReason": "STOP"}]})
    }

    /// Says everything in capitals.
    fn shouted(seen: &Seen) -> Value {
        saying_of(seen, &seen.texts())
    }

    /// Has the translations of these texts under the ids of the request's items.
    fn saying_of(seen: &Seen, texts: &[String]) -> Value {
        let answer =
            |(id, text): (String, &String)| json!({"id": id, "echo": text, "text": text.to_uppercase()});
        let answers: Vec<Value> = seen.all("id").into_iter().zip(texts).map(answer).collect();
        saying(&answers.into())
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
    async fn a_batch_comes_back_in_order_with_its_placeholders() {
        let fake = fake(|seen| (200, shouted(seen)));
        let answers =
            fake.gemini().translate(&[item("hi @bob, bye"), item("#goal"), item("two")]).await.unwrap().items;
        assert_eq!(mask("hi @bob, bye").restore(answers[0].as_ref().unwrap()).unwrap(), "HI @bob, BYE");
        assert_eq!(mask("#goal").restore(answers[1].as_ref().unwrap()).unwrap(), "#goal");
        assert_eq!(words(&answers[2..]), ["TWO"]);
        let requests = fake.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].texts(), ["hi ⟦0⟧, bye", "two"], "what has no words is not paid for");
        assert_eq!(requests[0].path, "/v1beta/models/gemini-x:generateContent");
    }

    #[actix_rt::test]
    async fn the_key_is_in_a_header_and_nowhere_else() {
        let fake = fake(|_| {
            let message = format!("API key not valid: {KEY}");
            (400, json!({"error": {"code": 400, "message": message}}))
        });
        let gemini = fake.gemini();
        let error = gemini.translate(&[item("hi")]).await.unwrap_err();
        assert!(matches!(error, EngineError::Unauthorized(_)));
        let seen = &fake.requests()[0];
        assert_eq!(seen.key.as_deref(), Some(KEY));
        for shown in [seen.query.clone(), seen.body.to_string(), error.to_string(), format!("{gemini:?}")] {
            assert!(!shown.contains(KEY), "{shown}");
        }
    }

    #[actix_rt::test]
    async fn more_than_a_batch_is_several_calls() {
        let fake = fake(|seen| (200, shouted(seen)));
        let items: Vec<Item> = (0..9).map(|n| item(&"post ".repeat(n + 1))).collect();
        let answers = fake.gemini().translate(&items).await.unwrap().items;
        let expected: Vec<String> = (0..9).map(|n| "POST ".repeat(n + 1)).collect();
        assert_eq!(words(&answers), expected);
        let sizes: Vec<usize> = fake.requests().iter().map(|seen| seen.texts().len()).collect();
        assert_eq!(sizes, [4, 4, 1]);
    }

    #[actix_rt::test]
    async fn one_post_that_is_refused_costs_only_itself() {
        let fake = fake(|seen| {
            let blocked = seen.texts().iter().any(|text| text.contains("bad"));
            let refusal = json!({"promptFeedback": {"blockReason": "SAFETY"}});
            (200, if blocked { refusal } else { shouted(seen) })
        });
        let reply = fake.gemini().translate(&["a", "b", "bad", "c"].map(item)).await.unwrap();
        let answers = &reply.items;
        assert!(matches!(answers[2], Err(ItemError::Refused(_))));
        assert_eq!([&words(&answers[..2])[..], &words(&answers[3..])].concat(), ["A", "B", "C"]);
        assert_eq!(fake.requests().len(), 5, "4, 2, 2, 1 and 1 posts");
        assert_eq!((reply.calls, reply.spoiled), (5, 2));
    }

    #[actix_rt::test]
    async fn a_reply_has_the_tokens_of_all_its_requests() {
        let fake = fake(|seen| {
            let mut body = shouted(seen);
            body["usageMetadata"] =
                json!({"promptTokenCount": 100, "candidatesTokenCount": 7, "thoughtsTokenCount": 3});
            (200, body)
        });
        let five = ["a", "b", "c", "d", "e"].map(item);
        let reply = fake.gemini().translate(&five).await.unwrap();
        let usage = Usage { input_tokens: Some(200), output_tokens: Some(20), ..Usage::default() };
        assert_eq!((reply.calls, reply.spoiled, reply.usage), (2, 0, usage));
        let silent = fake.gemini().translate(&[item("#goal")]).await.unwrap();
        assert_eq!((silent.calls, silent.usage), (0, Usage::default()));
    }

    #[actix_rt::test]
    async fn an_answer_cut_off_is_asked_for_in_halves_and_given_up_alone() {
        let fake = fake(|seen| {
            let cut = json!({"candidates": [{"finishReason": "MAX_TOKENS"}]});
            (200, if seen.texts().len() > 1 || seen.texts() == ["long"] { cut } else { shouted(seen) })
        });
        let answers = fake.gemini().translate(&["a", "long"].map(item)).await.unwrap().items;
        assert_eq!(words(&answers[..1]), ["A"]);
        assert!(matches!(&answers[1], Err(ItemError::Unusable(why)) if why.contains("MAX_TOKENS")));
        assert_eq!(fake.requests().len(), 3);
    }

    #[actix_rt::test]
    async fn a_translation_of_another_post_is_asked_for_again() {
        let shifted = |seen: &Seen| {
            let mut texts = seen.texts();
            texts.rotate_left(1);
            (200, saying_of(seen, &texts))
        };
        let fake = fake(shifted);
        let reply = fake.gemini().translate(&["the port", "our school", "bread"].map(item)).await.unwrap();
        assert_eq!(words(&reply.items), ["THE PORT", "OUR SCHOOL", "BREAD"]);
        let sizes: Vec<usize> = fake.requests().iter().map(|seen| seen.texts().len()).collect();
        assert_eq!((sizes, reply.spoiled), (vec![3, 3, 1, 2, 1, 1], 3));
        let ids: std::collections::HashSet<String> =
            fake.requests().iter().flat_map(|seen| seen.all("id")).collect();
        assert!(ids.len() > 3, "each request has ids of its own: {ids:?}");
    }

    #[actix_rt::test]
    async fn an_item_left_out_is_an_error_of_its_own() {
        let fake =
            fake(|seen| (200, saying(&json!([{"id": seen.all("id")[1], "echo": "two", "text": "dos"}]))));
        let answers = fake.gemini().translate(&["one", "two"].map(item)).await.unwrap().items;
        assert!(matches!(answers[0], Err(ItemError::Unusable(_))));
        assert_eq!(words(&answers[1..]), ["dos"]);
    }

    #[actix_rt::test]
    async fn what_fails_as_a_whole_says_so() {
        let overloaded =
            fake(|_| (503, json!({"error": {"status": "UNAVAILABLE", "message": "overloaded"}})));
        let error = overloaded.gemini().translate(&[item("hi")]).await.unwrap_err();
        assert!(matches!(error, EngineError::Unavailable(_)), "{error:?}");
        let fake = fake(|_| (429, json!({"error": {"message": "Please retry in 3s."}})));
        let error = fake.gemini().translate(&[item("hi")]).await.unwrap_err();
        assert!(matches!(error, EngineError::RateLimited { until: Some(_), .. }));
    }

    #[actix_rt::test]
    async fn no_answer_in_time_is_told_from_no_service() {
        // Connections to it are made, and nobody reads what comes.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
        let fake = fake(|seen| (200, shouted(seen)));
        let settings =
            GeminiSettings { base_url, timeout: Duration::from_millis(50), ..fake.gemini().settings };
        let error = Gemini::new(settings, Transport::default()).translate(&[item("hi")]).await.unwrap_err();
        assert!(matches!(error, EngineError::Unanswered(_)), "{error:?}");
    }

    #[actix_rt::test]
    async fn nobody_there_is_unavailable() {
        let gemini = {
            let gone = fake(|seen| (200, shouted(seen)));
            gone.handle.stop(false).await;
            gone.gemini()
        };
        let error = gemini.translate(&[item("hi")]).await.unwrap_err();
        assert!(matches!(&error, EngineError::Unavailable(why) if why.contains("cannot reach")), "{error:?}");
    }
}
