//! The endpoint that lists the instances that share the ledger.

use actix_web::web::{Data, Json};

use crate::{
    control::{instances, wire},
    http::{Control, error::ApiError},
};

pub(super) async fn list(control: Data<Control>) -> Result<Json<wire::Instances>, ApiError> {
    let alone = || {
        let why = "this service shares its ledger with no other: ledger.url names no server";
        ApiError::NotFound(why.into())
    };
    Ok(Json(instances::seen_by(control.overview.view.as_ref().ok_or_else(alone)?)))
}
