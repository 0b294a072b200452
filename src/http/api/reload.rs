//! The endpoint that asks for a reload of the settings. `mynah run` performs it.

use actix_web::web::{Bytes, Data, Json};
use tokio::sync::oneshot;

use crate::{
    app::credentials::{Found, TriedSecret},
    control::{
        news::{self, Notice},
        wire::{Reloaded, SecretChange, SettingChange},
    },
    http::{Control, ReloadRequest, error::ApiError, identity::Caller},
    settings::Change,
};

pub(super) async fn reload(
    control: Data<Control>,
    caller: Caller,
    _: Bytes,
) -> Result<Json<Reloaded>, ApiError> {
    let stopping = || ApiError::Unavailable("the service is stopping".into());
    let (sender, answer) = oneshot::channel();
    control.reload.send(ReloadRequest(sender)).await.map_err(|_| stopping())?;
    let (reloaded, secrets) = answer.await.map_err(|_| stopping())?.map_err(ApiError::BadRequest)?;
    news::tell(&control.overview.news, &Notice::Reload).await;
    control.record(caller.author().decides("reload", "settings")).await;
    let to_json = |changes: Vec<Change>| {
        changes
            .into_iter()
            .map(|Change { key, before, after }| SettingChange { key, before, after })
            .collect()
    };
    Ok(Json(Reloaded {
        changed: to_json(reloaded.changed),
        after_restart: to_json(reloaded.after_restart),
        secrets: secrets.into_iter().map(SecretChange::from).collect(),
    }))
}

impl From<TriedSecret> for SecretChange {
    fn from(TriedSecret { change, users }: TriedSecret) -> Self {
        let is = |found: &Found| match found {
            Found::Works(_) => Some(true),
            Found::Refused(_) => Some(false),
            Found::Unknown(_) => None,
        };
        // One that refuses it matters more than one that does not answer.
        let works = match users.iter().map(|(_, found)| is(found)).collect::<Vec<_>>() {
            all if all.contains(&Some(false)) => Some(false),
            all if all.contains(&None) || all.is_empty() => None,
            _ => Some(true),
        };
        let found = users.into_iter().map(|(user, found)| match found {
            Found::Works(what) if what.ends_with(&user) => what,
            Found::Works(what) => format!("{user}: {what}"),
            Found::Refused(why) => format!("{user}: refused: {why}"),
            Found::Unknown(why) => format!("{user}: not verified: {why}"),
        });
        Self { name: change.name, in_force: change.is_live, works, found: found.collect() }
    }
}
