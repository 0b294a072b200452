//! The endpoint that shows what waits, and until when.

use actix_web::web::{Data, Json, Query};
use jiff::Timestamp;
use mynah_actors::pauses::Paused;

use crate::{
    control::{
        ahead::{Stopped, ahead},
        configured::ConfiguredTarget,
        wire::{Ahead, AheadQuery},
    },
    http::{Control, error::ApiError},
};

pub(super) async fn list(control: Data<Control>, query: Query<AheadQuery>) -> Result<Json<Ahead>, ApiError> {
    let overview = &control.overview;
    let chosen = control.names().chosen(query.target.as_deref(), query.source.as_deref())?;
    let mut targets = overview.configured.borrow().targets.clone();
    targets.retain(|target| chosen.is_empty() || chosen.contains(&target.id));
    let stopped = |target: &ConfiguredTarget| {
        if overview.blocks.is_blocked(&target.account) {
            return Some(Stopped::Blocked);
        }
        overview.pauses.is_paused(&Paused::Target(target.id.clone())).then_some(Stopped::Paused)
    };
    Ok(Json(ahead(&*overview.ledger, &targets, stopped, Timestamp::now()).await?))
}
