//! Says which parts of a text are links, mentions and tags. A post carries this beside its text, with offsets in bytes
//! of UTF-8; without it, an address is plain text that nobody can follow.

use std::{cell::RefCell, collections::HashMap};

use mynah_domain::{network::NetworkRules as _, text::EntityKind};
use serde::Serialize;

use crate::networks::bluesky::{
    client::{CallError, Server},
    identity::did_of,
    rules::{BlueskyRules, address_of},
};

/// How many handles to remember. More are looked up again.
const HANDLES: usize = 1_000;

/// A part of a text that does something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Facet {
    index: Slice,
    features: [Feature; 1],
}

/// A range of bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Slice {
    byte_start: usize,
    byte_end: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "$type")]
enum Feature {
    #[serde(rename = "app.bsky.richtext.facet#link")]
    Link { uri: String },
    #[serde(rename = "app.bsky.richtext.facet#mention")]
    Mention { did: String },
    #[serde(rename = "app.bsky.richtext.facet#tag")]
    Tag { tag: String },
}

/// The accounts that handles belong to, as far as they were looked up.
#[derive(Default)]
pub(super) struct Handles(RefCell<HashMap<String, String>>);

impl Handles {
    /// The DID of a handle; `None` if it belongs to nobody, or to somebody whom the server cannot find.
    async fn did(&self, server: &Server, handle: &str) -> Result<Option<String>, CallError> {
        let handle = handle.to_ascii_lowercase();
        if let Some(did) = self.0.borrow().get(&handle) {
            return Ok(Some(did.clone()));
        }
        match did_of(server, &handle).await {
            Ok(did) => {
                let mut known = self.0.borrow_mut();
                if known.len() >= HANDLES {
                    known.clear();
                }
                known.insert(handle, did.clone());
                Ok(Some(did))
            }
            // A name that leads nowhere must not keep a post from being published.
            Err(CallError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The facets of a text. A mention of an unknown handle stays plain text.
pub(super) async fn facets(text: &str, handles: &Handles, server: &Server) -> Result<Vec<Facet>, CallError> {
    let mut facets = Vec::new();
    for entity in BlueskyRules.entities(text) {
        let part = &text[entity.range.clone()];
        let feature = match entity.kind {
            EntityKind::Link => Feature::Link { uri: address_of(part) },
            EntityKind::Mention => match handles.did(server, part.trim_start_matches('@')).await? {
                Some(did) => Feature::Mention { did },
                None => continue,
            },
            EntityKind::Hashtag => Feature::Tag { tag: part.trim_start_matches(['#', '＃']).to_owned() },
            EntityKind::Cashtag | EntityKind::Emoji => continue,
        };
        let index = Slice { byte_start: entity.range.start, byte_end: entity.range.end };
        facets.push(Facet { index, features: [feature] });
    }
    Ok(facets)
}
