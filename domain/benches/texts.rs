//! What every job does to its texts. `cargo bench -p mynah-domain` measures it.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark is read by its names")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mynah_domain::{
    Language,
    gate::{Candidate, findings},
    text::{Masking, mask, weighted_length},
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
    let masking = Masking::default();
    let mut number = 0;
    bench.bench_function("mask a plain post", |bench| bench.iter(|| masking.mask(black_box(PLAIN))));
    bench.bench_function("mask a post", |bench| bench.iter(|| masking.mask(black_box(POST))));
    bench.bench_function("mask a post with a new link", |bench| {
        bench.iter(|| masking.mask(&with_new_link(&mut number)));
    });
    let mask = masking.mask(POST);
    bench.bench_function("restore a post", |bench| bench.iter(|| mask.restore(black_box(&mask.text))));
}

fn weighing(bench: &mut Criterion) {
    let mut number = 0;
    bench.bench_function("weigh a plain translation", |bench| {
        bench.iter(|| weighted_length(black_box(PLAIN_SAID)));
    });
    bench.bench_function("weigh a post", |bench| bench.iter(|| weighted_length(black_box(POST))));
    bench.bench_function("weigh a post with a new link", |bench| {
        bench.iter(|| weighted_length(&with_new_link(&mut number)));
    });
}

fn judging(bench: &mut Criterion) {
    let (from, to): (Language, Language) = ("en".parse().unwrap(), "es".parse().unwrap());
    for (name, source, said) in
        [("judge a plain translation", PLAIN, PLAIN_SAID), ("judge a translation", POST, POST_SAID)]
    {
        let (source, parts) = (mask(source), vec![said.to_owned()]);
        let candidate =
            |source| Candidate { source, parts: &parts, max_weighted_length: 280, from, to, others: &[] };
        assert!(findings(&candidate(&source)).is_empty(), "it is a good one");
        bench.bench_function(name, |bench| bench.iter(|| findings(&candidate(black_box(&source)))));
    }
}

criterion_group!(benches, masking, weighing, judging);
criterion_main!(benches);
