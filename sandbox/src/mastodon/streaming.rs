//! `GET /api/v1/streaming/user`: what the home timeline of an account gets, as events that the server sends (SSE). The
//! sandbox's accounts follow nobody, so these are the account's own posts (`streaming/index.js`).

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt::Write as _,
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::AUTHORIZATION,
    web::{self, Bytes},
};
use futures_util::{Stream, stream};
use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    Problem,
    calls::{self, Kind},
    model::Server,
    render,
};
use crate::state::State;

/// Mastodon sends a comment this often.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The first line of a stream.
const GREETING: &str = ":)\n";

pub(super) async fn user(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    if !request.headers().contains_key(AUTHORIZATION) {
        return Err(Problem::token_missing());
    }
    let account = calls::admit_user(&request, &state, Kind::Plain)?;
    let changes = state.changes();
    let known = statuses(&state.mastodon(), account);
    let cuts = state.stream().cuts;
    let connection = Connection { state, account, changes, known, cuts, is_greeted: false };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "private, no-store"))
        .streaming(connection.events()))
}

/// When each status of an account was last edited, by its id.
fn statuses(server: &Server, account: usize) -> BTreeMap<u64, Option<Timestamp>> {
    let ids = server.accounts[account].statuses.iter();
    ids.filter_map(|id| server.statuses.get(id)).map(|status| (status.id, status.edited_at)).collect()
}

/// A connection that events are sent on.
struct Connection {
    state: web::Data<State>,
    account: usize,
    changes: watch::Receiver<u64>,
    /// The statuses that were sent, or that existed before.
    known: BTreeMap<u64, Option<Timestamp>>,
    cuts: u64,
    is_greeted: bool,
}

impl Connection {
    fn events(self) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
        stream::unfold(self, |mut connection| async move {
            if !connection.is_greeted {
                connection.is_greeted = true;
                return Some((Ok(Bytes::from_static(GREETING.as_bytes())), connection));
            }
            loop {
                let change = tokio::time::timeout(KEEP_ALIVE, connection.changes.changed()).await;
                if connection.state.stream().cuts != connection.cuts {
                    return None;
                }
                let lines = match change {
                    Err(_) => ":thump\n".to_owned(),
                    Ok(Err(_)) => return None,
                    Ok(Ok(())) => connection.news(),
                };
                if !lines.is_empty() {
                    return Some((Ok(lines.into()), connection));
                }
            }
        })
    }

    /// An event for each status that is new, edited or deleted.
    fn news(&mut self) -> String {
        let server = self.state.mastodon();
        let now = statuses(&server, self.account);
        let mut lines = String::new();
        let mut send = |event: &str, data: &dyn std::fmt::Display| {
            // Writing to a string cannot fail.
            let _ = write!(lines, "event: {event}\ndata: {data}\n\n");
        };
        for deleted in self.known.keys().filter(|id| !now.contains_key(id)) {
            send("delete", deleted);
        }
        self.known.retain(|id, _| now.contains_key(id));
        for (id, edited_at) in now {
            let event = match self.known.entry(id) {
                Entry::Occupied(known) if *known.get() == edited_at => continue,
                Entry::Occupied(_) => "status.update",
                Entry::Vacant(_) => "update",
            };
            self.known.insert(id, edited_at);
            if let Some(status) = server.statuses.get(&id) {
                send(event, &render::status(&server, status));
            }
        }
        lines
    }
}
