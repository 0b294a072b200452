//! `/api/v1/accounts`: whose token it is, who has a name, and an account's statuses page by page.

use actix_web::{HttpRequest, HttpResponse, http::header::LINK, web};
use serde_json::{Value, json};

use super::{
    Problem,
    calls::{self, Kind, Parameters},
    json,
    model::Server,
    render,
};
use crate::{faults::MastodonFault, state::State, world::UserState};

/// How many statuses a page has, and the most that it can have.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 40;

pub(super) async fn verify(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let caller = calls::admit_user(&request, &state, Kind::Plain)?;
    let server = state.mastodon();
    let mut body = render::account(&server, &server.accounts[caller]);
    body["source"] = json!({
        "privacy": "public", "sensitive": false, "language": "", "note": "", "fields": [], "follow_requests_count": 0,
    });
    Ok(json(&body))
}

pub(super) async fn lookup(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    calls::admit(&request, &state, Kind::Plain)?;
    let name = Parameters::of_query(&request).text("acct").ok_or_else(Problem::not_found)?;
    let server = state.mastodon();
    let index = server.find(&name);
    Ok(json(&shown(&server, index)?))
}

pub(super) async fn show(
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    calls::admit(&request, &state, Kind::Plain)?;
    let server = state.mastodon();
    let index = server.find_id(&id);
    Ok(json(&shown(&server, index)?))
}

fn shown(server: &Server, index: Option<usize>) -> Result<Value, Problem> {
    let account = index.map(|index| &server.accounts[index]);
    let account =
        account.filter(|account| account.state != UserState::Unknown).ok_or_else(Problem::not_found)?;
    Ok(render::account(server, account))
}

/// A page of statuses. `since_id` gives the newest page above an id, and may leave a gap; `min_id` gives the page right
/// above it.
pub(super) async fn statuses(
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let query = Parameters::of_query(&request);
    let pages = ["max_id", "min_id", "since_id"].into_iter().any(|name| query.has(name));
    let caller = calls::admit(&request, &state, if pages { Kind::Paging } else { Kind::Plain })?;
    let server = state.mastodon();
    let index = server.find_id(&id).ok_or_else(Problem::not_found)?;
    let account = &server.accounts[index];
    if account.state == UserState::Unknown {
        return Err(Problem::not_found());
    }
    let limit = match query.text("limit") {
        Some(limit) => limit.parse::<i64>().unwrap_or(0).unsigned_abs().try_into().unwrap_or(LARGEST_PAGE),
        None => PAGE,
    };
    let limit = limit.min(LARGEST_PAGE);
    let ignores_paging = calls::has_habit(&request, MastodonFault::PagingIgnored);
    let (min, since, max) = if ignores_paging {
        (None, None, None)
    } else {
        (query.id("min_id"), query.id("since_id"), query.id("max_id"))
    };
    let (no_replies, no_reblogs, only_media) =
        (query.flag("exclude_replies"), query.flag("exclude_reblogs"), query.flag("only_media"));
    let fits = |id: &u64| {
        server.statuses.get(id).is_some_and(|status| {
            let parent = status.reply_to.and_then(|id| server.statuses.get(&id));
            let to_other =
                status.reply_to.is_some() && parent.is_none_or(|parent| parent.author != status.author);
            server.is_visible(status, caller)
                && !(no_replies && to_other)
                && !(no_reblogs && status.reblog.is_some())
                && !(only_media && status.media.is_empty())
        })
    };
    let candidates = account.between(min.or(since), max).iter().copied().filter(fits);
    let page: Vec<u64> = if ignores_paging {
        candidates.rev().collect()
    } else if min.is_some() {
        let mut page: Vec<u64> = candidates.take(limit).collect();
        page.reverse();
        page
    } else {
        candidates.rev().take(limit).collect()
    };
    let bodies: Vec<Value> = page
        .iter()
        .filter_map(|id| server.statuses.get(id))
        .map(|status| render::status(&server, status))
        .collect();
    let mut response = json(&Value::Array(bodies));
    if let (false, Some(first), Some(last)) = (ignores_paging, page.first(), page.last()) {
        let url = format!("{}/api/v1/accounts/{}/statuses?limit={limit}", server.base, account.id);
        let next = format!("<{url}&max_id={last}>; rel=\"next\"");
        let previous = format!("<{url}&min_id={first}>; rel=\"prev\"");
        let links = if page.len() == limit { format!("{next}, {previous}") } else { previous };
        // An address is a valid header value.
        if let Ok(links) = links.try_into() {
            response.headers_mut().insert(LINK, links);
        }
    }
    Ok(response)
}
