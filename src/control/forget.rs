//! Removes every text of single posts, when a person asks for it. Ids and states stay, so that the posts are not published
//! again; what is published stays on the accounts.

use std::{fs, io, path::Path};

use mynah_domain::{
    PostId,
    ports::{Ledger, LedgerError},
};

use super::wire::{Forgotten, ForgottenPost, NotForgotten};

/// The files of the cache in a data directory.
const CACHE_FILES: [&str; 2] = ["cache.jsonl", "cache.new"];

/// Removes the texts of these posts from the ledger; [`Ledger::compact`](mynah_domain::ports::Retention::compact) and
/// emptying the cache follow.
///
/// # Errors
/// The ledger cannot be used; texts of earlier posts in the list are removed already.
pub async fn forget(ledger: &dyn Ledger, posts: &[String]) -> Result<Forgotten, LedgerError> {
    let mut outcome = Forgotten::default();
    for post in posts {
        match ledger.forget(&PostId(post.clone())).await? {
            Ok(removed) => outcome.forgotten.push(ForgottenPost { post: post.clone(), jobs: removed.jobs }),
            Err(why) => outcome.refused.push(NotForgotten { post: post.clone(), why: why.to_string() }),
        }
    }
    Ok(outcome)
}

/// Removes the cache of a data directory that no service uses.
///
/// # Errors
/// A file cannot be removed.
pub fn remove_cache(data_dir: &Path) -> io::Result<()> {
    for file in CACHE_FILES {
        match fs::remove_file(data_dir.join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
