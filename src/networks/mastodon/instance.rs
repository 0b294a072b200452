//! Reads a server's own limits. They are settings of its operators, who may change them any day.

use serde_json::Value;
use url::Url;

use super::{
    client::{CallError, MastodonClient},
    problem::Refusal,
};

/// What a server accepts, as far as it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Instance {
    /// The most characters of a status.
    pub(super) characters: Option<usize>,
    /// Where it streams, if it has a host for that.
    pub(super) streaming: Option<String>,
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
        let urls = answer.get("configuration").and_then(|all| all.get("urls"));
        let streaming = urls.and_then(|urls| urls.get("streaming"));
        let streaming =
            streaming.or_else(|| answer.get("urls")?.get("streaming_api")).and_then(Value::as_str);
        Self {
            characters: characters.and_then(|most| usize::try_from(most).ok()).filter(|most| *most > 0),
            streaming: streaming.and_then(over_http),
        }
    }
}

/// The address for plain requests. Servers name the one for web sockets, on the same host.
fn over_http(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let scheme = match scheme {
        "wss" | "https" => "https",
        "ws" | "http" => "http",
        _ => return None,
    };
    let url = Url::parse(&format!("{scheme}://{rest}")).ok()?;
    (url.username().is_empty() && url.password().is_none() && url.query().is_none()).then(|| url.to_string())
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

    #[test]
    fn streams_are_read_over_http_from_the_host_that_the_server_names() {
        let of = |address: &str| {
            Instance::read(&json!({"configuration": {"urls": {"streaming": address}}})).streaming
        };
        assert_eq!(of("wss://streaming.a.example").unwrap(), "https://streaming.a.example/");
        assert_eq!(of("ws://127.0.0.1:4000").unwrap(), "http://127.0.0.1:4000/");
        for odd in ["", "streaming.a.example", "file:///etc", "wss://user:hush@a.example", "wss://"] {
            assert_eq!(of(odd), None, "{odd}");
        }
        let first = json!({"urls": {"streaming_api": "wss://a.example"}});
        assert_eq!(Instance::read(&first).streaming.unwrap(), "https://a.example/");
    }
}
