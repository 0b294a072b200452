//! What every job does to its texts. `cargo bench -p mynah-domain` measures it.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark is read by its names")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mynah_domain::{
    Language,
    gate::{Candidate, findings},
    text::{length::weighted_length, mask},
};

const PLAIN: &str = "The council votes on the new bridge tomorrow morning, and the harbour opens at nine.";
const POST: &str =
    "Road works on the harbour bridge from 9:30, details at https://example.com/works #harbour @city_hall 🚧";
const SAID: &str = "Obras en el puente del puerto desde las 9:30, detalles en https://example.com/works #harbour @city_hall 🚧";

fn texts(bench: &mut Criterion) {
    bench.bench_function("mask a plain post", |bench| bench.iter(|| mask(black_box(PLAIN))));
    bench.bench_function("mask a post", |bench| bench.iter(|| mask(black_box(POST))));
    let mut number = 0;
    bench.bench_function("mask a post with a new link", |bench| {
        bench.iter(|| {
            number += 1;
            mask(&format!("{PLAIN} https://example.com/{number}"))
        });
    });
    bench.bench_function("weigh a post", |bench| bench.iter(|| weighted_length(black_box(POST))));
    let source = mask(POST);
    let parts = vec![SAID.to_owned()];
    let (from, to): (Language, Language) = ("en".parse().unwrap(), "es".parse().unwrap());
    bench.bench_function("judge a translation", |bench| {
        bench.iter(|| {
            findings(&Candidate {
                source: black_box(&source),
                parts: &parts,
                max_weighted_length: 280,
                from,
                to,
                others: &[],
            })
        });
    });
}

criterion_group!(benches, texts);
criterion_main!(benches);
