//! The endpoint that lists what is wrong, and what was sent about it.

use actix_web::web::{Data, Json};

use crate::{
    control::wire,
    http::{Control, error::ApiError},
};

pub(super) async fn list(control: Data<Control>) -> Result<Json<wire::Alerts>, ApiError> {
    Ok(Json(control.alerts.report().await?))
}
