//! The well-formed feeds of another reader's tests, Python's feedparser: 1,759 files of all formats, encodings and
//! extensions. They are too many to keep here, so `make setup-feeds` downloads them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use mynah_domain::{
    PostId,
    ports::{Page, PageRequest},
};

use super::{Instead, Paper};

#[path = "../support/server.rs"]
#[allow(dead_code, reason = "only its `skip` is used")]
mod programs;

/// Their folder.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/feeds/feedparser-6.0.14/tests/wellformed");

/// The feeds in a folder and its folders.
fn feeds_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(feeds_in(&path));
        } else if path.extension().is_some_and(|kind| kind == "xml" || kind == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The ids of each feed's items, or why it is not read.
async fn read_all(paper: &Paper, url: &str, feeds: &[PathBuf]) -> Vec<Result<Vec<PostId>, String>> {
    let mut all = Vec::new();
    for (number, feed) in feeds.iter().enumerate() {
        paper.answer(Instead::Body(fs::read(feed).unwrap()));
        let source = paper.open_at(&format!("{url}?{number}"));
        let page = source.page(&PageRequest { limit: 100, ..PageRequest::default() }).await;
        let ids = |page: Page| page.marks().into_iter().map(|mark| mark.id).collect::<Vec<_>>();
        all.push(page.map(ids).map_err(|error| error.to_string()));
    }
    all
}

#[actix_rt::test]
async fn each_well_formed_feed_is_read_or_refused_with_its_reason_and_ids_stay_the_same() {
    let folder = Path::new(FOLDER);
    if !folder.exists() {
        programs::skip("MYNAH_TEST_NETWORKS", "there are no well-formed feeds; run: make setup-feeds");
        return;
    }
    let feeds = feeds_in(folder);
    assert!(feeds.len() > 1_500, "{} has only {} feeds", folder.display(), feeds.len());
    let mut refused: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut read, mut items) = (0, 0);
    // Each reads all feeds, at an address of its own for each, and knows nothing of what the other read.
    let mut paper = Paper::with_items(&[]);
    let url = paper.server.url();
    let first = read_all(&paper, &url, &feeds).await;
    paper = paper.with_empty_ledger();
    let second = read_all(&paper, &url, &feeds).await;
    for ((feed, once), again) in feeds.iter().zip(first).zip(second) {
        match (once, again) {
            (Ok(once), Ok(again)) => {
                assert_eq!(once, again, "{}: its ids are not the same at each reading", feed.display());
                (read, items) = (read + 1, items + once.len());
            }
            (Err(reason), _) | (_, Err(reason)) => {
                assert!(!reason.contains("the parser failed"), "{}: {reason}", feed.display());
                let reason = reason.split(';').next().unwrap_or_default();
                let reason = reason.rsplit(": ").next().unwrap_or_default().to_owned();
                refused.entry(reason).or_default().push(feed.display().to_string());
            }
        }
    }
    eprintln!("{read} of {} feeds are read, with {items} items", feeds.len());
    for (reason, files) in &refused {
        eprintln!("{:5} refused: {reason}, such as {}", files.len(), files[0]);
    }
    assert!(read * 100 >= feeds.len() * 95, "{read} of {}", feeds.len());
}
