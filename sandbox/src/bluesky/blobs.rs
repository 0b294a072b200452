//! `com.atproto.repo.uploadBlob` and `com.atproto.sync.getBlob`. A blob can be downloaded only once a record refers to it.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    web,
};
use serde_json::json;

use super::{
    Problem,
    calls::{self, Call, Query},
    json,
};
use crate::{media, state::State};

/// The largest upload that bsky.social accepts (`PDS_BLOB_UPLOAD_LIMIT`): a video. A picture in a post may be smaller.
const LARGEST: usize = 100_000_000;

pub(super) async fn upload(
    request: HttpRequest,
    state: web::Data<State>,
    bytes: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let index = calls::account(&request, &state)?;
    Call::new(&request, &state).uploading().count()?;
    let mut pds = state.bluesky();
    calls::check_state(pds.repos[index].state)?;
    if bytes.len() > LARGEST {
        return Err(Problem::of_status(413));
    }
    // A server looks at the bytes; what they are said to be matters only where they do not tell.
    let claimed =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mime = media::sniff(&bytes).unwrap_or_else(|| media::known_type(claimed));
    let blob = pds.repos[index].upload(mime, bytes.to_vec());
    Ok(json(&json!({"blob": blob})))
}

pub(super) async fn download(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let query = Query::of(&request);
    let (did, cid) = (query.required("did")?, query.required("cid")?);
    Call::new(&request, &state).count()?;
    let pds = state.bluesky();
    let repo = pds.shown(did).filter(|repo| repo.did == did).ok_or_else(|| Problem::no_repo_for_did(did))?;
    let blob =
        repo.blobs.get(cid).filter(|blob| blob.used).ok_or_else(|| Problem::invalid("Blob not found"))?;
    Ok(HttpResponse::Ok()
        .content_type(blob.mime)
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(blob.bytes.clone()))
}
