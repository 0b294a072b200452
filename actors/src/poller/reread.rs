//! Handles posts on a page that could not be read. The poller asks the source for each by its id; if a post still
//! cannot be read, it is recorded in its raw form, so that it becomes a held job and is never lost.

use jiff::Timestamp;
use mynah_domain::{
    Post, PostId, PostKind,
    ports::{
        Unreadable,
        ledger::{Checkpoint, Raw},
    },
};
use sha2::{Digest as _, Sha256};

/// The most bytes of a raw post to record. A person needs its id and shape, and the ledger needs a bound.
const MAX_RAW: usize = 16 * 1024;

/// The most bytes of a reason to record.
const MAX_REASON: usize = 500;

/// A post as it goes to the ledger: read, or in its raw form.
pub(super) struct Arrival {
    pub(super) post: Post,
    pub(super) unreadable: Option<Raw>,
}

impl Arrival {
    /// A post that could be read.
    pub(super) fn read(post: Post) -> Self {
        Self { post, unreadable: None }
    }

    /// A post that could not be read, because of `why`.
    pub(super) fn raw(id: PostId, position: u64, json: &str, why: &str, now: Timestamp) -> Self {
        let reason = format!(
            "post {id} could not be read: {}; retry it to read it again, or publish it by hand and skip it",
            cut(why, MAX_REASON)
        );
        let post = Post {
            id,
            position,
            text: String::new(),
            entities: None,
            language: None,
            kind: PostKind::Original,
            created_at: now,
            media: Vec::new(),
            has_poll: false,
            versions: Vec::new(),
        };
        Self { post, unreadable: Some(Raw { json: cut(json, MAX_RAW), reason }) }
    }
}

/// The id and the position of an unreadable post. A post without an id gets one derived from its raw form, so that the
/// same post is recorded only once, and the position of the newest post on its page.
pub(super) fn place(post: &Unreadable, newest: Option<u64>, checkpoint: &Checkpoint) -> (PostId, u64) {
    if let Some(mark) = &post.mark {
        return mark.clone();
    }
    let digest = Sha256::digest(post.raw.as_bytes());
    let name = digest.iter().take(8).fold(0_u64, |name, byte| name << 8 | u64::from(*byte));
    let watermark = checkpoint.watermark.as_ref().map(|watermark| watermark.position);
    (PostId(format!("unreadable-{name:016x}")), newest.or(watermark).unwrap_or_default())
}

/// Cuts a text to at most `most` bytes, with a mark if it was longer.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(most)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_size_of_a_raw_post_is_bounded() {
        let long = "é".repeat(MAX_RAW);
        let arrival = Arrival::raw(PostId("7".into()), 7, &long, &long, Timestamp::UNIX_EPOCH);
        let raw = arrival.unreadable.unwrap();
        assert!(raw.json.len() <= MAX_RAW + '…'.len_utf8() && raw.json.ends_with('…'));
        assert!(raw.reason.len() < MAX_REASON + 200, "{}", raw.reason);
        assert!(raw.reason.starts_with("post 7 could not be read: "), "{}", raw.reason);
    }

    #[test]
    fn a_post_without_an_id_always_gets_the_same_id() {
        let post = |raw: &str| Unreadable { mark: None, reason: "no id".into(), raw: raw.into() };
        let watermark = Checkpoint { watermark: Some(mark()), ..Checkpoint::default() };
        let (first, position) = place(&post("{}"), Some(9), &watermark);
        assert_eq!(position, 9);
        assert_eq!(place(&post("{}"), None, &watermark), (first.clone(), 5));
        assert_ne!(place(&post("[]"), None, &Checkpoint::default()).0, first);
    }

    fn mark() -> mynah_domain::ports::ledger::Mark {
        mynah_domain::ports::ledger::Mark { id: PostId("5".into()), position: 5 }
    }
}
