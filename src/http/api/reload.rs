//! Having the service read its settings anew. Whoever runs it does so; here it is only asked for.

use actix_web::web::{Bytes, Data, Json};
use tokio::sync::oneshot;

use crate::{
    control::wire::{Reloaded, SettingChange},
    http::{Control, ReloadAsked, error::ApiError},
    settings::Change,
};

pub(super) async fn reload(control: Data<Control>, _: Bytes) -> Result<Json<Reloaded>, ApiError> {
    let stopping = || ApiError::Unavailable("the service stops".into());
    let (answer, heard) = oneshot::channel();
    control.reload.send(ReloadAsked(answer)).await.map_err(|_| stopping())?;
    let reloaded = heard.await.map_err(|_| stopping())?.map_err(ApiError::Wrong)?;
    let told = |changes: Vec<Change>| {
        changes
            .into_iter()
            .map(|Change { key, before, after }| SettingChange { key, before, after })
            .collect()
    };
    Ok(Json(Reloaded { changed: told(reloaded.changed), after_restart: told(reloaded.after_restart) }))
}
