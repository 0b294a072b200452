//! Endpoints that list the actors, restart one, and resize the translator pool.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    web::{Bytes, Data, Json, Path},
};
use mynah_actors::{
    router::{AskWorkload, Workload},
    supervision::{ActorHealth, RestartReason, supervisor::Restart},
};
use serde_json::json;

use super::QUERY_TIMEOUT;
use crate::{
    control::{
        news::Notice,
        wire::{Actor, Actors, PoolSize, Resized},
    },
    http::{Control, error::ApiError, identity::Caller},
};

/// The supervisor never waits, so it answers quickly.
const SUPERVISOR_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn list(control: Data<Control>) -> Json<Actors> {
    // The health registry answers even if the router is dead.
    let workload = control.ask_router(AskWorkload, QUERY_TIMEOUT).await.ok();
    let all = control.overview.health.all();
    Json(Actors {
        actors: all
            .into_iter()
            .map(|(name, health)| actor(&control, name, &health, workload.as_ref()))
            .collect(),
        asking: workload.map(|workload| workload.asking),
    })
}

fn actor(control: &Control, name: String, health: &ActorHealth, workload: Option<&Workload>) -> Actor {
    Actor {
        state: health.state.as_str().to_owned(),
        restarts: health.restarts.total(),
        restarts_by_reason: RestartReason::ALL
            .into_iter()
            .filter(|why| health.restarts.of(*why) > 0)
            .map(|why| (why.as_str().to_owned(), health.restarts.of(why)))
            .collect(),
        incarnation: health.restarts.total() + 1,
        last_progress_seconds_ago: health.last_progress.elapsed().as_secs(),
        mailbox: control.actors.waiting(&name),
        in_hand: workload.map(|workload| workload.jobs.get(&name).copied().unwrap_or_default()),
        name,
    }
}

pub(super) async fn restart(
    control: Data<Control>,
    caller: Caller,
    name: Path<String>,
    _: Bytes,
) -> Result<HttpResponse, ApiError> {
    let name = name.into_inner();
    let asked =
        actix_rt::time::timeout(SUPERVISOR_TIMEOUT, control.supervisor.send(Restart(name.clone()))).await;
    match asked {
        // It may run on another instance.
        Ok(Ok(Err(unknown))) if !control.may_run_elsewhere(&name).await => return Err(unknown.into()),
        Ok(Ok(_)) => {}
        Ok(Err(_)) => return Err(ApiError::Unavailable("the service has stopped".into())),
        Err(_) => return Err(ApiError::Unavailable("the supervisor does not answer; see the log".into())),
    }
    control.overview.news.leave(&Notice::Restart(name.clone())).await?;
    control.record(caller.author().decides("restart_actor", name.as_str())).await;
    Ok(HttpResponse::Accepted().json(json!({"restarting": name})))
}

impl Control {
    /// Whether an actor that does not run here may run on another instance.
    async fn may_run_elsewhere(&self, name: &str) -> bool {
        self.overview.holdings.are_shared()
            && self.handle.actor_names().await.iter().any(|known| known == name)
    }
}

/// The most translators, as in the settings.
const MAX_TRANSLATORS: u16 = 256;

pub(super) async fn resize(
    control: Data<Control>,
    caller: Caller,
    pool: Json<PoolSize>,
) -> Result<Json<Resized>, ApiError> {
    if !(1..=MAX_TRANSLATORS).contains(&pool.size) {
        return Err(ApiError::BadRequest(format!("the pool must have 1 to {MAX_TRANSLATORS} translators")));
    }
    let size = usize::from(pool.size);
    match actix_rt::time::timeout(SUPERVISOR_TIMEOUT, control.handle.resize(size)).await {
        Ok(Ok(before)) => {
            control.overview.news.leave(&Notice::PoolSize(size)).await?;
            let record = caller.author().decides("resize_pool", "translator");
            control.record(record.with_detail(format!("from {before} to {size}"))).await;
            Ok(Json(Resized { before, size }))
        }
        Ok(Err(stopping)) => Err(ApiError::Unavailable(stopping.to_string())),
        Err(_) => Err(ApiError::Unavailable("the supervisor does not answer; see the log".into())),
    }
}
