//! An upstream, or a proxy in front of it, may repeat the headers that it received: without protection its error would
//! carry our keys into the log, the ledger, the admin API and even a translation. The settings register every secret
//! that they read; the HTTP client removes all registered secrets from an answer before any adapter sees it.
//!
//! - [`register`] adds a secret for this process. A replaced secret stays registered: a late answer may repeat it.
//! - [`Redactor`] replaces the registered secrets, and the credentials of one request, in its answer.
//! - `forms` lists the encodings of a secret, `decoding` decodes escapes, `search` finds all forms in one pass.

mod decoding;
mod forms;
mod search;

use std::{
    borrow::Cow,
    cell::OnceCell,
    ops::Range,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use secrecy::{ExposeSecret as _, SecretString};

use decoding::Layer;
use search::Search;

/// Replaces a secret. It needs no escaping in JSON, URLs or headers.
pub const MARK: &str = "[redacted]";

/// Shorter secrets would match ordinary words, so they are not redacted. No service issues one.
const SHORTEST: usize = 8;

/// From this length on, a secret cannot be an ordinary word or number, so it is redacted wherever it occurs. A shorter
/// one is redacted in errors only, and only as a whole word: a post may contain it by chance.
const UNMISTAKABLE: usize = 16;

/// How many nested layers of escapes to decode: JSON in JSON, a percent-encoded URL in both.
const LAYERS: usize = 4;

/// The purpose of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It may be published or stored: posts and translations.
    Content,
    /// It explains a failure to a person.
    Explanation,
}

/// The secrets of this process.
static KNOWN: RwLock<Option<Arc<Known>>> = RwLock::new(None);

/// Redacts `secret` from now on.
pub fn register(secret: &SecretString) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    let secrets = known.as_ref().map(|known| known.secrets.as_slice()).unwrap_or_default();
    let is_new = secrets.iter().all(|other| other.expose_secret() != secret.expose_secret());
    if is_new && secret.expose_secret().len() >= SHORTEST {
        let secrets = secrets.iter().chain([secret]).cloned().collect();
        *known = Some(Arc::new(Known { secrets, ..Known::default() }));
    }
}

/// Registered secrets, with their searches.
#[derive(Default)]
struct Known {
    secrets: Vec<SecretString>,
    in_content: OnceLock<Option<Search>>,
    in_explanations: OnceLock<Option<Search>>,
}

impl Known {
    /// Built on first use: most commands call no upstream.
    fn search(&self, purpose: Purpose) -> Option<&Search> {
        let search = match purpose {
            Purpose::Content => &self.in_content,
            Purpose::Explanation => &self.in_explanations,
        };
        search.get_or_init(|| search_for(&self.secrets, purpose)).as_ref()
    }
}

fn search_for(secrets: &[SecretString], purpose: Purpose) -> Option<Search> {
    let shortest = match purpose {
        Purpose::Content => UNMISTAKABLE,
        Purpose::Explanation => SHORTEST,
    };
    let secrets = secrets.iter().map(SecretString::expose_secret);
    Search::of(secrets.filter(|secret| secret.len() >= shortest).flat_map(forms::of).collect())
}

/// Redacts the answer to one request.
pub struct Redactor {
    known: Option<Arc<Known>>,
    /// The request's headers with credentials. Some credentials are derived, so they are not registered.
    headers: Vec<(String, SecretString)>,
    /// Built on first use, like those of [`Known`].
    own: OnceCell<Option<Search>>,
}

impl Redactor {
    /// A redactor for the answer to a request with these headers.
    pub fn for_request<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let headers = headers.into_iter().filter(|(name, _)| holds_credentials(name));
        Self {
            known: KNOWN.read().unwrap_or_else(PoisonError::into_inner).clone(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.into())).collect(),
            own: OnceCell::new(),
        }
    }

    /// The text without secrets; `None` if it has none.
    pub fn redact(&self, text: &[u8], purpose: Purpose) -> Option<Vec<u8>> {
        // Many headers. No form of a secret is shorter.
        if text.len() < SHORTEST {
            return None;
        }
        let known = self.known.as_ref().and_then(|known| known.search(purpose));
        let mut found = known.map(|known| find(text, known)).unwrap_or_default();
        // Derived credentials occur together with the others. Searching every answer for them would slow down
        // publishing.
        if purpose == Purpose::Explanation || !found.is_empty() {
            found.extend(self.own().into_iter().flat_map(|own| find(text, own)));
        }
        if found.is_empty() {
            return None;
        }
        found.sort_unstable_by_key(|span| span.start);
        let mut redacted = Vec::with_capacity(text.len());
        let mut end = 0;
        for span in found {
            // Several layers may find the same secret, or overlapping parts of it.
            if span.start >= end {
                redacted.extend_from_slice(&text[end..span.start]);
                redacted.extend_from_slice(MARK.as_bytes());
            }
            end = end.max(span.end);
        }
        redacted.extend_from_slice(&text[end..]);
        Some(redacted)
    }

    fn own(&self) -> Option<&Search> {
        let search = || {
            let headers = self.headers.iter();
            let credentials: Vec<SecretString> =
                headers.flat_map(|(name, value)| credentials(name, value)).collect();
            search_for(&credentials, Purpose::Explanation)
        };
        self.own.get_or_init(search).as_ref()
    }

    /// The explanation without secrets.
    pub fn explanation<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.redact(text.as_bytes(), Purpose::Explanation) {
            Some(redacted) => String::from_utf8_lossy(&redacted).into_owned().into(),
            None => text.into(),
        }
    }
}

/// Finds secrets in a text, whatever escapes it uses.
fn find(text: &[u8], search: &Search) -> Vec<Range<usize>> {
    let mut found = search.find(text);
    let mut layers: Vec<Layer> = Vec::new();
    while layers.len() < LAYERS {
        let Some(next) = Layer::decode(layers.last().map_or(text, Layer::text)) else { break };
        layers.push(next);
        let source = |place| layers.iter().rev().fold(place, |place, layer| layer.source(place));
        let decoded = layers.last().map_or(text, Layer::text);
        found.extend(search.find(decoded).into_iter().map(|span| source(span.start)..source(span.end)));
    }
    found
}

fn holds_credentials(header: &str) -> bool {
    // The HTTP library writes names in lowercase, and then this costs nothing.
    let header = if header.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::from(header.to_ascii_lowercase())
    } else {
        Cow::from(header)
    };
    ["authorization", "cookie", "key", "token", "secret", "password"].iter().any(|word| header.contains(word))
}

/// The secret parts of a header with credentials, decoded.
fn credentials(name: &str, value: &SecretString) -> Vec<SecretString> {
    let value = value.expose_secret().trim();
    let parts: Vec<&str> = match value.split_once(' ') {
        // OAuth 1.0a: the other parameters are only the method and the time.
        Some(("OAuth", parameters)) => parameters
            .split(',')
            .filter_map(|parameter| parameter.trim().split_once('='))
            .filter(|(name, _)| {
                matches!(*name, "oauth_consumer_key" | "oauth_token" | "oauth_signature" | "oauth_nonce")
            })
            .map(|(_, value)| value.trim_matches('"'))
            .collect(),
        Some((_scheme, credentials)) if name.to_ascii_lowercase().contains("authorization") => {
            vec![credentials.trim()]
        }
        _ => vec![value],
    };
    parts
        .into_iter()
        .map(|part| match Layer::decode(part.as_bytes()) {
            Some(decoded) => String::from_utf8_lossy(decoded.text()).into_owned(),
            None => part.to_owned(),
        })
        .map(SecretString::from)
        .collect()
}

#[cfg(test)]
mod tests;
