//! Hears of new posts at once, by a server's stream of events (SSE).
//!
//! The stream of a user has what the user's home timeline gets: their own posts, and those of accounts that they follow. So
//! it needs a token, of the followed account or of one that follows it. An event is only a reason to poll.

use std::{rc::Rc, time::Duration};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use mynah_domain::ports::{Live, News, SourceError};
use serde_json::Value;

use super::{instance::Instance, secrets, source::MastodonSource, wire::id_of};
use crate::http_client::Lines;

/// Mastodon sends a comment every 15 seconds (mastodon/mastodon, `streaming/index.js`); after three missing ones, the
/// connection counts as lost.
const SILENCE: Duration = Duration::from_mins(1);

/// A followed account's stream.
pub(super) struct MastodonLive {
    source: Rc<MastodonSource>,
}

impl MastodonLive {
    pub(super) fn new(source: Rc<MastodonSource>) -> Self {
        Self { source }
    }
}

#[async_trait(?Send)]
impl Live for MastodonLive {
    async fn connect(&self) -> Result<Box<dyn News>, SourceError> {
        let source = &*self.source;
        let (client, name) = (source.client(), source.account());
        if !client.has_token() {
            let variable = secrets::variable(name);
            return Err(SourceError::Unauthorized(format!(
                "{} streams only to accounts: set {variable} to a token of @{name} or of an account that follows it, \
                 or set source.mode = \"poll\"",
                client.base()
            )));
        }
        let account = source.account_id().await?;
        let explain = |error| source.explain(error);
        let Instance { streaming, .. } = Instance::of(client).await.map_err(explain)?;
        let lines = client.lines(streaming.as_deref(), "/api/v1/streaming/user").await.map_err(explain)?;
        let events = Events { account, is_update: false };
        Ok(Box::new(Connection { lines, events, base: client.base().to_owned() }))
    }
}

/// A connection through which events come.
struct Connection {
    lines: Lines,
    events: Events,
    base: String,
}

#[async_trait(?Send)]
impl News for Connection {
    async fn next(&mut self) -> Result<(), SourceError> {
        let lost = |why: &str| SourceError::Unavailable(format!("the stream of {} {why}", self.base));
        loop {
            match actix_rt::time::timeout(SILENCE, self.lines.next()).await {
                Err(_) => return Err(lost("is silent")),
                Ok(None) => return Err(lost("ended")),
                Ok(Some(Err(error))) => return Err(lost(&format!("broke: {error}"))),
                Ok(Some(Ok(lines))) if self.events.have_news(&lines) => return Ok(()),
                Ok(Some(Ok(_))) => {}
            }
        }
    }
}

/// Reads events (WHATWG, *Server-sent events*).
struct Events {
    /// The account whose posts are news.
    account: String,
    /// Whether the event that is being read is about a post.
    is_update: bool,
}

impl Events {
    /// Whether some lines tell of a post of the account. What cannot be read counts as none: the account is polled anyway.
    fn have_news(&mut self, lines: &[u8]) -> bool {
        let mut found = false;
        // What follows the last line break is no line.
        let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
        for line in lines.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                self.is_update &= !line.is_empty();
                continue;
            };
            let (field, value) = (&line[..colon], line[colon + 1..].trim_ascii_start());
            match field {
                b"event" => self.is_update = value == b"update",
                b"data" if self.is_update => {
                    let status: Option<Value> = serde_json::from_slice(value).ok();
                    let author = status.as_ref().and_then(|status| id_of(status.get("account")?));
                    found |= author.as_ref() == Some(&self.account);
                }
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_post_of_the_account_is_news() {
        let mut events = Events { account: "7".into(), is_update: false };
        let mut news = |lines: &str| events.have_news(lines.as_bytes());
        assert!(!news(":)\n"));
        assert!(!news(":thump\n\n"));
        assert!(news("event: update\ndata: {\"id\":\"1\",\"account\":{\"id\":\"7\"}}\n\n"));
        assert!(!news("event: update\ndata: {\"id\":\"1\",\"account\":{\"id\":\"8\"}}\n\n"));
        assert!(!news("event: delete\ndata: 12\n\n"));
        assert!(!news("event: notification\ndata: {\"account\":{\"id\":\"7\"}}\n\n"));
        // In pieces, as lines arrive.
        assert!(!news("event: update\n") && news("data: {\"account\":{\"id\":\"7\"}}\r\n") && !news("\n"));
        for garbage in
            ["data: {\"account\":{\"id\":\"7\"}}\n", "event: update\ndata: {\n\n", "\u{0}\u{1}\n", "no colon"]
        {
            assert!(!news(garbage), "{garbage:?}");
        }
    }
}
