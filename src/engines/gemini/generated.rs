//! Answers made from Gemini's own schema, with every field there, absent, null or of another type, and with the model's
//! text in every shape that a model gives it. Whatever comes: no panic, never an engine that looks down, and never one
//! post's words under another.
//!
//! `PROPTEST_CASES=100000 cargo test -p mynah --lib gemini::generated` looks longer.

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};
use mynah_domain::ports::engine::EngineError;
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    strategy::Union,
    test_runner::{Config, TestRunner, contextualize_config},
};
use serde_json::{Map, Value, json};

use super::{answer, failure};
use crate::engines::llm::{Outcome, ids::Id};

/// Words that no item may come back with.
const DECOY: &str = "decoy";

/// How an item is answered.
#[derive(Debug, Clone, Copy)]
enum Form {
    Plain,
    NumericId,
    PaddedId,
    Repeated,
    /// A second answer with the words of the next item.
    Contradicted,
    /// Its words quote a list that has an answer for the second item.
    Quoting,
    Nameless,
    Blank,
    NoText,
    LeftOut,
}

/// What the model puts around the list.
#[derive(Debug, Clone, Copy)]
enum Around {
    Nothing,
    Fence,
    Prose,
    Items,
    Nested,
    Lines,
    /// Another list before the real one.
    Draft,
    /// Another list in the same object.
    TwoLists,
}

/// How the text is damaged.
#[derive(Debug, Clone, Copy)]
enum Damage {
    None,
    /// The first end of an object and begin of the next are lost.
    Merged,
    /// Quotes in texts are not escaped.
    Unescaped,
    Cut(Index),
}

fn words(id: usize) -> String {
    format!("word{id}")
}

/// The ids of a request with the most items.
fn ids() -> Vec<Id> {
    Id::distinct(4, 3)
}

/// The id of the item with this number, counted from 1; a stranger's if there is none.
fn id_of(number: usize) -> String {
    ids().get(number - 1).map_or("nobody".into(), Id::to_string)
}

fn answers(forms: &[Form]) -> Vec<Value> {
    let mut answers = Vec::new();
    for (id, form) in (1..).zip(forms) {
        let (name, words) = (id_of(id), words(id));
        match form {
            Form::Plain => answers.push(json!({"id": name, "text": words})),
            // It counted, and what it counted is not known.
            Form::NumericId => answers.push(json!({"id": id, "text": DECOY, "note": null})),
            Form::PaddedId => {
                answers.push(json!({"id": format!(" {} ", name.to_uppercase()), "text": words}));
            }
            Form::Repeated => {
                answers.extend([
                    json!({"id": name, "text": words}),
                    json!({"id": name, "text": words, "echo": 7}),
                ]);
            }
            Form::Contradicted => {
                answers.extend([
                    json!({"id": name, "text": words}),
                    json!({"id": name, "text": self::words(id + 1)}),
                ]);
            }
            Form::Quoting => {
                let quoted = json!([{"id": id_of(2), "text": DECOY}]);
                answers.push(json!({"id": name, "text": format!("{words} {quoted}")}));
            }
            Form::Nameless => answers.push(json!({"text": words})),
            Form::Blank => answers.push(json!({"id": name, "text": " \n"})),
            Form::NoText => answers.push(json!({"id": name, "text": [words]})),
            Form::LeftOut => answers.push(json!({"id": id + 100, "text": DECOY})),
        }
    }
    answers
}

/// What the model writes.
fn text(mut answers: Vec<Value>, turn: Index, around: Around, damage: Damage) -> String {
    if !answers.is_empty() {
        let turn = turn.index(answers.len());
        answers.rotate_left(turn);
    }
    let decoys = json!([{"id": id_of(1), "text": DECOY}, {"id": id_of(2), "text": DECOY}]);
    let list = json!(answers);
    let mut text = match around {
        Around::Nothing => list.to_string(),
        Around::Fence => format!("```json\n{list:#}\n```"),
        Around::Prose => {
            format!("Here are the [{}] translations {{as asked}}:\n{list}\nDone [1].", answers.len())
        }
        Around::Items => json!({"language": "es", "items": list, "notes": []}).to_string(),
        Around::Nested => json!({"result": {"translations": list}}).to_string(),
        Around::Lines => answers.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"),
        Around::Draft => format!("The post says {decoys}. So:\n{list}"),
        Around::TwoLists => json!({"drafts": decoys, "items": list}).to_string(),
    };
    match damage {
        // A draft that is cut off before the answer begins looks like one.
        Damage::Cut(_) if matches!(around, Around::Draft) => {}
        Damage::None => {}
        Damage::Merged => text = text.replacen("},{", ",", 1),
        Damage::Unescaped => text = text.replace("\\\"", "\""),
        Damage::Cut(at) => {
            let at = at.index(text.len() + 1);
            text.truncate(text.floor_char_boundary(at));
        }
    }
    text
}

fn any_text(count: usize) -> impl Strategy<Value = String> {
    let form = prop_oneof![
        4 => Just(Form::Plain),
        1 => select(vec![
            Form::NumericId, Form::PaddedId, Form::Repeated, Form::Contradicted, Form::Quoting, Form::Nameless,
            Form::Blank, Form::NoText, Form::LeftOut,
        ]),
    ];
    let around = select(vec![
        Around::Nothing,
        Around::Fence,
        Around::Prose,
        Around::Items,
        Around::Nested,
        Around::Lines,
        Around::Draft,
        Around::TwoLists,
    ]);
    let damage = prop_oneof![
        6 => Just(Damage::None),
        1 => Just(Damage::Merged),
        1 => Just(Damage::Unescaped),
        1 => any::<Index>().prop_map(Damage::Cut),
    ];
    let listed = (vec(form, count), any::<Index>(), around, damage)
        .prop_map(|(forms, turn, around, damage)| text(answers(&forms), turn, around, damage));
    prop_oneof![8 => listed, 1 => "[\\[\\]{}\":,a-z0-9 \\\\]{0,40}"]
}

/// A value of a type that no field has.
fn wrong() -> impl Strategy<Value = Value> {
    select(vec![
        json!(7),
        json!(-1),
        json!("12"),
        json!(""),
        json!(true),
        json!([]),
        json!({}),
        json!([[null]]),
        json!(1e300),
    ])
}

/// A field that may be there, absent, null or of another type.
fn field(
    name: &'static str,
    right: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<Option<(String, Value)>> {
    let value = prop_oneof![
        10 => right.prop_map(Some),
        2 => Just(None),
        1 => Just(Some(Value::Null)),
        1 => wrong().prop_map(Some),
    ];
    value.prop_map(move |value| Some((name.to_owned(), value?))).boxed()
}

fn object(fields: Vec<BoxedStrategy<Option<(String, Value)>>>) -> impl Strategy<Value = Value> {
    fields.prop_map(|fields| Value::Object(fields.into_iter().flatten().collect::<Map<_, _>>()))
}

fn list(element: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    vec(prop_oneof![8 => element, 1 => Just(Value::Null)], 0..3).prop_map(Value::from)
}

fn one_of(values: &[&'static str]) -> impl Strategy<Value = Value> + use<> {
    select(values.to_vec()).prop_map(Value::from)
}

fn safety_ratings() -> impl Strategy<Value = Value> {
    select(vec![
        json!([]),
        json!([{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}]),
        json!([{"category": "OF_TOMORROW", "probability": null, "blocked": "true"}, null]),
    ])
}

fn count() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0_u32..100_000).prop_map(Value::from),
        (-5_i64..5).prop_map(|count| json!(count.to_string())),
        any::<i64>().prop_map(Value::from),
    ]
}

/// The text in one part or in several, with thoughts between them.
fn parts(text: &str, cut: Index, thought: &Value) -> Value {
    let (head, tail) = text.split_at(text.floor_char_boundary(cut.index(text.len() + 1)));
    let decoys = json!([{"id": id_of(1), "text": DECOY}]).to_string();
    json!([
        {"text": decoys, "thought": thought, "thoughtSignature": "c2ln"},
        {"text": head, "thought": false},
        {"inlineData": {}, "text": null},
        {"text": tail},
    ])
}

fn candidate(count: usize) -> impl Strategy<Value = Value> {
    let thought = select(vec![json!(true), json!("true"), json!(1), json!({})]);
    let parts = (any_text(count), any::<Index>(), thought)
        .prop_map(|(text, cut, thought)| parts(&text, cut, &thought));
    let reasons = ["STOP", "STOP", "STOP", "MAX_TOKENS", "SAFETY", "OTHER", "OF_TOMORROW"];
    object(vec![
        field("content", object(vec![field("parts", parts), field("role", one_of(&["model"]))])),
        field("finishReason", one_of(&reasons)),
        field("index", (0..3).prop_map(Value::from)),
        field("safetyRatings", safety_ratings()),
        field("finishMessage", one_of(&["Done"])),
        field("citationMetadata", Just(json!({"citationSources": []}))),
        field("tokenCount", self::count()),
        field("avgLogprobs", Just(json!(-0.1))),
    ])
}

fn response(count: usize) -> impl Strategy<Value = Value> {
    let counts = [
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "cachedContentTokenCount",
        "toolUsePromptTokenCount",
        "totalTokenCount",
    ];
    let mut usage: Vec<_> = counts.map(|name| field(name, self::count())).into();
    let details =
        select(vec![json!([{"modality": "TEXT", "tokenCount": 12}]), json!([{"tokenCount": null}, null])]);
    usage.push(field("promptTokensDetails", details));
    object(vec![
        field("candidates", list(candidate(count))),
        field(
            "promptFeedback",
            object(vec![
                field("blockReason", one_of(&["SAFETY", "OTHER", "OF_TOMORROW"])),
                field("safetyRatings", safety_ratings()),
            ]),
        ),
        field("usageMetadata", object(usage)),
        field("modelVersion", one_of(&["gemini-x"])),
        field("responseId", one_of(&["id"])),
    ])
}

/// As many cases, unless `PROPTEST_CASES` says otherwise.
fn config(cases: u32) -> Config {
    contextualize_config(Config { cases, failure_persistence: None, ..Config::default() })
}

#[test]
fn no_answer_of_the_schema_makes_the_engine_look_down_or_swaps_two_posts() {
    let mut runner = TestRunner::new(config(10_000));
    let answers = Union::new((1_usize..=4).map(|count| (Just(count), response(count))));
    let texts = Cell::new(0);
    let outcome = runner.run(&answers, |(count, body)| {
        let read = answer::read(body.to_string().as_bytes(), &ids()[..count]);
        prop_assert!(read.is_ok(), "{read:?}");
        if let Ok((Outcome::Items(items), _)) = read {
            prop_assert_eq!(items.len(), count);
            for (id, text) in (1..).zip(items).filter_map(|(id, item)| Some((id, item.ok()?.text))) {
                prop_assert!(text.starts_with(&words(id)), "item {}: {}", id, text);
                texts.set(texts.get() + 1);
            }
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(texts.get() > 1000, "too few answers can be read: {}", texts.get());
}

#[test]
fn no_error_body_panics_or_orders_a_wait_without_end() {
    let delays = [
        "0s",
        "-1s",
        "3.5s",
        "36.429760048s",
        "1e9s",
        "9223372036854775807s",
        "-9223372036854775808s",
        "",
        "s",
        "1h",
        "soon",
    ];
    let delay = prop_oneof![4 => one_of(&delays), 1 => "[-+.0-9e]{0,24}[a-z]{0,2}".prop_map(Value::from)];
    let detail = object(vec![
        field(
            "@type",
            one_of(&[
                "type.googleapis.com/google.rpc.RetryInfo",
                "type.googleapis.com/google.rpc.QuotaFailure",
                "type.googleapis.com/google.rpc.ErrorInfo",
            ]),
        ),
        field("retryDelay", delay),
        field("reason", one_of(&["API_KEY_INVALID", "OTHER"])),
        field(
            "violations",
            list(object(vec![field("quotaId", one_of(&["RequestsPerDay", "RequestsPerMinute"]))])),
        ),
    ]);
    let body = object(vec![field(
        "error",
        object(vec![
            field("code", count()),
            field(
                "message",
                one_of(&[
                    "Please retry in 1e9s.",
                    "Please retry in 3.5s.",
                    "Please retry in ",
                    "limit: 0",
                    "no",
                ]),
            ),
            field("status", one_of(&["RESOURCE_EXHAUSTED", "UNAVAILABLE"])),
            field("details", list(detail)),
        ]),
    )]);
    let status = select(vec![400, 401, 403, 404, 408, 429, 429, 429, 500, 503]);
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let latest = now + SignedDuration::from_hours(27);
    TestRunner::new(config(5_000))
        .run(&(status, body), |(status, body)| {
            let error = failure::read(status, body.to_string().as_bytes(), "gemini", "gemini-x", now);
            if let EngineError::RateLimited { until: Some(until), .. } = &error {
                prop_assert!((now..=latest).contains(until), "{}", until);
            }
            prop_assert!(error.to_string().len() < 1000);
            Ok(())
        })
        .unwrap();
}
