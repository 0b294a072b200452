//! `/_sandbox`: the sandbox's own API, for tests that drive a built binary in another process and for people with
//! `curl`. It needs no key, because the sandbox listens on loopback and has no secrets.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, ResponseError, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    bill::Bill,
    endpoint::Endpoint,
    faults::FaultPlan,
    gemini,
    message::MessagesOf,
    network::Network,
    requests::{EndpointCount, GeminiCounters},
    snowflake::wire_time,
    state::State,
    timeline::TimelinePost,
    world::{Account, FOLLOWED, Role, StoredPost, UserState},
};

/// The most posts of the followed account in the state, and of any account on the page.
pub(crate) const MAX_SHOWN: usize = 100;

/// The routes of the control API.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/_sandbox")
            .route("/state", web::get().to(state))
            .route("/requests", web::get().to(requests))
            .route("/posts", web::post().to(add_posts))
            .route("/posts/{handle}", web::post().to(add_posts_as))
            .route("/faults", web::get().to(faults))
            .route("/faults", web::put().to(set_faults))
            .route("/accounts/{handle}", web::post().to(set_account))
            .route("/version", web::get().to(version)),
    );
}

/// The answer of `GET /_sandbox/state` and of [`crate::Sandbox::snapshot`].
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// Increases with every change.
    pub version: u64,
    /// States that the sandbox does not translate.
    pub notice: &'static str,
    /// The followed account; `posts` has only its newest hundred, `post_count` counts all.
    pub account: AccountSnapshot,
    /// The accounts on X to post to.
    pub targets: Vec<AccountSnapshot>,
    /// The accounts on Bluesky and Mastodon, and what they published.
    pub elsewhere: Vec<MessagesOf>,
    /// Calls per endpoint.
    pub endpoints: BTreeMap<Endpoint, EndpointCount>,
    /// Counts of Gemini's requests.
    pub gemini: GeminiCounters,
    /// What X would have charged.
    pub bill: BillSnapshot,
}

/// An account and its posts.
#[derive(Debug, Clone, Serialize)]
pub struct AccountSnapshot {
    /// Its name.
    pub handle: String,
    /// Its id on X.
    pub id: String,
    /// A target's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How X treats it.
    pub state: UserState,
    /// Whether its tokens were revoked.
    pub revoked: bool,
    /// How many posts it has.
    pub post_count: usize,
    /// Its posts, oldest first.
    pub posts: Vec<PostSnapshot>,
}

/// A post with its creation time.
#[derive(Debug, Clone, Serialize)]
pub struct PostSnapshot {
    /// The post.
    #[serde(flatten)]
    pub post: StoredPost,
    /// When it was created.
    pub created_at: String,
}

/// The bill and its sum.
#[derive(Debug, Clone, Serialize)]
pub struct BillSnapshot {
    /// The items.
    #[serde(flatten)]
    pub items: Bill,
    /// The total, such as `$1.234`.
    pub total: String,
}

impl AccountSnapshot {
    fn of(account: &Account, max: usize) -> Self {
        let newest = &account.posts[account.posts.len().saturating_sub(max)..];
        Self {
            handle: account.handle.clone(),
            id: account.id.to_string(),
            language: match &account.role {
                Role::Target { language } => Some(language.clone()),
                _ => None,
            },
            state: account.state,
            revoked: account.revoked,
            post_count: account.posts.len(),
            posts: newest
                .iter()
                .map(|post| PostSnapshot { created_at: wire_time(post.created_at()), post: (**post).clone() })
                .collect(),
        }
    }
}

/// The current state, with at most `max_per_target` posts of each target account.
pub(crate) fn snapshot(state: &State, max_per_target: usize) -> Snapshot {
    let (account, targets) = {
        let world = state.world();
        let targets = world
            .accounts()
            .iter()
            .filter(|account| matches!(account.role, Role::Target { .. }))
            .map(|account| AccountSnapshot::of(account, max_per_target))
            .collect();
        (AccountSnapshot::of(world.account(FOLLOWED), MAX_SHOWN), targets)
    };
    let elsewhere = elsewhere(state, max_per_target);
    let (endpoints, gemini_counters) = {
        let requests = state.requests();
        (requests.counts.clone(), requests.gemini.clone())
    };
    let items = state.biller().bill();
    Snapshot {
        version: state.version(),
        notice: gemini::NOTICE,
        account,
        targets,
        elsewhere,
        endpoints,
        gemini: gemini_counters,
        bill: BillSnapshot { total: items.total(), items },
    }
}

/// The accounts on Bluesky and Mastodon.
fn elsewhere(state: &State, max: usize) -> Vec<MessagesOf> {
    let on_bluesky: Vec<_> = state
        .bluesky()
        .repos()
        .iter()
        .map(|repo| MessagesOf {
            handle: repo.handle.clone(),
            network: Network::Bluesky,
            language: repo.language.clone(),
            state: repo.state,
            revoked: repo.revoked,
            message_count: 0,
            messages: Vec::new(),
        })
        .collect();
    let on_mastodon: Vec<_> = state
        .mastodon()
        .accounts()
        .iter()
        .map(|account| MessagesOf {
            handle: account.handle(),
            network: Network::Mastodon,
            language: account.language.clone(),
            state: account.state,
            revoked: account.revoked,
            message_count: 0,
            messages: Vec::new(),
        })
        .collect();
    let with_messages = |account: MessagesOf| {
        let mut messages = state.messages(&account.handle);
        let message_count = messages.len();
        messages.drain(..message_count.saturating_sub(max));
        MessagesOf { message_count, messages, ..account }
    };
    on_bluesky.into_iter().chain(on_mastodon).map(with_messages).collect()
}

async fn state(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(snapshot(&state, usize::MAX))
}

async fn version(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"version": state.version()}))
}

async fn requests(state: web::Data<State>) -> HttpResponse {
    let requests = state.requests();
    let log: Vec<_> = requests.log().collect();
    HttpResponse::Ok().json(json!({"requests": log}))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Value>),
    One(Value),
}

fn posts(body: &[u8]) -> Result<Vec<TimelinePost>, Refused> {
    // Parse values first: the error of an untagged enum of posts would not name the wrong key.
    let values = match serde_json::from_slice(body)? {
        OneOrMany::Many(values) => values,
        OneOrMany::One(value) => vec![value],
    };
    Ok(values.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?)
}

async fn add_posts(state: web::Data<State>, body: web::Bytes) -> Result<HttpResponse, Refused> {
    let ids: Vec<_> = posts(&body)?.into_iter().map(|post| state.add_post(post)).collect();
    Ok(HttpResponse::Created().json(json!({"ids": ids})))
}

async fn add_posts_as(
    state: web::Data<State>,
    handle: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, Refused> {
    let ids: Vec<_> = posts(&body)?.into_iter().map(|post| state.post_as(&handle, post)).collect();
    Ok(HttpResponse::Created().json(json!({"ids": ids})))
}

async fn faults(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.faults().plan())
}

async fn set_faults(state: web::Data<State>, body: web::Bytes) -> Result<HttpResponse, Refused> {
    let plan: FaultPlan = serde_json::from_slice(&body)?;
    let answer = json!({"rules": plan.rules.len(), "profiles": plan.profiles});
    state.set_faults(plan);
    Ok(HttpResponse::Ok().json(answer))
}

/// Changes to an account. Missing fields stay as they are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    state: Option<UserState>,
    revoked: Option<bool>,
    /// Ends the account's sessions on Bluesky, as if hours had passed.
    #[serde(default)]
    expired: bool,
}

async fn set_account(
    state: web::Data<State>,
    handle: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, Refused> {
    let change: Change = serde_json::from_slice(&body)?;
    let (now, revoked) = state.change_account(&handle, change.state, change.revoked);
    if change.expired {
        state.expire_sessions(&handle);
    }
    Ok(HttpResponse::Ok().json(json!({"handle": *handle, "state": now, "revoked": revoked})))
}

/// A request body that cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(#[from] serde_json::Error);

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::BadRequest().json(json!({"error": self.to_string()}))
    }
}
