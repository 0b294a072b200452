//! What was published before: posts that are on record as published on every target when a run begins, so that what a job costs
//! can be held against how much is on record. Written by the ledger's own means, many to a transaction.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use mynah_domain::{
    AccountId, JobEvent, Post, PostId, PostKind, PublicationKey, TargetId, Translation,
    ports::{
        SystemClock,
        ledger::{Change, Checkpoint, Mark, RecordPage, RecordPost},
    },
};

use super::{BenchmarkError, Plan};
use crate::{
    ledger::{self, is_in_use},
    settings::{Settings, TargetSettings},
};

/// How many posts go into a transaction.
const TOGETHER: usize = 500;

/// How often to look whether the ledger is closed.
const CLOSING: Duration = Duration::from_millis(10);

/// Fills the ledger of a service that has not started yet; `progress` hears how many posts are on record.
///
/// # Errors
/// Where the ledger cannot be written.
pub async fn write(
    plan: &Plan,
    settings: &Settings,
    file: &Path,
    mut progress: impl FnMut(usize),
) -> Result<(), BenchmarkError> {
    let failed =
        |error: &dyn std::fmt::Display| BenchmarkError(format!("no history can be written: {error}"));
    let ledger = ledger::open(file, Arc::new(SystemClock)).map_err(|error| failed(&error))?;
    let targets: Vec<TargetId> = settings.targets.iter().map(TargetSettings::id).collect();
    // A plan has a single source.
    let source = settings.sources.first().map(|source| source.id()).unwrap_or_default();
    for first in (1..=plan.history).step_by(TOGETHER) {
        let last = (first + TOGETHER - 1).min(plan.history);
        let posts: Vec<RecordPost> = (first..=last).rev().map(|number| post(number, &targets)).collect();
        let watermark = posts.first().map(|record| Mark::of(&record.post));
        let checkpoint = Checkpoint { watermark, ..Checkpoint::default() };
        let page = RecordPage { source: source.clone(), posts, checkpoint, settles: None };
        ledger.record(page).await.map_err(|error| failed(&error))?;
        for target in &targets {
            let jobs = ledger.open_jobs(target, None, TOGETHER).await.map_err(|error| failed(&error))?;
            let changes = jobs.into_iter().map(|job| Change::new(job.id, job.token, way(&job.post, target)));
            let answers = ledger.advance(changes.collect()).await.map_err(|error| failed(&error))?;
            if let Some(error) = answers.into_iter().find_map(Result::err) {
                return Err(failed(&error));
            }
        }
        progress(last);
    }
    drop(ledger);
    // Its thread closes the file in its own time.
    while is_in_use(file).map_err(|error| failed(&error))? {
        actix_rt::time::sleep(CLOSING).await;
    }
    Ok(())
}

/// A post from long before those of the town.
fn post(number: usize, targets: &[TargetId]) -> RecordPost {
    let created_at = Timestamp::now() - SignedDuration::from_hours(24 * 365);
    let post = Post {
        id: PostId(number.to_string()),
        position: number as u64,
        text: format!("What was posted long ago, for the {number}th time, on the market by the harbour"),
        entities: None,
        language: Some("en".into()),
        kind: PostKind::Original,
        created_at,
        media: Vec::new(),
        has_poll: false,
        warning: None,
        is_sensitive: false,
        card: None,
        versions: Vec::new(),
    };
    RecordPost {
        post: Arc::new(post),
        jobs: targets.iter().map(|target| (target.clone(), None)).collect(),
        unreadable: None,
    }
}

/// All that happens to a job until it is published.
fn way(post: &Post, target: &TargetId) -> Vec<JobEvent> {
    let text = format!("{} ({target})", post.text);
    let translation = Translation {
        parts: vec![text.clone()],
        engine: "history".into(),
        alts: Vec::new(),
        warning: None,
        card: None,
    };
    vec![
        JobEvent::LeasedForTranslation,
        JobEvent::Translated(translation),
        JobEvent::LeasedForPublication,
        JobEvent::PartBegun {
            part: 0,
            account: AccountId::from(target),
            text,
            key: PublicationKey::new(post.created_at),
            reply: None,
            cost: None,
        },
        JobEvent::PartSent { part: 0, remote_id: post.id.clone() },
        JobEvent::Published,
    ]
}
