//! `com.atproto.server.*`: logging in, staying logged in, and what the server says about itself.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::{
    Problem,
    calls::{self, Call},
    json,
    pds::{Pds, Repo},
    session::{Kind, Pair},
};
use crate::{credentials::app_password, state::State, world::UserState, x::now_ms};

pub(super) async fn describe(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    Call::new(&request, &state).count()?;
    Ok(json(&json!({
        "did": "did:web:localhost",
        "availableUserDomains": [".example"],
        "inviteCodeRequired": false,
        "links": {},
        "contact": {},
    })))
}

pub(super) async fn create_session(
    request: HttpRequest,
    state: web::Data<State>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let body = calls::body(&request, &bytes)?;
    let identifier = calls::required(&body, "identifier")?;
    let password = calls::required(&body, "password")?;
    Call::new(&request, &state).logging_in(identifier).count()?;
    let mut pds = state.bluesky();
    let index = pds.find(identifier).ok_or_else(Problem::wrong_password)?;
    let repo = &pds.repos[index];
    if repo.revoked || repo.state == UserState::Unknown || password != app_password(&repo.handle) {
        return Err(Problem::wrong_password());
    }
    if repo.state == UserState::Suspended {
        return Err(Problem::taken_down());
    }
    calls::log(&request, &repo.handle);
    let did = repo.did.clone();
    let pair = pds.sessions.open(&did, now_ms());
    Ok(json(&session(&pds, index, Some(&pair))))
}

pub(super) async fn refresh_session(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let token = calls::token(&request)?;
    let mut pds = state.bluesky();
    let did = pds.sessions.check(token, Kind::Refresh, now_ms())?.to_owned();
    let index = pds.find(&did).ok_or_else(Problem::account_not_found)?;
    Call::new(&request, &state).count()?;
    if pds.repos[index].state == UserState::Suspended {
        return Err(Problem::taken_down());
    }
    calls::log(&request, &pds.repos[index].handle);
    let pair = pds.sessions.refresh(token, now_ms())?;
    Ok(json(&session(&pds, index, Some(&pair))))
}

pub(super) async fn get_session(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let index = calls::account(&request, &state)?;
    Call::new(&request, &state).count()?;
    Ok(json(&session(&state.bluesky(), index, None)))
}

fn session(pds: &Pds, index: usize, pair: Option<&Pair>) -> Value {
    let Repo { did, handle, state, .. } = &pds.repos[index];
    let mut session = json!({"did": did, "handle": handle, "active": *state == UserState::Active});
    if *state == UserState::Protected {
        session["status"] = json!("deactivated");
    }
    if let Some(Pair { access, refresh }) = pair {
        session["accessJwt"] = json!(access);
        session["refreshJwt"] = json!(refresh);
        session["didDoc"] = super::identity::document_of(pds, &pds.repos[index]);
    }
    session
}
