//! Publishes on an account on X.
//!
//! X has no idempotency key: a call whose answer is lost may still have published. This adapter separates certain
//! outcomes from unknown ones, and reads the account's own timeline to find out.

mod account;
mod lookup;
mod media;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use mynah_domain::{
    PostId,
    ports::{
        Denied, Destination, Draft, Facts, FetchedMedium, LedgerError, MediaId, MediaLimits, PublishError,
        Recent, Shown, Since, UploadError, Uploaded,
    },
    text::EntityKind,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    networks::x::{XAuth, XClient, client::XSettings, problem, text::entities},
    telemetry::outside::brief,
};
use account::Account;

/// Settings for a destination on X.
#[derive(Debug, Clone)]
pub struct XDestinationSettings {
    /// How to call X.
    pub x: XSettings,
    /// The account's handle, without `@`.
    pub account: String,
    /// The account's keys.
    pub auth: XAuth,
}

/// A target account on X.
pub struct XDestination {
    settings: XDestinationSettings,
    account: Account,
    client: XClient,
    ledger: Arc<dyn Facts>,
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
    /// A destination that stores its lookups in `ledger`, because each is billed.
    pub fn new(settings: XDestinationSettings, ledger: Arc<dyn Facts>) -> Self {
        let client = XClient::new(&settings.x, settings.auth.clone(), ledger.clone());
        let account = Account::new(&settings.account, &settings.auth);
        Self { settings, account, client, ledger }
    }

    /// The id and handle of the account that the keys belong to.
    ///
    /// # Errors
    /// Also if it is not the configured account: translations would appear on the wrong account.
    pub async fn whoami(&self) -> Result<(String, String), PublishError> {
        let answer: Value =
            self.client.get("/2/users/me", &[]).await.map_err(|error| self.account.publishing(error))?;
        let Account { handle, fix_of_owner, .. } = &self.account;
        let username = answer["data"]["username"].as_str().filter(|username| !username.is_empty());
        let Some((id, username)) = id_in(&answer).zip(username) else {
            let complaint = problem::complaint_of(&answer);
            let reason =
                format!("X did not report which account the keys for @{handle} belong to: {complaint}");
            // The call asks about the account itself, so the error is about it.
            return Err(if complaint.to_lowercase().contains("suspended") {
                let fix = format!("appeal the suspension, then run `mynah resume {handle}`");
                Denied::Blocked(format!("{reason}; {fix}")).into()
            } else {
                PublishError::Unavailable(reason)
            });
        };
        if !username.eq_ignore_ascii_case(handle) {
            let owner = brief(username);
            let why = format!("the keys for @{handle} belong to @{owner}; {fix_of_owner}");
            return Err(Denied::Blocked(why).into());
        }
        Ok((id, username.to_owned()))
    }

    /// Asks X whose the keys are, remembers that they were verified, and returns the handle.
    ///
    /// # Errors
    /// See [`XDestination::whoami`].
    pub async fn verify_now(&self) -> Result<String, PublishError> {
        let (id, handle) = self.whoami().await?;
        let fingerprint = self.settings.auth.fingerprint(&self.settings.account);
        self.ledger.remember(&self.fact("user_id"), &id).await.map_err(unusable)?;
        self.ledger.remember(&self.fact("verified"), &fingerprint).await.map_err(unusable)?;
        Ok(handle)
    }

    /// The account's id; Mynah asks X for it once.
    async fn own_id(&self) -> Result<String, PublishError> {
        let known = self.ledger.fact(&self.fact("user_id")).await.map_err(unusable)?;
        match known.filter(|id| !id.is_empty()) {
            Some(id) => Ok(id),
            None => self.learn_id().await,
        }
    }

    async fn learn_id(&self) -> Result<String, PublishError> {
        let (id, _) = self.whoami().await?;
        self.ledger.remember(&self.fact("user_id"), &id).await.map_err(unusable)?;
        Ok(id)
    }

    /// The ledger key of a fact about the account.
    fn fact(&self, name: &str) -> String {
        format!("x:{name}:{}", self.settings.account.to_lowercase())
    }
}

/// X's answer to a new post.
#[derive(Deserialize)]
struct Created {
    data: CreatedPost,
}

#[derive(Deserialize)]
struct CreatedPost {
    id: Value,
}

/// The id in an answer.
fn id_in(answer: &Value) -> Option<String> {
    number(answer.get("data")?.get("id")?.clone())
}

/// An id. It goes into paths and the ledger, so only a number is accepted.
fn number(id: Value) -> Option<String> {
    let id = match id {
        Value::String(id) => id,
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    let is_number = (1..=19).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(id)
}

fn unusable(error: LedgerError) -> PublishError {
    PublishError::Unavailable(error.into())
}

#[async_trait(?Send)]
impl Destination for XDestination {
    async fn verify(&self) -> Result<(), PublishError> {
        let key = self.fact("verified");
        let fingerprint = self.settings.auth.fingerprint(&self.settings.account);
        if self.ledger.fact(&key).await.map_err(unusable)?.as_ref() == Some(&fingerprint) {
            return Ok(());
        }
        self.verify_now().await.map(drop)
    }

    async fn publish(&self, draft: &Draft) -> Result<PostId, PublishError> {
        let reply = draft.reply.as_ref().map(|reply| Reply { in_reply_to_tweet_id: &reply.parent.0 });
        let media_ids: Vec<&str> = draft.media.iter().map(|MediaId(id)| id.as_str()).collect();
        let media = (!media_ids.is_empty()).then_some(Attached { media_ids });
        let tweet = Tweet { text: &draft.text, reply, media };
        let answer: Box<RawValue> =
            self.client.post("/2/tweets", &tweet).await.map_err(|error| self.account.publishing(error))?;
        // The text comes back, too; only the id is worth reading.
        let created: Option<Created> = serde_json::from_str(answer.get()).ok();
        created.and_then(|created| number(created.data.id)).map(PostId).ok_or_else(|| {
            let answer = serde_json::from_str(answer.get()).unwrap_or_default();
            let complaint = problem::complaint_of(&answer);
            PublishError::OutcomeUnknown(format!("X accepted the post but returned no id: {complaint}"))
        })
    }

    async fn upload(&self, medium: FetchedMedium, alt: &str) -> Result<Uploaded, UploadError> {
        media::Uploader { x: &self.client, account: &self.account }.upload(medium, alt).await
    }

    fn media_limits(&self) -> MediaLimits {
        media::LIMITS
    }

    fn network(&self) -> &'static str {
        "x"
    }

    async fn recent(&self, since: &Since) -> Result<Shown, PublishError> {
        let id = self.own_id().await?;
        lookup::shown(&self.client, &id, since).await.map_err(|error| self.account.publishing(error))
    }

    fn is_same(&self, draft: &Draft, shown: &Recent) -> bool {
        as_stored(&draft.text) == as_stored(&shown.text)
    }
}

/// A text as X stores it, to compare what was sent with what is shown: composed (NFC), white space folded, and every
/// link in one form, because X adds a scheme to a bare name and a slash to a bare host.
fn as_stored(text: &str) -> String {
    let text: String = text.nfc().collect();
    let mut stored = String::with_capacity(text.len());
    let mut end = 0;
    for entity in entities(&text).into_iter().filter(|entity| entity.kind == EntityKind::Link) {
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
