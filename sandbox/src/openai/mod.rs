//! A service with OpenAI's API, as far as Mynah needs it: `chat/completions` with a key, its errors and those of services
//! like it, and a [model](crate::model) that **does not translate**.

mod answer;
mod problems;
mod request;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError, web};

pub(crate) use self::problems::OpenAiProblem;
use crate::{
    anthropic, credentials::OPENAI_API_KEY, gemini::NOTICE, model::OpenAiFault, requests::LoggedCaller,
};

/// Models that it has.
const MODELS: [&str; 6] = [
    "gpt-5.4-mini",
    "gpt-5.4-nano",
    "mistral-small-latest",
    "openai/gpt-oss-120b",
    "openai/gpt-5.4-mini",
    "gemma3:4b",
];

/// The routes of the service.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/v1")
            .route("/chat/completions", web::post().to(complete))
            // The address has one server, and both APIs begin with the same version.
            .route("/messages", web::post().to(anthropic::messages))
            .default_service(web::to(|| async { OpenAiProblem::of_status(404).error_response() })),
    );
}

async fn complete(request: HttpRequest, bytes: web::Bytes) -> Result<HttpResponse, OpenAiProblem> {
    check_key(&request)?;
    request.extensions_mut().insert(LoggedCaller { auth: "key", account: None });
    let asked = request::Request::read(&bytes)?;
    if !MODELS.contains(&asked.model.as_str()) {
        return Err(OpenAiProblem::unknown_model(&asked.model));
    }
    log::debug!("{NOTICE}");
    let fault = request.extensions().get::<OpenAiFault>().copied();
    let body = answer::answer(&asked, fault)?;
    Ok(HttpResponse::Ok().content_type("application/json").body(body.to_string()))
}

fn check_key(request: &HttpRequest) -> Result<(), OpenAiProblem> {
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    match header.map(|header| header.strip_prefix("Bearer ")) {
        None => Err(OpenAiProblem::no_key()),
        Some(Some(key)) if key == OPENAI_API_KEY => Ok(()),
        Some(_) => Err(OpenAiProblem::wrong_key()),
    }
}
