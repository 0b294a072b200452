//! Files as a source and as a destination: a JSONL file, or a folder with one file for each message. For archives, for
//! tests, for scripts that pipe posts through Mynah, and for networks that Mynah does not know.
//!
//! Both sides have one format (`docs/networks/file.md`), so one Mynah's output can be another's input. What is in a file
//! comes from a stranger, and a program or a person may write, rotate, truncate or replace files at any time.
//!
//! # Layout
//!
//! - [`Files`] is the network's entry in the registry; `settings` reads its settings, and `connection` is the result.
//! - `place` finds files, and lets no name lead out of the base folder.
//! - `record` is the format of a message; `hash` makes names of content.
//! - `jsonl` and `folder` are the two forms of an account: each reads and writes messages, on a thread that may block.
//! - `source`, `destination` and `media` are the adapters of the domain's ports.

mod connection;
mod destination;
mod folder;
mod hash;
mod jsonl;
mod media;
mod place;
mod record;
mod settings;
mod source;

use std::sync::Arc;

use config::ValueKind;
use mynah_domain::{
    PostId,
    network::{Limits, NetworkRules, PlainText, Price, Repeat},
    ports::ledger::Mark,
};

use super::{Accounts, Connections, Network};
use crate::{
    http_client::Transport,
    settings::{
        Reader, Vault,
        kinds::{Read, refuse},
    },
};

/// What a message may contain. Files have no limits of their own: these leave room for an article, and keep a line that
/// Mynah writes below [`record::MOST_BYTES`].
const RULES: PlainText = PlainText {
    name: "file",
    limits: Limits { text: 10_000, alt_text: 2_000, media: 10 },
    repeat: Repeat::Safe,
    price: Price { message: 0, with_link: 0 },
    has_warnings: true,
    has_cards: false,
};

/// The entry of files in the registry.
#[derive(Debug)]
pub struct Files;

impl Network for Files {
    fn name(&self) -> &'static str {
        RULES.name
    }

    fn title(&self) -> &'static str {
        "files"
    }

    fn rules(&self) -> Arc<dyn NetworkRules> {
        Arc::new(RULES)
    }

    fn handle(&self, value: &ValueKind) -> Read<String> {
        place::account(value)
    }

    fn account_named(&self, handle: &str) -> String {
        handle.to_owned()
    }

    /// Ids have no order: a JSONL file's order is that of its lines, and a folder's that in which files appear.
    fn mark(&self, _: &str) -> Option<Mark> {
        None
    }

    fn example_id(&self) -> &'static str {
        "2026-11-27-bridge.json"
    }

    fn post_named(&self, which: &str) -> Read<PostId> {
        match which.trim() {
            "" => {
                refuse("a post needs a name", format!("name it by its id, such as {:?}", self.example_id()))
            }
            id => Ok(PostId(id.to_owned())),
        }
    }

    fn read(
        &self,
        reader: &mut Reader<'_>,
        _: &mut Vault<'_>,
        accounts: &Accounts<'_>,
        _: Option<Transport>,
    ) -> Option<Connections> {
        settings::read(reader, accounts)
    }
}
