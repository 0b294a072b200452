//! Endpoints that list, add, renew and remove users.

use actix_web::web::{Bytes, Data, Json, Path};

use crate::{
    control::{people, wire},
    http::{Control, error::ApiError, identity::Caller},
};

pub(super) async fn list(control: Data<Control>) -> Result<Json<wire::Users>, ApiError> {
    Ok(Json(people::list(&*control.overview.ledger).await?))
}

pub(super) async fn add(
    control: Data<Control>,
    caller: Caller,
    user: Json<wire::NewUser>,
) -> Result<Json<wire::NewToken>, ApiError> {
    let ledger = &*control.overview.ledger;
    Ok(Json(people::add(ledger, &user.name, user.role, &caller.author()).await?))
}

pub(super) async fn renew(
    control: Data<Control>,
    caller: Caller,
    name: Path<String>,
    _: Bytes,
) -> Result<Json<wire::NewToken>, ApiError> {
    Ok(Json(people::renew(&*control.overview.ledger, &name, &caller.author()).await?))
}

pub(super) async fn remove(
    control: Data<Control>,
    caller: Caller,
    name: Path<String>,
    _: Bytes,
) -> Result<Json<wire::RemovedUser>, ApiError> {
    Ok(Json(people::remove(&*control.overview.ledger, &name, &caller.author()).await?))
}
