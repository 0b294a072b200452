//! Where every actor stands, having one built anew, and how many translators there are.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    web::{Bytes, Data, Json, Path},
};
use mynah_actors::{
    router::{Hands, InHand},
    supervision::{ActorHealth, supervisor::Restart},
};
use serde_json::json;

use super::LOOK;
use crate::{
    control::wire::{Actor, Actors, PoolSize, Resized},
    http::{Control, error::ApiError},
};

/// The supervisor waits for nobody.
const SUPERVISOR: Duration = Duration::from_secs(5);

pub(super) async fn list(control: Data<Control>) -> Json<Actors> {
    // The board is there whoever is dead.
    let hands = control.ask_router(InHand, LOOK).await.ok();
    let standings = control.health.all();
    Json(Actors {
        actors: standings
            .into_iter()
            .map(|(name, standing)| actor(&control, name, &standing, hands.as_ref()))
            .collect(),
        asking: hands.map(|hands| hands.asking),
    })
}

fn actor(control: &Control, name: String, standing: &ActorHealth, hands: Option<&Hands>) -> Actor {
    Actor {
        state: standing.state.as_str().to_owned(),
        restarts: standing.restarts,
        incarnation: standing.restarts + 1,
        last_progress_seconds_ago: standing.last_progress.elapsed().as_secs(),
        mailbox: control.actors.waiting(&name),
        in_hand: hands.map(|hands| hands.jobs.get(&name).copied().unwrap_or_default()),
        name,
    }
}

pub(super) async fn restart(
    control: Data<Control>,
    name: Path<String>,
    _: Bytes,
) -> Result<HttpResponse, ApiError> {
    let name = name.into_inner();
    let asked = actix_rt::time::timeout(SUPERVISOR, control.supervisor.send(Restart(name.clone()))).await;
    match asked {
        Ok(Ok(restarted)) => restarted?,
        Ok(Err(_)) => return Err(ApiError::Unavailable("the service has stopped".into())),
        Err(_) => return Err(ApiError::Unavailable("the supervisor does not answer; see the log".into())),
    }
    Ok(HttpResponse::Accepted().json(json!({"restarting": name})))
}

/// The most translators, as in the settings.
const MOST: u16 = 256;

pub(super) async fn resize(control: Data<Control>, wish: Json<PoolSize>) -> Result<Json<Resized>, ApiError> {
    if !(1..=MOST).contains(&wish.size) {
        return Err(ApiError::Wrong(format!("a pool has 1 to {MOST} translators")));
    }
    let size = usize::from(wish.size);
    match actix_rt::time::timeout(SUPERVISOR, control.handle.resize(size)).await {
        Ok(Ok(before)) => Ok(Json(Resized { before, size })),
        Ok(Err(stopping)) => Err(ApiError::Unavailable(stopping.to_string())),
        Err(_) => Err(ApiError::Unavailable("the supervisor does not answer; see the log".into())),
    }
}
