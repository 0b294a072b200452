//! Publishing on an account on X.
//!
//! X has no idempotency key: a call whose answer is lost may have published all the same. What is certain and what is
//! not is told apart here, and the account's own timeline is read to find out.

mod media;

use std::sync::Arc;

use async_trait::async_trait;
use mynah_domain::{
    Media, PostId,
    ports::{CopyError, Destination, Draft, Ledger, MediaId, PublishError, Recent, Since},
    text::entities,
};
use serde::Serialize;
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    sources::x::rfc3339,
    telemetry::outside::brief,
    x::{
        XAuth, XClient,
        client::{CallError, XSettings},
        post::{self, Reading},
        problem::Refusal,
        wire::{Created, One, Problem, Timeline, User},
    },
};

pub use media::MediaSettings;

/// The most media of a post on X.
const MEDIA_MOST: usize = 4;

/// The most pages of the account's own posts that a lookup reads: 500 posts since the intent are more than any limit
/// lets through.
const LOOKUP_PAGES: usize = 5;

/// What a destination on X is made from.
#[derive(Debug, Clone)]
pub struct XDestinationSettings {
    /// How X is called.
    pub x: XSettings,
    /// The account's handle, without `@`.
    pub account: String,
    /// The account's keys.
    pub auth: XAuth,
    /// Where media may be fetched.
    pub media: MediaSettings,
}

/// An account on X that is published on.
pub struct XDestination {
    settings: XDestinationSettings,
    client: XClient,
    copier: media::Copier,
    ledger: Arc<dyn Ledger>,
}

#[derive(Serialize)]
struct Tweet<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Reply<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<Attached<'a>>,
}

#[derive(Serialize)]
struct Attached<'a> {
    media_ids: Vec<&'a str>,
}

#[derive(Serialize)]
struct Reply<'a> {
    in_reply_to_tweet_id: &'a str,
}

impl XDestination {
    /// A destination whose lookups are kept in `ledger`, because each is billed.
    pub fn new(settings: XDestinationSettings, ledger: Arc<dyn Ledger>) -> Self {
        let client = XClient::new(&settings.x, settings.auth.clone());
        let copier = media::Copier::new(settings.media.clone());
        Self { settings, client, copier, ledger }
    }

    /// The account that the keys belong to, as id and handle.
    ///
    /// # Errors
    /// Also where it is another than the settings name: translations would appear on the wrong account.
    pub async fn whoami(&self) -> Result<(String, String), PublishError> {
        let answer: One<User> =
            self.client.get("/2/users/me", &[]).await.map_err(|error| self.explain(error))?;
        let account = &self.settings.account;
        let Some(user) = answer.data else {
            let said = answer.errors.first().map_or_else(|| "no reason given".to_owned(), Problem::sentence);
            return Err(PublishError::Unauthorized(format!(
                "X does not say whose keys @{account}'s are: {said}"
            )));
        };
        if !user.username.eq_ignore_ascii_case(account) {
            return Err(PublishError::Unauthorized(format!(
                "the keys for @{account} belong to @{}; set {} to @{account}'s own",
                brief(&user.username),
                self.variables()
            )));
        }
        Ok((user.id.into_string(), user.username))
    }

    async fn own_id(&self) -> Result<String, PublishError> {
        let unusable = |error: mynah_domain::ports::LedgerError| PublishError::Unavailable(error.to_string());
        let key = format!("x:user_id:{}", self.settings.account.to_lowercase());
        if let Some(id) = self.ledger.fact(&key).await.map_err(unusable)?.filter(|id| !id.is_empty()) {
            return Ok(id);
        }
        let (id, _) = self.whoami().await?;
        self.ledger.remember(&key, &id).await.map_err(unusable)?;
        Ok(id)
    }

    fn variables(&self) -> String {
        let name = self.settings.account.to_uppercase();
        match self.settings.auth {
            XAuth::User2(_) | XAuth::App(_) => format!("X_{name}_OAUTH2_TOKEN"),
            XAuth::User1(_) => format!("X_{name}_ACCESS_TOKEN and X_{name}_ACCESS_TOKEN_SECRET"),
        }
    }

    fn explain(&self, error: CallError) -> PublishError {
        match error {
            CallError::Unreachable(why) => PublishError::Unavailable(why),
            CallError::NoAnswer(why) | CallError::Refused(Refusal::Trouble(why)) => {
                PublishError::OutcomeUnknown(why)
            }
            CallError::Refused(Refusal::RateLimited { reason, until }) => {
                PublishError::RateLimited { reason, until }
            }
            CallError::Refused(Refusal::Duplicate(why)) => PublishError::Duplicate(why),
            CallError::Refused(Refusal::ReplyRefused(why)) => PublishError::ReplyRefused(why),
            CallError::Refused(Refusal::Refused(why)) => PublishError::Refused(why),
            CallError::Refused(Refusal::Unauthorized(why)) => PublishError::Unauthorized(format!(
                "X does not accept the keys of @{}: {why}; make new ones, set {}, and start again",
                self.settings.account,
                self.variables()
            )),
        }
    }
}

#[async_trait(?Send)]
impl Destination for XDestination {
    async fn publish(&self, draft: &Draft) -> Result<PostId, PublishError> {
        let reply = draft.reply_to.as_ref().map(|PostId(id)| Reply { in_reply_to_tweet_id: id });
        let media_ids: Vec<&str> = draft.media.iter().map(|MediaId(id)| id.as_str()).collect();
        let media = (!media_ids.is_empty()).then_some(Attached { media_ids });
        let tweet = Tweet { text: &draft.text, reply, media };
        let answer: One<Created> =
            self.client.post("/2/tweets", &tweet).await.map_err(|error| self.explain(error))?;
        match answer.data {
            Some(created) => Ok(PostId(created.id.into_string())),
            None => Err(PublishError::OutcomeUnknown("X took the post and did not say its id".into())),
        }
    }

    async fn copy(&self, medium: &Media, alt: &str) -> Result<MediaId, CopyError> {
        self.copier.copy(&self.client, medium, alt).await
    }

    fn max_media(&self) -> usize {
        MEDIA_MOST
    }

    fn network(&self) -> &'static str {
        "x"
    }

    async fn recent(&self, since: &Since) -> Result<Vec<Recent>, PublishError> {
        let id = self.own_id().await?;
        let since = match since {
            Since::Message(PostId(id)) => ("since_id", id.clone()),
            Since::Moment(moment) => ("start_time", rfc3339(*moment)),
        };
        let mut recent = Vec::new();
        let mut continuation: Option<String> = None;
        for _ in 0..LOOKUP_PAGES {
            let mut query = vec![
                ("max_results", "100"),
                (since.0, since.1.as_str()),
                ("tweet.fields", "created_at,entities,note_tweet"),
            ];
            if let Some(token) = &continuation {
                query.push(("pagination_token", token));
            }
            let page: Timeline = self
                .client
                .get(&format!("/2/users/{id}/tweets"), &query)
                .await
                .map_err(|error| self.explain(error))?;
            let Reading { posts, unclear, unreadable, oddities } = post::posts(&page, None);
            let unreadable = unreadable.into_iter().map(|unreadable| unreadable.reason);
            if let Some(odd) = unreadable.chain(oddities).next() {
                // Not knowing one of them is not knowing whether it was published.
                return Err(PublishError::OutcomeUnknown(odd));
            }
            // Whether a message continues a thread changes nothing about what it says.
            let posts = posts.into_iter().chain(unclear.into_iter().map(|unclear| unclear.thread));
            recent.extend(posts.map(|post| Recent {
                id: post.id,
                text: post.text,
                created_at: post.created_at,
            }));
            continuation = page.meta.and_then(|meta| meta.next_token);
            if continuation.is_none() {
                return Ok(recent);
            }
        }
        Err(PublishError::OutcomeUnknown(format!(
            "@{} shows more than {LOOKUP_PAGES} pages of messages since; look whether it is there, and retry or skip it",
            self.settings.account
        )))
    }

    fn is_same(&self, draft: &Draft, shown: &Recent) -> bool {
        as_stored(&draft.text) == as_stored(&shown.text)
    }
}

/// A text as X keeps it, so that what was sent can be compared with what is shown: composed (NFC), white space folded,
/// and every link in one form, for X gives a scheme to a bare name and a slash to a bare host.
fn as_stored(text: &str) -> String {
    let text: String = text.nfc().collect();
    let mut stored = String::with_capacity(text.len());
    let mut end = 0;
    for entity in
        entities(&text).into_iter().filter(|entity| entity.kind == mynah_domain::text::EntityKind::Link)
    {
        stored.push_str(&text[end..entity.range.start]);
        let link = &text[entity.range.clone()];
        let bare = ["https://", "http://"].iter().find_map(|scheme| {
            let head = link.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then(|| &link[scheme.len()..])
        });
        stored.push_str(bare.unwrap_or(link).trim_end_matches('/'));
        end = entity.range.end;
    }
    stored.push_str(&text[end..]);
    stored.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_x_does_to_a_text_makes_it_no_other() {
        assert_eq!(as_stored("Cafe\u{301}  abre\n\na las 9 "), as_stored("Café abre a las 9"));
        assert_eq!(as_stored("Mira example.com"), as_stored("Mira http://example.com"));
        assert_eq!(as_stored("Mira https://example.com"), as_stored("Mira https://example.com/"));
        assert_ne!(as_stored("Mira https://example.com/a"), as_stored("Mira https://example.com/b"));
        assert_ne!(as_stored("Gol 2-1"), as_stored("Gol 2-2"));
    }
}
