//! Follows an account. Its statuses are public, so reading them needs no token on most servers.
//!
//! Replies are requested, because the author's own threads are replies; replies to others are recorded and skipped
//! later. Only statuses that anybody may see leave this module: with a token, a server also shows others.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::Arc,
};

use async_trait::async_trait;
use log::warn;
use mynah_domain::{
    Post, PostId, PostKind,
    ports::{Ledger, LedgerError, Live, Lookup, Page, PageRequest, Source, SourceError},
};
use secrecy::SecretString;
use serde_json::Value;

use super::{
    NAME,
    client::{CallError, MastodonClient, ServerSettings},
    listing::{self, LARGEST_PAGE, Listed, Next, Wanted},
    live::MastodonLive,
    names::{AccountName, is_id, position},
    post,
    problem::Refusal,
    secrets,
    wire::{Status, Unread, id_of},
};
use crate::telemetry::outside::brief;

/// Settings for a source on Mastodon.
#[derive(Debug, Clone)]
pub struct MastodonSourceSettings {
    /// How to call the server.
    pub server: ServerSettings,
    /// The followed account.
    pub(super) account: AccountName,
    /// The token to read with, if one is set.
    pub token: Option<SecretString>,
    /// Whether to request boosts.
    pub boosts: bool,
    /// Whether to hear of new posts by the server's stream.
    pub stream: bool,
}

/// A followed account on Mastodon.
#[derive(Clone)]
pub struct MastodonSource {
    settings: MastodonSourceSettings,
    client: MastodonClient,
    ledger: Arc<dyn Ledger>,
    /// The account's id, looked up at first use.
    id: RefCell<Option<String>>,
}

/// An account, as its server describes it.
pub(super) struct Found {
    pub(super) id: String,
    /// Where its owner has moved to.
    pub(super) moved_to: Option<String>,
}

/// Whose statuses are read, for telling threads from replies.
struct Reading<'a> {
    /// The account's id; `None` for statuses of any account.
    account: Option<&'a str>,
    /// The statuses that are at hand, by their ids.
    shown: HashMap<&'a str, &'a Status>,
    /// Which of them reply to others.
    to_others: HashMap<String, bool>,
}

impl MastodonSource {
    /// A source that finds earlier posts of threads in `ledger`.
    pub fn new(settings: MastodonSourceSettings, ledger: Arc<dyn Ledger>) -> Self {
        let client = MastodonClient::new(&settings.server, settings.token.clone());
        Self { settings, client, ledger, id: RefCell::default() }
    }

    pub(super) fn client(&self) -> &MastodonClient {
        &self.client
    }

    pub(super) fn account(&self) -> &AccountName {
        &self.settings.account
    }

    /// Looks the account up.
    ///
    /// # Errors
    /// [`SourceError::Account`] if it does not exist or is suspended.
    pub(super) async fn find(&self) -> Result<Found, SourceError> {
        let AccountName { user, .. } = &self.settings.account;
        let answer = self.client.get("/api/v1/accounts/lookup", &[("acct", user.as_str())]).await;
        let answer: Value = answer.map_err(|error| self.explain(error))?;
        let name = &self.settings.account;
        if answer.get("suspended").and_then(Value::as_bool) == Some(true) {
            return Err(SourceError::Account(format!("{} has suspended @{name}", self.client.base())));
        }
        let Some(id) = id_of(&answer) else {
            return Err(SourceError::Unavailable(format!(
                "{} does not tell the id of @{name}; is it a Mastodon server?",
                self.client.base()
            )));
        };
        let moved = answer.get("moved").and_then(|moved| moved.get("acct")).and_then(Value::as_str);
        Ok(Found { id, moved_to: moved.map(brief) })
    }

    /// The account's id.
    pub(super) async fn account_id(&self) -> Result<String, SourceError> {
        if let Some(id) = self.id.borrow().clone() {
            return Ok(id);
        }
        let Found { id, moved_to } = self.find().await?;
        if let Some(to) = moved_to {
            warn!(source = self.source_name().as_str(), to = to.as_str(); "account moved");
        }
        *self.id.borrow_mut() = Some(id.clone());
        Ok(id)
    }

    /// A post of any account, by its id.
    ///
    /// # Errors
    /// [`SourceError::Refused`] if it does not exist or cannot be seen.
    pub async fn post(&self, PostId(id): &PostId) -> Result<Post, SourceError> {
        let value = match self.status(id).await? {
            Ok(value) => value,
            Err(reason) => return Err(SourceError::Refused(reason)),
        };
        let refused = |why: String| SourceError::Refused(format!("post {id} cannot be read: {why}"));
        let status = Status::read(&value).map_err(|unread| refused(unread.reason))?;
        let mut reading = Reading { account: None, shown: HashMap::new(), to_others: HashMap::new() };
        let kind = self.kind(&status, &mut reading).await?;
        Ok(post::post(&status, kind, position(id).unwrap_or_default(), &self.settings.account.server))
    }

    /// The status with this id, or why there is none.
    async fn status(&self, id: &str) -> Result<Result<Value, String>, SourceError> {
        if !is_id(id) {
            return Err(SourceError::Refused(format!("{:?} is not an id", brief(id))));
        }
        match self.client.get(&format!("/api/v1/statuses/{id}"), &[]).await {
            Ok(value) => Ok(Ok(value)),
            Err(CallError::Refused(Refusal::Missing(why))) => {
                Ok(Err(format!("{} does not show post {id}: {why}", self.client.base())))
            }
            Err(error) => Err(self.explain(error)),
        }
    }

    /// The statuses of a list, as far as anybody may see them; oldest first.
    async fn read(
        &self,
        account: &str,
        request: &PageRequest,
        statuses: Vec<Listed>,
        page: &mut Page,
    ) -> Result<bool, SourceError> {
        let mut read = Vec::with_capacity(statuses.len());
        let mut is_before_start = false;
        for Listed { id, position, value } in statuses.into_iter().rev() {
            match Status::read(&value) {
                Ok(status) if request.from.is_some_and(|from| status.created_at < from) => {
                    is_before_start = true;
                }
                Ok(status) if !status.is_for_all() => {}
                Ok(status) => read.push((status, position.unwrap_or_default())),
                Err(Unread { reason, .. }) => {
                    let mark = id.map(PostId).zip(position);
                    page.unreadable.push(post::unreadable(&value, mark, reason));
                }
            }
        }
        let shown = read.iter().map(|(status, _)| (status.id.as_str(), status)).collect();
        let mut reading = Reading { account: Some(account), shown, to_others: HashMap::new() };
        let mut seen = HashSet::new();
        // Oldest first, because a status may continue another one of the page.
        for (status, position) in &read {
            let kind = self.kind(status, &mut reading).await?;
            if seen.insert(&status.id) && (self.settings.boosts || !matches!(kind, PostKind::Repost { .. })) {
                page.posts.push(post::post(status, kind, *position, &self.settings.account.server));
            }
        }
        page.posts.reverse();
        page.unreadable.reverse();
        Ok(is_before_start)
    }

    /// What kind of post a status is.
    async fn kind(&self, status: &Status, reading: &mut Reading<'_>) -> Result<PostKind, SourceError> {
        let post = |id: &String| PostId(id.clone());
        if let Some(boosted) = &status.boosted {
            return Ok(PostKind::Repost { of: post(&boosted.id) });
        }
        let author = status.account.as_deref();
        let own = reading.account.or(author);
        if author.is_some() && author != own {
            // Some servers list what an account boosted as it is.
            return Ok(PostKind::Repost { of: post(&status.id) });
        }
        let to_account = status.reply_to_account.as_deref();
        match &status.reply_to {
            Some(to) => {
                let is_to_others = match to_account {
                    Some(account) if Some(account) == own => {
                        self.continues_others(status, to, reading).await?
                    }
                    Some(_) => true,
                    // Its author is not known any more, unless it is the account itself.
                    None => self.known(to, reading).await?.unwrap_or(true),
                };
                reading.to_others.insert(status.id.clone(), is_to_others);
                Ok(if is_to_others {
                    PostKind::Reply { to: Some(post(to)) }
                } else {
                    PostKind::Thread { parent: post(to) }
                })
            }
            // It replies to somebody whose status is gone.
            None if to_account.is_some() && to_account != own => Ok(PostKind::Reply { to: None }),
            None => Ok(match &status.quoted {
                Some(quoted) => PostKind::Quote { of: post(&quoted.id) },
                None => PostKind::Original,
            }),
        }
    }

    /// Whether the account's own status with this id replies to others; `None` if it is neither on the page nor on record.
    async fn known(&self, id: &str, reading: &Reading<'_>) -> Result<Option<bool>, SourceError> {
        if let Some(is_to_others) = reading.to_others.get(id) {
            return Ok(Some(*is_to_others));
        }
        if reading.shown.contains_key(id) {
            // It was read before, and replies to nobody.
            return Ok(Some(false));
        }
        let recorded =
            self.ledger.post(&self.source_name(), &PostId(id.to_owned())).await.map_err(unusable)?;
        Ok(recorded.map(|post| matches!(post.kind, PostKind::Reply { .. })))
    }

    /// Whether a reply to the author's own status `to` belongs to a conversation with others: a thread is the author's own
    /// only if its first status is.
    async fn continues_others(
        &self,
        status: &Status,
        to: &str,
        reading: &Reading<'_>,
    ) -> Result<bool, SourceError> {
        if let Some(is_to_others) = self.known(to, reading).await? {
            return Ok(is_to_others);
        }
        let own = reading.account.or(status.account.as_deref());
        let mentions_others = || status.mentions.iter().any(|mention| mention.id.as_deref() != own);
        let context = self.client.get(&format!("/api/v1/statuses/{}/context", status.id), &[]).await;
        match context {
            Ok(Value::Object(context)) => {
                let ancestors = context.get("ancestors").and_then(Value::as_array);
                let authors =
                    ancestors.into_iter().flatten().filter_map(|status| id_of(status.get("account")?));
                Ok(authors.into_iter().any(|author| Some(author.as_str()) != own))
            }
            // The server shows no contexts, or none to us. A reply to others names them.
            Ok(_)
            | Err(CallError::Refused(Refusal::Missing(_) | Refusal::Refused(_) | Refusal::Unauthorized(_))) => {
                Ok(mentions_others())
            }
            Err(error) => Err(self.explain(error)),
        }
    }

    /// The status as the account's list has it, with its place there.
    async fn listed(&self, account: &str, id: &str) -> Result<Option<Listed>, SourceError> {
        let wanted = Wanted { limit: usize::MAX, boosts: true, ..Wanted::default() };
        let listing =
            listing::list(&self.client, account, &wanted).await.map_err(|error| self.explain(error))?;
        Ok(listing.statuses.into_iter().find(|status| status.id.as_deref() == Some(id)))
    }

    /// The source's name in the ledger.
    fn source_name(&self) -> String {
        format!("{NAME}:{}", self.settings.account.to_string().to_lowercase())
    }

    pub(super) fn explain(&self, error: CallError) -> SourceError {
        let (name, base) = (&self.settings.account, self.client.base());
        let refusal = match error {
            CallError::Unreachable(why) | CallError::NoAnswer(why) => {
                return SourceError::Unavailable(format!(
                    "{why}; check that {} is a Mastodon server",
                    name.server
                ));
            }
            CallError::Refused(refusal) => refusal,
        };
        let variable = secrets::variable(name);
        match refusal {
            Refusal::Trouble(why) => SourceError::Unavailable(format!("{base} cannot show @{name}: {why}")),
            Refusal::RateLimited { reason, until } => {
                SourceError::RateLimited { reason: format!("{base} limits calls: {reason}"), until }
            }
            Refusal::Missing(why) => SourceError::Account(format!(
                "{base} has no account @{name}: {why}; check the name, and that it is a Mastodon server"
            )),
            Refusal::Blocked(why) => SourceError::Account(format!("{base} does not show @{name}: {why}")),
            Refusal::Unauthorized(why) if self.client.has_token() => SourceError::Unauthorized(format!(
                "{base} does not accept the token to read @{name}: {why}; unset {variable} or set another one, and restart Mynah"
            )),
            Refusal::Unauthorized(why) => SourceError::Unauthorized(format!(
                "{base} shows @{name} only with a token: {why}; set {variable} to one from an account on that server"
            )),
            Refusal::Refused(why) => SourceError::Refused(format!("{base} refuses to show @{name}: {why}")),
        }
    }
}

fn unusable(error: LedgerError) -> SourceError {
    SourceError::Unavailable(error.into())
}

#[async_trait(?Send)]
impl Source for MastodonSource {
    async fn page(&self, request: &PageRequest) -> Result<Page, SourceError> {
        let before =
            request.continuation.as_deref().or(request.before.as_ref().map(|PostId(id)| id.as_str()));
        let after = request.after.as_ref().map(|PostId(id)| id.as_str());
        if let Some(odd) = [before, after].into_iter().flatten().find(|id| !is_id(id)) {
            return Err(SourceError::Refused(format!("{:?} is not an id", brief(odd))));
        }
        let account = self.account_id().await?;
        let limit = request.limit.clamp(1, LARGEST_PAGE);
        let wanted = Wanted { before, after, limit, boosts: self.settings.boosts };
        let listing = listing::list(&self.client, &account, &wanted).await.map_err(|error| {
            if matches!(error, CallError::Refused(Refusal::Missing(_))) {
                // It may come back under another id.
                self.id.borrow_mut().take();
            }
            self.explain(error)
        })?;
        let mut page = Page::default();
        let is_before_start = self.read(&account, request, listing.statuses, &mut page).await?;
        match listing.next {
            _ if is_before_start => {}
            Next::Before(id) => page.continuation = Some(id),
            Next::End => {}
            Next::Unknown { listed } => page.oddities.push(format!(
                "the server lists only {listed} posts, whatever it is asked for; it does not show older ones"
            )),
        }
        Ok(page)
    }

    async fn by_id(&self, PostId(id): &PostId) -> Result<Lookup, SourceError> {
        let account = self.account_id().await?;
        let (value, position) = match self.status(id).await {
            Ok(Err(gone)) => return Ok(Lookup::Gone(gone)),
            Ok(Ok(value)) => match position(id) {
                Some(position) => (value, Some(position)),
                // Its place is that in the list.
                None => (value, self.listed(&account, id).await?.and_then(|listed| listed.position)),
            },
            // Some servers show the list to anybody, but not the statuses one by one.
            Err(SourceError::Unauthorized(why)) if !self.client.has_token() => {
                match self.listed(&account, id).await? {
                    Some(listed) => (listed.value, listed.position),
                    None => return Err(SourceError::Unauthorized(why)),
                }
            }
            Err(error) => return Err(error),
        };
        let position = position.unwrap_or_default();
        let status = match Status::read(&value) {
            Ok(status) => status,
            Err(Unread { reason, .. }) => {
                let mark = Some((PostId(id.clone()), position));
                return Ok(Lookup::Unreadable(post::unreadable(&value, mark, reason)));
            }
        };
        if !status.is_for_all() {
            return Ok(Lookup::Gone(format!("its visibility is {:?} now", brief(&status.visibility))));
        }
        let mut reading =
            Reading { account: Some(&account), shown: HashMap::new(), to_others: HashMap::new() };
        let kind = self.kind(&status, &mut reading).await?;
        Ok(Lookup::Post(Box::new(post::post(&status, kind, position, &self.settings.account.server))))
    }

    fn position(&self, PostId(id): &PostId) -> Option<u64> {
        position(id)
    }

    fn network(&self) -> &'static str {
        NAME
    }

    fn live(&self) -> Option<Rc<dyn Live>> {
        self.settings.stream.then(|| Rc::new(MastodonLive::new(Rc::new(self.clone()))) as Rc<dyn Live>)
    }
}
