//! What every job does to its texts. `cargo bench -p mynah-domain` measures it.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark is read by its names")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mynah_domain::{
    Language,
    gate::{Candidate, findings},
    network::{NetworkRules as _, PlainText},
    text::{Masking, mask},
};

const PLAIN: &str = "The council votes on the new bridge tomorrow morning, and the harbour opens at nine.";
const PLAIN_SAID: &str =
    "El ayuntamiento vota mañana por la mañana sobre el nuevo puente, y el puerto abre a las nueve.";
const POST: &str =
    "Road works on the harbour bridge from 9:30, details at https://example.com/works #harbour @city_hall 🚧";
const POST_SAID: &str = "Obras en el puente del puerto desde las 9:30, detalles en https://example.com/works #harbour @city_hall 🚧";

/// A post with a link that none had before.
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
        bench.iter(|| rules.weigh(black_box(PLAIN_SAID)));
    });
    bench.bench_function("weigh a post", |bench| bench.iter(|| rules.weigh(black_box(POST))));
    bench.bench_function("weigh a post with a new link", |bench| {
        bench.iter(|| rules.weigh(&with_new_link(&mut number)));
    });
}

fn judging(bench: &mut Criterion) {
    let (from, to): (Language, Language) = ("en".parse().unwrap(), "es".parse().unwrap());
    for (name, source, said) in
        [("judge a plain translation", PLAIN, PLAIN_SAID), ("judge a translation", POST, POST_SAID)]
    {
        let rules = PlainText::default();
        let (source, parts) = (mask(source, &rules), vec![said.to_owned()]);
        let candidate = |source| Candidate {
            source,
            parts: &parts,
            rules: &rules,
            max_weight: Some(500),
            from,
            to,
            others: &[],
        };
        assert!(findings(&candidate(&source)).is_empty(), "it is a good one");
        bench.bench_function(name, |bench| bench.iter(|| findings(&candidate(black_box(&source)))));
    }
}

criterion_group!(benches, masking, weighing, judging);
criterion_main!(benches);
