//! `GET /2/tweets?ids=` and `GET /2/tweets/{id}`: posts by id. A missing post is an entry in `errors`, and the status
//! is still 200.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value};

use super::{
    auth::{self, Caller},
    ok,
    problems::{Problem, partial},
    query::{self, Query, path_id},
    render::Renderer,
    vocabulary::RequestedFields,
};
use crate::{endpoint::Endpoint, state::State};

/// The most ids in one request.
const MAX_IDS: usize = 100;

pub(crate) async fn many(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let caller = auth::authorize(&request, &state, Endpoint::Lookup)?;
    let query = Query::parse(request.query_string(), &["ids"])?;
    let asked = query.get("ids").unwrap_or_default();
    let ids = query.list("ids").unwrap_or_default();
    if ids.is_empty() || ids.len() > MAX_IDS {
        let message = format!(
            "The number of values in the `ids` query parameter list [{asked}] is not between 1 and {MAX_IDS}"
        );
        return Err(Problem::parameter("ids", asked, message));
    }
    let ids = ids
        .into_iter()
        .map(|text| {
            query::id(text).ok_or_else(|| {
                let message =
                    format!("The `ids` query parameter value [{text}] does not match ^[0-9]{{1,19}}$");
                Problem::parameter("ids", text, message)
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(answer(&state, &query, caller, "ids", &ids))
}

pub(crate) async fn one(
    request: HttpRequest,
    state: web::Data<State>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = auth::authorize(&request, &state, Endpoint::LookupOne)?;
    let id = path_id(&id)?;
    let query = Query::parse(request.query_string(), &["id"])?;
    Ok(answer(&state, &query, caller, "id", &[id]))
}

fn answer(state: &State, query: &Query, caller: Caller, parameter: &str, ids: &[u64]) -> HttpResponse {
    let requested = RequestedFields::of(query);
    let mut body = Map::new();
    let reads = {
        let world = state.world();
        let mut renderer = Renderer::new(&world, &requested, caller.user_id());
        let mut found: Vec<Value> = Vec::new();
        for id in ids {
            match world.post(*id) {
                Some(post) => found.push(renderer.post(post)),
                None => renderer.error(partial::not_found("tweet", parameter, &id.to_string())),
            }
        }
        if parameter == "id" {
            body.extend(found.pop().map(|post| ("data".to_owned(), post)));
        } else if !found.is_empty() {
            body.insert("data".into(), found.into());
        }
        renderer.finish(&mut body)
    };
    ok(state, body, reads)
}
