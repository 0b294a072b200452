//! `GET /2/users/by/username/{username}` and `GET /2/users/me`. A missing user is not a 404: X answers 200 with
//! `errors` and no `data`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, json};

use super::{
    auth, ok,
    problems::{Problem, partial},
    query::Query,
    render::Renderer,
    vocabulary::RequestedFields,
};
use crate::{endpoint::Endpoint, state::State, world::UserState};

pub(crate) async fn by_username(
    request: HttpRequest,
    state: web::Data<State>,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = auth::authorize(&request, &state, Endpoint::User)?;
    let name = name.into_inner();
    let well_formed = (1..=15).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !well_formed {
        let message =
            format!("The `username` query parameter value [{name}] does not match ^[A-Za-z0-9_]{{1,15}}$");
        return Err(Problem::parameter("username", &name, message));
    }
    let requested = RequestedFields::of(&Query::parse(request.query_string(), &[])?);
    let mut body = Map::new();
    let reads = {
        let world = state.world();
        let mut renderer = Renderer::new(&world, &requested, caller.user_id());
        let account = world.find(&name).map(|index| world.account(index));
        match account.map(|account| (account, account.state)) {
            None | Some((_, UserState::Unknown)) => {
                renderer.error(partial::not_found("user", "username", &name));
            }
            Some((_, UserState::Suspended)) => renderer.error(partial::suspended("username", &name)),
            Some((account, _)) => {
                body.insert("data".into(), renderer.user(account));
            }
        }
        renderer.finish(&mut body)
    };
    Ok(ok(&state, body, reads))
}

pub(crate) async fn me(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let actor = auth::authorize_user(&request, &state, Endpoint::Me)?;
    let requested = RequestedFields::of(&Query::parse(request.query_string(), &[])?);
    let (data, reads) = {
        let world = state.world();
        let account = world.account(actor.index);
        let mut renderer = Renderer::new(&world, &requested, Some(account.id));
        let data = renderer.user(account);
        (data, renderer.finish(&mut Map::new()))
    };
    let mut body = Map::new();
    body.insert("data".into(), json!(data));
    Ok(ok(&state, body, reads))
}
