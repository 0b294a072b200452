//! Following an account on X.
//!
//! Replies are asked for, because the author's own threads are replies; those to others are skipped later, on record.
//! Reposts are left out by X itself unless wanted. What is referred to comes with the page (`referenced_tweets.id`) only
//! where reposts are wanted, for X may bill it as another read; authors are never asked for, as each is billed as a
//! user read.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use mynah_domain::{
    Post, PostId,
    ports::{Ledger, Page, PageRequest, Source, SourceError},
};

use crate::x::{
    XAuth, XClient,
    client::{CallError, XSettings},
    post,
    problem::Refusal,
    wire::{One, Problem, Timeline, User},
};

const TWEET_FIELDS: &str = "attachments,author_id,conversation_id,created_at,edit_history_tweet_ids,entities,\
                            in_reply_to_user_id,lang,note_tweet,referenced_tweets";
const MEDIA_FIELDS: &str = "alt_text,type,url,preview_image_url,variants,width,height";

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
        let unusable = |error: mynah_domain::ports::LedgerError| SourceError::Unavailable(error.to_string());
        let key = self.fact();
        if let Some(id) = self.ledger.fact(&key).await.map_err(unusable)?.filter(|id| !id.is_empty()) {
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
        self.ledger.remember(&key, &user.id).await.map_err(unusable)?;
        Ok(user.id)
    }

    /// A post of any account, by its id.
    ///
    /// # Errors
    /// [`SourceError::Refused`] where there is none, or it cannot be seen.
    pub async fn post(&self, id: &str) -> Result<Post, SourceError> {
        let query = [
            ("ids", id),
            ("tweet.fields", TWEET_FIELDS),
            ("media.fields", MEDIA_FIELDS),
            ("expansions", "attachments.media_keys,referenced_tweets.id"),
        ];
        let answer: Timeline = self.client.get("/2/tweets", &query).await.map_err(|e| self.explain(e))?;
        let (posts, oddities) = post::posts(&answer);
        posts.into_iter().next().ok_or_else(|| {
            let said = answer.errors.first().map(|problem| problem.sentence().to_owned());
            let said =
                said.or_else(|| oddities.into_iter().next()).unwrap_or_else(|| "no reason given".into());
            SourceError::Refused(format!("X shows no post {id}: {said}"))
        })
    }

    fn fact(&self) -> String {
        format!("x:user_id:{}", self.settings.account.to_lowercase())
    }

    fn no_account(&self, problem: Option<&Problem>) -> SourceError {
        let account = &self.settings.account;
        let said = problem.map_or("no reason given", Problem::sentence);
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
                let mend = match &self.settings.auth {
                    XAuth::App(_) => "set X_BEARER_TOKEN to the app's bearer token of today",
                    XAuth::User1(_) | XAuth::User2(_) => {
                        "reading uses the first target's keys: make new ones for it, or set X_BEARER_TOKEN"
                    }
                };
                SourceError::Unauthorized(format!("X does not accept the key for reading: {why}; {mend}"))
            }
            CallError::Refused(
                Refusal::Refused(why) | Refusal::Duplicate(why) | Refusal::ReplyRefused(why),
            ) => SourceError::Refused(why),
        }
    }
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
                self.ledger
                    .remember(&self.fact(), "")
                    .await
                    .map_err(|error| SourceError::Unavailable(error.to_string()))?;
            }
            return Err(self.no_account(Some(problem)));
        }
        let (posts, oddities) = post::posts(&timeline);
        let continuation = timeline.meta.and_then(|meta| meta.next_token);
        Ok(Page { posts, continuation, oddities, unreadable: Vec::new() })
    }
}

/// X takes whole seconds.
pub(crate) fn rfc3339(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
