//! What refusals mean. Every service has words of its own for the same thing, and the status alone does not tell: an empty account
//! is a 429 like too many calls, and a text that is too long is a 400 like a wrong model.

use jiff::{SignedDuration, Timestamp};
use mynah_domain::ports::engine::{EngineError, ItemError};
use serde_json::Value;

use super::{service::Service, settings::OpenAiSettings, wire::Part};
use crate::engines::llm::{
    body::{objects, word},
    failure::{after, retry_after, said, wait_in_words},
};

/// When to ask again after somebody must pay first. It costs nothing to find out that they did.
const UNTIL_PAID: SignedDuration = SignedDuration::from_mins(10);

/// What a refusal means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The service does not accept this part of the request, and would answer without it.
    Part(Part),
    /// It is about the texts in the request: they may be asked for in smaller requests.
    Items(ItemError),
    /// It is about the call, or all calls.
    Call(EngineError),
}

/// A refusal.
#[derive(Debug, Default)]
pub(super) struct Failure {
    status: u16,
    message: String,
    kind: String,
    code: String,
    param: String,
    /// Whether the body was an error as an API writes it, and not a page of a server in between.
    is_of_api: bool,
    /// OpenRouter's list of what its filter found.
    is_flagged: bool,
    retry_after: Option<Timestamp>,
}

impl Failure {
    /// Reads an answer whose status is not 200. `header` finds a header of it.
    pub(super) fn read<'a>(
        status: u16,
        body: &[u8],
        header: impl Fn(&str) -> Option<&'a str>,
        now: Timestamp,
    ) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        Self {
            retry_after: header("retry-after").and_then(|after| retry_after(after, now)),
            ..Self::of(status, &body)
        }
    }

    /// Reads an error in a 200, whose code may be the status that it should have.
    pub(super) fn of_success(body: &Value) -> Self {
        let code = &body["error"]["code"];
        let status = code.as_u64().or_else(|| code.as_str()?.parse().ok());
        let status =
            status.and_then(|status| u16::try_from(status).ok()).filter(|status| (400..600).contains(status));
        Self::of(status.unwrap_or(502), body)
    }

    fn of(status: u16, body: &Value) -> Self {
        // Some servers wrap the error, some do not, and some send only its words.
        let error = Some(&body["error"]).filter(|error| error.is_object()).unwrap_or(body);
        let words = [&error["message"], &body["error"], &error["detail"]];
        // What validators complain about is a list.
        let complaints =
            objects(&error["detail"]).filter_map(|one| one["msg"].as_str()).collect::<Vec<_>>().join("; ");
        let message = words.iter().find_map(|words| words.as_str()).map_or(complaints, str::to_owned);
        Self {
            status,
            is_of_api: !message.is_empty(),
            message,
            kind: word(&error["type"]),
            code: word(&error["code"]),
            param: word(&error["param"]),
            is_flagged: error["metadata"].get("flagged_input").is_some(),
            retry_after: None,
        }
    }

    /// What it says, in one line, fit for a log.
    pub(super) fn said(&self) -> String {
        let code = if self.code.is_empty() || self.code == self.status.to_string() {
            &self.kind
        } else {
            &self.code
        };
        said(self.status, code, &self.message)
    }

    /// What it means for a call by these settings.
    pub(super) fn meaning(&self, settings: &OpenAiSettings, now: Timestamp) -> Meaning {
        if let Some(error) = self.about_texts(settings.title()) {
            return Meaning::Items(error);
        }
        if let Some(part) = self.about_part() {
            return Meaning::Part(part);
        }
        if self.is_too_long() {
            return Meaning::Items(ItemError::Unusable(format!(
                "the posts do not fit into one request to {} ({})",
                settings.title(),
                self.said()
            )));
        }
        Meaning::Call(self.of_call(settings, now))
    }

    /// Whether the code or the type is one of these.
    fn is_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.code == *name || self.kind == *name)
    }

    /// Whether the message has one of these in it, whatever their case.
    fn says(&self, words: &[&str]) -> bool {
        let message = self.message.to_lowercase();
        words.iter().any(|words| message.contains(words))
    }

    /// What is wrong with the texts or what the model made of them; not their length.
    fn about_texts(&self, title: &str) -> Option<ItemError> {
        let filtered = ["content_filter", "content_policy_violation", "moderation_blocked"];
        if self.status < 500 && (self.is_flagged || self.is_any(&filtered)) {
            return Some(ItemError::Refused(format!(
                "{title} will not translate the post ({})",
                self.said()
            )));
        }
        // Groq holds a model to JSON by asking it again, and gives up.
        self.is_any(&["json_validate_failed"])
            .then(|| ItemError::Unusable(format!("{title}'s model wrote no JSON ({})", self.said())))
    }

    /// The part of the request that the service does not accept.
    fn about_part(&self) -> Option<Part> {
        if !matches!(self.status, 400 | 422) {
            return None;
        }
        let names = |names: &[&str]| names.contains(&self.param.as_str()) || self.says(names);
        if names(&[
            "response_format",
            "json_schema",
            "json schema",
            "response format",
            "structured output",
            "parse grammar",
        ]) {
            Some(Part::ResponseFormat)
        } else if names(&["max_tokens", "max_completion_tokens"]) {
            Some(Part::Limit)
        } else if names(&["reasoning_effort", "reasoning effort"]) {
            Some(Part::Effort)
        } else if names(&["temperature"]) {
            Some(Part::Temperature)
        } else {
            None
        }
    }

    /// Whether the texts and their translations do not fit into what the model can hold.
    fn is_too_long(&self) -> bool {
        let codes = ["context_length_exceeded", "exceed_context_size_error", "string_above_max_length"];
        let words =
            ["context length", "context size", "context window", "prompt is too long", "too many tokens"];
        match self.status {
            413 => true,
            // Most of these ask for fewer tokens per minute, which smaller requests do not achieve.
            429 => self.is_any(&codes) || self.says(&["request too large"]),
            400..500 => self.is_any(&codes) || self.says(&words) || self.says(&["request too large"]),
            _ => self.is_any(&["exceed_context_size_error"]),
        }
    }

    fn of_call(&self, settings: &OpenAiSettings, now: Timestamp) -> EngineError {
        let (title, name, said) = (settings.title(), &settings.name, self.said());
        match self.status {
            _ if self.is_about_money() => EngineError::RateLimited {
                until: after(UNTIL_PAID, now),
                reason: format!(
                    "{title}'s account has no credit left, or its quota is used up: add credit, or raise the limit ({said})"
                ),
            },
            401 | 403 if self.is_of_api && !self.is_about_model() => {
                EngineError::Unauthorized(unauthorized(settings, &said))
            }
            // A guard in between, whose page does not mention the key.
            403 if !self.is_of_api => EngineError::Unavailable(format!(
                "{title}'s server answered with a page, not as an API does ({said})"
            )),
            401 => EngineError::Unauthorized(unauthorized(settings, &said)),
            429 => EngineError::RateLimited {
                until: self
                    .retry_after
                    .or_else(|| after(wait_in_words(&self.message, "try again in ")?, now)),
                reason: format!("{title}: rate limit reached ({said})"),
            },
            _ if self.is_about_model() => {
                let or_get = match settings.service {
                    Service::Ollama => format!(", or run: ollama pull {}", settings.model),
                    _ => String::new(),
                };
                EngineError::Refused(format!(
                    "{title} has no model “{}” for this account: set engine.{name}.model to one that it has{or_get} ({said})",
                    settings.model
                ))
            }
            404 if self.says(&["no endpoints found", "data policy"]) => EngineError::Refused(format!(
                "{title} has nobody who runs “{}” with these settings: set engine.{name}.model to another model, or \
                 allow more providers in the account's settings ({said})",
                settings.model
            )),
            404 | 405 => EngineError::Refused(format!(
                "there is no such API at {}: set engine.{name}.base_url to the service's address with its version, \
                 which often ends in /v1 ({said})",
                settings.base_url
            )),
            408 | 409 | 425 | 498 | 499 | 500.. => {
                EngineError::Unavailable(format!("{title} is not available just now ({said})"))
            }
            _ => EngineError::Refused(format!("{title} refused the request ({said})")),
        }
    }

    fn is_about_money(&self) -> bool {
        self.status == 402
            || (matches!(self.status, 400 | 403 | 429)
                && (self.is_any(&[
                    "insufficient_quota",
                    "billing_hard_limit_reached",
                    "billing_not_active",
                    "insufficient_balance",
                ]) || self.says(&[
                    "exceeded your current quota",
                    "insufficient credits",
                    "insufficient balance",
                ])))
    }

    fn is_about_model(&self) -> bool {
        let is_named = self.is_any(&["model_not_found", "invalid_model", "unknown_model"]);
        let is_said = self.says(&["invalid model", "not a valid model", "unknown model"])
            || (self.says(&["model"])
                && self.says(&["not found", "does not exist", "no such", "decommissioned"]));
        matches!(self.status, 400 | 403 | 404 | 422) && (is_named || is_said)
    }
}

fn unauthorized(settings: &OpenAiSettings, said: &str) -> String {
    let (title, variable) = (settings.title(), settings.variable());
    let from = match settings.service.defaults().keys {
        Some(keys) if settings.service != Service::Other => format!(" from {keys}"),
        _ => String::new(),
    };
    match settings.key {
        Some(_) => format!("{title} does not accept the key: set {variable} to a valid one{from} ({said})"),
        None => format!("{title} asks for a key: set {variable} to one{from} ({said})"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn settings(service: Service) -> OpenAiSettings {
        OpenAiSettings {
            name: "groq".into(),
            service,
            base_url: "https://api.example.com/v1".parse().unwrap(),
            model: "acme-1".into(),
            key: Some("hush".into()),
            reasoning_effort: None,
            max_tokens: 1000,
            timeout: Duration::from_secs(1),
            connections: 1,
            max_batch: 1,
            tariff: mynah_domain::tariff::Tariff::Free,
        }
    }

    fn meaning(status: u16, body: &Value) -> Meaning {
        let failure = Failure::read(status, body.to_string().as_bytes(), |_| None, now());
        failure.meaning(&settings(Service::Groq), now())
    }

    fn call(status: u16, body: &Value) -> EngineError {
        match meaning(status, body) {
            Meaning::Call(error) => error,
            other => panic!("{status} {body}: {other:?}"),
        }
    }

    fn openai(message: &str, kind: &str, code: impl Into<Value>) -> Value {
        json!({"error": {"message": message, "type": kind, "param": null, "code": code.into()}})
    }

    #[test]
    fn a_wrong_key_names_its_variable_and_where_to_get_one() {
        for (status, body) in [
            (
                401,
                openai(
                    "Incorrect API key provided: sk-x.",
                    "invalid_request_error",
                    json!("invalid_api_key"),
                ),
            ),
            (401, json!({"message": "Unauthorized", "request_id": "x"})),
            (401, json!({"detail": "Unauthorized"})),
            (401, json!(null)),
            (403, openai("You are not allowed to sample from this", "permission_error", json!(403))),
        ] {
            let EngineError::Unauthorized(why) = call(status, &body) else { panic!("{status} {body}") };
            assert!(why.contains("GROQ_API_KEY") && why.contains("console.groq.com"), "{why}");
        }
        let keyless = OpenAiSettings { key: None, ..settings(Service::Other) };
        let failure = Failure::read(401, b"", |_| None, now());
        let Meaning::Call(EngineError::Unauthorized(why)) = failure.meaning(&keyless, now()) else {
            panic!()
        };
        assert!(why.contains("asks for a key: set GROQ_API_KEY to one (HTTP 401)"), "{why}");
    }

    #[test]
    fn an_account_without_credit_is_not_taken_for_a_wrong_key() {
        let body = openai("You exceeded your quota.", "insufficient_quota", json!("insufficient_quota"));
        for status in [402, 403, 429] {
            assert!(
                matches!(call(status, &body), EngineError::RateLimited { until: Some(_), .. }),
                "{status}"
            );
        }
    }

    #[test]
    fn too_many_tokens_in_a_minute_are_a_rate_limit_and_in_a_request_a_reason_for_smaller_ones() {
        let body =
            openai("Too many tokens, please wait before trying again.", "throttling_error", json!(429));
        assert!(matches!(call(429, &body), EngineError::RateLimited { .. }));
        assert!(matches!(meaning(400, &body), Meaning::Items(ItemError::Unusable(_))));
        let body = openai("Request too large for model x in organization y", "tokens", json!(null));
        assert!(matches!(meaning(429, &body), Meaning::Items(ItemError::Unusable(_))));
    }

    #[test]
    fn a_missing_provider_does_not_blame_the_address() {
        let body = openai("No endpoints found for acme-1.", "not_found", json!(404));
        let EngineError::Refused(why) = call(404, &body) else { panic!() };
        assert!(why.contains("engine.groq.model") && !why.contains("base_url"), "{why}");
    }

    #[test]
    fn a_page_in_place_of_an_error_does_not_blame_the_key() {
        let failure = Failure::read(403, b"<html>Just a moment...", |_| None, now());
        let meaning = failure.meaning(&settings(Service::Groq), now());
        assert!(matches!(meaning, Meaning::Call(EngineError::Unavailable(_))), "{meaning:?}");
    }

    #[test]
    fn too_many_calls_are_waited_for_as_long_as_the_service_says() {
        let limited = |message: &str, header: Option<&'static str>| {
            let body = openai(message, "tokens", json!("rate_limit_exceeded")).to_string();
            let header = |name: &str| header.filter(|_| name == "retry-after");
            let meaning =
                Failure::read(429, body.as_bytes(), header, now()).meaning(&settings(Service::Groq), now());
            let Meaning::Call(EngineError::RateLimited { until, .. }) = meaning else {
                panic!("{meaning:?}")
            };
            until.map(|until| until.to_string())
        };
        assert_eq!(limited("Rate limit reached", Some("20")).as_deref(), Some("2026-11-23T12:00:20.001Z"));
        let words =
            "Rate limit reached for model x: Limit 1000, Used 950. Please try again in 7m12s. Need more?";
        assert_eq!(limited(words, None).as_deref(), Some("2026-11-23T12:07:12.001Z"));
        assert_eq!(limited("Rate limit reached", None), None);
        assert_eq!(limited("Rate limit reached", Some("-5")), None);
        for body in ["", "<html>", "null", "{\"error\": [7]}"] {
            let meaning =
                Failure::read(429, body.as_bytes(), |_| None, now()).meaning(&settings(Service::Groq), now());
            assert!(
                matches!(meaning, Meaning::Call(EngineError::RateLimited { until: None, .. })),
                "{meaning:?}"
            );
        }
    }

    #[test]
    fn an_empty_account_is_not_asked_again_at_once() {
        for (status, body) in [
            (
                429,
                openai(
                    "You exceeded your current quota, please check",
                    "insufficient_quota",
                    json!("insufficient_quota"),
                ),
            ),
            (429, openai("x", "insufficient_quota", json!(null))),
            (402, json!({"error": {"message": "Insufficient credits. Add more", "code": 402}})),
            (402, json!(null)),
            (400, openai("Billing hard limit has been reached", "", json!("billing_hard_limit_reached"))),
        ] {
            let EngineError::RateLimited { until: Some(until), reason } = call(status, &body) else {
                panic!("{status} {body}")
            };
            assert_eq!(until.to_string(), "2026-11-23T12:10:00.001Z");
            assert!(reason.contains("no credit left"), "{reason}");
        }
    }

    #[test]
    fn a_model_that_is_not_there_names_the_setting_and_the_model() {
        for (status, body) in [
            (
                404,
                openai(
                    "The model `acme-1` does not exist",
                    "invalid_request_error",
                    json!("model_not_found"),
                ),
            ),
            (
                403,
                openai(
                    "Project `x` does not have access to model",
                    "invalid_request_error",
                    json!("model_not_found"),
                ),
            ),
            (
                400,
                json!({"object": "error", "message": "Invalid model: acme-1", "type": "invalid_model", "code": "1500"}),
            ),
            (400, json!({"error": {"message": "acme-1 is not a valid model ID", "code": 400}})),
            (404, openai("model \"acme-1\" not found, try pulling it first", "not_found_error", json!(null))),
        ] {
            let EngineError::Refused(why) = call(status, &body) else { panic!("{status} {body}") };
            assert!(why.contains("engine.groq.model") && why.contains("acme-1"), "{why}");
        }
        let failure = Failure::read(404, br#"{"error": "model not found"}"#, |_| None, now());
        let Meaning::Call(error) = failure.meaning(&settings(Service::Ollama), now()) else { panic!() };
        assert!(error.to_string().contains("ollama pull acme-1"), "{error}");
    }

    #[test]
    fn an_address_without_the_api_names_the_setting() {
        for body in [
            json!(null),
            json!({"detail": "Not Found"}),
            json!({"error": {"message": "File Not Found", "code": 404}}),
        ] {
            let EngineError::Refused(why) = call(404, &body) else { panic!("{body}") };
            assert!(why.contains("engine.groq.base_url") && why.contains("api.example.com"), "{why}");
        }
    }

    #[test]
    fn what_is_too_long_is_about_the_texts() {
        for (status, body) in [
            (
                400,
                openai(
                    "This model's maximum context length is 8192 tokens.",
                    "invalid_request_error",
                    json!("context_length_exceeded"),
                ),
            ),
            (
                400,
                json!({"error": {"code": 400, "type": "exceed_context_size_error", "n_ctx": 256,
                "message": "the request exceeds the available context size, try increasing it"}}),
            ),
            (
                413,
                openai(
                    "Request too large for model x on tokens per minute (TPM)",
                    "tokens",
                    json!("rate_limit_exceeded"),
                ),
            ),
            (413, json!(null)),
            (
                400,
                json!({"message": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length"}),
            ),
        ] {
            assert!(
                matches!(meaning(status, &body), Meaning::Items(ItemError::Unusable(_))),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn what_a_filter_refuses_is_about_the_texts() {
        for (status, body) in [
            (400, openai("The response was filtered", "", json!("content_filter"))),
            (
                403,
                json!({"error": {"code": 403, "message": "Your input was flagged",
                "metadata": {"reasons": ["violence"], "flagged_input": "x"}}}),
            ),
        ] {
            assert!(
                matches!(meaning(status, &body), Meaning::Items(ItemError::Refused(_))),
                "{status} {body}"
            );
        }
        let no_json =
            openai("Failed to generate JSON.", "invalid_request_error", json!("json_validate_failed"));
        assert!(matches!(meaning(400, &no_json), Meaning::Items(ItemError::Unusable(_))));
    }

    #[test]
    fn a_part_that_the_service_does_not_accept_is_found_by_its_name() {
        let about = |param: Value, message: &str| {
            meaning(
                400,
                &json!({"error": {"message": message, "type": "invalid_request_error", "param": param}}),
            )
        };
        for (param, message, part) in [
            (json!("response_format"), "Invalid parameter", Part::ResponseFormat),
            (json!(null), "This model does not support response format `json_schema`.", Part::ResponseFormat),
            (json!(null), "Failed to initialize samplers: failed to parse grammar", Part::ResponseFormat),
            (json!("max_tokens"), "Use 'max_completion_tokens' instead.", Part::Limit),
            (json!(null), "max_tokens is too large: 8192. The maximum context length is 4096", Part::Limit),
            (json!("temperature"), "Unsupported value", Part::Temperature),
            (json!(null), "Unknown parameter: reasoning_effort", Part::Effort),
        ] {
            assert_eq!(about(param, message), Meaning::Part(part), "{message}");
        }
        let listed =
            json!({"detail": [{"loc": ["body", "response_format"], "msg": "response_format: extra field"}]});
        assert_eq!(meaning(422, &listed), Meaning::Part(Part::ResponseFormat));
        assert!(matches!(meaning(500, &openai("response_format", "", json!(null))), Meaning::Call(_)));
    }

    #[test]
    fn what_passes_is_unavailable_and_the_rest_is_refused_with_what_was_said() {
        for status in [408, 409, 425, 498, 500, 502, 503, 504, 529] {
            for body in [json!(null), openai("Loading model", "unavailable_error", json!(503))] {
                assert!(matches!(call(status, &body), EngineError::Unavailable(_)), "{status} {body}");
            }
        }
        let EngineError::Refused(why) = call(400, &openai("messages: wrong role", "x", json!(400))) else {
            panic!()
        };
        assert!(why.contains("HTTP 400: x: messages: wrong role"), "{why}");
    }

    #[test]
    fn an_error_in_a_200_has_the_status_of_its_code() {
        let of = |error: Value| {
            Failure::of_success(&json!({"error": error})).meaning(&settings(Service::OpenRouter), now())
        };
        assert!(matches!(
            of(json!({"code": 429, "message": "slow down"})),
            Meaning::Call(EngineError::RateLimited { .. })
        ));
        assert!(matches!(
            of(json!({"code": "401", "message": "no"})),
            Meaning::Call(EngineError::Unauthorized(_))
        ));
        for odd in [json!({"code": 7, "message": "x"}), json!({"code": null}), json!("overloaded"), json!({})]
        {
            assert!(matches!(of(odd.clone()), Meaning::Call(EngineError::Unavailable(_))), "{odd}");
        }
    }

    #[test]
    fn an_error_body_in_an_odd_form_keeps_the_meaning_of_its_status() {
        for error in [
            json!(null),
            json!([]),
            json!(7),
            json!({"message": 7, "code": [], "type": {}, "param": 7, "metadata": []}),
        ] {
            let body = json!({"error": error});
            assert!(matches!(call(503, &body), EngineError::Unavailable(_)), "{body}");
            assert!(matches!(call(401, &body), EngineError::Unauthorized(_)), "{body}");
            assert!(matches!(call(400, &body), EngineError::Refused(_)), "{body}");
        }
        let long = "x\n\u{1b}[31m".repeat(1000);
        let error = call(500, &openai(&long, &long, json!(long))).to_string();
        assert!(!error.contains(['\n', '\u{1b}']) && error.chars().count() < 1000, "{error}");
    }
}
