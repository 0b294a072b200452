//! Monitors and people search the log for event names, so docs/events.md must list every event exactly as the code
//! logs it.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use regex::Regex;

/// An event's level and the names of its fields.
type Form = (String, BTreeSet<String>);

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// The events of all calls of log macros in the service.
fn in_the_code() -> BTreeMap<String, Form> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in ["src", "actors/src", "domain/src"] {
        sources(&root.join(folder), &mut texts);
    }
    let call = Regex::new(
        r#"\b(error|warn|info|debug|trace)!\(\s*(?:target: [^,]*,\s*)?(?:"([^"]*)"|([^;]*?);\s*"([^"]*)")"#,
    )
    .unwrap();
    let field = Regex::new(r"(?:^|,)\s*(\w+)(?::[%?])?\s*(?:=|,|$)").unwrap();
    let mut events: BTreeMap<String, Form> = BTreeMap::new();
    for call in texts.iter().flat_map(|text| call.captures_iter(text)) {
        let name = call.get(2).or(call.get(4)).unwrap().as_str().to_owned();
        assert!(
            !name.contains('{'),
            "an event name must be constant; put variable parts into fields: {name}"
        );
        let fields = call.get(3).map_or("", |fields| fields.as_str());
        let fields = field.captures_iter(fields).map(|field| field[1].to_owned()).collect();
        let form = (call[1].to_owned(), fields);
        let known = events.entry(name.clone()).or_insert_with(|| form.clone());
        assert_eq!(*known, form, "all calls that log an event must have the same level and fields: {name}");
    }
    events
}

/// The events in the tables of docs/events.md.
fn in_the_docs() -> BTreeMap<String, Form> {
    let docs = include_str!("../docs/events.md");
    let row = Regex::new(r"(?m)^\| `([^|]+)` \| (\w+) \|([^|]*)\|").unwrap();
    let field = Regex::new(r"`(\w+)`").unwrap();
    let rows = row.captures_iter(docs).map(|row| {
        let fields = field.captures_iter(&row[3]).map(|field| field[1].to_owned()).collect();
        (row[1].to_owned(), (row[2].to_owned(), fields))
    });
    rows.collect()
}

#[test]
fn the_docs_list_exactly_the_events_that_the_code_logs() {
    let (code, mut docs) = (in_the_code(), in_the_docs());
    // The fields of `stats` are the measurements.
    assert_eq!(docs.remove("stats").map(|(level, _)| level).as_deref(), Some("info"));
    let missing: Vec<_> = code.iter().filter(|(name, form)| docs.get(*name) != Some(form)).collect();
    let gone: Vec<_> = docs.keys().filter(|name| !code.contains_key(*name)).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "missing or different in docs/events.md: {missing:#?}\nnot in the code: {gone:#?}"
    );
    assert!(code.len() > 40, "the regular expression no longer finds the calls: {}", code.len());
}
