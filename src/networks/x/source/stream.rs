//! X's filtered stream reports new posts within seconds, on a connection that stays open.
//!
//! X allows an app one connection, so the sources of a process share one: the first that connects opens it, and the
//! others listen to it. If the thread that reads it ends, the next source that connects opens another.
//!
//! A post on the stream is only a reason to poll. X bills a post once a day, however often and by whatever call it is
//! read, so a post that is on the stream and on a page costs what it costs on the page alone.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use mynah_domain::ports::{Live, News, SourceError};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Mutex, broadcast};

use super::XSource;
use crate::{
    http_client::Lines,
    networks::x::{
        XAuth, XClient,
        client::XSettings,
        wire::{Id, Problem},
    },
};

const STREAM: &str = "/2/tweets/search/stream";
const RULES: &str = "/2/tweets/search/stream/rules";

/// X sends an empty line every 20 seconds; after three missing ones, the connection counts as lost.
const SILENCE: Duration = Duration::from_mins(1);

/// How many posts may wait for a slow listener. It misses none by missing the rest: one is enough to poll.
const WAITING: usize = 64;

/// What arrived on the connection.
#[derive(Debug, Clone)]
enum Event {
    /// A post that the rules with these ids match.
    Post(Arc<[String]>),
    /// The connection is lost, for this reason.
    Lost(Arc<str>),
}

/// The connection that all sources of an app share; it may not be open.
#[derive(Default)]
pub(in crate::networks::x) struct SharedStream(Mutex<Option<broadcast::WeakSender<Event>>>);

impl fmt::Debug for SharedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedStream")
    }
}

/// One followed account's part of the stream.
pub(super) struct XLive {
    source: XSource,
    client: XClient,
    stream: Arc<SharedStream>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rules {
    data: Vec<Rule>,
    errors: Vec<Problem>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    id: Id,
    #[serde(default)]
    value: String,
}

/// A line of the stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    matching_rules: Vec<Rule>,
    errors: Vec<Problem>,
}

impl XLive {
    pub(super) fn new(source: &XSource, stream: Arc<SharedStream>) -> Self {
        // Connections of its own: the stream occupies one of them for as long as it lasts.
        let settings = XSettings { connections: 2, ..source.settings.x.clone() };
        let client = XClient::new(&settings, source.settings.auth.clone(), source.ledger.clone());
        Self { source: source.clone(), client, stream }
    }

    /// The id of the rule that matches the account's posts, which is added if it is missing.
    async fn rule(&self) -> Result<String, SourceError> {
        let value = format!("from:{}", self.source.settings.account.to_lowercase());
        let explain = |error| self.source.explain(error);
        let mut rules: Rules = self.client.get(RULES, &[]).await.map_err(explain)?;
        if !rules.data.iter().any(|rule| rule.value == value) {
            let add = json!({"add": [{"value": value, "tag": "mynah"}]});
            rules = self.client.post(RULES, &add).await.map_err(explain)?;
        }
        let reason = rules.errors.first().map_or_else(|| "no reason given".into(), Problem::sentence);
        let rule = rules.data.into_iter().find(|rule| rule.value == value);
        rule.map(|rule| rule.id.into_string()).ok_or_else(|| {
            SourceError::Refused(format!("X does not accept the rule {value:?} for its stream: {reason}"))
        })
    }
}

#[async_trait(?Send)]
impl Live for XLive {
    async fn connect(&self) -> Result<Box<dyn News>, SourceError> {
        if !matches!(self.source.settings.auth, XAuth::App(_)) {
            return Err(SourceError::Unauthorized(
                "X's stream accepts only an app's own token: set X_BEARER_TOKEN, or set source.mode = \"poll\"".into(),
            ));
        }
        let rule = self.rule().await?;
        let mut open = self.stream.0.lock().await;
        let sender = open.as_ref().and_then(broadcast::WeakSender::upgrade);
        let events = if let Some(sender) = sender {
            sender.subscribe()
        } else {
            let lines = self.client.lines(STREAM).await.map_err(|error| self.source.explain(error))?;
            let (sender, events) = broadcast::channel(WAITING);
            *open = Some(sender.downgrade());
            actix_rt::spawn(forward(lines, sender));
            events
        };
        Ok(Box::new(Listener { rule, events }))
    }
}

/// Passes on what arrives to all listeners, until the connection is lost or nobody listens any more.
async fn forward(mut lines: Lines, sender: broadcast::Sender<Event>) {
    let lost = loop {
        let chunk = match actix_rt::time::timeout(SILENCE, lines.next()).await {
            Err(_) => break "X's stream is silent".to_owned(),
            Ok(None) => break "X ended its stream".to_owned(),
            Ok(Some(Err(error))) => break error.to_string(),
            Ok(Some(Ok(chunk))) => chunk,
        };
        if sender.receiver_count() == 0 {
            return;
        }
        match events(&chunk) {
            // An error means that nobody listens any more; the next line ends it.
            Ok(events) => events.into_iter().for_each(|event| drop(sender.send(event))),
            Err(lost) => break lost,
        }
    };
    let _ = sender.send(Event::Lost(lost.into()));
}

/// The posts in some lines, or why X ends the stream. An empty line only shows that the connection is there.
fn events(lines: &[u8]) -> Result<Vec<Event>, String> {
    let lines = lines.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let mut events = Vec::new();
    for line in lines {
        let line: Line =
            serde_json::from_slice(line).map_err(|error| format!("X's stream cannot be read: {error}"))?;
        if let Some(problem) = line.errors.first().filter(|_| line.matching_rules.is_empty()) {
            return Err(format!("X ends its stream: {}", problem.sentence()));
        }
        events.push(Event::Post(line.matching_rules.into_iter().map(|rule| rule.id.into_string()).collect()));
    }
    Ok(events)
}

/// Listens for one account's posts.
struct Listener {
    rule: String,
    events: broadcast::Receiver<Event>,
}

#[async_trait(?Send)]
impl News for Listener {
    async fn next(&mut self) -> Result<(), SourceError> {
        loop {
            match self.events.recv().await {
                Ok(Event::Post(rules)) if rules.contains(&self.rule) => return Ok(()),
                Ok(Event::Post(_)) => {}
                // One of the missed posts may be the account's.
                Err(broadcast::error::RecvError::Lagged(_)) => return Ok(()),
                Ok(Event::Lost(why)) => return Err(SourceError::Unavailable(why.to_string())),
                Err(broadcast::error::RecvError::Closed) => {
                    return Err(SourceError::Unavailable("the connection to X's stream was closed".into()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
