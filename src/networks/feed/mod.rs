//! Feeds as a source: RSS, Atom and JSON Feed. Newspapers, blogs and towns publish them, and reading them is free.
//!
//! A feed is one document with the newest items. It may change ids, times and its own address, and anything may be in
//! it, so most of this folder is about what a new item is, and about answers that are no feed.
//!
//! # Layout
//!
//! - [`Feed`] is the network's entry in the registry; `settings` and `address` read its settings, and `connection` is
//!   the result.
//! - `source` and `media` are the adapters of the domain's ports.
//! - `fetch` asks the server; `document` and `picture` parse its answer into an `item`.
//! - `memory` recognizes items and stores their order.
//! - `template` makes a text of an item.

mod address;
mod connection;
mod document;
mod fetch;
mod item;
mod media;
mod memory;
mod picture;
mod settings;
mod source;
mod template;

use std::sync::Arc;

use config::ValueKind;
use mynah_domain::{
    PostId,
    network::{NetworkRules, PlainText},
    ports::ledger::Mark,
};

use super::{Accounts, Connections, Network};
use crate::{
    http_client::Transport,
    settings::{
        Reader, Vault,
        kinds::{Read, refuse, text_of},
    },
};

const NAME: &str = "feed";

/// The entry of feeds in the registry.
#[derive(Debug)]
pub struct Feed;

impl Network for Feed {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "a feed"
    }

    fn rules(&self) -> Arc<dyn NetworkRules> {
        Arc::new(PlainText { name: NAME, ..PlainText::default() })
    }

    fn can_publish(&self) -> bool {
        false
    }

    fn handle(&self, value: &ValueKind) -> Read<String> {
        address::read(value)
    }

    fn account_named(&self, handle: &str) -> String {
        handle.to_owned()
    }

    /// Ids of items have no order.
    fn mark(&self, _: &str) -> Option<Mark> {
        None
    }

    fn example_id(&self) -> &'static str {
        "https://paper.example/2026/11/a-bridge-is-closed"
    }

    fn post_named(&self, which: &str) -> Read<PostId> {
        match which.trim() {
            "" => {
                refuse("an item needs a name", format!("name it by its id, such as {:?}", self.example_id()))
            }
            id => Ok(PostId(id.to_owned())),
        }
    }

    fn template(&self, value: &ValueKind) -> Read<String> {
        settings::template(value)?;
        text_of(value).map(str::to_owned)
    }

    fn read(
        &self,
        reader: &mut Reader<'_>,
        _: &mut Vault<'_>,
        accounts: &Accounts<'_>,
        transport: Option<Transport>,
    ) -> Option<Connections> {
        settings::read(reader, accounts, transport)
    }
}
