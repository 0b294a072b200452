//! The endpoint that shows what was spent.

use actix_web::web::{Data, Json, Query};
use jiff::Timestamp;

use crate::{
    control::{
        costs,
        wire::{Costs, CostsQuery},
    },
    http::{Control, error::ApiError},
};

pub(super) async fn costs(control: Data<Control>, query: Query<CostsQuery>) -> Result<Json<Costs>, ApiError> {
    let overview = &control.overview;
    let (budgets, unpriced) = {
        let configured = overview.configured.borrow();
        (configured.budgets.clone(), configured.unpriced.clone())
    };
    let costs = costs::costs(&*overview.ledger, &budgets, &unpriced, query.since, Timestamp::now());
    Ok(Json(costs.await?))
}
