//! Gemini, as far as Mynah needs it: `generateContent` with a key, its errors, and a [model](crate::model) that **does not
//! translate**.

mod answer;
mod problems;
mod request;

use std::borrow::Cow;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError, web};
use serde_json::Value;

pub(crate) use self::problems::GeminiProblem;
use crate::{credentials::GEMINI_API_KEY, model::GeminiFault, requests::LoggedCaller, state::State};

/// The notice on the page and in the log.
pub(crate) const NOTICE: &str =
    "The sandbox does not translate: its engines answer with random words of the target language.";

/// Models that were offered in November 2026.
const MODELS: [&str; 9] = [
    "gemini-3.8-flash",
    "gemini-3.7-flash",
    "gemini-3.6-flash",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.1-flash-lite",
    "gemini-3.1-pro-preview",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
];

/// The routes of Gemini.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/v1beta")
            .route("/models/{call}", web::post().to(generate))
            .default_service(web::to(|| async { GeminiProblem::of_status(404).error_response() })),
    );
}

async fn generate(
    request: HttpRequest,
    state: web::Data<State>,
    call: web::Path<String>,
    bytes: web::Bytes,
) -> Result<HttpResponse, GeminiProblem> {
    check_key(&request)?;
    request.extensions_mut().insert(LoggedCaller { auth: "key", account: None });
    let model = match call.split_once(':') {
        Some((model, "generateContent")) if MODELS.contains(&model) => model,
        Some((model, _)) => return Err(GeminiProblem::unknown_model(model)),
        None => return Err(GeminiProblem::of_status(404)),
    };
    let generate_request = request::Request::read(&bytes, model)?;
    count(&state, generate_request.asked.items.len());
    let fault = request.extensions().get::<GeminiFault>().copied();
    let body = answer::answer(model, &generate_request, fault)?;
    Ok(json(&body))
}

fn json(body: &Value) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json; charset=UTF-8").body(body.to_string())
}

fn check_key(request: &HttpRequest) -> Result<(), GeminiProblem> {
    let header = request.headers().get("x-goog-api-key").and_then(|value| value.to_str().ok());
    let in_query = || {
        let mut pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
        pairs.find(|(name, _)| name == "key").map(|(_, value)| value)
    };
    match header.map(Cow::Borrowed).or_else(in_query) {
        None => Err(GeminiProblem::no_key()),
        Some(key) if key == GEMINI_API_KEY => Ok(()),
        Some(_) => Err(GeminiProblem::invalid_key()),
    }
}

fn count(state: &State, items: usize) {
    let mut requests = state.requests();
    let counters = &mut requests.gemini;
    if counters.requests == 0 {
        log::warn!("{NOTICE}");
    }
    counters.requests += 1;
    counters.items += u64::try_from(items).unwrap_or(0);
    *counters.items_per_request.entry(items).or_default() += 1;
}
