//! Follows an account on Bluesky by the records in its repository, which every server lists without a login. Posts and
//! reposts are two collections, so with reposts two lists are read and merged.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use mynah_domain::{
    Post, PostId, PostKind,
    ports::{Ledger, LedgerError, Live, Lookup, Page, PageRequest, Source, SourceError, Unreadable},
};
use serde::{Deserialize, Serialize};

use super::{
    NAME,
    client::{BlueskySettings, CallError, Server},
    identity::{Account, Directory, LocateError, Located},
    live::BlueskyLive,
    names::{OwnRecord, POSTS, REPOSTS, RecordAddress},
    post::{self, Author, Unclear},
    problem::Refusal,
    records::{Listed, get, list},
    tid::Tid,
};
use crate::networks::Wanted;

/// How much earlier the time in a key may be than that in the record.
const APART: SignedDuration = SignedDuration::from_hours(24);

/// A followed account on Bluesky.
pub(super) struct BlueskySource {
    settings: BlueskySettings,
    account: Account,
    wanted: Wanted,
    ledger: Arc<dyn Ledger>,
}

/// Where each of the two lists continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Token {
    posts: Place,
    reposts: Place,
    /// Everything from this position on was on an earlier page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    below: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Start,
    /// At this cursor.
    At(String),
    End,
}

impl Place {
    fn cursor(&self) -> Option<&str> {
        match self {
            Self::At(cursor) => Some(cursor),
            Self::Start | Self::End => None,
        }
    }
}

/// A part of a list.
struct Part {
    collection: &'static str,
    records: Vec<Listed>,
    nameless: Vec<String>,
    /// Where it began, and where the next part begins.
    here: Place,
    next: Place,
}

/// Whether a record's place in its list, which its key decides, is within this range. A key that is no TID has no known
/// place, so its record is shown whenever it is read: recording it twice changes nothing.
fn is_within(listed: &Listed, end: u64, below: Option<u64>) -> bool {
    listed.tid.map(Tid::number).is_none_or(|order| order >= end && below.is_none_or(|below| order < below))
}

impl Part {
    fn none(collection: &'static str) -> Self {
        Self { collection, records: vec![], nameless: vec![], here: Place::End, next: Place::End }
    }

    /// The position below which the rest of the list is.
    fn floor(&self) -> Option<u64> {
        let lowest = self.records.iter().filter_map(|listed| listed.tid).min()?;
        (self.next != Place::End).then(|| lowest.number())
    }

    /// Where the list continues after a page that ends at this position.
    fn continued(self, end: u64) -> Place {
        if self.is_cut(end) { self.here } else { self.next }
    }

    /// Whether a page that ends at this position leaves records of it to the next page.
    fn is_cut(&self, end: u64) -> bool {
        self.records.iter().any(|listed| !is_within(listed, end, None))
    }
}

/// Which records a page shows.
struct Bounds {
    after: Option<u64>,
    before: Option<u64>,
    from: Option<Timestamp>,
}

impl Bounds {
    fn of(request: &PageRequest) -> Result<Self, SourceError> {
        let position = |id: &Option<PostId>| match id {
            None => Ok(None),
            Some(id) => match OwnRecord::named(id) {
                Some(record) => Ok(Some(record.position)),
                None => Err(SourceError::Refused(format!("{id} is not the id of a post on Bluesky"))),
            },
        };
        Ok(Self { after: position(&request.after)?, before: position(&request.before)?, from: request.from })
    }

    fn include(&self, post: &Post) -> bool {
        self.from.is_none_or(|from| post.created_at >= from) && self.include_position(post.position)
    }

    fn include_position(&self, position: u64) -> bool {
        self.after.is_none_or(|after| position > after) && self.before.is_none_or(|before| position < before)
    }

    /// Whether all that follows a record in its list is too old.
    fn end_at(&self, tid: Tid) -> bool {
        self.after.is_some_and(|after| tid.number() <= after)
            || self.from.is_some_and(|from| tid.moment() + APART < from)
    }

    /// Where the first page begins. A cursor is the key of the record before it.
    fn start(&self) -> Place {
        let key = self.before.and_then(Tid::numbered).map(|tid| tid.to_string());
        key.map_or(Place::Start, Place::At)
    }
}

impl BlueskySource {
    pub(super) fn new(
        settings: BlueskySettings,
        name: &str,
        wanted: Wanted,
        ledger: Arc<dyn Ledger>,
    ) -> Self {
        let account = Account::new(name, &settings, ledger.clone());
        Self { settings, account, wanted, ledger }
    }

    /// Where the account is.
    pub(super) async fn located(&self) -> Result<Located, SourceError> {
        self.account.located().await.map_err(|error| match error {
            LocateError::Call(error) => self.failed(error),
            LocateError::Ledger(error) => unusable(error),
        })
    }

    /// A post of any account.
    pub(super) async fn post(&self, id: &PostId) -> Result<Post, String> {
        let text = |error: SourceError| error.to_string();
        let (located, key) = if let Some(RecordAddress { account, key, .. }) = RecordAddress::parse(&id.0) {
            let located = Directory::new(self.settings.clone()).locate(&account).await;
            (located.map_err(|error| text(self.failed(error)))?, key)
        } else {
            let record = OwnRecord::named(id).ok_or_else(|| format!("{id} is not a post on Bluesky"))?;
            (self.located().await.map_err(text)?, record.key)
        };
        match self.look_up(&located, POSTS, &key).await.map_err(text)? {
            Lookup::Post(post) => Ok(*post),
            Lookup::Unreadable(unreadable) => Err(format!("it cannot be read: {}", unreadable.reason)),
            Lookup::Gone(reason) => Err(reason),
        }
    }

    async fn look_up(
        &self,
        located: &Located,
        collection: &'static str,
        key: &str,
    ) -> Result<Lookup, SourceError> {
        let server = Server::new(&self.settings, &located.server);
        let listed = match get(&server, &located.did, collection, key).await {
            Ok(listed) => listed,
            Err(CallError::Refused(Refusal::NoRecord(why))) => return Ok(Lookup::Gone(why)),
            Err(error) => return Err(self.failed(error)),
        };
        let author = Author { did: &located.did, server: &located.server };
        Ok(match post::post(&listed, collection, author, Timestamp::now()) {
            Ok(post) => {
                let mut posts = self.with_known_threads(vec![post]).await?;
                // One post goes in, and one comes out.
                posts.pop().map_or_else(|| Lookup::Gone(String::new()), |post| Lookup::Post(Box::new(post)))
            }
            Err(unclear) => Lookup::Unreadable(unreadable(&listed, unclear, &located.did)),
        })
    }

    /// A part of one list.
    async fn part(
        &self,
        server: &Server,
        did: &str,
        collection: &'static str,
        (here, limit): (Place, usize),
        bounds: &Bounds,
    ) -> Result<Part, SourceError> {
        if here == Place::End {
            return Ok(Part::none(collection));
        }
        let listing = list(server, did, collection, limit, here.cursor()).await;
        let listing = listing.map_err(|error| self.failed(error))?;
        let is_end = listing.records.iter().filter_map(|listed| listed.tid).any(|tid| bounds.end_at(tid));
        let next = listing.next.filter(|_| !is_end).map_or(Place::End, Place::At);
        Ok(Part { collection, records: listing.records, nameless: listing.nameless, here, next })
    }

    /// A post that continues one which replies to others is a reply to others, too.
    async fn with_known_threads(&self, mut posts: Vec<Post>) -> Result<Vec<Post>, SourceError> {
        let mut kinds: HashMap<PostId, bool> = HashMap::new();
        let is_reply = |post: &Post| matches!(post.kind, PostKind::Reply { .. });
        // Oldest first, because a post may continue another one on the page.
        for post in posts.iter_mut().rev() {
            if let PostKind::Thread { parent } = &post.kind {
                let is_to_others = match kinds.get(parent) {
                    Some(is_to_others) => *is_to_others,
                    None => self.recorded(parent).await?.as_ref().is_some_and(is_reply),
                };
                if is_to_others {
                    post.kind = PostKind::Reply { to: Some(parent.clone()) };
                }
            }
            kinds.insert(post.id.clone(), is_reply(post));
        }
        Ok(posts)
    }

    async fn recorded(&self, id: &PostId) -> Result<Option<Post>, SourceError> {
        let source = format!("{NAME}:{}", self.account.name);
        self.ledger.post(&source, id).await.map_err(unusable)
    }

    /// The error for a failed call. The account may have moved to another server.
    fn failed(&self, error: CallError) -> SourceError {
        let name = &self.account.name;
        if !matches!(error, CallError::Refused(Refusal::RateLimited { .. } | Refusal::Refused(_))) {
            self.account.doubt();
        }
        match error {
            CallError::Unreachable(why)
            | CallError::NoAnswer(why)
            | CallError::Refused(Refusal::Trouble(why)) => SourceError::Unavailable(why),
            CallError::Refused(Refusal::RateLimited { reason, until }) => {
                SourceError::RateLimited { reason, until }
            }
            CallError::Refused(Refusal::NoAccount(why)) => SourceError::Account(format!(
                "there is no account @{name} on Bluesky: {why}; set source.account to the handle as Bluesky shows it, or to the DID"
            )),
            CallError::Refused(Refusal::Blocked(why)) => {
                SourceError::Account(format!("@{name} is not available on Bluesky: {why}"))
            }
            CallError::Refused(Refusal::Unauthorized(why) | Refusal::Expired(why)) => {
                SourceError::Unauthorized(format!(
                    "the server of @{name} shows its posts only to accounts of its own, and Mynah reads without one: {why}"
                ))
            }
            CallError::Refused(Refusal::Refused(why) | Refusal::NoRecord(why)) => SourceError::Refused(why),
        }
    }
}

fn unusable(error: LedgerError) -> SourceError {
    SourceError::Unavailable(error.into())
}

fn unreadable(listed: &Listed, Unclear { record, reason }: Unclear, did: &str) -> Unreadable {
    let mark = record.map(|record| (record.id(did), record.position));
    Unreadable { mark, reason, raw: format!("{}: {}", listed.key, listed.value) }
}

#[async_trait(?Send)]
impl Source for BlueskySource {
    async fn page(&self, request: &PageRequest) -> Result<Page, SourceError> {
        let bounds = Bounds::of(request)?;
        let token = match &request.continuation {
            None => {
                let reposts = if self.wanted.reposts { bounds.start() } else { Place::End };
                Token { posts: bounds.start(), reposts, below: None }
            }
            Some(token) => serde_json::from_str(token).map_err(|_| {
                SourceError::Refused(format!("{token:?} is not the token of a page of Bluesky"))
            })?,
        };
        let located = self.located().await?;
        let (did, server) = (&*located.did, Server::new(&self.settings, &located.server));
        let lists = [&token.posts, &token.reposts].into_iter().filter(|place| **place != Place::End).count();
        let limit = request.limit.div_ceil(lists.max(1));
        let posts = self.part(&server, did, POSTS, (token.posts, limit), &bounds).await?;
        let reposts = self.part(&server, did, REPOSTS, (token.reposts, limit), &bounds).await?;

        // Below this, a list that goes on may have records that belong in between.
        let end = [&posts, &reposts].into_iter().filter_map(Part::floor).max().unwrap_or_default();
        let author = Author { did, server: &located.server };
        let (now, mut page, mut read) = (Timestamp::now(), Page::default(), Vec::new());
        for part in [&posts, &reposts] {
            for listed in part.records.iter().filter(|listed| is_within(listed, end, token.below)) {
                match post::post(listed, part.collection, author, now) {
                    Ok(post) if bounds.include(&post) => read.push(post),
                    Ok(_) => {}
                    Err(unclear) => {
                        let unreadable = unreadable(listed, unclear, did);
                        let position = unreadable.mark.as_ref().map(|(_, position)| *position);
                        if position.is_none_or(|position| bounds.include_position(position)) {
                            page.unreadable.push(unreadable);
                        }
                    }
                }
            }
            page.oddities
                .extend(part.nameless.iter().map(|raw| format!("a record without an address: {raw}")));
        }
        read.sort_by_key(|post| std::cmp::Reverse(post.position));
        page.posts = self.with_known_threads(read).await?;
        let is_cut = posts.is_cut(end) || reposts.is_cut(end);
        let next = Token {
            posts: posts.continued(end),
            reposts: reposts.continued(end),
            below: is_cut.then_some(end),
        };
        if next.posts != Place::End || next.reposts != Place::End {
            // Cursors are text, so this does not fail.
            page.continuation = serde_json::to_string(&next).ok();
        }
        Ok(page)
    }

    async fn by_id(&self, id: &PostId) -> Result<Lookup, SourceError> {
        let Some(OwnRecord { collection, key, .. }) = OwnRecord::named(id) else {
            return Err(SourceError::Refused(format!("{id} is not the id of a post on Bluesky")));
        };
        let located = self.located().await?;
        self.look_up(&located, collection, &key).await
    }

    fn position(&self, id: &PostId) -> Option<u64> {
        OwnRecord::named(id).map(|record| record.position)
    }

    fn network(&self) -> &'static str {
        NAME
    }

    fn live(&self) -> Option<Rc<dyn Live>> {
        let Self { settings, account, ledger, .. } = self;
        self.wanted.stream.then(|| {
            let account = Account::new(&account.name, settings, ledger.clone());
            Rc::new(BlueskyLive::new(settings.clone(), account)) as Rc<dyn Live>
        })
    }
}
