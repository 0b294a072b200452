//! A request for translations, as JSON or as a form, and what DeepL refuses in it.

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::Problem;
use crate::translation::markup::Markup;

/// The most texts in one request.
const MAX_TEXTS: usize = 50;

/// The most bytes of a request.
const MAX_BODY: usize = 128 * 1024;

/// Targets with forms of address.
const FORMAL: [&str; 11] = ["DE", "FR", "IT", "ES", "ES-419", "NL", "PL", "PT-BR", "PT-PT", "JA", "RU"];

/// Languages of targets in this sandbox, without regions.
const TARGETS: [&str; 24] = [
    "AR", "CA", "CS", "DA", "DE", "EL", "EN", "ES", "EU", "FI", "FR", "GL", "HU", "IT", "JA", "KO", "NB",
    "NL", "PL", "PT", "RU", "SV", "UK", "ZH",
];

/// A valid request.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) texts: Vec<String>,
    pub(super) source: Option<String>,
    pub(super) target: String,
    /// The tags whose content stays; none if tags are not handled.
    pub(super) ignored: Vec<String>,
    pub(super) shows_billed_characters: bool,
}

impl Request {
    pub(super) fn read(bytes: &[u8], content_type: &str) -> Result<Self, Problem> {
        if bytes.len() > MAX_BODY {
            return Err(Problem::of_status(413));
        }
        let body = if content_type.starts_with("application/x-www-form-urlencoded") {
            of_form(bytes)
        } else {
            match serde_json::from_slice(bytes) {
                Ok(Value::Object(body)) => body,
                _ => return Err(bad_request("Malformed JSON")),
            }
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let list = |name: &str| {
            let list = body.get(name).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(|item| item.as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        let texts = list("text");
        if texts.is_empty() {
            return Err(bad_request("Parameter 'text' not specified"));
        }
        if texts.len() > MAX_TEXTS {
            return Err(bad_request("Too many texts"));
        }
        let source = text("source_lang");
        let target = text("target_lang").ok_or_else(|| Problem::unsupported("target_lang"))?;
        let is_known = |code: &str| TARGETS.contains(&code.split('-').next().unwrap_or(code));
        if !is_known(&target) {
            return Err(Problem::unsupported("target_lang"));
        }
        if source.as_deref().is_some_and(|source| source.contains('-') || !is_known(source)) {
            return Err(Problem::unsupported("source_lang"));
        }
        if matches!(text("formality").as_deref(), Some("more" | "less")) && !FORMAL.contains(&target.as_str())
        {
            return Err(Problem::unsupported_formality());
        }
        if text("glossary_id").is_some() && source.is_none() {
            return Err(bad_request("Use of a glossary requires the source_lang parameter to be specified"));
        }
        let handles_tags = text("tag_handling").is_some();
        if handles_tags
            && text("tag_handling_version").as_deref() == Some("v2")
            && texts.iter().any(|text| !Markup { text, ignored: &[] }.is_well_formed())
        {
            return Err(bad_request("Tag handling parsing failed, please check input"));
        }
        Ok(Self {
            ignored: if handles_tags { list("ignore_tags") } else { Vec::new() },
            shows_billed_characters: matches!(body.get("show_billed_characters"), Some(Value::Bool(true)))
                || text("show_billed_characters").is_some_and(|shows| shows == "1" || shows == "true"),
            texts,
            source,
            target,
        })
    }
}

fn bad_request(reason: &str) -> Problem {
    Problem::new(400, format!("Bad request. Reason: {reason}"))
}

/// The fields of a form; those that may be there several times are lists.
fn of_form(bytes: &[u8]) -> Map<String, Value> {
    let mut body = Map::new();
    for (name, value) in form_urlencoded::parse(bytes) {
        let value = value.into_owned();
        match &*name {
            "text" => {
                let texts = body.entry("text").or_insert_with(|| Value::Array(Vec::new()));
                texts.as_array_mut().into_iter().for_each(|texts| texts.push(value.clone().into()));
            }
            "ignore_tags" => {
                body.insert(name.into_owned(), value.split(',').collect::<Vec<_>>().into());
            }
            _ => drop(body.insert(name.into_owned(), value.into())),
        }
    }
    body
}
