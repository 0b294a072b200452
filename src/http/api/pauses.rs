//! Pausing polling or a target, and letting it go on. What the service itself stopped, because the account must be mended,
//! is shown beside it and goes on by the same word.

use actix_web::web::{Bytes, Data, Json, Path};
use log::info;
use mynah_actors::{
    pauses::{self, Paused},
    router::{Blocked, Unblock},
};

use super::LOOK;
use crate::{
    app,
    control::{
        names,
        wire::{Pause, Pauses},
    },
    http::{Control, error::ApiError},
};

pub(super) async fn list(control: Data<Control>) -> Json<Pauses> {
    Json(standing(&control).await)
}

async fn standing(control: &Control) -> Pauses {
    // What was paused is told though the router is dead.
    let blocked = control.ask_router(Blocked, LOOK).await.unwrap_or_default().0;
    let pauses = app::pausable(&control.targets()).into_iter().map(|what| Pause {
        what: what.to_string(),
        paused: control.pauses.is_paused(&what),
        blocked: match &what {
            Paused::Polling => None,
            Paused::Target(target) => blocked.get(target).cloned(),
        },
    });
    Pauses { pauses: pauses.collect() }
}

pub(super) async fn pause(
    control: Data<Control>,
    what: Path<String>,
    _: Bytes,
) -> Result<Json<Pauses>, ApiError> {
    for what in named(&control, &what)? {
        if control.pauses.pause(what.clone()) {
            info!(what:%; "paused");
        }
        pauses::note(&*control.ledger, &what, true).await?;
    }
    Ok(Json(standing(&control).await))
}

pub(super) async fn resume(
    control: Data<Control>,
    what: Path<String>,
    _: Bytes,
) -> Result<Json<Pauses>, ApiError> {
    for what in named(&control, &what)? {
        if control.pauses.resume(&what) {
            info!(what:%; "resumed");
        }
        pauses::note(&*control.ledger, &what, false).await?;
        if let Paused::Target(target) = what {
            // A router that is dead forgets what was blocked.
            let _ = control.ask_router(Unblock { target }, LOOK).await;
        }
    }
    Ok(Json(standing(&control).await))
}

fn named(control: &Control, what: &str) -> Result<Vec<Paused>, ApiError> {
    names::pausable(what, &control.targets()).map_err(|error| ApiError::NotFound(error.to_string()))
}
