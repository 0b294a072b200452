//! Streams the log of the running service as server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): the latest events, then each new one. A client
//! that lost the connection sends the number of the last event that it saw, and continues after it. A client whose user is
//! removed gets no more.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::HeaderMap,
    web::{Bytes, Data, Query},
};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use tokio::{sync::broadcast, time::timeout};

use crate::{
    http::{connections::Connection, error::ApiError, identity::Identities, refusal::Refusal},
    telemetry::{
        events::{Event, Events},
        logging::json_line,
    },
};

/// How often to send something without events, so that proxies do not close the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How often to look whether a client's user still exists, if there are events for it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The query of `GET /events`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// Whether to send new events as they come.
    #[serde(default = "yes")]
    follow: bool,
    /// How many of the latest events to send first; all stored ones by default.
    last: Option<usize>,
    /// Whether to send the regular measurements, too.
    #[serde(default = "yes")]
    stats: bool,
}

fn yes() -> bool {
    true
}

pub(super) async fn events(
    request: HttpRequest,
    identities: Data<Identities>,
    query: Query<EventsQuery>,
) -> Result<HttpResponse, ApiError> {
    let query = query.into_inner();
    let follow = query.follow;
    let connection = request.conn_data::<Connection>().cloned().ok_or(ApiError::Refused(Refusal::TooMany))?;
    connection.start_streaming().map_err(ApiError::Refused)?;
    let seen = request.headers().get("Last-Event-ID").and_then(|seen| seen.to_str().ok()?.parse().ok());
    let (last, new) = Events::global().after(seen.unwrap_or_default());
    let wanted = move |event: &Event| query.stats || !event.is_stats();
    let last: Vec<_> = last.into_iter().filter(|event| wanted(event)).collect();
    let skipped = query.last.map_or(0, |most| last.len().saturating_sub(most));
    let last: VecDeque<_> = last.into_iter().skip(skipped).collect();
    // The server polls for the next line only after the client has read the previous ones.
    let follower = Follower { identities, headers: request.headers().clone(), seen: Instant::now() };
    let lines =
        lines(last, follow.then_some(new), wanted, follower).inspect(move |_| connection.keep_streaming());
    Ok(HttpResponse::Ok().content_type("text/event-stream; charset=utf-8").streaming(lines))
}

/// Who follows the log.
struct Follower {
    identities: Data<Identities>,
    headers: HeaderMap,
    /// When they were last looked up.
    seen: Instant,
}

impl Follower {
    /// Whether they may still see events.
    async fn may_go_on(&mut self) -> bool {
        if self.seen.elapsed() < LOOK_AGAIN {
            return true;
        }
        self.seen = Instant::now();
        self.identities.caller(&self.headers).await.is_ok()
    }
}

fn lines(
    last: VecDeque<Arc<Event>>,
    new: Option<broadcast::Receiver<Arc<Event>>>,
    wanted: impl Fn(&Event) -> bool + Copy,
    follower: Follower,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((last, new, follower), move |(mut last, mut new, mut follower)| async move {
        if let Some(event) = last.pop_front() {
            return Some((Ok(of(&event)), (last, new, follower)));
        }
        let next = match timeout(KEEP_ALIVE, next(new.as_mut()?, wanted)).await {
            Ok(Ok(event)) => of(&event),
            Ok(Err(broadcast::error::RecvError::Lagged(missed))) => {
                Bytes::from(format!("event: missed\ndata: {missed}\n\n"))
            }
            Ok(Err(broadcast::error::RecvError::Closed)) => return None,
            Err(_) => Bytes::from_static(b":\n\n"),
        };
        if !follower.may_go_on().await {
            return None;
        }
        Some((Ok(next), (last, new, follower)))
    })
}

async fn next(
    new: &mut broadcast::Receiver<Arc<Event>>,
    wanted: impl Fn(&Event) -> bool,
) -> Result<Arc<Event>, broadcast::error::RecvError> {
    loop {
        let event = new.recv().await?;
        if wanted(&event) {
            return Ok(event);
        }
    }
}

fn of(event: &Event) -> Bytes {
    // JSON contains no line ends.
    format!("id: {}\nevent: log\ndata: {}\n\n", event.number, json_line(event)).into()
}
