use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::json;

use super::*;

/// A secret with every character that an encoding may change.
const SECRET: &str = "9n+Kq/V2=x&T%41~LongEnough";

fn known(secrets: &[&str]) -> Redactor {
    let secrets = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
    Redactor {
        known: Some(Arc::new(Known { secrets, ..Known::default() })),
        headers: Vec::new(),
        own: OnceCell::new(),
    }
}

fn redacted(redactor: &Redactor, text: &str, purpose: Purpose) -> String {
    match redactor.redact(text.as_bytes(), purpose) {
        Some(redacted) => String::from_utf8(redacted).unwrap(),
        None => text.to_owned(),
    }
}

fn percent(text: &str, is_upper: bool) -> String {
    let encode = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte if is_upper => format!("%{byte:02X}"),
        byte => format!("%{byte:02x}"),
    };
    text.bytes().map(encode).collect()
}

#[test]
fn a_secret_is_found_in_every_encoding() {
    let in_json = json!({"detail": format!("Bearer {SECRET}")}).to_string();
    let every = |form: fn(u8) -> String| SECRET.bytes().map(form).collect::<String>();
    let forms = [
        ("plain", SECRET.to_owned()),
        ("in a word", format!("x{SECRET}y")),
        ("percent-encoded", percent(SECRET, true)),
        ("percent-encoded in lower case", percent(SECRET, false)),
        ("every byte percent-encoded", every(|byte| format!("%{byte:02X}"))),
        ("percent-encoded twice", percent(&percent(SECRET, true), true)),
        ("JSON", in_json.clone()),
        ("JSON with escaped slashes", in_json.replace('/', "\\/")),
        ("JSON in JSON", json!({ "body": in_json }).to_string()),
        ("every character a JSON escape", every(|byte| format!("\\u{byte:04x}"))),
        ("JSON, then percent-encoded", percent(&in_json, true)),
        ("HTML", SECRET.replace('&', "&amp;").replace('/', "&#x2F;").replace('=', "&#61;")),
        ("every character an entity", every(|byte| format!("&#{byte};"))),
        ("base64", STANDARD.encode(SECRET)),
        ("base64 after one byte", STANDARD.encode(format!(":{SECRET}"))),
        ("base64 after two bytes", STANDARD.encode(format!("u:{SECRET}"))),
        ("base64 of Basic", STANDARD.encode(format!("user:{SECRET}:more"))),
        ("base64 for URLs", URL_SAFE_NO_PAD.encode(format!("ab{SECRET}"))),
        ("base64 in JSON with escaped slashes", STANDARD.encode(SECRET).replace('/', "\\/")),
    ];
    for (name, form) in forms {
        for purpose in [Purpose::Content, Purpose::Explanation] {
            let text = redacted(&known(&[SECRET]), &format!("before {form} after"), purpose);
            assert!(text.starts_with("before ") && text.ends_with(" after"), "{name}: {text}");
            assert!(text.contains(MARK), "{name}: {text}");
            // Part of a base64 byte may remain at either end.
            for part in SECRET.as_bytes().windows(6).map(|part| str::from_utf8(part).unwrap()) {
                assert!(!text.contains(part) && !text.contains(&STANDARD.encode(part)), "{name}: {text}");
            }
        }
    }
}

#[test]
fn a_redacted_answer_stays_valid_json() {
    let answer = json!({"errors": [{"detail": format!("got {SECRET}\n"), "n": 1}], SECRET: null}).to_string();
    let text = redacted(&known(&[SECRET]), &answer, Purpose::Content);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value, json!({"errors": [{"detail": format!("got {MARK}\n"), "n": 1}], MARK: null}));
}

#[test]
fn text_without_secrets_is_unchanged() {
    let redactor = known(&[SECRET, "a-secret-of-eighteen"]);
    let photo: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    for text in ["".as_bytes(), "100 % \\ &amp; & \u{e9}".as_bytes(), b"%", b"\\", b"\\u00", b"&#x;", &photo]
    {
        assert_eq!(redactor.redact(text, Purpose::Explanation), None);
    }
}

#[test]
fn a_short_secret_is_redacted_only_in_explanations_and_as_a_whole_word() {
    let redactor = known(&["20261126", "sunshine"]);
    for (text, expected) in [
        ("key sunshine", "key [redacted]"),
        ("key=sunshine&x", "key=[redacted]&x"),
        ("key%3Dsunshine%26", "key%3D[redacted]%26"),
        ("sunshines", "sunshines"),
        ("id 1820261126001", "id 1820261126001"),
    ] {
        assert_eq!(redacted(&redactor, text, Purpose::Explanation), expected);
        assert_eq!(redacted(&redactor, text, Purpose::Content), text, "a post may contain the word");
    }
}

#[test]
fn a_secret_that_would_match_ordinary_words_is_not_registered() {
    register(&SecretString::from("post"));
    register(&SecretString::from(""));
    let redactor = Redactor::for_request([]);
    assert_eq!(redactor.explanation("the post failed"), "the post failed");
}

#[test]
fn of_two_overlapping_secrets_the_longer_is_redacted() {
    let (short, long) = ("sandbox-access-token-town", "sandbox-access-token-town_es");
    assert_eq!(
        redacted(&known(&[short, long]), &format!("{long} {short}"), Purpose::Content),
        "[redacted] [redacted]"
    );
}

#[test]
fn a_registered_secret_is_redacted_for_every_request() {
    register(&SecretString::from("registered-in-a-test"));
    let redactor = Redactor::for_request([("accept", "*/*")]);
    assert_eq!(redactor.explanation("got registered-in-a-test"), "got [redacted]");
}

#[test]
fn the_credentials_of_a_request_are_redacted_without_registration() {
    let oauth = "OAuth oauth_consumer_key=\"consumer-key-1234\", oauth_nonce=\"nonce-of-this-call\", \
                 oauth_signature=\"Ls93hJiZbQ3akF3HF3x1Bz8%2FzU4%3D\", oauth_signature_method=\"HMAC-SHA1\", \
                 oauth_timestamp=\"1318622958\", oauth_token=\"the-token-of-it-all\", oauth_version=\"1.0\"";
    for (name, value, parts) in [
        ("Authorization", "Bearer bearer-of-this-call", &["bearer-of-this-call"][..]),
        ("authorization", "Basic dXNlcjpwYXNzd29yZDEyMw==", &["dXNlcjpwYXNzd29yZDEyMw=="]),
        ("authorization", "DeepL-Auth-Key deepl-key-of-this-call", &["deepl-key-of-this-call"]),
        ("x-goog-api-key", "key-of-this-very-call", &["key-of-this-very-call"]),
        ("Cookie", "session=of-this-very-call", &["session=of-this-very-call"]),
        (
            "authorization",
            oauth,
            &[
                "consumer-key-1234",
                "the-token-of-it-all",
                "Ls93hJiZbQ3akF3HF3x1Bz8/zU4=",
                "Ls93hJiZbQ3akF3HF3x1Bz8%2FzU4%3D",
                "nonce-of-this-call",
            ],
        ),
    ] {
        let redactor = Redactor::for_request([(name, value)]);
        for echo in [value.to_owned(), percent(value, true), json!(value).to_string()] {
            let text = redacted(&redactor, &format!("You sent {name}: {echo}"), Purpose::Explanation);
            assert!(text.contains(MARK) && parts.iter().all(|part| !text.contains(part)), "{text}");
        }
    }
    let harmless = Redactor::for_request([("content-type", "application/json; charset=utf-8")]);
    assert_eq!(harmless.explanation("application/json; charset=utf-8"), "application/json; charset=utf-8");
    assert!(
        Redactor::for_request([("authorization", oauth)])
            .explanation("1318622958 HMAC-SHA1")
            .contains("1318622958 HMAC")
    );
}
