//! The filtered stream: an app sets rules, and the new posts that match them arrive on one connection, a line each.
//!
//! Of the rules, only `from:handle` is understood. An app may have one connection.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Bytes},
};
use futures_util::{Stream, stream};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::{
    auth::{self, Caller},
    json_response,
    problems::Problem,
    query::Query,
    render::Renderer,
    vocabulary::RequestedFields,
};
use crate::{bill::Read, endpoint::Endpoint, state::State};

/// X sends an empty line at least this often.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// What X knows of the app's stream.
#[derive(Debug, Default)]
pub(crate) struct FilteredStream {
    rules: Vec<Rule>,
    last_rule: u64,
    is_connected: bool,
    /// How often the connection was cut on request.
    pub(crate) cuts: u64,
}

#[derive(Debug, Clone)]
struct Rule {
    id: u64,
    value: String,
    tag: Option<String>,
}

impl Rule {
    /// The handle whose posts it matches.
    fn handle(&self) -> Option<&str> {
        self.value.strip_prefix("from:")
    }

    fn json(&self) -> Value {
        let mut rule = json!({"id": self.id.to_string(), "value": self.value});
        if let Some(tag) = &self.tag {
            rule["tag"] = tag.as_str().into();
        }
        rule
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRule {
    value: String,
    tag: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Change {
    add: Vec<NewRule>,
    delete: Option<Ids>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    ids: Vec<String>,
}

/// Only the app itself may use the stream.
fn authorize(request: &HttpRequest, state: &State, endpoint: Endpoint) -> Result<(), Problem> {
    match auth::authorize(request, state, endpoint)? {
        Caller::App => Ok(()),
        Caller::User { .. } => Err(Problem::unsupported_user_authentication()),
    }
}

/// `GET /2/tweets/search/stream/rules`.
pub(crate) async fn rules(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    authorize(&request, &state, Endpoint::StreamRules)?;
    let rules: Vec<Value> = state.stream().rules.iter().map(Rule::json).collect();
    let mut body = json!({"meta": {"sent": super::now_ms().to_string(), "result_count": rules.len()}});
    if !rules.is_empty() {
        body["data"] = rules.into();
    }
    Ok(json_response(StatusCode::OK, &body))
}

/// `POST /2/tweets/search/stream/rules`.
pub(crate) async fn change_rules(
    request: HttpRequest,
    state: web::Data<State>,
    body: Bytes,
) -> Result<HttpResponse, Problem> {
    authorize(&request, &state, Endpoint::StreamRules)?;
    let change: Change =
        serde_json::from_slice(&body).map_err(|error| Problem::body(format!("Invalid JSON: {error}")))?;
    let mut stream = state.stream();
    if let Some(Ids { ids }) = change.delete {
        let before = stream.rules.len();
        stream.rules.retain(|rule| !ids.contains(&rule.id.to_string()));
        let deleted = before - stream.rules.len();
        let summary = json!({"deleted": deleted, "not_deleted": ids.len() - deleted});
        return Ok(json_response(StatusCode::OK, &json!({"meta": {"summary": summary}})));
    }
    let mut created = Vec::new();
    let mut errors = Vec::new();
    for NewRule { value, tag } in change.add {
        if let Some(known) = stream.rules.iter().find(|rule| rule.value == value) {
            errors.push(json!({
                "value": value, "id": known.id.to_string(), "title": "DuplicateRule",
                "type": "https://api.twitter.com/2/problems/duplicate-rules",
            }));
            continue;
        }
        stream.last_rule += 1;
        let rule = Rule { id: 1_000_000_000_000_000_000 + stream.last_rule, value, tag };
        created.push(rule.json());
        stream.rules.push(rule);
    }
    let (valid, invalid) = (created.len(), errors.len());
    let summary = json!({"created": valid, "not_created": invalid, "valid": valid, "invalid": invalid});
    let mut body = json!({"meta": {"sent": super::now_ms().to_string(), "summary": summary}});
    let status = if created.is_empty() { StatusCode::OK } else { StatusCode::CREATED };
    for (name, values) in [("data", created), ("errors", errors)] {
        if !values.is_empty() {
            body[name] = values.into();
        }
    }
    Ok(json_response(status, &body))
}

/// `GET /2/tweets/search/stream`.
pub(crate) async fn connect(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    authorize(&request, &state, Endpoint::Stream)?;
    let query = Query::parse(request.query_string(), &["backfill_minutes"])?;
    let mut stream = state.stream();
    if stream.rules.is_empty() {
        return Err(Problem::no_rules());
    }
    if std::mem::replace(&mut stream.is_connected, true) {
        return Err(Problem::too_many_connections());
    }
    let cuts = stream.cuts;
    drop(stream);
    let last = state.world().newest_id();
    let changes = state.changes();
    let requested = RequestedFields::of(&query);
    let connection = Connection { state, requested, changes, last, cuts };
    Ok(HttpResponse::Ok().content_type("application/json; charset=utf-8").streaming(connection.lines()))
}

/// A connection that posts arrive on.
struct Connection {
    state: web::Data<State>,
    requested: RequestedFields,
    changes: watch::Receiver<u64>,
    /// The newest post that was sent, or that existed before.
    last: u64,
    cuts: u64,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.state.stream().is_connected = false;
    }
}

impl Connection {
    fn lines(self) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
        stream::unfold(self, |mut connection| async move {
            loop {
                let change = tokio::time::timeout(KEEP_ALIVE, connection.changes.changed()).await;
                if connection.state.stream().cuts != connection.cuts {
                    return None;
                }
                let lines = match change {
                    Err(_) => "\r\n".to_owned(),
                    Ok(Err(_)) => return None,
                    Ok(Ok(())) => connection.new_posts(),
                };
                if !lines.is_empty() {
                    return Some((Ok(lines.into()), connection));
                }
            }
        })
    }

    /// A line for each new post that a rule matches.
    fn new_posts(&mut self) -> String {
        let rules = self.state.stream().rules.clone();
        let world = self.state.world();
        let mut posts: Vec<_> = Vec::new();
        for rule in &rules {
            let account = rule.handle().and_then(|handle| world.find(handle));
            let new = account.map_or(&[][..], |index| world.account(index).posts_after(self.last));
            posts.extend(new.iter().map(|post| (post.id.0, rule, post)));
        }
        posts.sort_by_key(|(id, ..)| *id);
        let mut lines = String::new();
        let mut reads: Vec<Read> = Vec::new();
        for (_, rule, post) in &posts {
            let mut renderer = Renderer::new(&world, &self.requested, None);
            let mut body = Map::from_iter([("data".to_owned(), renderer.post(post))]);
            reads.extend(renderer.finish(&mut body));
            let matching = json!([{"id": rule.id.to_string(), "tag": rule.tag}]);
            body.insert("matching_rules".into(), matching);
            lines.push_str(&Value::Object(body).to_string());
            lines.push_str("\r\n");
        }
        self.last = posts.last().map_or(self.last, |(id, ..)| *id);
        drop(world);
        let now = jiff::Timestamp::now();
        let mut biller = self.state.biller();
        for read in reads {
            biller.read(read, now);
        }
        lines
    }
}
