//! Tests all known shapes of X's refusals: the codes and sentences of its documentation ("Response codes" of the first
//! API, problems of the second) and of recorded answers.

use serde_json::{Value, json};

use super::*;

fn read(status: u16, body: &str) -> Refusal {
    refusal(&Answer::made_up(status, ("content-type", "application/json"), body))
}

fn kind(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Unauthorized(_) => "unauthorized",
        Refusal::Blocked(_) => "blocked",
        Refusal::RateLimited { .. } => "limited",
        Refusal::Duplicate(_) => "duplicate",
        Refusal::ReplyRefused(_) => "reply",
        Refusal::Refused(_) => "refused",
        Refusal::Trouble(_) => "trouble",
    }
}

/// A code of the first API, its sentence, and its meaning.
const CODES: [(u64, &str, &str); 18] = [
    (32, "Could not authenticate you.", "unauthorized"),
    (89, "Invalid or expired token.", "unauthorized"),
    (99, "Unable to verify your credentials.", "unauthorized"),
    (261, "Application cannot perform write actions.", "unauthorized"),
    (64, "Your account is suspended and is not permitted to access this feature.", "blocked"),
    (
        326,
        "To protect our users from spam and other malicious activity, this account is temporarily locked. Please log in to \
         https://twitter.com to unlock your account.",
        "blocked",
    ),
    (88, "Rate limit exceeded", "limited"),
    (185, "User is over daily status update limit.", "limited"),
    (344, "You have reached your daily limit for sending Tweets and messages.", "limited"),
    (
        226,
        "This request looks like it might be automated. To protect our users from spam and other malicious activity, we can't \
         complete this action right now.",
        "limited",
    ),
    (187, "Status is a duplicate.", "duplicate"),
    (385, "You attempted to reply to a Tweet that is deleted or not visible to you.", "reply"),
    (433, "The original Tweet author restricted who can reply to this Tweet.", "reply"),
    (186, "Tweet needs to be a bit shorter.", "refused"),
    (324, "Duration too long, maximum:30000, actual:33878", "refused"),
    (144, "No status found with that ID.", "refused"),
    (130, "Over capacity", "trouble"),
    (131, "Internal error", "trouble"),
];

#[test]
fn a_code_has_one_meaning_in_every_shape_and_with_every_status() {
    for (code, sentence, meaning) in CODES {
        let shapes: [Value; 9] = [
            json!({"errors": [{"code": code, "message": sentence}]}),
            json!({"code": code, "message": sentence}),
            json!({"errors": [{"code": code.to_string(), "message": null}], "detail": null, "title": null}),
            json!({"errors": [{"code": code}], "title": "Forbidden", "type": "about:blank", "status": 403}),
            json!({"errors": [null, 7, "odd", {"code": null}, {"code": code}]}),
            json!({"errors": {"code": code, "message": sentence}, "period": null}),
            json!({"error": {"code": code, "message": sentence}}),
            json!({"detail": sentence, "errors": [{"code": code, "message": sentence}], "type": null}),
            json!({"request": "/2/tweets", "errors": [{"code": code, "message": 5}], "detail": ["odd"]}),
        ];
        for shape in shapes {
            for status in [400, 401, 403, 404, 422] {
                let read = read(status, &shape.to_string());
                // Only with a 401, an unknown code concerns the keys.
                let meaning =
                    if status == 401 && matches!(code, 144 | 324) { "unauthorized" } else { meaning };
                assert_eq!(kind(&read), meaning, "{status} {shape}: {read:?}");
            }
        }
    }
}

#[test]
fn a_sentence_without_a_code_has_the_same_meaning() {
    let others = [
        ("You are not allowed to create a Tweet with duplicate content.", "duplicate"),
        ("You are not permitted to perform this action.", "refused"),
        (
            "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the \
             author of the post you are replying to.",
            "reply",
        ),
        ("You attempted to reply to a Tweet of an account that has been suspended.", "reply"),
        ("Quoting this post is not allowed because you have not been mentioned.", "refused"),
        ("Your account has been locked.", "blocked"),
        ("Your Account is Suspended", "blocked"),
        ("User has been suspended: [somebody].", "refused"),
        ("You have exceeded the daily Tweet limit", "limited"),
        ("Your enrolled account [1] does not have any credits to fulfill this request.", "limited"),
        ("", "refused"),
    ];
    // An unknown sentence is a plain refusal, whatever its code.
    let known = CODES.iter().filter(|(_, _, meaning)| !matches!(*meaning, "trouble" | "unauthorized"));
    for (sentence, meaning) in known.map(|(_, sentence, meaning)| (*sentence, *meaning)).chain(others) {
        let shapes = [
            json!({"title": "Forbidden", "status": 403, "detail": sentence, "type": "about:blank"}),
            json!({"title": "Forbidden", "detail": sentence, "errors": null, "period": null, "type": null}),
            json!({"errors": [{"message": sentence}], "title": "Forbidden"}),
            json!({"errors": [sentence]}),
            json!({"error": sentence}),
        ];
        for shape in shapes {
            assert_eq!(kind(&read(403, &shape.to_string())), meaning, "{shape}");
        }
    }
}

#[test]
fn problem_types_are_recognized_by_their_last_segment() {
    for (status, kind_of, title, meaning) in [
        (
            403,
            "https://api.twitter.com/2/problems/unsupported-authentication",
            "Unsupported Authentication",
            "unauthorized",
        ),
        (403, "https://api.x.com/2/problems/oauth1-permissions", "Forbidden", "unauthorized"),
        (403, "https://api.twitter.com/2/problems/client-forbidden", "Client Forbidden", "unauthorized"),
        (402, "https://api.x.com/2/problems/credits-depleted", "Payment Required", "limited"),
        (403, "https://api.twitter.com/2/problems/credits", "CreditsDepleted", "limited"),
        (429, "https://api.twitter.com/2/problems/usage-capped", "UsageCapExceeded", "limited"),
        (400, "https://api.twitter.com/2/problems/invalid-request", "Invalid Request", "refused"),
        (404, "about:blank", "Not Found", "refused"),
        (401, "about:blank", "Unauthorized", "unauthorized"),
        (429, "about:blank", "Too Many Requests", "limited"),
        (503, "about:blank", "Service Unavailable", "trouble"),
    ] {
        let body = json!({"type": kind_of, "title": title, "status": status});
        assert_eq!(kind(&read(status, &body.to_string())), meaning, "{body}");
    }
}

#[test]
fn after_a_failure_of_x_the_body_is_ignored() {
    for status in [302, 408, 500, 502, 503, 504] {
        for (code, sentence, _) in CODES {
            let body = json!({"errors": [{"code": code, "message": sentence}]});
            assert_eq!(kind(&read(status, &body.to_string())), "trouble", "{status} {code}");
        }
    }
}

#[test]
fn a_body_that_is_not_an_object_means_nothing_for_the_account() {
    for body in ["", "<html>Just a moment…</html>", "null", "[]", "\"suspended\"", "{\"errors\":", "7"] {
        assert_eq!(kind(&read(403, body)), "trouble", "{body}");
        assert_eq!(kind(&read(401, body)), "unauthorized", "{body}");
        assert_eq!(kind(&read(429, body)), "limited", "{body}");
    }
}

#[test]
fn a_daily_limit_ends_when_x_says() {
    let now = Timestamp::now().as_second();
    let body = r#"{"errors":[{"code":185,"message":"User is over daily status update limit."}]}"#;
    let until = |name: &'static str, value: i64| match refusal(&Answer::made_up(
        403,
        (name, &value.to_string()),
        body,
    )) {
        Refusal::RateLimited { until, .. } => until.map(|until| until.as_second() - now),
        other => panic!("{other:?}"),
    };
    let soon = until("retry-after", 3600).unwrap();
    assert!((3599..=3602).contains(&soon), "{soon}");
    for (name, value) in
        [("retry-after", 0), ("retry-after", -5), ("x-rate-limit-reset", now + 60), ("retry-after", i64::MAX)]
    {
        assert_eq!(until(name, value), None, "{name}: {value}");
    }
}

#[test]
fn a_reset_in_the_past_is_ignored() {
    let now = Timestamp::now().as_second();
    for (reset, is_known) in
        [(now - 3600, false), (now - 1, false), (0, false), (i64::MIN, false), (now + 900, true)]
    {
        let headers = [("x-rate-limit-remaining", "0".to_owned()), ("x-rate-limit-reset", reset.to_string())];
        let answer = Answer::with_headers(429, &headers, "{}");
        let Refusal::RateLimited { until, .. } = refusal(&answer) else {
            panic!("429 should be a rate limit")
        };
        assert_eq!(until.is_some(), is_known, "{reset}");
    }
}

#[test]
fn a_lock_and_a_suspension_name_the_fix() {
    for (code, fix) in [(326, "unlock it"), (231, "unlock it"), (64, "appeal")] {
        let Refusal::Blocked(reason) = read(403, &json!({"code": code, "message": "X's words"}).to_string())
        else {
            panic!("{code}")
        };
        assert!(reason.contains("X's words") && reason.contains(fix), "{reason}");
    }
}
