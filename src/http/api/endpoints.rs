//! Every endpoint of the API, in one table: its path, its method, and the role that it needs. Nothing else registers paths, so
//! no endpoint can be without a role. `openapi.json` describes each; a test compares the two.

use actix_web::{
    Error, HttpMessage as _, HttpRequest, HttpResponse, Route,
    body::BoxBody,
    dev::{ResourceDef, ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::{Next, from_fn},
    web::{self, get, post},
};
use mynah_domain::people::Role;

use super::{
    actors, ahead, alerts, costs, decisions, events, health, instances, is_ready, jobs, openapi, pauses,
    posts, reload, review, session, stats, status, users,
};
use crate::http::{error::ApiError, identity::Caller, refusal::Refusal};

/// Who may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::http) enum Needs {
    /// Anybody.
    Nothing,
    /// Whoever has at least this role.
    Role(Role),
}

/// An endpoint.
pub(in crate::http) struct Endpoint {
    pub(in crate::http) method: Method,
    pub(in crate::http) path: &'static str,
    pub(in crate::http) needs: Needs,
    handler: fn() -> Route,
}

const fn endpoint(method: Method, path: &'static str, needs: Needs, handler: fn() -> Route) -> Endpoint {
    Endpoint { method, path, needs, handler }
}

const fn read(path: &'static str, needs: Needs, handler: fn() -> Route) -> Endpoint {
    endpoint(Method::GET, path, needs, handler)
}

const fn change(path: &'static str, needs: Needs, handler: fn() -> Route) -> Endpoint {
    endpoint(Method::POST, path, needs, handler)
}

const OPEN: Needs = Needs::Nothing;
const LOOK: Needs = Needs::Role(Role::Look);
const REVIEW: Needs = Needs::Role(Role::Review);
const STEER: Needs = Needs::Role(Role::Steer);

/// All endpoints.
pub(in crate::http) static ENDPOINTS: [Endpoint; 39] = [
    read("/health", OPEN, || get().to(health)),
    read("/ready", OPEN, || get().to(is_ready)),
    read("/metrics", LOOK, || get().to(stats::metrics)),
    read("/events", LOOK, || get().to(events::events)),
    read("/api/openapi.json", LOOK, || get().to(openapi)),
    read("/api/session", LOOK, || get().to(session::show)),
    change("/api/session", OPEN, || post().to(session::log_in)),
    change("/api/session/end", LOOK, || post().to(session::log_out)),
    read("/api/status", LOOK, || get().to(status::status)),
    read("/api/costs", LOOK, || get().to(costs::costs)),
    read("/api/stats", LOOK, || get().to(stats::stats)),
    read("/api/actors", LOOK, || get().to(actors::list)),
    change("/api/actors/{name}/restart", STEER, || post().to(actors::restart)),
    read("/api/alerts", LOOK, || get().to(alerts::list)),
    read("/api/instances", LOOK, || get().to(instances::list)),
    change("/api/pool/translator", STEER, || post().to(actors::resize)),
    change("/api/reload", STEER, || post().to(reload::reload)),
    read("/api/pauses", LOOK, || get().to(pauses::list)),
    change("/api/pauses/{what}", STEER, || post().to(pauses::pause)),
    change("/api/pauses/{what}/resume", STEER, || post().to(pauses::resume)),
    read("/api/published", LOOK, || get().to(jobs::published)),
    // The former name.
    read("/api/said", LOOK, || get().to(jobs::published)),
    read("/api/ahead", LOOK, || get().to(ahead::list)),
    read("/api/jobs", LOOK, || get().to(jobs::list)),
    change("/api/jobs/retry", REVIEW, || post().to(jobs::retry)),
    change("/api/jobs/skip", REVIEW, || post().to(jobs::skip)),
    change("/api/jobs/unskip", REVIEW, || post().to(jobs::unskip)),
    read("/api/review", LOOK, || get().to(review::list)),
    read("/api/review/{job}", LOOK, || get().to(review::show)),
    change("/api/review/{job}/approve", REVIEW, || post().to(review::approve)),
    change("/api/review/{job}/edit", REVIEW, || post().to(review::edit)),
    change("/api/review/{job}/again", REVIEW, || post().to(review::again)),
    change("/api/review/{job}/skip", REVIEW, || post().to(review::skip)),
    change("/api/posts/forget", STEER, || post().to(posts::forget)),
    read("/api/decisions", LOOK, || get().to(decisions::list)),
    read("/api/users", STEER, || get().to(users::list)),
    change("/api/users", STEER, || post().to(users::add)),
    change("/api/users/{name}/renew", STEER, || post().to(users::renew)),
    change("/api/users/{name}/remove", STEER, || post().to(users::remove)),
];

/// Registers all endpoints.
pub(super) fn register(config: &mut web::ServiceConfig) {
    let mut paths: Vec<&str> = Vec::new();
    for Endpoint { path, .. } in &ENDPOINTS {
        if !paths.contains(path) {
            paths.push(path);
        }
    }
    for path in paths {
        let mut resource = web::resource(path);
        for Endpoint { needs, handler, .. } in ENDPOINTS.iter().filter(|one| one.path == path) {
            let needs = *needs;
            resource =
                resource.route(handler().wrap(from_fn(move |request, next| check(needs, request, next))));
        }
        config.service(resource.default_service(web::to(async |request: HttpRequest| {
            ApiError::Refused(Refusal::Method).response_with(header::ALLOW, &allowed(request.path()))
        })));
    }
}

/// Refuses a caller without the role that an endpoint needs.
async fn check(
    needs: Needs,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Needs::Role(needs) = needs {
        let role = request.extensions().get::<Caller>().map(|caller| caller.role);
        let refusal = match role {
            Some(has) if has >= needs => None,
            Some(has) => Some(Refusal::Role { needs, has }),
            // The guard lets nobody pass here whom it does not know.
            None => Some(Refusal::Token),
        };
        if let Some(refusal) = refusal {
            let refused: HttpResponse = ApiError::Refused(refusal).response();
            return Ok(request.into_response(refused));
        }
    }
    next.call(request).await
}

/// Whether there is an endpoint with this method, if there is any with this path.
pub(in crate::http) fn has(method: &Method, path: &str) -> bool {
    let mut with_path = ENDPOINTS.iter().filter(|one| ResourceDef::new(one.path).is_match(path)).peekable();
    with_path.peek().is_none() || with_path.any(|one| one.method == *method || *method == Method::HEAD)
}

/// The methods of the endpoints with this path, for the header `Allow`.
pub(in crate::http) fn allowed(path: &str) -> String {
    let has_path = |one: &&Endpoint| ResourceDef::new(one.path).is_match(path);
    let methods: Vec<&str> = ENDPOINTS.iter().filter(has_path).map(|one| one.method.as_str()).collect();
    // The page, or no path of this service.
    if methods.is_empty() { Method::GET.to_string() } else { methods.join(", ") }
}

/// Whether an endpoint may be called by anybody. A path in another spelling is never open.
pub(in crate::http) fn is_open(method: &Method, path: &str) -> bool {
    let mut endpoints = ENDPOINTS.iter();
    endpoints.any(|one| one.needs == Needs::Nothing && one.method == *method && one.path == path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn described() -> BTreeSet<(String, String, String)> {
        let document: Value = serde_json::from_str(super::super::OPENAPI).unwrap();
        let paths = document["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap().iter();
            operations.map(move |(method, operation)| {
                let role = operation["x-role"].as_str().unwrap().to_owned();
                let is_open = operation.get("security").is_some();
                assert_eq!(is_open, role == "none", "{path}: `security` contradicts `x-role`");
                (path.clone(), method.to_uppercase(), role)
            })
        });
        operations.collect()
    }

    #[test]
    fn every_endpoint_is_described_with_the_role_that_it_needs() {
        let registered: BTreeSet<_> = ENDPOINTS
            .iter()
            .map(|Endpoint { method, path, needs, .. }| {
                let role = match needs {
                    Needs::Nothing => "none",
                    Needs::Role(role) => role.as_str(),
                };
                ((*path).to_owned(), method.to_string(), role.to_owned())
            })
            .collect();
        assert_eq!(registered.len(), ENDPOINTS.len(), "an endpoint is listed twice");
        assert_eq!(registered, described());
    }

    #[test]
    fn nothing_is_changed_by_those_who_may_only_look() {
        for Endpoint { method, path, needs, .. } in &ENDPOINTS {
            let is_own = path.starts_with("/api/session");
            assert!(is_own || *method == Method::GET || *needs > Needs::Role(Role::Look), "{path}");
        }
    }

    #[test]
    fn a_refused_method_is_answered_with_those_that_are_allowed() {
        assert!(has(&Method::POST, "/api/session") && !has(&Method::PUT, "/api/session"));
        assert!(!has(&Method::POST, "/api/jobs") && has(&Method::POST, "/api/pauses/all"));
        assert!(has(&Method::POST, "/no/such/path"), "it is not found");
        assert_eq!(allowed("/api/session"), "GET, POST");
        assert_eq!(allowed("/api/pauses/x:town_es/resume"), "POST");
        assert_eq!(allowed("/dashboard.js"), "GET");
    }
}
