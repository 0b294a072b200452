//! Endpoints that pause and resume polling or a target. They also list targets that the service itself blocked because
//! an operator must fix the account; resume works for these, too.

use actix_web::web::{Bytes, Data, Json, Path};
use log::info;
use mynah_actors::{
    pauses::{self, Paused},
    router::{Blocked, Unblock},
};

use super::QUERY_TIMEOUT;
use crate::{
    app,
    control::{
        names,
        wire::{Pause, Pauses},
    },
    http::{Control, error::ApiError},
};

pub(super) async fn list(control: Data<Control>) -> Json<Pauses> {
    Json(pauses_of(&control).await)
}

async fn pauses_of(control: &Control) -> Pauses {
    // Reports pauses even if the router is dead.
    let blocked = control.ask_router(Blocked, QUERY_TIMEOUT).await.unwrap_or_default().0;
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
            info!(what:%; "paused by operator");
        }
        pauses::note(&*control.ledger, &what, true).await?;
    }
    Ok(Json(pauses_of(&control).await))
}

pub(super) async fn resume(
    control: Data<Control>,
    what: Path<String>,
    _: Bytes,
) -> Result<Json<Pauses>, ApiError> {
    for what in named(&control, &what)? {
        if control.pauses.resume(&what) {
            info!(what:%; "resumed by operator");
        }
        pauses::note(&*control.ledger, &what, false).await?;
        if let Paused::Target(target) = what {
            // A dead router forgets its blocked targets anyway.
            let _ = control.ask_router(Unblock { target }, QUERY_TIMEOUT).await;
        }
    }
    Ok(Json(pauses_of(&control).await))
}

fn named(control: &Control, what: &str) -> Result<Vec<Paused>, ApiError> {
    names::pausable(what, &control.targets()).map_err(|error| ApiError::NotFound(error.to_string()))
}
