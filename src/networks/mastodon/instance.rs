//! Reads a server's own limits. They are settings of its operators, who may change them any day.

use serde_json::Value;

use super::client::{CallError, MastodonClient};
use super::problem::Refusal;

/// What a server accepts, as far as it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Instance {
    /// The most characters of a status.
    pub(super) characters: Option<usize>,
}

impl Instance {
    /// Asks the server.
    pub(super) async fn of(client: &MastodonClient) -> Result<Self, CallError> {
        let answer = match client.get("/api/v2/instance", &[]).await {
            // Older and smaller servers know only the first version.
            Err(CallError::Refused(Refusal::Missing(_))) => client.get("/api/v1/instance", &[]).await,
            answer => answer,
        };
        answer.map(|answer: Value| Self::read(&answer))
    }

    fn read(answer: &Value) -> Self {
        let statuses = answer.get("configuration").and_then(|all| all.get("statuses"));
        let characters = statuses.and_then(|statuses| statuses.get("max_characters"));
        // Before `configuration`, some servers had their own field.
        let characters = characters.or_else(|| answer.get("max_toot_chars")).and_then(Value::as_u64);
        Self { characters: characters.and_then(|most| usize::try_from(most).ok()).filter(|most| *most > 0) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_are_read_as_far_as_the_server_names_them() {
        let of = |answer: Value| Instance::read(&answer).characters;
        assert_eq!(of(json!({"configuration": {"statuses": {"max_characters": 5000}}})), Some(5000));
        assert_eq!(of(json!({"max_toot_chars": 1000})), Some(1000));
        for odd in [json!({}), json!(null), json!({"configuration": {"statuses": {"max_characters": "x"}}})] {
            assert_eq!(of(odd), None);
        }
    }
}
