//! Publishes on an account on Bluesky.
//!
//! A record has the key that its author chooses, so a message's key is derived from its publication's. Writing the same
//! record again changes nothing: a message whose answer was lost is simply sent again, and nothing is ever looked up.

mod facets;
mod media;
mod picture;
mod record;
mod refusals;

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use mynah_domain::{
    PostId, Reply,
    ports::{
        Denied, Destination, Draft, Facts, FetchedMedium, MediaLimits, PublishError, Recent, Shown, Since,
        UploadError, Uploaded,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    NAME,
    client::{BlueskySettings, CallError, Server},
    identity::{Account, Located},
    names::{OwnRecord, POSTS, RecordAddress},
    problem::Refusal,
    records::{Listed, Listing, list},
    secrets,
    session::{At, Login},
    tid::Tid,
};
use facets::Handles;
use media::Attachment;
use record::{PostRecord, ReplyRef, StrongRef};
use refusals::Target;

/// How many versions of published messages to remember. Others are looked up, to reply to them.
const VERSIONS: usize = 1_000;

/// The most pages of the account's messages to read, of 100 messages each.
const PAGES: usize = 10;

/// A target account on Bluesky.
pub(super) struct BlueskyDestination {
    settings: BlueskySettings,
    account: Account,
    target: Target,
    login: Login,
    ledger: Arc<dyn Facts>,
    handles: Handles,
    /// The CID of each published message, by its key.
    versions: RefCell<HashMap<String, String>>,
}

/// The call com.atproto.repo.putRecord.
#[derive(Serialize)]
struct Put<'a> {
    repo: &'a str,
    collection: &'static str,
    rkey: &'a str,
    record: &'a PostRecord<'a>,
}

/// A record that was written or read.
#[derive(Deserialize)]
struct Written {
    cid: String,
}

/// The answer to com.atproto.repo.uploadBlob.
#[derive(Deserialize)]
struct Stored {
    blob: Value,
}

impl BlueskyDestination {
    pub(super) fn new(settings: BlueskySettings, login: Login, name: &str, ledger: Arc<dyn Facts>) -> Self {
        let account = Account::new(name, &settings, ledger.clone());
        let target = Target { name: name.to_owned(), variable: secrets::variable(name) };
        let (handles, versions) = (Handles::default(), RefCell::default());
        Self { settings, account, target, login, ledger, handles, versions }
    }

    /// Logs in with the app password, whatever session there is. Returns the account's DID.
    pub(super) async fn log_in(&self) -> Result<String, PublishError> {
        let (server, located) = self.reach().await?;
        let at = At { server: &server, did: &located.did, ledger: &*self.ledger };
        self.login.log_in_again(&at).await.map_err(|error| self.failed(self.target.in_session(error)))?;
        Ok(located.did)
    }

    /// The account's server.
    async fn reach(&self) -> Result<(Server, Located), PublishError> {
        let located = self.account.located().await.map_err(|error| self.target.locating(error))?;
        Ok((Server::new(&self.settings, &located.server), located))
    }

    /// Calls the account's server in its session.
    async fn in_session<T>(
        &self,
        server: &Server,
        did: &str,
        call: impl AsyncFn(&super::session::Session) -> Result<T, CallError>,
    ) -> Result<T, PublishError> {
        let at = At { server, did, ledger: &*self.ledger };
        let outcome = self.login.call(&at, call).await;
        outcome.map_err(|error| self.failed(self.target.in_session(error)))
    }

    /// If a server refuses the account or does not answer, the account may have moved to another one.
    fn failed(&self, error: PublishError) -> PublishError {
        let says_nothing = matches!(
            error,
            PublishError::Refused(_)
                | PublishError::ReplyRefused(_)
                | PublishError::Denied(Denied::RateLimited { .. })
        );
        if !says_nothing {
            self.account.doubt();
        }
        error
    }

    /// The messages that a message replies to, with their versions.
    async fn reply(&self, server: &Server, did: &str, reply: &Reply) -> Result<ReplyRef, PublishError> {
        let parent = self.version(server, did, &reply.parent).await?;
        let root = if reply.root == reply.parent {
            parent.clone()
        } else {
            self.version(server, did, &reply.root).await?
        };
        Ok(ReplyRef { root, parent })
    }

    /// The message that a message quotes, with its version; `None` if it is not there any more.
    async fn quote(
        &self,
        server: &Server,
        did: &str,
        quoted: &PostId,
    ) -> Result<Option<StrongRef>, PublishError> {
        match self.version(server, did, quoted).await {
            Err(PublishError::ReplyRefused(_)) => Ok(None),
            quoted => quoted.map(Some),
        }
    }

    async fn version(&self, server: &Server, did: &str, message: &PostId) -> Result<StrongRef, PublishError> {
        let Some(OwnRecord { key, .. }) = OwnRecord::named(message) else {
            return Err(PublishError::ReplyRefused(format!("{message} is not a message on Bluesky")));
        };
        let uri = RecordAddress::of_post(did, &key).to_string();
        let known = self.versions.borrow().get(&key).cloned();
        if let Some(cid) = known {
            return Ok(StrongRef { uri, cid });
        }
        let parameters = [("repo", did), ("collection", POSTS), ("rkey", &key)];
        match server.ask::<Written>("com.atproto.repo.getRecord", &parameters).await {
            Ok(Written { cid }) => {
                self.remember(key, &cid);
                Ok(StrongRef { uri, cid })
            }
            Err(CallError::Refused(Refusal::NoRecord(why))) => Err(PublishError::ReplyRefused(format!(
                "the message that it replies to is not on @{} any more: {why}",
                self.target.name
            ))),
            Err(error) => Err(self.failed(self.target.preparing(error))),
        }
    }

    fn remember(&self, key: String, cid: &str) {
        let mut versions = self.versions.borrow_mut();
        if versions.len() >= VERSIONS {
            versions.clear();
        }
        versions.insert(key, cid.to_owned());
    }
}

#[async_trait(?Send)]
impl Destination for BlueskyDestination {
    /// A session belongs to the account that the settings name, because it is opened with the account's DID.
    async fn verify(&self) -> Result<(), PublishError> {
        let (server, located) = self.reach().await?;
        let at = At { server: &server, did: &located.did, ledger: &*self.ledger };
        let session = self.login.session(&at).await;
        session.map(drop).map_err(|error| self.failed(self.target.in_session(error)))
    }

    async fn publish(&self, draft: &Draft) -> Result<PostId, PublishError> {
        let (server, Located { did, .. }) = self.reach().await?;
        let reply = match &draft.reply {
            Some(reply) => Some(self.reply(&server, &did, reply).await?),
            None => None,
        };
        let quote = match &draft.quote {
            Some(quoted) => self.quote(&server, &did, quoted).await?,
            None => None,
        };
        let facets = facets::facets(&draft.text, &self.handles, &server).await;
        let facets = facets.map_err(|error| self.failed(self.target.preparing(error)))?;
        let record = PostRecord::of(draft, facets, reply, quote);
        let key = Tid::of(draft.key).to_string();
        let put = Put { repo: &did, collection: POSTS, rkey: &key, record: &record };
        let Written { cid } = self
            .in_session(&server, &did, async |session| {
                server.change("com.atproto.repo.putRecord", &put, session.token()).await
            })
            .await?;
        self.remember(key.clone(), &cid);
        Ok(PostId(key))
    }

    async fn upload(&self, medium: FetchedMedium, alt: &str) -> Result<Uploaded, UploadError> {
        let prepared = media::prepared(medium).await?;
        let (server, Located { did, .. }) = self.reach().await.map_err(refusals::uploading)?;
        let Stored { blob } = self
            .in_session(&server, &did, async |session| {
                server.upload(prepared.mime, prepared.bytes.clone(), session.token()).await
            })
            .await
            .map_err(refusals::uploading)?;
        let attachment = Attachment { kind: prepared.kind, blob, alt: alt.to_owned(), sides: prepared.sides };
        Ok(attachment.uploaded())
    }

    fn media_limits(&self) -> MediaLimits {
        media::LIMITS
    }

    fn network(&self) -> &'static str {
        NAME
    }

    async fn recent(&self, since: &Since) -> Result<Shown, PublishError> {
        let (server, Located { did, .. }) = self.reach().await?;
        let is_before = |listed: &Listed| match since {
            Since::Message(id) => OwnRecord::named(id)
                .is_some_and(|message| listed.tid.is_some_and(|tid| tid.number() <= message.position)),
            Since::Moment(moment) => listed.tid.is_some_and(|tid| tid.moment() < *moment),
        };
        let mut shown = Shown::default();
        let mut cursor = None;
        for _ in 0..PAGES {
            let listing = list(&server, &did, POSTS, 100, cursor.as_deref()).await;
            // This call publishes nothing, so its outcome is never unknown.
            let Listing { records, nameless, next } =
                listing.map_err(|error| self.failed(self.target.preparing(error)))?;
            if !nameless.is_empty() {
                shown.gap = Some(format!("a message of @{} has no address", self.target.name));
            }
            for listed in &records {
                if is_before(listed) {
                    return Ok(shown);
                }
                match recent(listed) {
                    Some(message) => shown.messages.push(message),
                    None => shown.gap = Some(format!("a message of @{} cannot be read", self.target.name)),
                }
            }
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(shown),
            }
        }
        shown.gap = Some(format!("@{} has more messages than Mynah looks through", self.target.name));
        Ok(shown)
    }

    fn is_same(&self, draft: &Draft, shown: &Recent) -> bool {
        draft.text == shown.text
    }
}

/// A message on the account.
fn recent(listed: &Listed) -> Option<Recent> {
    let text = listed.value.get("text")?.as_str()?.to_owned();
    let written = listed.value.get("createdAt").and_then(Value::as_str);
    let created_at =
        written.and_then(|moment| moment.parse::<Timestamp>().ok()).or(listed.tid.map(Tid::moment))?;
    Some(Recent { id: PostId(listed.key.clone()), text, created_at })
}
