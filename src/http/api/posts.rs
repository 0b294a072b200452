//! The endpoint that removes the texts of posts.

use std::time::Duration;

use actix_web::web::{Data, Json};
use log::info;
use mynah_actors::cache::Clear;

use crate::{
    control::{
        forget,
        wire::{Forget, Forgotten},
    },
    http::{Control, error::ApiError, identity::Caller},
    telemetry::events::Events,
};

/// How long the cache may take to write its file.
const CACHE_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn forget(
    control: Data<Control>,
    caller: Caller,
    asked: Json<Forget>,
) -> Result<Json<Forgotten>, ApiError> {
    if asked.posts.is_empty() {
        return Err(ApiError::BadRequest("name the posts to forget by their ids".into()));
    }
    let ledger = &control.overview.ledger;
    let outcome = forget::forget(&**ledger, &asked.posts).await?;
    if outcome.forgotten.is_empty() {
        return Ok(Json(outcome));
    }
    let author = caller.author();
    for post in &outcome.forgotten {
        Events::global().forget(&post.post);
        control.record(author.decides("forget_post", post.post.as_str())).await;
    }
    let cleared = actix_rt::time::timeout(CACHE_TIMEOUT, control.actors.cache.ask_until_answered(Clear));
    if !matches!(cleared.await, Ok(true)) {
        return Err(ApiError::Unavailable(
            "the texts are removed from the ledger, but translations may still be in the cache's file; run this again"
                .into(),
        ));
    }
    ledger.compact().await?;
    info!(posts = outcome.forgotten.len(); "texts removed by operator");
    Ok(Json(outcome))
}
