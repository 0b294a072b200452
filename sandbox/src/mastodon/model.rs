//! A small model of a Mastodon server: accounts, statuses and media. It knows nothing about HTTP.
//!
//! Several followed accounts may have different servers in their names; the sandbox is all of these servers at once.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;

use super::oauth::Apps;
use crate::{
    config::TargetAccount,
    hash,
    timeline::MediaKind,
    world::{PostId, UserState},
};

/// How long a server remembers an idempotency key, in milliseconds (`PostStatusService`).
const KEY_LIFETIME_MS: i64 = 60 * 60 * 1000;

/// The server of an account whose name has none.
const DOMAIN: &str = "mastodon.example";

#[derive(Debug, Default)]
pub(crate) struct Server {
    /// The sandbox's address: `http://127.0.0.1:…`.
    pub(crate) base: String,
    pub(super) accounts: Vec<Account>,
    pub(super) statuses: BTreeMap<u64, Arc<Status>>,
    pub(super) attachments: HashMap<u64, Attachment>,
    pub(super) counter: u64,
    pub(super) oauth: Apps,
}

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) user: String,
    pub(crate) domain: String,
    /// The language of a target.
    pub(crate) language: Option<String>,
    pub(crate) state: UserState,
    /// Whether its token was revoked.
    pub(crate) revoked: bool,
    /// The ids of its statuses, oldest first.
    pub(super) statuses: Vec<u64>,
    /// The status of each idempotency key, and when it was used.
    keys: HashMap<String, (u64, Timestamp)>,
    /// The latest status of each named thread of a timeline.
    pub(super) threads: HashMap<String, u64>,
}

/// A post.
#[derive(Debug, Clone)]
pub(super) struct Status {
    pub(super) id: u64,
    /// The place of its author.
    pub(super) author: usize,
    pub(super) created_at: Timestamp,
    pub(super) edited_at: Option<Timestamp>,
    /// As its author wrote it.
    pub(super) text: String,
    pub(super) warning: String,
    pub(super) sensitive: bool,
    pub(super) visibility: Visibility,
    pub(super) language: Option<String>,
    pub(super) reply_to: Option<u64>,
    pub(super) reblog: Option<u64>,
    pub(super) quote: Option<u64>,
    pub(super) media: Vec<Attachment>,
    pub(super) poll: Vec<String>,
    /// Whether it is sent in a form that nobody can read.
    pub(super) is_broken: bool,
}

/// Who sees a status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Visibility {
    #[default]
    Public,
    Unlisted,
    /// Followers only.
    Private,
    /// Mentioned accounts only.
    Direct,
}

impl Visibility {
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Public, Self::Unlisted, Self::Private, Self::Direct]
            .into_iter()
            .find(|visibility| visibility.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Unlisted => "unlisted",
            Self::Private => "private",
            Self::Direct => "direct",
        }
    }

    /// Whether strangers see it.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Public | Self::Unlisted)
    }
}

/// A picture or video.
#[derive(Debug, Clone)]
pub(super) struct Attachment {
    pub(super) id: u64,
    pub(super) owner: usize,
    pub(super) kind: MediaKind,
    pub(super) description: Option<String>,
    pub(super) url: String,
    pub(super) state: Processing,
    /// Whether a status has it already.
    pub(super) attached: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Processing {
    /// The first request for it finds it unfinished, the second finished.
    Unfinished,
    Done,
}

impl Server {
    /// The account with this handle, with or without a server; opens it if there is none.
    pub(crate) fn account_mut(&mut self, handle: &str) -> &mut Account {
        let index = self.find(handle).unwrap_or_else(|| {
            self.accounts.push(Account::new(handle));
            self.accounts.len() - 1
        });
        &mut self.accounts[index]
    }

    /// Opens the account of a target.
    pub(crate) fn open_target(&mut self, target: &TargetAccount) {
        self.account_mut(&target.handle).language = Some(target.language.clone());
    }

    pub(crate) fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The account with this handle. Without a server, the first account of that user.
    pub(crate) fn find(&self, handle: &str) -> Option<usize> {
        let (user, domain) = split(handle);
        self.accounts.iter().position(|account| {
            account.user.eq_ignore_ascii_case(user)
                && domain.is_none_or(|domain| account.domain.eq_ignore_ascii_case(domain))
        })
    }

    pub(crate) fn find_id(&self, id: &str) -> Option<usize> {
        let id: u64 = id.parse().ok()?;
        self.accounts.iter().position(|account| account.id == id)
    }

    /// The server that most of the sandbox's accounts are on.
    pub(super) fn domain(&self) -> &str {
        self.accounts.first().map_or(DOMAIN, |account| &account.domain)
    }

    /// The address of an account within the server: without its domain if it is the server's.
    pub(super) fn acct(&self, account: &Account) -> String {
        if account.domain == self.domain() { account.user.clone() } else { account.handle() }
    }

    /// An id for something that happens at `at`, later than `floor`. It contains the time (`Mastodon::Snowflake`).
    pub(super) fn next_id(&mut self, at: Timestamp, floor: u64) -> u64 {
        self.counter = (self.counter + 1) & 0xffff;
        // 47 bits of milliseconds: a date from a file must not overflow into the sign.
        let ms = u64::try_from(at.as_millisecond()).unwrap_or(0).min((1 << 47) - 1);
        ((ms << 16) | self.counter).max(floor + 1)
    }

    /// Stores a status of its author under a new id.
    pub(super) fn store(&mut self, status: Status) -> Arc<Status> {
        let floor = self.accounts[status.author].statuses.last().copied().unwrap_or(0);
        let id = self.next_id(status.created_at, floor);
        let status = Arc::new(Status { id, ..status });
        self.accounts[status.author].statuses.push(id);
        for medium in &status.media {
            if let Some(attachment) = self.attachments.get_mut(&medium.id) {
                attachment.attached = true;
            }
        }
        self.statuses.insert(id, Arc::clone(&status));
        status
    }

    /// Makes a status unreadable.
    pub(crate) fn break_status(&mut self, id: &str) {
        let status = id.parse().ok().and_then(|id: u64| self.statuses.get_mut(&id));
        if let Some(status) = status {
            Arc::make_mut(status).is_broken = true;
        }
    }

    /// Removes a status of an account.
    pub(super) fn delete(&mut self, author: usize, id: u64) -> Option<Arc<Status>> {
        self.statuses.get(&id).filter(|status| status.author == author)?;
        self.accounts[author].statuses.retain(|status| *status != id);
        self.statuses.remove(&id)
    }

    /// A status that somebody may see: anybody, or the account at `viewer`.
    pub(super) fn visible(&self, id: &str, viewer: Option<usize>) -> Option<&Arc<Status>> {
        let status = self.statuses.get(&id.parse().ok()?)?;
        self.is_visible(status, viewer).then_some(status)
    }

    pub(super) fn is_visible(&self, status: &Status, viewer: Option<usize>) -> bool {
        let author = &self.accounts[status.author];
        viewer == Some(status.author) || (status.visibility.is_open() && author.state == UserState::Active)
    }
}

impl Account {
    fn new(handle: &str) -> Self {
        let (user, domain) = split(handle);
        Self {
            id: 100_000_000_000_000_000
                + hash::stable(&[handle.to_ascii_lowercase().as_bytes()]) % 900_000_000_000_000,
            user: user.to_owned(),
            domain: domain.unwrap_or(DOMAIN).to_ascii_lowercase(),
            language: None,
            state: UserState::Active,
            revoked: false,
            statuses: Vec::new(),
            keys: HashMap::new(),
            threads: HashMap::new(),
        }
    }

    /// `user@server`
    pub(crate) fn handle(&self) -> String {
        format!("{}@{}", self.user, self.domain)
    }

    /// The status that was created with this idempotency key, within the last hour.
    pub(super) fn created_with(&self, key: &str, now: Timestamp) -> Option<u64> {
        let (id, at) = self.keys.get(key)?;
        (now.as_millisecond() - at.as_millisecond() < KEY_LIFETIME_MS).then_some(*id)
    }

    pub(super) fn remember_key(&mut self, key: String, id: u64, now: Timestamp) {
        self.keys.insert(key, (id, now));
    }

    /// Ids above `min` or below `max`, oldest first.
    pub(super) fn between(&self, min: Option<u64>, max: Option<u64>) -> &[u64] {
        let start = min.map_or(0, |min| self.statuses.partition_point(|id| *id <= min));
        let end = max.map_or(self.statuses.len(), |max| self.statuses.partition_point(|id| *id < max));
        &self.statuses[start..end.max(start)]
    }
}

/// A handle's user and server.
fn split(handle: &str) -> (&str, Option<&str>) {
    let handle = handle.strip_prefix('@').unwrap_or(handle);
    handle.split_once('@').map_or((handle, None), |(user, domain)| (user, Some(domain)))
}

/// An id as Mastodon writes it.
pub(super) fn id(id: u64) -> PostId {
    PostId(id)
}
