//! `/_sandbox`: the sandbox's own surface, for tests that drive a built binary in another process and for
//! people with `curl`. It needs no key, as the sandbox listens on loopback and keeps no secrets.

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

/// How many of the followed account's posts the state tells; the page, too, shows no more.
pub(crate) const SHOWN: usize = 100;

/// The paths of the control surface.
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

/// What `GET /_sandbox/state` tells, and [`crate::Sandbox::snapshot`] with it.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// Rises with every change.
    pub version: u64,
    /// That the sandbox's Gemini does not translate.
    pub notice: &'static str,
    /// The followed account; `posts` has its newest hundred only, `post_count` says how many there are.
    pub account: AccountSnapshot,
    /// The accounts to post to.
    pub targets: Vec<AccountSnapshot>,
    /// Calls per endpoint.
    pub endpoints: BTreeMap<Endpoint, EndpointCount>,
    /// What Gemini was asked.
    pub gemini: GeminiCounters,
    /// What X would have charged.
    pub bill: BillSnapshot,
}

/// An account and what it said.
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
    /// How much it said.
    pub post_count: usize,
    /// What it said, oldest first.
    pub posts: Vec<PostSnapshot>,
}

/// A post with its time written out.
#[derive(Debug, Clone, Serialize)]
pub struct PostSnapshot {
    /// The post.
    #[serde(flatten)]
    pub post: StoredPost,
    /// When it was said.
    pub created_at: String,
}

/// The bill and its sum.
#[derive(Debug, Clone, Serialize)]
pub struct BillSnapshot {
    /// Its items.
    #[serde(flatten)]
    pub items: Bill,
    /// Their sum, such as `$1.234`.
    pub total: String,
}

impl AccountSnapshot {
    fn of(account: &Account, most: usize) -> Self {
        let newest = &account.posts[account.posts.len().saturating_sub(most)..];
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

/// The state as it is now, target accounts with at most so many posts each.
pub(crate) fn snapshot(state: &State, most_per_target: usize) -> Snapshot {
    let (account, targets) = {
        let world = state.world();
        let targets = world
            .accounts()
            .iter()
            .filter(|account| matches!(account.role, Role::Target { .. }))
            .map(|account| AccountSnapshot::of(account, most_per_target))
            .collect();
        (AccountSnapshot::of(world.account(FOLLOWED), SHOWN), targets)
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
    // By way of values: an untagged enum of posts would not say which key is wrong.
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

/// What can be changed about an account; what is not given stays.
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

/// A body that is not what the path takes.
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
