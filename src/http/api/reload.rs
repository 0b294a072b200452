//! The endpoint that asks for a reload of the settings. `mynah run` performs it.

use actix_web::web::{Bytes, Data, Json};
use tokio::sync::oneshot;

use crate::{
    control::wire::{Reloaded, SettingChange},
    http::{Control, ReloadRequest, error::ApiError},
    settings::Change,
};

pub(super) async fn reload(control: Data<Control>, _: Bytes) -> Result<Json<Reloaded>, ApiError> {
    let stopping = || ApiError::Unavailable("the service is stopping".into());
    let (sender, answer) = oneshot::channel();
    control.reload.send(ReloadRequest(sender)).await.map_err(|_| stopping())?;
    let reloaded = answer.await.map_err(|_| stopping())?.map_err(ApiError::BadRequest)?;
    let to_json = |changes: Vec<Change>| {
        changes
            .into_iter()
            .map(|Change { key, before, after }| SettingChange { key, before, after })
            .collect()
    };
    Ok(Json(Reloaded { changed: to_json(reloaded.changed), after_restart: to_json(reloaded.after_restart) }))
}
