//! What a network is to the service: a folder whose [`Network`] stands in the registry ([`Networks`](super::Networks)).
//! Settings, commands and wiring ask it and know no network by name.
//!
//! A network is asked in two steps. [`Network`] knows how its accounts and posts are named, and reads its section of the
//! settings and its secrets. What comes of that are connections, a [`Followed`] or [`Published`] for each account that the
//! settings name: these make the adapters of the domain's ports.

use std::{fmt, rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use config::ValueKind;
use jiff::Timestamp;
use mynah_actors::pipeline::Factory;
use mynah_domain::{
    Post, PostId,
    network::NetworkRules,
    ports::{Destination, Ledger, Lookup, MediaFetcher, PageRequest, Source, ledger::Mark},
};

use crate::{
    http_client::Transport,
    settings::{
        Reader, Vault,
        kinds::{Read, refuse},
    },
};

/// A network.
pub trait Network: fmt::Debug + Sync {
    /// Its name in settings, ledger and logs, which is that of its settings section too: `x`.
    fn name(&self) -> &'static str;

    /// Its name as people write it, for reasons: `X`.
    fn title(&self) -> &'static str {
        self.name()
    }

    /// How it reads and counts texts, and what it accepts.
    fn rules(&self) -> Arc<dyn NetworkRules>;

    /// Reads an account's handle, as people write it.
    ///
    /// # Errors
    /// Says what a handle looks like.
    fn handle(&self, value: &ValueKind) -> Read<String>;

    /// Whether two handles are those of one account. Most networks compare them without case.
    fn is_same_handle(&self, one: &str, other: &str) -> bool {
        one.eq_ignore_ascii_case(other)
    }

    /// The place of the post with this id, for `source.start`; `None` where this is no post's id, or an id tells no place.
    fn mark(&self, id: &str) -> Option<Mark>;

    /// An id as people find it on a post, for reasons.
    fn example_id(&self) -> &'static str;

    /// Where the network's record begins, if it shows nothing from before some moment.
    fn beginning(&self) -> Option<Timestamp> {
        None
    }

    /// The post that a person names by its id or its link.
    ///
    /// # Errors
    /// Says how a post is named.
    fn post_named(&self, which: &str) -> Read<PostId> {
        match self.mark(which) {
            Some(mark) => Ok(mark.id),
            None => refuse(
                format!("{which:?} is no post of {}", self.title()),
                format!("name it by its id, such as {:?}", self.example_id()),
            ),
        }
    }

    /// The variable in which a secret belongs that somebody wrote into the settings under a key of this name; `account` is
    /// the account in whose section it was written, if in one.
    fn variable_of(&self, key: &str, account: Option<&str>) -> String {
        format!("{}_{}_{key}", self.name(), account.unwrap_or("<ACCOUNT>")).to_uppercase()
    }

    /// Reads the network's section, and the secrets of the accounts that the settings name. The section is read also where
    /// they name none, so that what is written in it is checked.
    ///
    /// `None` where there was a problem; the reader or the vault has it.
    fn read(
        &self,
        reader: &mut Reader<'_>,
        vault: &mut Vault<'_>,
        accounts: &Accounts<'_>,
        transport: Option<Transport>,
    ) -> Option<Connections>;
}

/// The accounts of one network that the settings name, in their order: each handle, or `None` where it could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts<'a> {
    /// Those that are followed.
    pub followed: Vec<Option<&'a str>>,
    /// Those that are published on.
    pub published: Vec<Option<&'a str>>,
}

impl Accounts<'_> {
    /// Connects each account by its handle. `None` where a handle could not be read, or there is no connection.
    pub fn connect<F: Followed + 'static, P: Published + 'static>(
        &self,
        longest_call: Duration,
        mut followed: impl FnMut(&str) -> Option<F>,
        mut published: impl FnMut(&str) -> Option<P>,
    ) -> Option<Connections> {
        let followed = |handle: Option<&str>| Some(Arc::new(followed(handle?)?) as Arc<dyn Followed>);
        let published = |handle: Option<&str>| Some(Arc::new(published(handle?)?) as Arc<dyn Published>);
        Some(Connections {
            followed: self.followed.iter().copied().map(followed).collect::<Option<_>>()?,
            published: self.published.iter().copied().map(published).collect::<Option<_>>()?,
            longest_call,
        })
    }
}

/// A connection for each of the accounts, in their order.
#[derive(Debug, Clone)]
pub struct Connections {
    /// For those that are followed.
    pub followed: Vec<Arc<dyn Followed>>,
    /// For those that are published on.
    pub published: Vec<Arc<dyn Published>>,
    /// The longest that one call may take.
    pub longest_call: Duration,
}

/// What of a followed account is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Whether reposts are.
    pub reposts: bool,
}

/// An account that is followed, with all that is needed to call its network.
#[async_trait(?Send)]
pub trait Followed: fmt::Debug + Send + Sync {
    /// Makes the source. Small facts about the account are stored in the ledger.
    fn source(&self, wanted: Wanted, ledger: Arc<dyn Ledger>) -> Factory<Rc<dyn Source>>;

    /// Makes what fetches the media of its posts.
    fn media(&self) -> Factory<Rc<dyn MediaFetcher>>;

    /// Finds out whether the account is there and can be read, for `mynah check`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    async fn check(&self, ledger: Arc<dyn Ledger>) -> Result<String, String> {
        let newest = PageRequest { limit: 1, ..PageRequest::default() };
        let page = self.source(Wanted::default(), ledger)().page(&newest).await;
        page.map(|_| "found".to_owned()).map_err(|error| error.to_string())
    }

    /// Any post of the network, read with this account's credentials, for `mynah preview`.
    ///
    /// # Errors
    /// A sentence that says why there is none.
    async fn post(&self, id: &PostId, ledger: Arc<dyn Ledger>) -> Result<Post, String> {
        match self.source(Wanted::default(), ledger)().by_id(id).await {
            Ok(Lookup::Post(post)) => Ok(*post),
            Ok(Lookup::Unreadable(unreadable)) => Err(format!("it cannot be read: {}", unreadable.reason)),
            Ok(Lookup::Gone(reason)) => Err(reason),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// An account that is published on, with all that is needed to call its network.
#[async_trait(?Send)]
pub trait Published: fmt::Debug + Send + Sync {
    /// Makes the destination. Small facts about the account are stored in the ledger.
    fn destination(&self, ledger: Arc<dyn Ledger>) -> Factory<Rc<dyn Destination>>;

    /// Finds out whose credentials these are, for `mynah check`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    async fn check(&self, ledger: Arc<dyn Ledger>) -> Result<String, String> {
        let verified = self.destination(ledger)().verify().await;
        verified.map(|()| "the account can be published on".to_owned()).map_err(|error| error.to_string())
    }
}
