//! LibreTranslate, as far as Mynah needs it: `POST /translate` and `GET /languages`, with or without a key, and their errors. It
//! **does not translate**: each answer begins with its target's code, and keeps what is in `<code>`.

mod problems;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

pub(crate) use self::problems::Problem;
use crate::{
    credentials::LIBRETRANSLATE_API_KEY,
    faults::{LibreTranslateFault, TranslatorFault},
    requests::LoggedCaller,
    state::State,
    translation::markup::{Markup, unescaped},
};

/// The languages of this server, each with its English name.
const LANGUAGES: [(&str, &str); 13] = [
    ("en", "English"),
    ("ar", "Arabic"),
    ("ca", "Catalan"),
    ("de", "German"),
    ("es", "Spanish"),
    ("eu", "Basque"),
    ("fr", "French"),
    ("gl", "Galician"),
    ("it", "Italian"),
    ("pt", "Portuguese"),
    ("pt-BR", "Portuguese (Brazil)"),
    ("ru", "Russian"),
    ("zh-Hans", "Chinese"),
];

/// What the server called languages before version 1.9, and still understands.
const ALIASES: [(&str, &str); 3] = [("pb", "pt-BR"), ("zh", "zh-Hans"), ("zt", "zh-Hant")];

/// The elements whose content LibreTranslate leaves alone.
const NOT_TRANSLATED: [&str; 4] = ["code", "script", "style", "time"];

/// The routes of LibreTranslate.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.route("/translate", web::post().to(translate)).route("/languages", web::get().to(languages));
}

async fn languages() -> HttpResponse {
    let codes: Vec<&str> = LANGUAGES.iter().map(|(code, _)| *code).collect();
    let language = |(code, name): &(&str, &str)| json!({"code": code, "name": name, "targets": codes});
    HttpResponse::Ok().json(LANGUAGES.iter().map(language).collect::<Vec<_>>())
}

async fn translate(
    request: HttpRequest,
    state: web::Data<State>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let body: Value = serde_json::from_slice(&bytes).map_err(|_| Problem::new(400, "Invalid JSON format"))?;
    match body["api_key"].as_str() {
        None => {}
        Some(LIBRETRANSLATE_API_KEY) => {
            request.extensions_mut().insert(LoggedCaller { auth: "key", account: None });
        }
        Some(_) => return Err(Problem::new(403, "Invalid API key")),
    }
    let is_batch = body["q"].is_array();
    let texts = texts(&body)?;
    let target = pair(&body)?;
    let is_html = match body["format"].as_str() {
        None | Some("text") => false,
        Some("html") => true,
        Some(other) => return Err(Problem::new(400, format!("{other} format is not supported"))),
    };
    match request.extensions().get::<LibreTranslateFault>() {
        Some(LibreTranslateFault::TooManyTexts) if texts.len() > 1 => {
            return Err(Problem::text_limit(texts.len(), 1));
        }
        Some(LibreTranslateFault::ErrorInSuccess) => {
            return Ok(HttpResponse::Ok().json(json!({"error": "Invalid API key"})));
        }
        _ => {}
    }
    state.touch();
    let fault = request.extensions().get::<TranslatorFault>().copied();
    Ok(HttpResponse::Ok().json(translations(&texts, &target, is_html, is_batch, fault)))
}

fn translations(
    texts: &[String],
    target: &str,
    is_html: bool,
    is_batch: bool,
    fault: Option<TranslatorFault>,
) -> Value {
    let ignored: Vec<String> = if is_html { NOT_TRANSLATED.map(str::to_owned).into() } else { Vec::new() };
    let translation = |text: &String| {
        let markup = Markup { text, ignored: &ignored };
        // The server resolves entities of its own output.
        Value::from(unescaped(&markup.translate(target, fault)))
    };
    let mut translations: Vec<Value> = texts.iter().map(translation).collect();
    match fault {
        Some(TranslatorFault::MissingTranslation) => drop(translations.pop()),
        Some(TranslatorFault::ExtraTranslation) => translations.extend(translations.last().cloned()),
        Some(TranslatorFault::NoTranslations) => translations.clear(),
        Some(TranslatorFault::NullTranslations) => return json!({"translatedText": null}),
        Some(TranslatorFault::NullText) => translations.iter_mut().for_each(|text| *text = Value::Null),
        _ => {}
    }
    if is_batch {
        json!({"translatedText": translations})
    } else {
        json!({"translatedText": translations.pop()})
    }
}

fn texts(body: &Value) -> Result<Vec<String>, Problem> {
    let missing = || Problem::new(400, "Invalid request: missing q parameter");
    match &body["q"] {
        Value::String(text) if !text.is_empty() => Ok(vec![text.clone()]),
        Value::Array(texts) if !texts.is_empty() => {
            texts.iter().map(|text| text.as_str().map(str::to_owned).ok_or_else(missing)).collect()
        }
        _ => Err(missing()),
    }
}

/// The target, if there is such a pair.
fn pair(body: &Value) -> Result<String, Problem> {
    let language = |name: &str| {
        let code = body[name].as_str().filter(|code| !code.is_empty());
        let code =
            code.ok_or_else(|| Problem::new(400, format!("Invalid request: missing {name} parameter")))?;
        let code = ALIASES.iter().find(|(alias, _)| *alias == code).map_or(code, |(_, code)| code);
        let is_known =
            LANGUAGES.iter().any(|(known, _)| *known == code) || (name == "source" && code == "auto");
        if is_known {
            Ok(code.to_owned())
        } else {
            Err(Problem::new(400, format!("{code} is not supported")))
        }
    };
    language("source")?;
    language("target")
}
