//! What is done for every post and every job, each path made ready to be walked again and again: by a clock in `hot_paths`,
//! by counting instructions in `instructions`.
#![allow(dead_code, clippy::unwrap_used, reason = "each benchmark uses its part")]

use std::{hint::black_box, sync::Arc, time::Duration};

use jiff::Timestamp;
use mynah::{
    ledger,
    networks::x::{
        post,
        text::{LIMITS, XRules},
        wire::Timeline,
    },
};
use mynah_actors::cache::{
    Key,
    entries::{Entries, Entry},
};
use mynah_domain::{
    JobEvent, Language, Post, PostId, PostKind, Style, TargetId,
    gate::{Candidate, findings},
    ports::{
        SystemClock,
        ledger::{Change, Checkpoint, RecordPage, RecordPost},
    },
    text::{self, Mask},
};

/// Something to be done once more.
pub(crate) type Walk = Box<dyn FnMut()>;

/// A path: its name, how often it is walked to be counted, and how it is made ready.
pub(crate) type Path = (&'static str, u32, fn() -> Walk);

pub(crate) const PATHS: [Path; 7] = [
    ("mask", 200, masking),
    ("restore", 2000, restoring),
    ("gate", 100, judging),
    ("key", 500, keying),
    ("cache-hit", 5000, hitting),
    ("ledger-commit", 200, committing),
    ("x-page", 10, reading),
];

const POST: &str =
    "Road works on the harbour bridge from 9:30, details at https://example.com/works #harbour @city_hall 🚧";
const SAID: &str = "Obras en el puente del puerto desde las 9:30, detalles en https://example.com/works #harbour @city_hall 🚧";

fn languages() -> (Language, Language) {
    ("en".parse().unwrap(), "es".parse().unwrap())
}

fn mask(text: &str) -> Mask {
    text::mask(text, &XRules)
}

fn masking() -> Walk {
    Box::new(|| {
        black_box(mask(black_box(POST)));
    })
}

fn restoring() -> Walk {
    let mask = mask(POST);
    let said = mask.remask(SAID).unwrap();
    Box::new(move || {
        black_box(mask.restore(black_box(&said)).unwrap());
    })
}

fn judging() -> Walk {
    let (source, parts, (from, to)) = (mask(POST), vec![SAID.to_owned()], languages());
    Box::new(move || {
        let found = findings(&Candidate {
            source: black_box(&source),
            parts: &parts,
            rules: &XRules,
            max_weight: Some(LIMITS.text),
            from,
            to,
            others: &[],
        });
        assert!(black_box(found).is_empty());
    })
}

fn key(mask: &Mask) -> Key {
    let (from, to) = languages();
    Key::new(&mask.key_between(from, to), (from, to), &Style::default(), &[], "bench")
}

fn keying() -> Walk {
    let mask = mask(POST);
    Box::new(move || {
        black_box(key(black_box(&mask)));
    })
}

fn hitting() -> Walk {
    let (entries, mask) = (Entries::new(1000), mask(POST));
    let (key, text) = (key(&mask), Arc::new(mask.text));
    entries.insert(key, &Entry { text, expires: Timestamp::now() + Duration::from_hours(24) });
    Box::new(move || {
        black_box(entries.get(black_box(&key)).unwrap());
    })
}

/// Two commits of one change each: a job is leased and handed back.
fn committing() -> Walk {
    let system = actix_rt::System::new();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger::open(&folder.path().join("ledger.sqlite"), Arc::new(SystemClock)).unwrap();
    let target = TargetId::new("x", "town_es");
    let post = Post {
        id: PostId("1".into()),
        position: 1,
        text: POST.into(),
        entities: None,
        language: Some("en".into()),
        kind: PostKind::Original,
        created_at: Timestamp::UNIX_EPOCH,
        media: vec![],
        has_poll: false,
        warning: None,
        is_sensitive: false,
        card: None,
        versions: vec![],
    };
    let page = RecordPage {
        source: "x:town".into(),
        posts: vec![RecordPost {
            post: Arc::new(post),
            jobs: vec![(target.clone(), None)],
            unreadable: None,
        }],
        checkpoint: Checkpoint::default(),
        settles: None,
    };
    let job = system.block_on(async {
        ledger.record(page).await.unwrap();
        ledger.open_jobs(&target, None, 1).await.unwrap().pop().unwrap()
    });
    let mut token = job.token;
    Box::new(move || {
        let _ = &folder;
        system.block_on(async {
            let mut commit = async |event| {
                let changes = [Change::new(job.id, token, vec![event])].into();
                token = ledger.advance(changes).await.unwrap().pop().unwrap().unwrap().token;
            };
            commit(JobEvent::LeasedForTranslation).await;
            commit(JobEvent::HandedBack { not_before: None, reason: "measured".into() }).await;
        });
    })
}

/// The page of a hundred posts, each with a shortened link.
fn reading() -> Walk {
    let tweet = |number: u64| {
        let said = format!("Post {number} of the town hall &amp; harbour, see ");
        let start = said.chars().count();
        let url = format!("https://t.co/{number:010}");
        serde_json::json!({
            "id": (1_900_000_000_000_000_000_u64 + number).to_string(),
            "text": format!("{said}{url}"),
            "lang": "en",
            "created_at": "2026-11-25T12:00:00.000Z",
            "author_id": "7",
            "entities": {"urls": [{
                "start": start, "end": start + url.len(), "url": url,
                "expanded_url": format!("https://example.com/posts/{number}?a=1&b=2"),
                "display_url": format!("example.com/posts/{number}"),
            }]},
        })
    };
    let posts: Vec<_> = (0..100).rev().map(tweet).collect();
    let body = serde_json::json!({"data": posts, "meta": {"result_count": 100}}).to_string();
    Box::new(move || {
        let timeline: Timeline = serde_json::from_slice(black_box(body.as_bytes())).unwrap();
        let reading = post::posts(&timeline, None);
        assert!(reading.posts.len() == 100 && reading.oddities.is_empty());
    })
}
