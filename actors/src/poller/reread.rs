//! Handles posts on a page that could not be read. The poller asks the source for each by its id; if a post still
//! cannot be read, it is recorded in its raw form, so that it becomes a held job and is never lost.

use jiff::Timestamp;
use log::{info, warn};
use mynah_domain::{
    Post, PostId, PostKind,
    ports::{
        Lookup, Page, SourceError, Unreadable,
        ledger::{Checkpoint, Raw},
    },
};
use sha2::{Digest as _, Sha256};

use super::{Poller, Trouble, payment::PageCost};
use crate::supervision::shell::Stop;

/// The most bytes of a raw post to record. A person needs its id and shape, and the ledger needs a bound.
const MAX_RAW: usize = 16 * 1024;

/// The most bytes of a reason to record.
const MAX_REASON: usize = 500;

/// How the id begins that a post without an id gets.
const WITHOUT_ID: &str = "unreadable-";

/// How many polls in a row may fail because the source answers for none of a page's unreadable posts. After that, these
/// posts are held as they came, so that they do not delay the other posts any longer.
pub(super) const LOOKUP_TRIES: u32 = 3;

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
            warning: None,
            is_sensitive: false,
            card: None,
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
    (PostId(format!("{WITHOUT_ID}{name:016x}")), newest.or(watermark).unwrap_or_default())
}

/// Cuts a text to at most `most` bytes, with a mark if it was longer.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(most)])
}

impl Poller {
    /// Turns a page into what goes to the ledger, newest first. Asks the source by id for posts that could not be read.
    /// If it does not answer, the poll fails and the page is requested again, up to [`LOOKUP_TRIES`] times.
    pub(super) async fn arrivals(
        &self,
        page: Page,
        checkpoint: &Checkpoint,
        lookups: &mut usize,
        stop: &Stop,
    ) -> Result<Vec<Arrival>, Trouble> {
        let newest = page.marks().iter().map(|mark| mark.position).max();
        let mut unreadable = Vec::with_capacity(page.unreadable.len());
        let mut unanswered = None;
        for post in &page.unreadable {
            let (id, position) = place(post, newest, checkpoint);
            let known = self.parts.ledger.post(&self.parts.source, &id).await?;
            if known.as_ref().is_some_and(|known| known.id == id) {
                continue;
            }
            let answer = self.answers.borrow().get(&id).cloned();
            let answer = if let Some(answer) = answer {
                answer
            } else if post.mark.is_none() || known.is_some() || *lookups == 0 {
                // If another version is recorded, this one is not published in any case.
                Err(Unread::Odd(post.reason.clone()))
            } else if self.lookup_failures.get() >= LOOKUP_TRIES {
                let reason = format!("{}; the source does not answer requests for it by its id", post.reason);
                Err(Unread::Odd(reason))
            } else {
                *lookups -= 1;
                match self.paid_lookup(&id, stop).await? {
                    // One call may fail and the next succeed, but a rate limit or a second failure affects all of them.
                    Err(error @ SourceError::Unavailable(_)) if unanswered.is_none() => {
                        unanswered = Some((id, error));
                        continue;
                    }
                    Err(error) if error.is_passing() => return Err(Trouble::Lookup(id, error)),
                    answer => {
                        self.lookup_failures.set(0);
                        let answer = read(&id, answer);
                        self.answers.borrow_mut().insert(id.clone(), answer.clone());
                        answer
                    }
                }
            };
            unreadable.push((id, position, &post.raw, answer));
        }
        if let Some((id, error)) = unanswered {
            return Err(Trouble::Lookup(id, error));
        }
        self.answers.borrow_mut().clear();
        let mut arrivals: Vec<Arrival> = page.posts.into_iter().map(Arrival::read).collect();
        for (id, position, raw, answer) in unreadable {
            arrivals.extend(self.settled(id, position, raw, answer));
        }
        // Of an edited post, the first version in a page is recorded, and that must be the newest.
        arrivals.sort_by_key(|arrival| std::cmp::Reverse(arrival.post.position));
        for arrival in &mut arrivals {
            arrival.post.position = self.place_in_line(&arrival.post, checkpoint);
        }
        Ok(arrivals)
    }

    /// Reads posts again that a person retried; returns how many of them can be read now.
    pub(super) async fn reread(
        &self,
        checkpoint: &Checkpoint,
        lookups: &mut usize,
        stop: &Stop,
    ) -> Result<u64, Trouble> {
        let retried = self.parts.ledger.to_reread(&self.parts.source, *lookups).await?;
        let mut arrivals = Vec::new();
        for id in retried {
            let Some(position) = self.place_of_retried(&id).await? else {
                let why = "the source returned it without an id, so Mynah cannot ask for it".to_owned();
                arrivals.extend(self.settled(id, 0, "", Err(Unread::Odd(why))));
                continue;
            };
            *lookups = lookups.saturating_sub(1);
            let answer = match self.paid_lookup(&id, stop).await? {
                Err(error) if error.is_passing() => {
                    let reason = about(&id, error);
                    warn!(source = self.parts.source.as_str(), post = id.0.as_str(), reason:% = reason; "post reread failed");
                    break;
                }
                answer => read(&id, answer).map_err(|why| match why {
                    // A person is waiting for an outcome.
                    Unread::Gone(reason) => Unread::Odd(format!("the source no longer returns it: {reason}")),
                    odd @ Unread::Odd(_) => odd,
                }),
            };
            arrivals.extend(self.settled(id, position, "", answer));
        }
        if arrivals.is_empty() {
            return Ok(0);
        }
        // A person wants them, however late.
        let mut checkpoint = Checkpoint { gap: None, ..checkpoint.clone() };
        let (decided, _) = self.decided(arrivals, &mut checkpoint);
        self.record(decided, checkpoint, PageCost::nothing()).await
    }

    /// The position of a post that a person retried. `None` if the source returned it without an id.
    async fn place_of_retried(&self, id: &PostId) -> Result<Option<u64>, Trouble> {
        if let Some(position) = self.source.position(id) {
            return Ok(Some(position));
        }
        if id.0.starts_with(WITHOUT_ID) {
            return Ok(None);
        }
        // On networks whose ids have no order, only the ledger knows it.
        let known = self.parts.ledger.post(&self.parts.source, id).await?;
        Ok(known.map(|known| known.position))
    }

    /// Decides what happens to a post that could not be read at first.
    fn settled(&self, id: PostId, position: u64, raw: &str, answer: Result<Post, Unread>) -> Option<Arrival> {
        let source = self.parts.source.as_str();
        match answer {
            Ok(post) => Some(Arrival::read(post)),
            Err(Unread::Gone(reason)) => {
                info!(source = source, post = id.0.as_str(), reason = reason.as_str(); "unreadable post deleted at source");
                None
            }
            Err(Unread::Odd(why)) => {
                warn!(source = source, post = id.0.as_str(), reason = why.as_str(); "unreadable post held");
                Some(Arrival::raw(id, position, raw, &why, self.parts.clock.now()))
            }
        }
    }
}

/// Why a post cannot be read.
#[derive(Debug, Clone)]
pub(super) enum Unread {
    /// The post was deleted or is not visible any more.
    Gone(String),
    /// The post's format cannot be read, or the source gives no reason.
    Odd(String),
}

/// Extracts the post from the answer to a lookup by id.
fn read(id: &PostId, answer: Result<Lookup, SourceError>) -> Result<Post, Unread> {
    match answer {
        Ok(Lookup::Post(post)) if post.id == *id || post.versions.contains(id) => Ok(*post),
        Ok(Lookup::Post(other)) => Err(Unread::Odd(format!("the source returned post {} instead", other.id))),
        Ok(Lookup::Unreadable(Unreadable { reason, .. })) => Err(Unread::Odd(reason)),
        Ok(Lookup::Gone(reason)) => Err(Unread::Gone(reason)),
        Err(error) => Err(Unread::Odd(error.to_string())),
    }
}

/// Adds the requested post to the error.
pub(super) fn about(id: &PostId, error: SourceError) -> SourceError {
    let about = |reason: String| format!("cannot read post {id} by its id: {reason}");
    match error {
        SourceError::Account(reason) => SourceError::Account(about(reason)),
        SourceError::Unauthorized(reason) => SourceError::Unauthorized(about(reason)),
        SourceError::RateLimited { reason, until } => {
            SourceError::RateLimited { reason: about(reason), until }
        }
        SourceError::Unavailable(reason) => SourceError::Unavailable(about(reason)),
        SourceError::Refused(reason) => SourceError::Refused(about(reason)),
    }
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
