//! DeepL, as far as Mynah needs it: `POST /v2/translate` and `GET /v2/usage` with a key, and their errors. It **does not
//! translate**: each answer begins with its target's code, and keeps what is in ignored tags.

mod problems;
mod request;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError, web};
use serde_json::{Value, json};

pub(crate) use self::problems::Problem;
use self::request::Request;
use crate::{
    credentials::DEEPL_API_KEY,
    faults::{DeeplFault, TranslatorFault},
    hash,
    requests::LoggedCaller,
    state::State,
    translation::markup::Markup,
};

/// The characters of a billing period of the free plan.
const CHARACTER_LIMIT: u64 = 500_000;

/// The routes of DeepL.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/v2")
            .route("/translate", web::post().to(translate))
            .route("/usage", web::get().to(usage))
            .default_service(web::to(|| async { Problem::of_status(404).error_response() })),
    );
}

async fn usage(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    check_key(&request)?;
    let used = state.requests().deepl_characters;
    Ok(answer(&json!({"character_count": used, "character_limit": CHARACTER_LIMIT})))
}

async fn translate(
    request: HttpRequest,
    state: web::Data<State>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    check_key(&request)?;
    let content_type = request.content_type().to_owned();
    let translate = Request::read(&bytes, &content_type)?;
    let fault = request.extensions().get::<TranslatorFault>().copied();
    match request.extensions().get::<DeeplFault>() {
        Some(DeeplFault::TooLarge) if translate.texts.len() > 1 => return Err(Problem::of_status(413)),
        Some(DeeplFault::ErrorInSuccess) => return Ok(answer(&json!({"message": "Quota Exceeded"}))),
        _ => {}
    }
    let characters: usize = translate.texts.iter().map(|text| text.chars().count()).sum();
    state.requests().deepl_characters += u64::try_from(characters).unwrap_or_default();
    Ok(answer(&translations(&translate, fault)))
}

fn translations(request: &Request, fault: Option<TranslatorFault>) -> Value {
    let mut translations: Vec<Value> =
        request.texts.iter().map(|text| translation(request, text, fault)).collect();
    match fault {
        Some(TranslatorFault::MissingTranslation) => drop(translations.pop()),
        Some(TranslatorFault::ExtraTranslation) => translations.extend(translations.last().cloned()),
        Some(TranslatorFault::NoTranslations) => translations.clear(),
        Some(TranslatorFault::NullTranslations) => return json!({"translations": null}),
        _ => {}
    }
    json!({"translations": translations})
}

fn translation(request: &Request, text: &str, fault: Option<TranslatorFault>) -> Value {
    let markup = Markup { text, ignored: &request.ignored };
    let mut translation = json!({
        "detected_source_language": request.source.as_deref().unwrap_or("EN"),
        "text": markup.translate(&request.target, fault),
    });
    if request.shows_billed_characters {
        translation["billed_characters"] = match fault {
            Some(TranslatorFault::OddCounts) => json!(-1),
            _ => json!(text.chars().count()),
        };
    }
    if fault == Some(TranslatorFault::NullText) {
        translation["text"] = Value::Null;
    }
    translation
}

fn answer(body: &Value) -> HttpResponse {
    let trace = format!("{:016x}", hash::stable(&[body.to_string().as_bytes()]));
    HttpResponse::Ok()
        .insert_header(("x-trace-id", trace))
        .content_type("application/json; charset=utf-8")
        .body(body.to_string())
}

fn check_key(request: &HttpRequest) -> Result<(), Problem> {
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let key = header.and_then(|header| header.strip_prefix("DeepL-Auth-Key "));
    if key != Some(DEEPL_API_KEY) {
        return Err(Problem::of_status(403));
    }
    request.extensions_mut().insert(LoggedCaller { auth: "key", account: None });
    Ok(())
}
