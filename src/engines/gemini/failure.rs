//! What Gemini's refusals mean. The status alone does not tell: a wrong key is a 400, a used-up day is a 429 that says
//! to come back in seconds.

use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};
use mynah_domain::ports::engine::EngineError;
use serde::Deserialize;
use serde_json::Value;

use super::settings::variable;
use crate::engines::llm::failure::{after, said, wait_in_words};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Failure {
    message: String,
    status: String,
    details: Vec<Value>,
}

/// Reads an answer whose status is not 200 to a call of the engine with this name.
pub(super) fn read(http_status: u16, body: &[u8], name: &str, model: &str, now: Timestamp) -> EngineError {
    let failure = parse(body);
    let said = said(http_status, &failure.status, &failure.message);
    match http_status {
        400 if failure.is_about_the_key() => unauthorized(name, &said),
        401 | 403 => unauthorized(name, &said),
        404 => EngineError::Refused(format!(
            "Gemini has no model “{model}” for this key: set engine.{name}.model to one that it has ({said})"
        )),
        429 if failure.is_without_quota() => EngineError::Refused(format!(
            "this key has no quota at all for the model “{model}”: set engine.{name}.model to another, or turn on \
             billing ({said})"
        )),
        429 => EngineError::RateLimited {
            until: failure.until(now),
            reason: format!("Gemini's quota is used up ({said})"),
        },
        408 | 500.. => EngineError::Unavailable(format!("Gemini is not available just now ({said})")),
        _ => EngineError::Refused(format!("Gemini refused the request ({said})")),
    }
}

fn unauthorized(name: &str, said: &str) -> EngineError {
    EngineError::Unauthorized(format!(
        "Gemini does not accept the key: set {} to a valid one from https://aistudio.google.com/apikey ({said})",
        variable(name)
    ))
}

fn parse(body: &[u8]) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    // Some front ends put the object into a list.
    let error = body.get("error").or_else(|| body.get(0)?.get("error"));
    // One field of another type must not cost the others.
    let text = |name| error?.get(name)?.as_str().map(str::to_owned);
    Failure {
        message: text("message").or_else(|| error?.as_str().map(str::to_owned)).unwrap_or_default(),
        status: text("status").unwrap_or_default(),
        details: error.and_then(|error| error.get("details")?.as_array().cloned()).unwrap_or_default(),
    }
}

impl Failure {
    fn details<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.details.iter().filter(move |detail| {
            detail.get("@type").and_then(Value::as_str).is_some_and(|name| name.ends_with(kind))
        })
    }

    fn is_about_the_key(&self) -> bool {
        let reason = |detail: &Value| detail.get("reason").and_then(Value::as_str) == Some("API_KEY_INVALID");
        self.details("google.rpc.ErrorInfo").any(reason)
            || self.message.starts_with("API key not valid")
            || self.message.starts_with("API key expired")
    }

    fn is_without_quota(&self) -> bool {
        self.message.contains("limit: 0,") || self.message.ends_with("limit: 0")
    }

    fn is_for_today(&self) -> bool {
        self.details("google.rpc.QuotaFailure")
            .filter_map(|detail| detail.get("violations")?.as_array())
            .flatten()
            .filter_map(|violation| violation.get("quotaId")?.as_str())
            .any(|quota| quota.contains("PerDay"))
    }

    /// When to ask again. A day's quota comes back at midnight in California, whatever the retry delay beside it says.
    fn until(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_for_today() {
            return midnight_pacific(now);
        }
        let written =
            self.details("google.rpc.RetryInfo").find_map(|detail| match detail.get("retryDelay")? {
                Value::String(delay) => Some(delay.clone()),
                Value::Number(seconds) => Some(format!("{seconds}s")),
                _ => None,
            });
        let delay: SignedDuration = match written {
            Some(delay) => delay.parse().ok()?,
            None => wait_in_words(&self.message, "Please retry in ")?,
        };
        after(delay, now)
    }
}

/// The next midnight in California, by the rule of the law there, so that no time zone database is needed.
fn midnight_pacific(now: Timestamp) -> Option<Timestamp> {
    let zone = TimeZone::posix("PST8PDT,M3.2.0,M11.1.0").ok()?;
    let today = now.to_zoned_datetime(zone);
    let tomorrow = today.checked_add(1.day()).ok()?.start_of_day().ok()?;
    Some(tomorrow.timestamp())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn failure(status: u16, body: &Value) -> EngineError {
        read(status, body.to_string().as_bytes(), "gemini", "gemini-x", now())
    }

    fn until(body: &Value) -> Option<String> {
        match failure(429, body) {
            EngineError::RateLimited { until, .. } => until.map(|until| until.to_string()),
            other => panic!("{other:?}"),
        }
    }

    fn quota(id: &str, delay: &str) -> Value {
        json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED",
            "message": "You exceeded your current quota.\n* Quota exceeded for metric: x, limit: 20, model: y\nPlease \
                        retry in 36.429760048s.",
            "details": [
                {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": id}]},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]}})
    }

    #[test]
    fn a_wrong_key_is_a_400_that_names_the_setting() {
        let by_detail = json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "Schlüssel ungültig",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]}});
        let by_message = json!([{"error": {"message": "API key not valid. Please pass a valid API key."}}]);
        for (status, body) in [
            (400, by_detail),
            (400, by_message),
            (401, json!(null)),
            (403, json!({"error": {"status": "PERMISSION_DENIED"}})),
        ] {
            let EngineError::Unauthorized(said) = failure(status, &body) else { panic!("{status} {body}") };
            assert!(said.contains("GEMINI_API_KEY"), "{said}");
        }
    }

    #[test]
    fn a_request_that_is_wrong_is_refused_with_what_was_said() {
        for message in [
            "Invalid JSON payload received. Unknown name \"x\"",
            "Thinking level is not supported for this model.",
            "User location is not supported for the API use.",
        ] {
            let EngineError::Refused(said) = failure(400, &json!({"error": {"message": message}})) else {
                panic!("{message}")
            };
            assert!(said.contains(message), "{said}");
        }
    }

    #[test]
    fn a_model_that_is_gone_names_the_setting_and_the_model() {
        let EngineError::Refused(said) =
            failure(404, &json!({"error": {"message": "models/x is not found"}}))
        else {
            panic!("no refusal")
        };
        assert!(said.contains("engine.gemini.model") && said.contains("gemini-x"), "{said}");
    }

    #[test]
    fn a_minutes_quota_is_waited_for_as_long_as_it_says() {
        let id = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier";
        assert_eq!(until(&quota(id, "36s")).as_deref(), Some("2026-11-23T12:00:36.001Z"));
        assert_eq!(until(&quota(id, "1.5s")).as_deref(), Some("2026-11-23T12:00:01.501Z"));
        let mut by_message = quota(id, "");
        by_message["error"]["details"] = json!([]);
        assert_eq!(until(&by_message).as_deref(), Some("2026-11-23T12:00:36.430760048Z"));
    }

    #[test]
    fn a_days_quota_is_waited_for_until_midnight_in_california() {
        let id = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
        assert_eq!(until(&quota(id, "36s")).as_deref(), Some("2026-11-24T08:00:00Z"), "winter");
        let midnight = |now: &str| midnight_pacific(now.parse().unwrap()).unwrap().to_string();
        assert_eq!(midnight("2026-07-01T06:59:59Z"), "2026-07-01T07:00:00Z", "summer");
        assert_eq!(midnight("2026-07-01T07:00:00Z"), "2026-07-02T07:00:00Z");
        assert_eq!(midnight("2026-03-08T09:00:00Z"), "2026-03-09T07:00:00Z", "the clocks go forward");
    }

    #[test]
    fn what_it_does_not_say_or_cannot_mean_is_no_time() {
        for body in [
            json!({"error": {"message": "Resource has been exhausted (e.g. check quota)."}}),
            quota("PerMinute", "-3s"),
            quota("PerMinute", "9999999h"),
            quota("PerMinute", "soon"),
            json!("busy"),
            json!({"error": {"details": {"retryDelay": "3s"}, "message": 7}}),
        ] {
            assert_eq!(until(&body), None, "{body}");
        }
    }

    #[test]
    fn a_retry_delay_is_read_in_every_form_that_means_a_time() {
        let delayed = |delay: Value| {
            until(&json!({"error": {"details": [
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]}}))
        };
        for (delay, expected) in [
            (json!("0s"), Some("2026-11-23T12:00:00.001Z")),
            (json!("3.5s"), Some("2026-11-23T12:00:03.501Z")),
            (json!("3.500000000s"), Some("2026-11-23T12:00:03.501Z")),
            (json!(3), Some("2026-11-23T12:00:03.001Z")),
            (json!("-1s"), None),
            (json!("1e9s"), None),
            (json!(1e300), None),
            (json!("9223372036854775807s"), None),
            (json!("-9223372036854775808s"), None),
            (json!("99999999999999999999999s"), None),
            (json!("s"), None),
            (json!(""), None),
            (json!(null), None),
            (json!({"seconds": "3"}), None),
        ] {
            assert_eq!(delayed(delay.clone()).as_deref(), expected, "{delay}");
        }
    }

    #[test]
    fn an_error_body_in_an_odd_form_keeps_the_meaning_of_its_status() {
        for error in [
            json!(null),
            json!("quota"),
            json!([]),
            json!({"code": "429", "message": null, "status": null, "details": null}),
            json!({"details": {"retryDelay": "3s"}}),
            json!({"details": [null, 7, {"@type": null}, {"@type": "x/google.rpc.RetryInfo", "retryDelay": null}]}),
            json!({"details": [{"@type": "x/google.rpc.QuotaFailure", "violations": null}]}),
            json!({"details": [{"@type": "x/google.rpc.QuotaFailure", "violations": [{"quotaId": null}, null]}]}),
        ] {
            let body = json!({"error": error});
            assert!(matches!(failure(429, &body), EngineError::RateLimited { until: None, .. }), "{body}");
            assert!(matches!(failure(503, &body), EngineError::Unavailable(_)), "{body}");
            assert!(matches!(failure(403, &body), EngineError::Unauthorized(_)), "{body}");
            assert!(matches!(failure(400, &body), EngineError::Refused(_)), "{body}");
        }
        assert!(failure(429, &json!({"error": "quota"})).to_string().contains("quota"));
    }

    #[test]
    fn no_quota_at_all_is_no_matter_of_waiting() {
        let body = json!({"error": {"message": "Quota exceeded for metric: x, limit: 0, model: y\nPlease retry in 1s."}});
        assert!(matches!(failure(429, &body), EngineError::Refused(_)));
    }

    #[test]
    fn what_passes_is_unavailable_whatever_its_body() {
        for status in [408, 500, 502, 503, 504, 529] {
            for body in ["", "<html>", "{\"error\":{\"status\":\"UNAVAILABLE\"}}"] {
                assert!(matches!(
                    read(status, body.as_bytes(), "gemini", "m", now()),
                    EngineError::Unavailable(_)
                ));
            }
        }
    }

    #[test]
    fn a_strangers_message_is_one_short_line() {
        let long = "x\n\u{1b}[31m".repeat(1000);
        let error = failure(500, &json!({"error": {"message": long, "status": long}})).to_string();
        assert!(!error.contains(['\n', '\u{1b}']) && error.chars().count() < 800, "{error}");
    }
}
