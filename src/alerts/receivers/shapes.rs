//! The forms in which servers take messages. What the texts contain is data: no markup in them has an effect, and they
//! mention nobody.

use std::fmt::Write as _;

use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use url::Url;

use crate::alerts::{State, causes::Severity, message::Message, settings::Shape};

/// The most characters of a message to Discord, which takes 2,000.
const DISCORD: usize = 1900;

/// The most characters of a title and of a text that Slack takes.
const SLACK_HEADER: usize = 150;
const SLACK_SECTION: usize = 3000;

/// A request without its fixed headers.
pub(super) struct Form {
    pub(super) address: Url,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// A message in the form of a server.
pub(super) fn form(
    shape: Shape,
    address: &Url,
    key: Option<&SecretString>,
    message: &Message,
    timestamp: i64,
) -> Form {
    let address = address.clone();
    match shape {
        Shape::Json => {
            // A struct of texts and times always serializes.
            let body = serde_json::to_vec(message).unwrap_or_default();
            let mut headers = vec![("X-Mynah-Timestamp", timestamp.to_string())];
            headers.extend(key.map(|key| ("X-Mynah-Signature", signature(key, timestamp, &body))));
            Form { address, headers, body }
        }
        Shape::Slack => slack(address, message),
        Shape::Discord => {
            let lines: Vec<String> = message.lines().iter().map(|line| discord(line)).collect();
            let text = format!("**{}**\n{}", discord(&message.title()), lines.join("\n"));
            let text: String = text.chars().take(DISCORD).collect();
            // The flag suppresses previews of links.
            let body = json!({ "content": text, "allowed_mentions": { "parse": [] }, "flags": 4 });
            Form { address, headers: vec![], body: body.to_string().into() }
        }
        Shape::Ntfy => ntfy(address, key, message),
    }
}

/// ntfy takes JSON at its root, with the topic in it. Headers could not carry every character.
fn ntfy(mut address: Url, key: Option<&SecretString>, message: &Message) -> Form {
    let topic = address.path().trim_matches('/').to_owned();
    address.set_path("/");
    let (priority, tag) = match (message.state, message.severity) {
        (State::Over, _) => (3, "white_check_mark"),
        (State::Test, _) => (3, "bird"),
        (State::Began | State::Lasts, Severity::Page) => (5, "rotating_light"),
        (State::Began | State::Lasts, Severity::Ticket) => (4, "warning"),
    };
    let body = json!({
        "topic": topic, "title": message.title(), "message": message.lines().join("\n"), "priority": priority,
        "tags": [tag],
    });
    let token = key.map(|token| ("Authorization", format!("Bearer {}", token.expose_secret())));
    Form { address, headers: token.into_iter().collect(), body: body.to_string().into() }
}

/// The signature of a body: over its time, too, so that a recorded request is of no use later.
pub(super) fn signature(key: &SecretString, timestamp: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(timestamp.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    format!("sha256={}", hex(context.sign().as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// In blocks of plain text, no mark, mention or emoji has an effect. Slack shows the text beside them only in notifications,
/// and servers that do not know blocks show only that text.
fn slack(address: Url, message: &Message) -> Form {
    let block = |kind: &str, text: &str, most: usize| {
        let text: String = text.chars().take(most).collect();
        json!({ "type": kind, "text": { "type": "plain_text", "text": text, "emoji": false } })
    };
    let (title, lines) = (message.title(), message.lines().join("\n"));
    let blocks = [block("header", &title, SLACK_HEADER), block("section", &lines, SLACK_SECTION)];
    // There, `<…>` would be a link or a mention.
    let text = format!("{title}\n{lines}").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let body = json!({
        "blocks": blocks, "text": text, "mrkdwn": false, "unfurl_links": false, "unfurl_media": false,
    });
    Form { address, headers: vec![], body: body.to_string().into() }
}

/// Discord reads Markdown, in which a backslash takes the meaning of a mark.
fn discord(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\*_~`|>#[]()<@".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::alerts::testing::entry;

    fn message() -> Message {
        let mut entry = entry("x:town_es");
        entry.details = "<!channel> **bold** @everyone [a](http://b) & _so_".into();
        Message::about(&entry, "slack", State::Began)
    }

    fn body(shape: Shape, address: &str, key: Option<&str>) -> (Form, Value) {
        let key = key.map(SecretString::from);
        let form = form(shape, &address.parse().unwrap(), key.as_ref(), &message(), 1_764_000_000);
        let body = serde_json::from_slice(&form.body).unwrap();
        (form, body)
    }

    /// A vector of RFC 4231 (case 2), whose data has no time before it, checks what this builds on.
    #[test]
    fn the_signature_is_hmac_sha256_over_time_and_body() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        let tag = hmac::sign(&key, b"what do ya want for nothing?");
        assert_eq!(tag.as_ref()[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        let expected = hmac::sign(&key, b"17.{}");
        let expected = hex(expected.as_ref());
        assert_eq!(signature(&"Jefe".into(), 17, b"{}"), format!("sha256={expected}"));
        assert_ne!(signature(&"Jefe".into(), 18, b"{}"), format!("sha256={expected}"));
    }

    #[test]
    fn the_json_has_everything_and_is_signed() {
        let (form, body) = body(Shape::Json, "https://ops.example/hook?a=1", Some("a-key-for-the-test"));
        assert_eq!((&body["cause"], &body["about"]), (&json!("account_blocked"), &json!("x:town_es")));
        assert_eq!((&body["state"], &body["severity"]), (&json!("began"), &json!("page")));
        assert_eq!(form.address.as_str(), "https://ops.example/hook?a=1");
        let signed = signature(&"a-key-for-the-test".into(), 1_764_000_000, &form.body);
        let timestamp = ("X-Mynah-Timestamp", "1764000000".to_owned());
        assert_eq!(form.headers, [timestamp, ("X-Mynah-Signature", signed)]);
    }

    #[test]
    fn markup_in_a_reason_has_no_effect() {
        let (_, slack) = body(Shape::Slack, "https://hooks.slack.com/services/T/B/x", None);
        let text = slack["text"].as_str().unwrap();
        assert!(text.contains("&lt;!channel&gt;") && text.contains("&amp;"), "{text}");
        assert!(!text.contains('<') && slack["mrkdwn"] == json!(false), "{slack}");
        for block in slack["blocks"].as_array().unwrap() {
            assert_eq!(
                (&block["text"]["type"], &block["text"]["emoji"]),
                (&json!("plain_text"), &json!(false))
            );
        }
        let details = slack["blocks"][1]["text"]["text"].as_str().unwrap();
        assert!(details.starts_with("<!channel> **bold** @everyone [a](http://b) & _so_\n"), "{details}");
        let (_, discord) = body(Shape::Discord, "https://discord.com/api/webhooks/1/x", None);
        let text = discord["content"].as_str().unwrap();
        assert!(text.contains("\\*\\*bold\\*\\* \\@everyone \\[a\\]\\(http://b\\)"), "{text}");
        assert_eq!(discord["allowed_mentions"]["parse"], json!([]));
    }

    #[test]
    fn a_long_message_fits() {
        let mut message = message();
        (message.summary, message.details) = ("x".repeat(5000), "*".repeat(5000));
        let of = |shape| {
            let form = form(shape, &"https://example.com/x".parse().unwrap(), None, &message, 0);
            serde_json::from_slice::<Value>(&form.body).unwrap()
        };
        let length = |text: &Value| text.as_str().unwrap().chars().count();
        assert!(length(&of(Shape::Discord)["content"]) <= DISCORD);
        let slack = of(Shape::Slack);
        assert!(length(&slack["blocks"][0]["text"]["text"]) <= SLACK_HEADER);
        assert!(length(&slack["blocks"][1]["text"]["text"]) <= SLACK_SECTION);
    }

    #[test]
    fn ntfy_gets_the_topic_and_a_priority() {
        let (form, body) = body(Shape::Ntfy, "https://ntfy.sh/my-topic", Some("tk_0123456789"));
        assert_eq!((form.address.as_str(), &body["topic"]), ("https://ntfy.sh/", &json!("my-topic")));
        assert_eq!((&body["priority"], &body["tags"]), (&json!(5), &json!(["rotating_light"])));
        assert_eq!(form.headers, [("Authorization", "Bearer tk_0123456789".to_owned())]);
    }
}
