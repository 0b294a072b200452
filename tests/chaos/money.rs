//! A dollar a day: however often the service is killed, and whatever answers are lost, the accounts cost no more than the
//! budget allows, the ledger's sum is the sandbox's own bill, and the rest follows once the budget allows it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use mynah_sandbox::{StoredPost, TimelinePost};
use rusqlite::{Connection, OpenFlags};

use crate::{
    seed, size,
    support::{Town, account, message},
};

const LANGUAGES: [&str; 4] = ["es", "ca", "fr", "it"];

/// The budget of the day, in millionths of a dollar.
const DOLLAR: u64 = 1_000_000;

/// What the most expensive post costs.
const MOST_EXPENSIVE: u64 = 200_000;

/// The most runs until every outcome is known, or everything is published.
const MAX_RUNS: usize = 30;

/// How long a run may take to do what there is to do.
const PATIENCE: Duration = Duration::from_mins(1);

const SHORT_WORDS: [&str; 23] = [
    "am", "an", "as", "at", "be", "by", "do", "go", "he", "if", "in", "is", "it", "me", "my", "no", "of",
    "on", "or", "so", "to", "up", "we",
];

/// Every sixth post has a link, and some are long enough for several messages.
fn post(number: usize) -> TimelinePost {
    match number % 6 {
        0 => TimelinePost::new(format!("{} https://example.com/{number}", message(number))),
        3 => {
            // The translation's words are longer.
            let word = |index: usize| SHORT_WORDS[(index * index * number + index) % SHORT_WORDS.len()];
            let words: Vec<&str> = (0..70).map(word).collect();
            TimelinePost::new(format!("{} {}", message(number), words.join(" ")))
        }
        _ => TimelinePost::new(message(number)),
    }
}

#[actix_rt::test]
async fn a_dollar_a_day_is_never_exceeded_and_every_cent_is_on_record() {
    let (posts, kills, seed) = (size("CHAOS_MONEY_POSTS", 24), size("CHAOS_KILLS", 8), seed());
    let rerun = format!("CHAOS_MONEY_POSTS={posts} CHAOS_KILLS={kills} CHAOS_SEED={seed}");
    let town = town(posts, seed).await;
    let mut random = fastrand::Rng::with_seed(seed);
    let begun = Instant::now();
    for _ in 0..kills {
        let mut running = town.start(&["once"]);
        let goal = town.sandbox.bill().total_mills() + random.u64(10..250);
        let moment = Duration::from_millis(random.u64(100..3000));
        town.sandbox.until(moment, |_| town.sandbox.bill().total_mills() >= goal).await;
        running.kill();
        check(&town, &rerun);
    }
    // Nothing more is affordable. What became of a message behind a job that waits may still be unknown; it stays paid.
    let runs = run_until(&town, &rerun, || {
        let doubtful = published(&town) - billed(&town);
        held(&town) == LANGUAGES.len() as u64 && doubtful <= in_doubt(&town)
    });
    check(&town, &rerun);
    if in_doubt(&town) == 0 {
        check_accounts(&town, posts, &rerun);
    }
    // What is left pays for no line's next post.
    let spent = published(&town);
    assert!(spent <= DOLLAR && spent + MOST_EXPENSIVE > DOLLAR, "{spent} of the budget was used: {rerun}");

    // As on the next day, the budget allows more.
    let mut town = town;
    town.settings.push("budget.daily=100.00".into());
    let more = run_until(&town, &rerun, || unfinished(&town).is_empty());
    check_accounts(&town, posts, &rerun);
    assert_eq!(published(&town), billed(&town), "{rerun}");
    assert!(threads(&town) > 0, "there is no thread: {rerun}");
    println!(
        "money: {posts} posts x {} targets, {kills} kills, {runs} + {more} more runs: {spent} of {DOLLAR} before the \
         limit was raised, {} after; the record is the bill to the cent, {:.0} s; {rerun}",
        LANGUAGES.len(),
        billed(&town),
        begun.elapsed().as_secs_f64()
    );
}

/// A town that spends money on nothing but messages, on a network that loses answers.
async fn town(posts: usize, seed: u64) -> Town {
    // It is free, and makes no translation shorter because it must fit.
    let engine = "libretranslate";
    let mut town = Town::with_timeline((1..=posts).map(post).collect(), &LANGUAGES, engine).await;
    town.settings.push(format!("engine.libretranslate.base_url={}", town.sandbox.url()));
    let settings = [
        "budget.daily=1.00",
        "x.price_read=0",
        "x.price_own_read=0",
        "translator.pool_size=20",
        "x.timeout=500ms",
        "publisher.settle=700ms",
    ];
    town.settings.extend(settings.map(String::from));
    town.order_faults(&format!(
        r#"{{"seed": {seed}, "rules": [
            {{"endpoint": "x.post", "fault": "drop_after_act", "probability": 0.1}},
            {{"endpoint": "x.post", "fault": {{"status": 503}}, "probability": 0.1}},
            {{"endpoint": "x.post", "fault": "hang", "probability": 0.05}}
        ]}}"#
    ));
    town
}

/// Runs `mynah once` until this is true.
fn run_until(town: &Town, rerun: &str, is_done: impl Fn() -> bool) -> usize {
    for run in 1..=MAX_RUNS {
        let mut running = town.start(&["once"]);
        assert!(running.ends_within(PATIENCE), "a run does not end: {rerun}\n{}", town.log_tail());
        if is_done() {
            return run;
        }
    }
    panic!(
        "still not done after {MAX_RUNS} runs: {} billed, {} on record, {} of that in doubt, {} held: {rerun}\n{}\n{}",
        billed(town),
        published(town),
        in_doubt(town),
        held(town),
        unfinished(town),
        town.log_tail()
    );
}

/// Whether the record allows for the bill, and the budget for the record.
fn check(town: &Town, rerun: &str) {
    let (billed, recorded) = (billed(town), sum(town, "spending") + sum(town, "reservations"));
    assert!(billed <= recorded, "{billed} billed, only {recorded} on record: {rerun}");
    assert!(recorded <= DOLLAR, "{recorded} on record: {rerun}");
}

/// Each account shows what the ledger knows of, in order, and no thread without its end.
fn check_accounts(town: &Town, posts: usize, rerun: &str) {
    for language in LANGUAGES {
        let shown: Vec<StoredPost> = town.publications(language);
        // Only the first message of a thread has the number.
        let number = |post: &StoredPost| post.text.split_whitespace().find_map(|word| word.parse().ok());
        let numbers: Vec<usize> = shown.iter().filter_map(number).collect();
        assert!(numbers.is_sorted() && numbers.iter().all(|number| *number <= posts), "{numbers:?}: {rerun}");
        let account = account(language);
        let recorded = format!(
            "SELECT count(*) FROM publications WHERE account = 'x:{account}' AND remote_id IS NOT NULL"
        );
        assert_eq!(ask(town, &recorded), shown.len() as u64, "@{account}: {rerun}\n{}", town.log_tail());
        let texts: BTreeSet<&str> = shown.iter().map(|post| post.text.as_str()).collect();
        assert_eq!(texts.len(), shown.len(), "@{account} shows a message twice: {rerun}");
    }
    let halves = "SELECT count(*) FROM jobs WHERE json_array_length(translation, '$.parts') <>
        nullif((SELECT count(*) FROM publications WHERE job = jobs.id), 0)";
    assert_eq!(ask(town, halves), 0, "a thread has no end: {rerun}\n{}", unfinished(town));
}

/// The sandbox's bill for messages, in millionths of a dollar.
fn billed(town: &Town) -> u64 {
    let bill = town.sandbox.bill();
    bill.posts * 15_000 + bill.posts_with_link * 200_000
}

fn ask(town: &Town, sql: &str) -> u64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let Ok(ledger) = Connection::open_with_flags(town.ledger(), flags) else { return 0 };
    match ledger.query_row(sql, [], |row| row.get::<_, i64>(0)) {
        Ok(number) => u64::try_from(number).unwrap(),
        // A run that was killed at once has created no tables yet.
        Err(error) if error.to_string().contains("no such table") => 0,
        Err(error) => panic!("{sql}: {error}"),
    }
}

/// What is recorded for messages.
fn published(town: &Town) -> u64 {
    ask(town, "SELECT ifnull(sum(micros), 0) FROM spending WHERE purpose = 'publish'")
}

/// How many jobs are published in several messages.
fn threads(town: &Town) -> u64 {
    ask(town, "SELECT count(DISTINCT job) FROM publications WHERE part > 0")
}

/// The jobs that are not published, with their parts, for whoever reads a failure.
fn unfinished(town: &Town) -> String {
    let ledger = Connection::open_with_flags(town.ledger(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = ledger
        .prepare(
            "SELECT concat_ws(' ', jobs.id, target, state, kind, reason, (
                 SELECT group_concat(concat_ws(' ', part, remote_id, cost), '; ')
                 FROM publications WHERE job = jobs.id))
             FROM jobs WHERE state <> 'published'",
        )
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<String>>().join("\n")
}

fn sum(town: &Town, table: &str) -> u64 {
    ask(town, &format!("SELECT ifnull(sum(micros), 0) FROM {table}"))
}

/// What is recorded for messages whose outcome is unknown.
fn in_doubt(town: &Town) -> u64 {
    ask(town, "SELECT ifnull(sum(cost), 0) FROM publications WHERE remote_id IS NULL")
}

/// How many jobs wait for the budget.
fn held(town: &Town) -> u64 {
    ask(town, "SELECT count(*) FROM jobs WHERE state = 'held' AND kind = 'budget'")
}
