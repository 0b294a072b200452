//! Publishes on an account.
//!
//! Every message is sent with an idempotency key, and none relies on it: Mastodon forgets keys after an hour and has
//! answered a repeat with an error (mastodon/mastodon#40399), and other servers ignore keys. A call whose answer is lost
//! is looked up among the account's own statuses.

mod account;
mod lookup;
mod media;

use std::cell::RefCell;

use async_trait::async_trait;
use mynah_domain::{
    Language, PostId,
    network::NetworkRules as _,
    ports::{
        Denied, Destination, Draft, FetchedMedium, MediaId, MediaLimits, PublishError, Recent, Shown, Since,
        UploadError, Uploaded,
    },
    text::EntityKind,
};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use self::account::Account;
use super::{
    NAME,
    client::{CallError, MastodonClient, ServerSettings},
    instance::Instance,
    names::{AccountName, is_id},
    problem::Refusal,
    text::{MastodonRules, without_server},
    wire::id_of,
};
use crate::telemetry::outside::brief;

/// Who sees what is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Anybody, also in public timelines.
    Public,
    /// Anybody, but not in public timelines.
    Unlisted,
    /// Only followers.
    Private,
}

/// Settings for a destination on Mastodon.
#[derive(Debug, Clone)]
pub struct MastodonDestinationSettings {
    /// How to call the server.
    pub server: ServerSettings,
    /// The target account.
    pub(super) account: AccountName,
    /// Its access token.
    pub token: SecretString,
    /// Who sees what is published.
    pub visibility: Visibility,
}

/// A target account on Mastodon.
pub struct MastodonDestination {
    account: Account,
    visibility: Visibility,
    client: MastodonClient,
    /// The account's id, once the server told it.
    id: RefCell<Option<String>>,
    /// The last message that was published here. A reply to it needs no check that it exists.
    last: RefCell<Option<PostId>>,
}

/// A new status.
#[derive(Serialize)]
struct NewStatus<'a> {
    status: &'a str,
    visibility: Visibility,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spoiler_text: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sensitive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_reply_to_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    media_ids: Vec<&'a str>,
    /// Servers before Mastodon 4.5 ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    quoted_status_id: Option<&'a str>,
}

impl MastodonDestination {
    /// A destination with this thread's connections.
    pub fn new(settings: MastodonDestinationSettings) -> Self {
        let MastodonDestinationSettings { server, account, token, visibility } = settings;
        let client = MastodonClient::new(&server, Some(token));
        let account = Account::new(account, client.base());
        Self { account, visibility, client, id: RefCell::default(), last: RefCell::default() }
    }

    /// The user that the token belongs to.
    ///
    /// # Errors
    /// Also if it is not the configured account: translations would appear on the wrong account.
    pub async fn whoami(&self) -> Result<String, PublishError> {
        let answer = self.client.get("/api/v1/accounts/verify_credentials", &[]).await;
        let answer: Value = answer.map_err(|error| match error {
            // Some servers call a wrong token an invalid request.
            CallError::Refused(Refusal::Refused(why)) => {
                self.account.calling(CallError::Refused(Refusal::Unauthorized(why)))
            }
            error => self.account.calling(error),
        })?;
        let user = answer.get("username").and_then(Value::as_str).filter(|user| !user.is_empty());
        let Some((id, user)) = id_of(&answer).zip(user) else {
            return Err(PublishError::Unavailable(format!(
                "{} does not tell which account the token for @{} belongs to",
                self.client.base(),
                self.account.name
            )));
        };
        if !user.eq_ignore_ascii_case(&self.account.name.user) {
            return Err(Denied::Blocked(self.account.token_of(user)).into());
        }
        *self.id.borrow_mut() = Some(id);
        Ok(user.to_owned())
    }

    /// The most characters that the server accepts, if it says so.
    ///
    /// # Errors
    /// Why it cannot be asked.
    pub async fn characters(&self) -> Result<Option<usize>, String> {
        let instance = Instance::of(&self.client).await;
        instance.map(|instance| instance.characters).map_err(|error| self.account.calling(error).to_string())
    }

    async fn own_id(&self) -> Result<String, PublishError> {
        if self.id.borrow().is_none() {
            self.whoami().await?;
        }
        let id = self.id.borrow().clone();
        id.ok_or_else(|| PublishError::Unavailable("the server does not tell the account's id".into()))
    }

    /// Makes sure that the message to reply to exists: some servers publish a reply to nothing as a message of its own,
    /// which would be out of its thread.
    async fn check_parent(&self, parent: &PostId) -> Result<(), PublishError> {
        if self.last.borrow().as_ref() == Some(parent) {
            return Ok(());
        }
        self.shown(parent).await.map(drop)
    }

    /// The message that a draft quotes, if it can quote one. Mastodon's own apps quote in messages without media only, and
    /// a message for followers only in others of that kind.
    async fn quotable<'a>(&self, draft: &'a Draft) -> Result<Option<&'a str>, PublishError> {
        let Some(quoted) = draft.quote.as_ref().filter(|_| draft.media.is_empty()) else { return Ok(None) };
        match self.shown(quoted).await {
            Ok(status) => {
                let visibility = status.get("visibility").and_then(Value::as_str).unwrap_or_default();
                let is_for_all = matches!(visibility, "public" | "unlisted");
                let is_fitting = is_for_all || self.visibility == Visibility::Private;
                Ok(is_fitting.then_some(quoted.0.as_str()))
            }
            Err(PublishError::ReplyRefused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A message of the account that a new one refers to.
    async fn shown(&self, PostId(id): &PostId) -> Result<Value, PublishError> {
        if !is_id(id) {
            return Err(PublishError::ReplyRefused(format!("{:?} is not an id", brief(id))));
        }
        match self.client.get::<Value>(&format!("/api/v1/statuses/{id}"), &[]).await {
            Ok(status) => Ok(status),
            Err(CallError::Refused(Refusal::Missing(why))) => Err(PublishError::ReplyRefused(format!(
                "{} does not show the message {id} to reply to: {why}",
                self.client.base()
            ))),
            // Whatever happened to this call, it published nothing.
            Err(CallError::NoAnswer(why) | CallError::Refused(Refusal::Trouble(why))) => {
                Err(PublishError::Unavailable(why))
            }
            Err(error) => Err(self.account.calling(error)),
        }
    }
}

#[async_trait(?Send)]
impl Destination for MastodonDestination {
    async fn verify(&self) -> Result<(), PublishError> {
        self.whoami().await.map(drop)
    }

    async fn publish(&self, draft: &Draft) -> Result<PostId, PublishError> {
        if draft.text.trim().is_empty() && draft.media.is_empty() {
            // Some servers would publish it.
            return Err(PublishError::Refused("it has neither text nor media".into()));
        }
        let parent = draft.reply.as_ref().map(|reply| &reply.parent);
        if let Some(parent) = parent {
            self.check_parent(parent).await?;
        }
        let quoted_status_id = self.quotable(draft).await?;
        let warning = draft.warning.as_deref().filter(|warning| !warning.is_empty());
        let status = NewStatus {
            status: &draft.text,
            visibility: self.visibility,
            language: draft.language.map(Language::code),
            spoiler_text: warning,
            sensitive: draft.is_sensitive || warning.is_some(),
            in_reply_to_id: parent.map(|PostId(id)| id.as_str()),
            media_ids: draft.media.iter().map(|MediaId(id)| id.as_str()).collect(),
            quoted_status_id,
        };
        let answer: Result<Value, CallError> = self.client.post("/api/v1/statuses", draft.key, &status).await;
        let answer = answer.map_err(|error| match error {
            CallError::Refused(Refusal::Missing(why)) if parent.is_some() => PublishError::ReplyRefused(why),
            error => self.account.calling(error),
        })?;
        let id = id_of(&answer).map(PostId).ok_or_else(|| {
            let base = self.client.base();
            PublishError::OutcomeUnknown(format!("{base} accepted the message but returned no id"))
        })?;
        *self.last.borrow_mut() = Some(id.clone());
        Ok(id)
    }

    async fn upload(&self, medium: FetchedMedium, alt: &str) -> Result<Uploaded, UploadError> {
        media::Uploader { client: &self.client, account: &self.account }.upload(medium, alt).await
    }

    fn media_limits(&self) -> MediaLimits {
        media::LIMITS
    }

    fn network(&self) -> &'static str {
        NAME
    }

    async fn recent(&self, since: &Since) -> Result<Shown, PublishError> {
        let id = self.own_id().await?;
        let shown = lookup::shown(&self.client, &id, since, self.visibility).await;
        shown.map_err(|error| self.account.calling(error))
    }

    fn is_same(&self, draft: &Draft, shown: &Recent) -> bool {
        as_shown(&draft.text) == as_shown(&shown.text)
    }
}

/// A text as every server shows it, to compare what was sent with what is shown: composed (NFC), without white space,
/// links without their scheme and last slash, and mentions without their server, which a server may add.
fn as_shown(text: &str) -> String {
    let text: String = text.nfc().collect();
    let mut shown = String::with_capacity(text.len());
    let mut end = 0;
    for entity in MastodonRules::default().entities(&text) {
        shown.push_str(&text[end..entity.range.start]);
        let written = &text[entity.range.clone()];
        shown.push_str(match entity.kind {
            EntityKind::Link => {
                written.split_once("://").map_or(written, |(_, rest)| rest).trim_end_matches('/')
            }
            EntityKind::Mention => without_server(written),
            _ => written,
        });
        end = entity.range.end;
    }
    shown.push_str(&text[end..]);
    shown.retain(|c| !c.is_whitespace());
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_same_however_a_server_shows_it() {
        for (sent, shown) in [
            ("Uno\n\nDos", "Uno\nDos"),
            ("a  b ", "a b"),
            ("Mira https://a.example/", "Mira https://a.example"),
            ("Hola @bob", "Hola @bob@home.example"),
            ("e\u{301}", "é"),
            ("Bonjour\u{a0}!", "Bonjour !"),
        ] {
            assert_eq!(as_shown(sent), as_shown(shown), "{sent}");
        }
        for (one, other) in
            [("Uno", "Dos"), ("@bob", "@ana"), ("https://a.example/b", "https://a.example/c"), ("a", "A")]
        {
            assert_ne!(as_shown(one), as_shown(other), "{one}");
        }
    }
}
