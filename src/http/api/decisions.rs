//! The endpoint that lists what people decided, and how endpoints record it.

use actix_web::web::{Data, Json, Query};
use log::warn;
use mynah_domain::people::DecisionRecord;

use crate::{
    control::{people, wire},
    http::{Control, error::ApiError},
};

pub(super) async fn list(
    control: Data<Control>,
    query: Query<wire::DecisionsQuery>,
) -> Result<Json<wire::Decisions>, ApiError> {
    Ok(Json(people::decisions(&*control.overview.ledger, &query).await?))
}

impl Control {
    /// Records a decision that is carried out already, so that a failure changes nothing about it.
    pub(super) async fn record(&self, record: DecisionRecord) {
        let action = record.action.clone();
        if let Err(error) = self.overview.ledger.record_decision(record).await {
            warn!(reason:% = error, action:%; "decision not recorded");
        }
    }
}
