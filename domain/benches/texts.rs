//! Measures what every job does with its texts. Run it with `cargo bench -p mynah-domain`.
#![allow(missing_docs, clippy::unwrap_used, reason = "the names explain a benchmark")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mynah_domain::{
    Language,
    gate::{Candidate, findings},
    network::{NetworkRules as _, PlainText},
    text::{Masking, mask},
};

const PLAIN: &str = "The council votes on the new bridge tomorrow morning, and the harbour opens at nine.";
const PLAIN_TRANSLATION: &str =
    "El ayuntamiento vota mañana por la mañana sobre el nuevo puente, y el puerto abre a las nueve.";
const POST: &str =
    "Road works on the harbour bridge from 9:30, details at https://example.com/works #harbour @city_hall 🚧";
const POST_TRANSLATION: &str = "Obras en el puente del puerto desde las 9:30, detalles en https://example.com/works #harbour @city_hall 🚧";

/// A post with a new link each time.
fn with_new_link(number: &mut u64) -> String {
    *number += 1;
    format!("{PLAIN} https://ascii.host/{number}")
}

fn masking(bench: &mut Criterion) {
    let (masking, rules, mut number) = (Masking::default(), PlainText::default(), 0);
    let masked = |text: &str| masking.mask(text, &rules.entities(text));
    bench.bench_function("mask a plain post", |bench| bench.iter(|| masked(black_box(PLAIN))));
    bench.bench_function("mask a post", |bench| bench.iter(|| masked(black_box(POST))));
    bench.bench_function("mask a post with a new link", |bench| {
        bench.iter(|| masked(&with_new_link(&mut number)));
    });
    let known = rules.entities(POST);
    bench.bench_function("mask a post whose entities are known", |bench| {
        bench.iter(|| masking.mask(black_box(POST), &known));
    });
    let mask = masked(POST);
    bench.bench_function("restore a post", |bench| bench.iter(|| mask.restore(black_box(&mask.text))));
}

fn weighing(bench: &mut Criterion) {
    let (rules, mut number) = (PlainText::default(), 0);
    bench.bench_function("weigh a plain translation", |bench| {
        bench.iter(|| rules.weigh(black_box(PLAIN_TRANSLATION)));
    });
    bench.bench_function("weigh a post", |bench| bench.iter(|| rules.weigh(black_box(POST))));
    bench.bench_function("weigh a post with a new link", |bench| {
        bench.iter(|| rules.weigh(&with_new_link(&mut number)));
    });
}

fn judging(bench: &mut Criterion) {
    let (from, to): (Language, Language) = ("en".parse().unwrap(), "es".parse().unwrap());
    for (name, source, translation) in [
        ("judge a plain translation", PLAIN, PLAIN_TRANSLATION),
        ("judge a translation", POST, POST_TRANSLATION),
    ] {
        let rules = PlainText::default();
        let (source, parts) = (mask(source, &rules), vec![translation.to_owned()]);
        let candidate = |source| Candidate {
            source,
            parts: &parts,
            rules: &rules,
            max_weight: Some(500),
            from,
            to,
            others: &[],
        };
        assert!(findings(&candidate(&source)).is_empty(), "the translation must pass the gate");
        bench.bench_function(name, |bench| bench.iter(|| findings(&candidate(black_box(&source)))));
    }
}

criterion_group!(benches, masking, weighing, judging);
criterion_main!(benches);
