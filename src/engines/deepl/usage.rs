//! How much of DeepL's quota is used.

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    DeeplSettings, NAME, authorized,
    failure::{self, Failure},
};
use crate::{
    engines::marked::refusal::no_answer,
    http_client::{HttpClient, Limits, Request},
};

/// What DeepL counted in this billing period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Characters {
    #[serde(rename = "character_count")]
    used: u64,
    #[serde(rename = "character_limit")]
    limit: u64,
}

impl Characters {
    /// Asks DeepL.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub(super) async fn ask(settings: &DeeplSettings) -> Result<Self, String> {
        // Once, for a person who waits: no connection is worth sharing.
        let client = HttpClient::new(Limits { timeout: settings.timeout, ..Limits::default() });
        let request = authorized(Request::get(settings.address("v2/usage")), settings);
        let answer = client.send(request).await.map_err(|error| no_answer(NAME, &error).to_string())?;
        if answer.status != 200 {
            return Err(
                match failure::read(answer.status, &answer.body, None, &settings.name, Timestamp::now()) {
                    Failure::Call(error) => error.to_string(),
                    Failure::Languages(error) | Failure::TooLarge(error) => error.to_string(),
                },
            );
        }
        serde_json::from_slice(&answer.body).map_err(|_| {
            let name = &settings.name;
            format!("DeepL's answer does not say how many characters are used: check engine.{name}.base_url")
        })
    }

    /// For a person.
    ///
    /// # Errors
    /// None are left.
    pub(super) fn describe(self) -> Result<String, String> {
        let Self { used, limit } = self;
        let shown = format!("{} of {} characters used", grouped(used), grouped(limit));
        if used < limit {
            return Ok(shown);
        }
        Err(format!(
            "{shown}: DeepL translates again in the next billing period, or when the limit is raised in DeepL's account"
        ))
    }
}

/// A number with commas: `180,118`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_is_readable_and_a_used_up_one_is_a_problem() {
        let characters: Characters =
            serde_json::from_str(r#"{"character_count":180118,"character_limit":1250000,"products":[]}"#)
                .unwrap();
        assert_eq!(characters.describe().as_deref(), Ok("180,118 of 1,250,000 characters used"));
        let used_up = Characters { used: 500_000, limit: 500_000 }.describe().unwrap_err();
        assert!(used_up.starts_with("500,000 of 500,000") && used_up.contains("billing period"), "{used_up}");
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_000_000, "1,000,000")] {
            assert_eq!(grouped(number), expected);
        }
    }
}
