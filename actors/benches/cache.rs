//! What a hit costs, what asking the cache's actor costs, and whether writing it to disk holds anybody up.
//! `cargo bench -p mynah-actors` measures it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark is read by its names and on its output"
)]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_rt::{Arbiter, System, time::sleep};
use criterion::{Criterion, criterion_group};
use hdrhistogram::Histogram;
use jiff::Timestamp;
use mynah_actors::{
    cache::{
        Cache, CacheSettings, Fill, Key, Look,
        entries::{Entries, Entry},
    },
    supervision::ActorRef,
};
use mynah_domain::{Language, Style, fixtures::mask};

/// As many as the promise is made for.
const ENTRIES: usize = 20_000;

/// How many keys a translator asks for at once.
const AT_ONCE: usize = 40;

/// How many times the cache is written, and as often is it not.
const ROUNDS: u64 = 15;

/// How long one time is watched: longer than writing takes.
const WATCHED: Duration = Duration::from_millis(700);

fn text(number: usize) -> String {
    format!("Post {} of the town hall about the harbour and the bridge: https://example.com/x", word(number))
}

/// Letters: a number would be masked.
fn word(mut number: usize) -> String {
    let mut word = String::new();
    loop {
        word.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
        number /= 26;
        if number == 0 {
            return word;
        }
    }
}

fn keys() -> Vec<Key> {
    let languages: (Language, Language) = ("en".parse().unwrap(), "es".parse().unwrap());
    let key = |number| Key::new(&mask(&text(number)).key(), languages, &Style::default(), &[], "bench");
    (0..ENTRIES).map(key).collect()
}

fn entry(number: usize) -> Entry {
    let expires = Timestamp::now() + Duration::from_hours(24);
    Entry { text: Arc::new(mask(&text(number)).text), expires }
}

fn filled(keys: &[Key]) -> Entries {
    let entries = Entries::new(2 * ENTRIES as u64);
    keys.iter().enumerate().for_each(|(number, key)| entries.insert(*key, &entry(number)));
    entries
}

fn hits(bench: &mut Criterion) {
    let keys = keys();
    let entries = filled(&keys);
    let mut at = 0;
    bench.bench_function("cache hit", |bench| {
        bench.iter(|| {
            // A prime step: no two hits in a row are neighbours.
            at = (at + 7919) % ENTRIES;
            entries.get(black_box(&keys[at]))
        });
    });
}

criterion_group!(benches, hits);

/// Nanoseconds up to a minute, three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000_000, 3).unwrap()
}

fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap()
}

fn told(what: &str, took: &Histogram<u64>) {
    let micros = |quantile| took.value_at_quantile(quantile) as f64 / 1e3;
    println!(
        "{what}: {} times, p50 {:.2} µs, p99 {:.2} µs, p99.9 {:.2} µs, at most {:.1} µs",
        took.len(),
        micros(0.5),
        micros(0.99),
        micros(0.999),
        took.max() as f64 / 1e3
    );
}

fn each_hit() {
    let keys = keys();
    let entries = filled(&keys);
    let mut took = histogram();
    for round in 0..1_000_000_usize {
        if round % AT_ONCE == 0 {
            // As the actor does between two messages.
        }
        let key = &keys[round * 7919 % ENTRIES];
        let began = Instant::now();
        let found = black_box(entries.get(key));
        took.record(nanos(began.elapsed())).unwrap();
        assert!(found.is_some());
    }
    told("a hit, the clock's own cost included", &took);
}

async fn start(arbiter: &Arbiter, folder: &tempfile::TempDir, interval: Duration) -> ActorRef<Cache> {
    let settings = CacheSettings {
        max_entries: 2 * ENTRIES as u64,
        ttl: Duration::from_hours(24),
        file: folder.path().join("cache.jsonl"),
        snapshot_interval: interval,
    };
    let (sender, link) = tokio::sync::oneshot::channel();
    arbiter.spawn_fn(move || {
        let _ = sender.send(Cache::unsupervised(settings));
    });
    link.await.unwrap()
}

async fn each_look() {
    let (arbiter, folder) = (Arbiter::new(), tempfile::tempdir().unwrap());
    let link = start(&arbiter, &folder, Duration::from_hours(24)).await;
    let keys = keys();
    fill(&link, &keys).await;
    let mut took = histogram();
    for round in 0..5000 {
        let asked = (0..AT_ONCE).map(|number| keys[(round * AT_ONCE + number) * 7919 % ENTRIES]).collect();
        let began = Instant::now();
        let answers = link.ask(Look(asked)).await.unwrap();
        took.record(nanos(began.elapsed())).unwrap();
        assert_eq!(answers.len(), AT_ONCE);
    }
    told("a message for 40 hits, to another thread and back", &took);
    arbiter.stop();
}

async fn fill(link: &ActorRef<Cache>, keys: &[Key]) {
    for (part, keys) in keys.chunks(500).enumerate() {
        let entries = keys.iter().enumerate().map(|(at, key)| (*key, entry(part * 500 + at))).collect();
        link.ask(Fill(entries)).await.unwrap();
    }
}

/// Asks as a translator does, again and again while the time runs; answers how long each answer took.
async fn asked(link: &ActorRef<Cache>, keys: &[Key], round: usize) -> Histogram<u64> {
    let (began, mut took) = (Instant::now(), histogram());
    while began.elapsed() < WATCHED {
        let at = round + usize::try_from(took.len()).unwrap() * AT_ONCE;
        let some = (0..AT_ONCE).map(|number| keys[(at + number) * 7919 % ENTRIES]).collect();
        let asked = Instant::now();
        link.ask(Look(some)).await.unwrap();
        took.record(nanos(asked.elapsed())).unwrap();
        sleep(Duration::from_millis(1)).await;
    }
    took
}

/// A cache that is written every other time, and somebody who asks it all the while.
async fn pauses() {
    let (keys, arbiter, folder) = (keys(), Arbiter::new(), tempfile::tempdir().unwrap());
    let link = start(&arbiter, &folder, 2 * WATCHED).await;
    let written =
        || std::fs::metadata(folder.path().join("cache.jsonl")).and_then(|file| file.modified()).ok();
    fill(&link, &keys).await;
    let [mut with, mut without, mut longest_with, mut longest_without] = [(); 4].map(|()| histogram());
    let mut round = 0;
    while longest_with.len() < ROUNDS || longest_without.len() < ROUNDS {
        let before = written();
        // Something new, or there is nothing to write.
        link.ask(Fill(vec![(fresh(round), entry(0))])).await.unwrap();
        let took = asked(&link, &keys, round).await;
        let (all, longest) = if written() == before {
            (&mut without, &mut longest_without)
        } else {
            (&mut with, &mut longest_with)
        };
        longest.record(took.max()).unwrap();
        all.add(took).unwrap();
        round += 1;
    }
    told("an answer, nothing written", &without);
    told("an answer, 20,000 entries written meanwhile", &with);
    told("the longest answer of each time, nothing written", &longest_without);
    told("the longest answer of each time, 20,000 entries written meanwhile", &longest_with);
    arbiter.stop();
}

fn fresh(number: usize) -> Key {
    let languages: (Language, Language) = ("en".parse().unwrap(), "fr".parse().unwrap());
    Key::new(&word(number), languages, &Style::default(), &[], "bench")
}

fn main() {
    benches();
    each_hit();
    System::new().block_on(each_look());
    System::new().block_on(pauses());
    Criterion::default().configure_from_args().final_summary();
}
