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
    /// States that the sandbox's Gemini does not translate.
    pub notice: &'static str,
    /// The followed account; `posts` has only its newest hundred, `post_count` counts all.
    pub account: AccountSnapshot,
    /// The accounts to post to.
    pub targets: Vec<AccountSnapshot>,
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
        endpoints,
        gemini: gemini_counters,
        bill: BillSnapshot { total: items.total(), items },
    }
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

async fn add_posts(state: web::Data<State>, body: web::Bytes) -> Result<HttpResponse, Refused> {
    // Parse values first: the error of an untagged enum of posts would not name the wrong key.
    let values = match serde_json::from_slice(&body)? {
        OneOrMany::Many(values) => values,
        OneOrMany::One(value) => vec![value],
    };
    let posts = values.into_iter().map(serde_json::from_value).collect::<Result<Vec<TimelinePost>, _>>()?;
    let ids: Vec<_> = posts.into_iter().map(|post| state.add_post(post)).collect();
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
}

async fn set_account(
    state: web::Data<State>,
    handle: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, Refused> {
    let change: Change = serde_json::from_slice(&body)?;
    let answer = {
        let mut world = state.world();
        let account = world.account_mut(&handle);
        account.state = change.state.unwrap_or(account.state);
        account.revoked = change.revoked.unwrap_or(account.revoked);
        json!({"handle": account.handle, "state": account.state, "revoked": account.revoked})
    };
    state.touch();
    Ok(HttpResponse::Ok().json(answer))
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
