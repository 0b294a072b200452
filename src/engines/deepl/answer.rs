//! What DeepL said, down to a translation for each text. It is input from a stranger: anything in it may be missing, doubled or
//! of another type.

use mynah_domain::ports::engine::{EngineError, ItemError, Usage, sum};
use serde_json::Value;

use crate::telemetry::outside::brief;

/// Reads the body of a 200.
///
/// # Errors
/// Where there is no list of translations in it.
pub(super) fn read(body: &[u8]) -> Result<(Vec<Result<String, ItemError>>, Usage), EngineError> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| {
        EngineError::Unavailable(format!(
            "DeepL's answer is not the JSON that its API promises: {}",
            brief(&error.to_string())
        ))
    })?;
    let Some(translations) = answer["translations"].as_array() else {
        let said = answer["message"].as_str().map(|message| format!(": {}", brief(message)));
        return Err(EngineError::Unavailable(format!(
            "DeepL's answer has no translations{}",
            said.unwrap_or_default()
        )));
    };
    let billed = translations.iter().map(|translation| Usage {
        billed_characters: count(&translation["billed_characters"]),
        ..Usage::default()
    });
    let usage = billed.fold(Usage::default(), |all, one| Usage {
        billed_characters: sum([all.billed_characters, one.billed_characters]),
        ..all
    });
    Ok((translations.iter().map(translation).collect(), usage))
}

fn translation(translation: &Value) -> Result<String, ItemError> {
    match &translation["text"] {
        Value::String(text) if !text.trim().is_empty() => Ok(text.clone()),
        Value::String(_) => Err(ItemError::Unusable("DeepL's translation is empty".into())),
        _ => Err(ItemError::Unusable("DeepL's answer has no text for the post".into())),
    }
}

/// A count that cannot be read costs no translation.
fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Number(count) => count.as_u64(),
        Value::String(count) => count.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(body: &Value) -> (Vec<Option<String>>, Option<u64>) {
        let (translations, usage) = read(body.to_string().as_bytes()).unwrap();
        (translations.into_iter().map(Result::ok).collect(), usage.billed_characters)
    }

    #[test]
    fn each_translation_stands_for_itself() {
        let body = json!({"translations": [
            {"detected_source_language": "EN", "text": "Hola", "billed_characters": 5},
            {"text": null}, null, {"text": 7}, {"text": " "}, {}, "x",
            {"text": "Adiós", "billed_characters": "7", "of_tomorrow": {}},
        ]});
        let expected =
            ["Hola", "", "", "", "", "", "", "Adiós"].map(|text| (!text.is_empty()).then(|| text.to_owned()));
        assert_eq!(texts(&body), (expected.into(), Some(12)));
    }

    #[test]
    fn a_count_that_is_none_costs_nothing() {
        for odd in [json!(null), json!(-1), json!("many"), json!(1e300), json!([1]), json!({})] {
            let body = json!({"translations": [{"text": "Hola", "billed_characters": odd}]});
            assert_eq!(texts(&body), (vec![Some("Hola".into())], None), "{odd}");
        }
    }

    #[test]
    fn what_is_no_list_of_translations_is_not_deepl() {
        for body in [
            &b"<html>Sign in to the Wi-Fi</html>"[..],
            b"",
            b"{\"translations\": ",
            b"[]",
            b"null",
            b"{\"translations\": null}",
            b"{\"translations\": {\"text\": \"x\"}}",
            b"{\"message\": \"Quota Exceeded\"}",
            b"{\"translations\":[{\"text\":\"\xff\xfe\"}]}",
        ] {
            let error = read(body).unwrap_err();
            assert!(matches!(error, EngineError::Unavailable(_)), "{error:?}");
        }
        let error = read(b"{\"message\": \"Quota\\u001b[31m Exceeded\"}").unwrap_err().to_string();
        assert!(error.contains("Exceeded") && !error.contains('\u{1b}'), "{error}");
    }
}
