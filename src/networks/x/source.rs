//! Following an account on X.
//!
//! Replies are asked for, because the author's own threads are replies; those to others are skipped later, on record.
//! Reposts are left out by X itself unless wanted. What is referred to comes with the page (`referenced_tweets.id`) only
//! where reposts are wanted, for X may bill it as another read; authors are not asked for either, as each is billed as a
//! user read. Only a post that the page left unreadable or unclear is asked for by its id with all of that, once.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use mynah_domain::{
    Post, PostId,
    ports::{Ledger, LedgerError, Lookup, Page, PageRequest, Source, SourceError, Unreadable},
};

use crate::networks::x::{
    XAuth, XClient,
    client::{CallError, XSettings},
    post::{self, Account, Reading},
    problem::Refusal,
    wire::{Id, One, Problem, Timeline, User},
};

const TWEET_FIELDS: &str = "attachments,author_id,conversation_id,created_at,edit_history_tweet_ids,entities,\
                            in_reply_to_user_id,lang,note_tweet,referenced_tweets,withheld";
const MEDIA_FIELDS: &str = "alt_text,type,url,preview_image_url,variants,width,height";

/// What comes with a single post.
const EXPANSIONS: &str = "attachments.media_keys,referenced_tweets.id";

/// What comes with a single post that must be told from a reply, whatever it costs: users are named on the post only where
/// they are asked for, if the fields that name them are expansions one day.
const ALL_EXPANSIONS: &str = "attachments.media_keys,referenced_tweets.id,author_id,in_reply_to_user_id";

/// The bounds of X's own `max_results`.
const PAGE: std::ops::RangeInclusive<usize> = 5..=100;

/// What a source on X is made from.
#[derive(Debug, Clone)]
pub struct XSourceSettings {
    /// How X is called.
    pub x: XSettings,
    /// The followed account's handle, without `@`.
    pub account: String,
    /// Who reads.
    pub auth: XAuth,
    /// Whether reposts are wanted.
    pub reposts: bool,
}

/// An account on X that is followed.
pub struct XSource {
    settings: XSourceSettings,
    client: XClient,
    ledger: Arc<dyn Ledger>,
}

impl XSource {
    /// A source whose lookups are kept in `ledger`, because each is billed.
    pub fn new(settings: XSourceSettings, ledger: Arc<dyn Ledger>) -> Self {
        let client = XClient::new(&settings.x, settings.auth.clone());
        Self { settings, client, ledger }
    }

    /// The followed account's id, looked up once and then kept.
    ///
    /// # Errors
    /// [`SourceError::Account`] where there is no such account, or it cannot be followed.
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
        let id = user.id.into_string();
        self.ledger.remember(&key, &id).await.map_err(unusable)?;
        Ok(id)
    }

    /// A post of any account, by its id.
    ///
    /// # Errors
    /// [`SourceError::Refused`] where there is none, or it cannot be seen.
    pub async fn post(&self, id: &str) -> Result<Post, SourceError> {
        match self.look_up(id, EXPANSIONS, None).await? {
            Lookup::Post(post) => Ok(*post),
            Lookup::Unreadable(Unreadable { reason, .. }) => {
                Err(SourceError::Refused(format!("post {id} on X cannot be read: {reason}")))
            }
            Lookup::Gone(reason) => Err(SourceError::Refused(format!("X shows no post {id}: {reason}"))),
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
            ("expansions", expansions),
        ];
        let answer: Timeline = self.client.get("/2/tweets", &query).await.map_err(|e| self.explain(e))?;
        let Reading { posts, unreadable, .. } =
            self.with_known_threads(post::posts(&answer, account)).await?;
        // X was asked for this one; it is this one that cannot be read, also where not even its id can be.
        let mark = (PostId(id.as_str().to_owned()), id.position());
        if let Some(post) = posts.into_iter().find(|post| post.id == mark.0) {
            return Ok(Lookup::Post(Box::new(post)));
        }
        if let Some(unreadable) = unreadable.into_iter().next() {
            return Ok(Lookup::Unreadable(Unreadable { mark: Some(mark), ..unreadable }));
        }
        let Some(problem) = answer.errors.first() else {
            return Err(SourceError::Unavailable(format!(
                "X shows no post {} and gives no reason",
                id.as_str()
            )));
        };
        match problem.kind() {
            "resource-not-found" | "not-authorized-for-resource" => Ok(Lookup::Gone(problem.sentence())),
            _ => Err(SourceError::Unavailable(format!(
                "X shows no post {}: {}",
                id.as_str(),
                problem.sentence()
            ))),
        }
    }

    /// Decides about unclear posts by the ledger: whatever is on record there is the followed account's, so a post that
    /// answers one of these continues a thread. The others are unreadable.
    async fn with_known_threads(&self, mut reading: Reading) -> Result<Reading, SourceError> {
        for unclear in std::mem::take(&mut reading.unclear) {
            match self.ledger.post(&self.name(), &unclear.parent).await.map_err(unusable)? {
                Some(_) => reading.posts.push(unclear.thread),
                None => reading.unreadable.push(unclear.unreadable),
            }
        }
        Ok(reading.in_order())
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
        let said = problem.map_or_else(|| "no reason given".to_owned(), Problem::sentence);
        let lower = said.to_lowercase();
        let sentence = if lower.contains("suspended") {
            format!("@{account} is suspended on X; it can be followed again when X lifts that ({said})")
        } else if problem.is_some_and(|p| p.kind() == "not-authorized-for-resource") {
            format!(
                "@{account} is protected on X; use the keys of an account that follows it, or make it public ({said})"
            )
        } else {
            format!(
                "there is no account @{account} on X; set source.account to the handle as X shows it ({said})"
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
                "the account whose keys read @{} may not act: {why}",
                self.settings.account
            )),
            CallError::Refused(Refusal::Unauthorized(why)) => {
                let fix = match &self.settings.auth {
                    XAuth::App(_) => "set X_BEARER_TOKEN to the app's bearer token of today",
                    XAuth::User1(_) | XAuth::User2(_) => {
                        "reading uses the first target's keys: make new ones for it, or set X_BEARER_TOKEN"
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
        let mut expansions = vec!["attachments.media_keys"];
        let mut query = vec![
            ("max_results", limit.as_str()),
            ("tweet.fields", TWEET_FIELDS),
            ("media.fields", MEDIA_FIELDS),
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
            // Seen as an incident of X's, and mended by itself; an account that is gone is a 200 with errors.
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
                // The account may have been made anew under its name, with another id.
                self.ledger.remember(&self.fact(), "").await.map_err(unusable)?;
            }
            return Err(self.no_account(Some(problem)));
        }
        let counted = timeline.meta.as_ref().and_then(|meta| meta.result_count).unwrap_or_default();
        let is_promised = request.continuation.is_some() && timeline.meta.is_none();
        if timeline.data.is_empty() && (counted > 0 || is_promised) {
            // Taken for the end of the timeline, it would be the end of every post behind it.
            let account = &self.settings.account;
            return Err(SourceError::Unavailable(format!(
                "X answers with no posts of @{account} where there should be some; the page is asked for again"
            )));
        }
        let account = Account { id: &id, handle: &self.settings.account };
        let reading = self.with_known_threads(post::posts(&timeline, Some(account))).await?;
        let Reading { posts, unreadable, oddities, .. } = reading;
        let continuation = timeline.meta.and_then(|meta| meta.next_token).filter(|token| !token.is_empty());
        Ok(Page { posts, continuation, oddities, unreadable })
    }

    async fn by_id(&self, id: &PostId) -> Result<Lookup, SourceError> {
        let own = self.account_id().await?;
        let account = Account { id: &own, handle: &self.settings.account };
        self.look_up(&id.0, ALL_EXPANSIONS, Some(account)).await
    }

    fn position(&self, id: &PostId) -> Option<u64> {
        id.0.parse().ok()
    }

    fn network(&self) -> &'static str {
        "x"
    }
}

/// X takes whole seconds.
pub(crate) fn rfc3339(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests;
