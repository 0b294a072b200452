//! Who an account is and where it is: `com.atproto.identity.resolveHandle`, and DID documents as the directory
//! plc.directory serves them.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::{
    Problem,
    calls::{Call, Query},
    json,
    pds::{Pds, Repo},
};
use crate::{state::State, world::UserState};

pub(super) async fn resolve_handle(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request);
    let handle = query.required("handle")?;
    if !handle.contains('.') {
        return Err(Problem::internal());
    }
    Call::new(&request, &state).count()?;
    let did = state.bluesky().did_of(handle).ok_or_else(Problem::unresolvable)?;
    Ok(json(&json!({"did": did})))
}

pub(super) async fn document(state: web::Data<State>, did: web::Path<String>) -> HttpResponse {
    let pds = state.bluesky();
    let repo = pds.find(&did).map(|index| &pds.repos[index]);
    match repo.filter(|repo| repo.did == *did && repo.state != UserState::Unknown) {
        Some(repo) => HttpResponse::Ok()
            .content_type("application/did+ld+json; charset=utf-8")
            .body(document_of(&pds, repo).to_string()),
        None => HttpResponse::NotFound()
            .content_type("application/json; charset=utf-8")
            .body(json!({"message": format!("DID not registered: {did}")}).to_string()),
    }
}

pub(super) fn document_of(pds: &Pds, repo: &Repo) -> Value {
    json!({
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/secp256k1-2019/v1"],
        "id": repo.did,
        "alsoKnownAs": [format!("at://{}", repo.handle)],
        // The sandbox signs nothing, so it names no key.
        "verificationMethod": [],
        "service": [{
            "id": "#atproto_pds",
            "type": "AtprotoPersonalDataServer",
            "serviceEndpoint": pds.base,
        }],
    })
}
