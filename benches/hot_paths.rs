//! Measures a ledger commit and the parsing of a page from X: `cargo bench -p mynah --bench hot_paths`.
//! `domain/benches` measures texts and the gate, `actors/benches` the cache.
#![allow(missing_docs, reason = "the names document a benchmark")]

mod paths;

use criterion::{Criterion, criterion_group, criterion_main};
use paths::PATHS;

fn hot_paths(bench: &mut Criterion) {
    for (name, _, ready) in PATHS.into_iter().filter(|(name, ..)| ["ledger-commit", "x-page"].contains(name))
    {
        let mut path = ready();
        bench.bench_function(name, |bench| bench.iter(&mut path));
    }
}

criterion_group!(benches, hot_paths);
criterion_main!(benches);
