//! What a commit to the ledger and a page of X's cost on this machine. `cargo bench -p mynah --bench hot_paths` measures
//! it; texts and the gate are measured in `domain/benches`, the cache in `actors/benches`.
#![allow(missing_docs, reason = "a benchmark is read by its names")]

mod paths;

use criterion::{Criterion, criterion_group, criterion_main};
use paths::PATHS;

fn hot_paths(bench: &mut Criterion) {
    for (name, _, ready) in PATHS.into_iter().filter(|(name, ..)| ["ledger-commit", "x-page"].contains(name))
    {
        let mut walk = ready();
        bench.bench_function(name, |bench| bench.iter(&mut walk));
    }
}

criterion_group!(benches, hot_paths);
criterion_main!(benches);
