//! Follows an account on X.
//!
//! It requests replies, because the author's own threads are replies; replies to others are recorded and skipped later.
//! X excludes reposts unless they are wanted. Referenced posts (`referenced_tweets.id`) are requested only with
//! reposts, because X may bill each as another read, and authors are not requested, because each is billed as a user
//! read. A post that is unreadable or unclear on the page is requested once by its id, with all of these.

mod billed;
pub(super) mod stream;

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::Arc,
};

use async_trait::async_trait;
use billed::Billed;
use jiff::Timestamp;
use mynah_domain::{
    Post, PostId, PostKind,
    ports::{Ledger, LedgerError, Live, Lookup, Page, PageRequest, Source, SourceError, Unreadable},
};
use stream::{SharedStream, XLive};

use crate::networks::x::{
    XAuth, XClient,
    client::{CallError, XSettings},
    post::{self, Account, Otherwise, Reading, Unclear},
    problem::Refusal,
    wire::{Id, One, Problem, Timeline, User},
};

const TWEET_FIELDS: &str = "attachments,author_id,conversation_id,created_at,edit_history_tweet_ids,entities,\
                            in_reply_to_user_id,lang,note_tweet,referenced_tweets,withheld";
const MEDIA_FIELDS: &str = "alt_text,type,url,preview_image_url,variants,width,height";
const POLL_FIELDS: &str = "id,options";

/// The expansions for a single post.
const EXPANSIONS: &str = "attachments.media_keys,attachments.poll_ids,referenced_tweets.id";

/// The expansions for a single post that must be distinguished from a reply, whatever they cost. They include users, in
/// case X one day names users on a post only if they are expanded.
const ALL_EXPANSIONS: &str =
    "attachments.media_keys,attachments.poll_ids,referenced_tweets.id,author_id,in_reply_to_user_id";

/// The bounds of X's own `max_results`.
const PAGE: std::ops::RangeInclusive<usize> = 5..=100;

/// Settings for a source on X.
#[derive(Debug, Clone)]
pub struct XSourceSettings {
    /// How to call X.
    pub x: XSettings,
    /// The followed account's handle, without `@`.
    pub account: String,
    /// The credentials for reading.
    pub auth: XAuth,
    /// Whether to request reposts.
    pub reposts: bool,
    /// The stream, if it is followed by it.
    pub(super) stream: Option<Arc<SharedStream>>,
}

/// A followed account on X.
#[derive(Clone)]
pub struct XSource {
    settings: XSourceSettings,
    client: XClient,
    ledger: Arc<dyn Ledger>,
    /// The posts that X billed today. Clones share it.
    billed: Rc<Billed>,
    /// How many accounts were looked up since the last page.
    looked_up: Rc<Cell<u64>>,
}

impl XSource {
    /// A source that stores its lookups in `ledger`, because each is billed.
    pub fn new(settings: XSourceSettings, ledger: Arc<dyn Ledger>) -> Self {
        let client = XClient::new(&settings.x, settings.auth.clone(), ledger.clone());
        Self { settings, client, ledger, billed: Rc::default(), looked_up: Rc::default() }
    }

    /// The followed account's id, looked up once and then stored.
    ///
    /// # Errors
    /// [`SourceError::Account`] if the account does not exist or cannot be followed.
    pub async fn account_id(&self) -> Result<String, SourceError> {
        let key = self.fact();
        let known = self.ledger.fact(&key).await.map_err(unusable)?;
        if let Some(id) = known.filter(|id| Id::try_from(id.as_str()).is_ok()) {
            return Ok(id);
        }
        let account = &self.settings.account;
        let answer: One<User> = self
            .client
            .get(&format!("/2/users/by/username/{account}"), &[])
            .await
            .map_err(|e| self.explain(e))?;
        let Some(user) = answer.data else {
            return Err(self.no_account(answer.errors.first()));
        };
        self.looked_up.set(self.looked_up.get() + 1);
        let id = user.id.into_string();
        self.ledger.remember(&key, &id).await.map_err(unusable)?;
        Ok(id)
    }

    /// A post of any account, by its id.
    ///
    /// # Errors
    /// [`SourceError::Refused`] if it does not exist or cannot be seen.
    pub async fn post(&self, id: &str) -> Result<Post, SourceError> {
        match self.look_up(id, EXPANSIONS, None).await? {
            Lookup::Post(post) => Ok(*post),
            Lookup::Unreadable(Unreadable { reason, .. }) => {
                Err(SourceError::Refused(format!("post {id} on X cannot be read: {reason}")))
            }
            Lookup::Gone(reason) => Err(SourceError::Refused(format!("X does not show post {id}: {reason}"))),
        }
    }

    async fn look_up(
        &self,
        id: &str,
        expansions: &str,
        account: Option<Account<'_>>,
    ) -> Result<Lookup, SourceError> {
        let id = Id::try_from(id)
            .map_err(|error| SourceError::Refused(format!("X has no post {id:?}: {error}")))?;
        let query = [
            ("ids", id.as_str()),
            ("tweet.fields", TWEET_FIELDS),
            ("media.fields", MEDIA_FIELDS),
            ("poll.fields", POLL_FIELDS),
            ("expansions", expansions),
        ];
        let answer: Timeline = self.client.get("/2/tweets", &query).await.map_err(|e| self.explain(e))?;
        let Reading { posts, unreadable, .. } =
            self.with_known_threads(post::posts(&answer, account)).await?;
        // X was asked only for this post, so an unreadable one is this one, even if its id cannot be read.
        let mark = (PostId(id.as_str().to_owned()), id.position());
        if let Some(post) = posts.into_iter().find(|post| post.id == mark.0) {
            return Ok(Lookup::Post(Box::new(post)));
        }
        if let Some(unreadable) = unreadable.into_iter().next() {
            return Ok(Lookup::Unreadable(Unreadable { mark: Some(mark), ..unreadable }));
        }
        let Some(problem) = answer.errors.first() else {
            return Err(SourceError::Unavailable(format!(
                "X does not show post {} and gives no reason",
                id.as_str()
            )));
        };
        match problem.kind() {
            "resource-not-found" | "not-authorized-for-resource" => Ok(Lookup::Gone(problem.sentence())),
            _ => Err(SourceError::Unavailable(format!(
                "X does not show post {}: {}",
                id.as_str(),
                problem.sentence()
            ))),
        }
    }

    /// Resolves unclear posts with the ledger: all recorded posts are the followed account's, so a reply to one of them
    /// continues a thread, unless that one replies to others.
    async fn with_known_threads(&self, mut reading: Reading) -> Result<Reading, SourceError> {
        // The page decides about a thread whose earlier posts it shows.
        let shown: HashSet<PostId> = reading.posts.iter().map(|post| post.id.clone()).collect();
        for post in &mut reading.posts {
            if let PostKind::Thread { parent } = &post.kind
                && !shown.contains(parent)
                && self.is_to_others(parent).await? == Some(true)
            {
                post.kind = PostKind::Reply { to: Some(parent.clone()) };
            }
        }
        let mut settled: HashMap<PostId, bool> = HashMap::new();
        // Oldest first, because a post may continue another unclear one.
        for Unclear { mut thread, parent, root, otherwise } in
            std::mem::take(&mut reading.unclear).into_iter().rev()
        {
            let mut is_to_others = settled.get(&parent).copied();
            for known in [Some(&parent), root.as_ref()].into_iter().flatten() {
                if is_to_others.is_none() {
                    is_to_others = self.is_to_others(known).await?;
                }
            }
            match (is_to_others, otherwise) {
                (Some(true), _) => thread.kind = PostKind::Reply { to: Some(parent) },
                (Some(false), _) => {}
                (None, Otherwise::Kind(kind)) => thread.kind = kind,
                (None, Otherwise::Unreadable(unreadable)) => {
                    reading.unreadable.push(unreadable);
                    continue;
                }
            }
            settled.insert(thread.id.clone(), matches!(thread.kind, PostKind::Reply { .. }));
            reading.posts.push(thread);
        }
        Ok(reading.in_order())
    }

    /// Whether a recorded post replies to others; `None` if it is not recorded.
    async fn is_to_others(&self, id: &PostId) -> Result<Option<bool>, SourceError> {
        let recorded = self.ledger.post(&self.name(), id).await.map_err(unusable)?;
        Ok(recorded.map(|post| matches!(post.kind, PostKind::Reply { .. })))
    }

    /// The source's name in the ledger.
    fn name(&self) -> String {
        format!("x:{}", self.settings.account.to_lowercase())
    }

    fn fact(&self) -> String {
        format!("x:user_id:{}", self.settings.account.to_lowercase())
    }

    fn no_account(&self, problem: Option<&Problem>) -> SourceError {
        let account = &self.settings.account;
        let reason = problem.map_or_else(|| "no reason given".to_owned(), Problem::sentence);
        let lower = reason.to_lowercase();
        let sentence = if lower.contains("suspended") {
            format!(
                "@{account} is suspended on X; it can be followed again when X lifts the suspension ({reason})"
            )
        } else if problem.is_some_and(|p| p.kind() == "not-authorized-for-resource") {
            format!(
                "@{account} is protected on X; use the keys of an account that follows it, or make it public ({reason})"
            )
        } else {
            format!(
                "there is no account @{account} on X; set source.account to the handle as X shows it ({reason})"
            )
        };
        SourceError::Account(sentence)
    }

    fn explain(&self, error: CallError) -> SourceError {
        match error {
            CallError::Unreachable(why)
            | CallError::NoAnswer(why)
            | CallError::Refused(Refusal::Trouble(why)) => SourceError::Unavailable(why),
            CallError::Refused(Refusal::RateLimited { reason, until }) => {
                SourceError::RateLimited { reason, until }
            }
            CallError::Refused(Refusal::Blocked(why)) => SourceError::Account(format!(
                "X blocks the account whose keys read @{}: {why}",
                self.settings.account
            )),
            CallError::Refused(Refusal::Unauthorized(why)) => {
                let fix = match &self.settings.auth {
                    XAuth::App(_) => "set X_BEARER_TOKEN to the app's current bearer token",
                    XAuth::Login(_) => "run `mynah login x` for the target whose login reads it",
                    XAuth::User1(_) | XAuth::User2(_) => {
                        "Mynah reads with the first target's keys: create new keys for it, or set X_BEARER_TOKEN"
                    }
                };
                SourceError::Unauthorized(format!("X does not accept the key for reading: {why}; {fix}"))
            }
            CallError::Refused(
                Refusal::Refused(why) | Refusal::Duplicate(why) | Refusal::ReplyRefused(why),
            ) => SourceError::Refused(why),
        }
    }
}

fn unusable(error: LedgerError) -> SourceError {
    SourceError::Unavailable(error.into())
}

#[async_trait(?Send)]
impl Source for XSource {
    async fn page(&self, request: &PageRequest) -> Result<Page, SourceError> {
        let id = self.account_id().await?;
        let limit = request.limit.clamp(*PAGE.start(), *PAGE.end()).to_string();
        let from = request.from.map(rfc3339);
        let mut expansions = vec!["attachments.media_keys", "attachments.poll_ids"];
        let mut query = vec![
            ("max_results", limit.as_str()),
            ("tweet.fields", TWEET_FIELDS),
            ("media.fields", MEDIA_FIELDS),
            ("poll.fields", POLL_FIELDS),
        ];
        if self.settings.reposts {
            expansions.push("referenced_tweets.id");
        } else {
            query.push(("exclude", "retweets"));
        }
        let expansions = expansions.join(",");
        query.push(("expansions", &expansions));
        let optional = [
            ("since_id", request.after.as_ref().map(|PostId(id)| id.as_str())),
            ("until_id", request.before.as_ref().map(|PostId(id)| id.as_str())),
            ("start_time", from.as_deref()),
            ("pagination_token", request.continuation.as_deref()),
        ];
        query.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));

        let timeline: Timeline = match self.client.get(&format!("/2/users/{id}/tweets"), &query).await {
            Ok(timeline) => timeline,
            // Seen during an incident at X, which fixed itself; a deleted account is a 200 with errors.
            Err(CallError::Refused(Refusal::Refused(why))) if why.starts_with("X answers 404") => {
                return Err(SourceError::Unavailable(why));
            }
            Err(error) => return Err(self.explain(error)),
        };
        if timeline.data.is_empty()
            && timeline.meta.is_none()
            && let Some(problem) = timeline.errors.first()
        {
            if problem.kind() == "resource-not-found" {
                // The account may have been created again under the same handle, with another id.
                self.ledger.remember(&self.fact(), "").await.map_err(unusable)?;
            }
            return Err(self.no_account(Some(problem)));
        }
        let counted = timeline.meta.as_ref().and_then(|meta| meta.result_count).unwrap_or_default();
        let is_promised = request.continuation.is_some() && timeline.meta.is_none();
        if timeline.data.is_empty() && (counted > 0 || is_promised) {
            // Treating this as the end of the timeline would lose all older posts.
            let account = &self.settings.account;
            return Err(SourceError::Unavailable(format!(
                "X's answer has no posts of @{account}, though there should be some; Mynah requests the page again"
            )));
        }
        let account = Account { id: &id, handle: &self.settings.account };
        let reading = self.with_known_threads(post::posts(&timeline, Some(account))).await?;
        let Reading { posts, unreadable, oddities, .. } = reading;
        let billed = self.billed.count(&timeline, Timestamp::now());
        let continuation = timeline.meta.and_then(|meta| meta.next_token).filter(|token| !token.is_empty());
        let billed_accounts = self.looked_up.take();
        Ok(Page { posts, continuation, oddities, unreadable, billed, billed_accounts })
    }

    async fn by_id(&self, id: &PostId) -> Result<Lookup, SourceError> {
        let own = self.account_id().await?;
        let account = Account { id: &own, handle: &self.settings.account };
        self.look_up(&id.0, ALL_EXPANSIONS, Some(account)).await
    }

    fn position(&self, id: &PostId) -> Option<u64> {
        id.0.parse().ok()
    }

    /// With reposts, each post may come with the one that it repeats, and X bills both.
    fn most_billed(&self, limit: usize) -> u64 {
        let posts = limit.clamp(*PAGE.start(), *PAGE.end()) as u64;
        if self.settings.reposts { posts * 2 } else { posts }
    }

    fn network(&self) -> &'static str {
        "x"
    }

    fn live(&self) -> Option<Rc<dyn Live>> {
        let stream = self.settings.stream.clone()?;
        Some(Rc::new(XLive::new(self, stream)))
    }
}

/// Formats a moment for X, which accepts whole seconds only.
pub(crate) fn rfc3339(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests;
