//! What `mynah compare` prints: for people, each post as soon as it is translated and a table at the end; for scripts, one JSON
//! object.

use std::time::Duration;

use mynah_domain::{Language, ports::Usage};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Compared, Translated, candidate::Candidate};
use crate::{
    cli::{print_json, print_line, table, trial::indented},
    control::wire::EngineUsage,
    telemetry::logging::printable,
};

/// Prints what was compared.
pub(super) struct Show {
    json: bool,
    from: Language,
    /// The posts so far, for JSON.
    posts: Vec<Value>,
    /// What each engine did so far.
    totals: Vec<Total>,
}

/// What an engine did.
#[derive(Debug, Default)]
struct Total {
    engine: String,
    passed: u64,
    held: u64,
    took: Duration,
    usage: Usage,
    /// `None` once the price of a post is not known.
    price: Option<f64>,
}

#[derive(Serialize)]
struct EngineTotal<'a> {
    engine: &'a str,
    /// Why it was left out.
    reason: Option<&'a str>,
    /// How many translations could be published.
    passed: u64,
    held: u64,
    mean_seconds: Option<f64>,
    usage: EngineUsage,
    price: Option<f64>,
}

impl Show {
    pub(super) fn new(json: bool, from: Language) -> Self {
        Self { json, from, posts: Vec::new(), totals: Vec::new() }
    }

    /// Prints a post with its translations.
    pub(super) fn post(&mut self, post: &Compared) {
        post.translations.iter().for_each(|translation| self.add(translation));
        if self.json {
            self.posts.push(json!(post));
            return;
        }
        print_line(format_args!("{} of {}", post.weighted_length, post.most));
        print_line(indented(&post.text));
        let width = post.translations.iter().map(|one| one.engine.len()).max().unwrap_or_default();
        for translation in &post.translations {
            print_translation(translation, width);
        }
        print_line("");
    }

    fn add(&mut self, translation: &Translated) {
        let known = self.totals.iter().position(|total| total.engine == translation.engine);
        let at = known.unwrap_or_else(|| {
            let engine = translation.engine.clone();
            self.totals.push(Total { engine, price: Some(0.0), ..Total::default() });
            self.totals.len() - 1
        });
        let Some(total) = self.totals.get_mut(at) else { return };
        if translation.parts.is_empty() {
            total.held += 1;
        } else {
            total.passed += 1;
        }
        total.took += Duration::from_secs_f64(translation.seconds);
        total.usage.add(translation.usage.into());
        total.price = total.price.zip(translation.price).map(|(sum, price)| sum + price);
    }

    /// Prints what all of it says about each engine.
    pub(super) fn finish(self, candidates: &[Candidate]) {
        let none = Total::default();
        let totals = candidates.iter().map(|candidate| {
            let total = self.totals.iter().find(|total| total.engine == candidate.name).unwrap_or(&none);
            (candidate, total)
        });
        if self.json {
            let totals = totals.map(|(candidate, total)| EngineTotal {
                engine: &candidate.name,
                reason: candidate.engine.as_ref().err().map(String::as_str),
                passed: total.passed,
                held: total.held,
                mean_seconds: total.mean().map(|mean| mean.as_secs_f64()),
                usage: total.usage.into(),
                price: total.price,
            });
            let totals: Vec<EngineTotal<'_>> = totals.collect();
            print_json(&json!({"from": self.from.code(), "posts": self.posts, "engines": totals}));
            return;
        }
        let rows = totals.map(|(candidate, total)| match &candidate.engine {
            Err(_) => {
                [candidate.name.clone(), "-".into(), "-".into(), "-".into(), "-".into(), "left out".into()]
            }
            Ok(_) => [
                candidate.name.clone(),
                total.passed.to_string(),
                total.held.to_string(),
                total.mean().map(seconds).unwrap_or_default(),
                price(total.price),
                EngineUsage::from(total.usage).to_string(),
            ],
        });
        table::print(["ENGINE", "PASSED", "HELD", "MEAN TIME", "PRICE", "USED"], rows);
    }
}

impl Total {
    fn mean(&self) -> Option<Duration> {
        let made = u32::try_from(self.passed + self.held).unwrap_or(u32::MAX);
        self.took.checked_div(made)
    }
}

fn print_translation(translation: &Translated, width: usize) {
    let Translated { engine, to, weighted_length, max_weighted_length, parts, .. } = translation;
    let publications = match parts.len() {
        0 => ", not published".to_owned(),
        1 => String::new(),
        many => format!(", {many} parts"),
    };
    print_line(format_args!(
        "{to} {engine:<width$}  {weighted_length} of {max_weighted_length}{publications}, {}, {}",
        seconds(Duration::from_secs_f64(translation.seconds)),
        price(translation.price)
    ));
    match (&translation.text, parts.is_empty()) {
        (Some(text), true) => print_line(indented(text)),
        _ => parts.iter().for_each(|part| print_line(indented(part))),
    }
    for finding in &translation.findings {
        print_line(format_args!("  {}: {}", finding.rule, printable(&finding.message)));
    }
    if let (Some(reason), true) = (&translation.reason, translation.findings.is_empty()) {
        print_line(format_args!("  {}", printable(reason)));
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}

fn price(price: Option<f64>) -> String {
    match price {
        None => "price unknown".into(),
        Some(0.0) => "free".into(),
        Some(dollars) => format!("${dollars:.5}"),
    }
}
