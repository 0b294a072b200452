//! Follows a feed. A feed is one document with its newest items, so a page is a part of the document that the last read
//! brought. [`Memory`] knows the order of the items, and [`Fetcher`] when and how to read.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use log::info;
use mynah_domain::{
    Post, PostId, PostKind,
    ports::{Ledger, LedgerError, Lookup, Page, PageRequest, Source, SourceError, Unreadable},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Mutex;

use super::{
    NAME,
    document::Document,
    fetch::{Cached, FetchFailure, FetchSettings, Fetcher},
    memory::{Memory, Placed},
    template::Template,
};

/// Settings for a feed.
#[derive(Debug, Clone)]
pub(super) struct FeedSettings {
    pub(super) fetch: FetchSettings,
    /// What is published of an item.
    pub(super) template: Arc<Template>,
}

/// A feed that is followed.
pub(super) struct FeedSource {
    settings: FeedSettings,
    fetcher: Fetcher,
    ledger: Arc<dyn Ledger>,
    /// What is known about the feed; `None` until it was loaded.
    state: Mutex<Option<State>>,
}

#[derive(Default)]
struct State {
    memory: Memory,
    cached: Cached,
    /// The items of the last document, newest first; `None` until one was read.
    shown: Option<Vec<Placed>>,
    /// Why the feed is not asked any more until the next start.
    gone: Option<String>,
}

impl FeedSource {
    pub(super) fn new(settings: FeedSettings, ledger: Arc<dyn Ledger>) -> Self {
        let fetcher = Fetcher::new(settings.fetch.clone());
        Self { settings, fetcher, ledger, state: Mutex::new(None) }
    }

    /// What is at the address, for people. Stores nothing.
    pub(super) async fn describe(&self) -> Result<String, SourceError> {
        let (cached, document) = self.fetcher.fetch(&Cached::default()).await.map_err(of_failure)?;
        let Document { title, items, .. } = document;
        let mut found = match items.len() {
            1 => format!("found the feed {title:?} with 1 item"),
            number => format!("found the feed {title:?} with {number} items"),
        };
        if let Some(moved_to) = cached.moved_to {
            found = format!("{found}; it has moved to {moved_to}");
        }
        Ok(found)
    }

    /// The state, loaded at first use.
    async fn loaded<'a>(&self, state: &'a mut Option<State>) -> Result<&'a mut State, SourceError> {
        if state.is_none() {
            let memory = self.fact("items").await?.unwrap_or_default();
            let cached = self.fact("cached").await?.unwrap_or_default();
            *state = Some(State { memory, cached, ..State::default() });
        }
        Ok(state.get_or_insert_default())
    }

    /// Reads the feed again if it is time to. With `needs_items`, its items are there afterwards.
    async fn refresh(&self, state: &mut State, needs_items: bool) -> Result<(), SourceError> {
        if let Some(reason) = &state.gone {
            return Err(SourceError::Account(reason.clone()));
        }
        let is_lacking = needs_items && state.shown.is_none();
        let now = Timestamp::now();
        if !is_lacking && !state.cached.is_due(now) {
            return Ok(());
        }
        let fetched = if is_lacking {
            self.fetcher.fetch(&state.cached).await.map(|(cached, document)| (cached, Some(document)))
        } else {
            self.fetcher.fetch_if_changed(&state.cached).await
        };
        let (cached, document) = match fetched {
            Ok(fetched) => fetched,
            Err(failure) => return Err(self.failed(state, failure).await),
        };
        if let Some(document) = document {
            let mut memory = state.memory.clone();
            let shown = memory.place(document.items, now);
            // Before anybody sees the items, so that each has the same position after a crash.
            if memory != state.memory {
                self.remember("items", &memory).await?;
            }
            (state.memory, state.shown) = (memory, Some(shown));
        }
        if cached != state.cached {
            self.remember("cached", &cached).await?;
            if let Some(to) = cached.moved_to.as_ref().filter(|_| cached.moved_to != state.cached.moved_to) {
                info!(source:% = self.settings.fetch.address, to:% = to; "feed moved");
            }
            state.cached = cached;
        }
        Ok(())
    }

    async fn failed(&self, state: &mut State, failure: FetchFailure) -> SourceError {
        if let FetchFailure::Gone(reason) | FetchFailure::Missing(reason) = &failure
            && state.cached.moved_to.is_some()
        {
            // It may be found again where it was before it moved.
            let cached = Cached::default();
            if let Err(error) = self.remember("cached", &cached).await {
                return error;
            }
            state.cached = cached;
            return SourceError::Unavailable(format!("{reason}; Mynah asks at its former address next"));
        }
        if let FetchFailure::Gone(reason) = &failure {
            state.gone = Some(reason.clone());
        }
        of_failure(failure)
    }

    async fn fact<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, SourceError> {
        let stored = self.ledger.fact(&self.key(name)).await.map_err(unusable)?;
        // Of another version. The order of items can be lost: positions only grow.
        Ok(stored.and_then(|stored| serde_json::from_str(&stored).ok()))
    }

    async fn remember(&self, name: &str, value: &impl Serialize) -> Result<(), SourceError> {
        let value =
            serde_json::to_string(value).map_err(|error| SourceError::Unavailable(error.to_string()))?;
        self.ledger.remember(&self.key(name), &value).await.map_err(unusable)
    }

    fn key(&self, name: &str) -> String {
        format!("{NAME}:{name}:{}", self.settings.fetch.address)
    }

    fn post(&self, placed: &Placed) -> Result<Post, Unreadable> {
        let Placed { item, id, position, created_at, .. } = placed;
        let (id, text) = (PostId(id.clone()), self.settings.template.render(item));
        if text.is_empty() && item.media.is_empty() {
            return Err(Unreadable {
                raw: format!("item {id} with link {:?} and title {:?}", item.link, item.title),
                mark: Some((id, *position)),
                reason: "its template makes no text of it (feed.template, or the source's own)".into(),
            });
        }
        let card = item.card().filter(|card| text.contains(&card.url));
        Ok(Post {
            id,
            position: *position,
            text,
            entities: None,
            language: item.language.clone(),
            kind: PostKind::Original,
            created_at: *created_at,
            media: item.media.clone(),
            has_poll: false,
            warning: None,
            is_sensitive: false,
            card,
            versions: Vec::new(),
        })
    }
}

/// Which items a page shows.
struct Wanted<'a> {
    after: Option<u64>,
    before: Option<u64>,
    /// Only items that appeared after the first read: what came before is not known.
    only_later: bool,
    request: &'a PageRequest,
}

impl<'a> Wanted<'a> {
    fn by(request: &'a PageRequest, memory: &Memory) -> Result<Self, SourceError> {
        let position = |id: &Option<PostId>| id.as_ref().and_then(|id| memory.position(&id.0));
        let before = match &request.continuation {
            None => position(&request.before),
            Some(token) => Some(token.parse().map_err(|_| {
                SourceError::Refused(format!("{token:?} is not the token of a page of a feed"))
            })?),
        };
        let after = position(&request.after);
        Ok(Self { after, before, only_later: request.after.is_some() && after.is_none(), request })
    }

    fn includes(&self, item: &Placed) -> bool {
        // A new item often has an earlier time than when it appeared.
        let is_since = self.request.from.is_none_or(|from| item.is_later || item.created_at >= from);
        self.after.is_none_or(|after| item.position > after)
            && self.before.is_none_or(|before| item.position < before)
            && (item.is_later || !self.only_later)
            && is_since
    }
}

#[async_trait(?Send)]
impl Source for FeedSource {
    async fn page(&self, request: &PageRequest) -> Result<Page, SourceError> {
        let mut state = self.state.lock().await;
        let state = self.loaded(&mut state).await?;
        if request.continuation.is_none() || state.shown.is_none() {
            let newest = request.after.as_ref().and_then(|id| state.memory.position(&id.0));
            let is_all_recorded = request.before.is_none() && newest == Some(state.memory.last());
            self.refresh(state, !is_all_recorded).await?;
        }
        let wanted = Wanted::by(request, &state.memory)?;
        let mut items = state.shown.iter().flatten().filter(|item| wanted.includes(item)).peekable();
        let mut page = Page::default();
        for item in items.by_ref().take(request.limit.max(1)) {
            page.continuation = Some(item.position.to_string());
            match self.post(item) {
                Ok(post) => page.posts.push(post),
                Err(unreadable) => page.unreadable.push(unreadable),
            }
        }
        if items.peek().is_none() {
            page.continuation = None;
        }
        Ok(page)
    }

    async fn by_id(&self, id: &PostId) -> Result<Lookup, SourceError> {
        let mut state = self.state.lock().await;
        let state = self.loaded(&mut state).await?;
        self.refresh(state, true).await?;
        let found = state.shown.iter().flatten().find(|item| item.id == id.0);
        Ok(match found.map(|item| self.post(item)) {
            Some(Ok(post)) => Lookup::Post(Box::new(post)),
            Some(Err(unreadable)) => Lookup::Unreadable(unreadable),
            None => {
                Lookup::Gone(format!("the feed {} does not have it any more", self.settings.fetch.address))
            }
        })
    }

    /// An id says nothing about when its item appeared.
    fn position(&self, _: &PostId) -> Option<u64> {
        None
    }

    fn network(&self) -> &'static str {
        NAME
    }
}

fn of_failure(failure: FetchFailure) -> SourceError {
    match failure {
        FetchFailure::Gone(reason) | FetchFailure::Missing(reason) => SourceError::Account(reason),
        FetchFailure::Other(error) => error,
    }
}

fn unusable(error: LedgerError) -> SourceError {
    SourceError::Unavailable(error.into())
}
