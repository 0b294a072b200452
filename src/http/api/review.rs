//! Endpoints for the review of translations by people. Drafts are read from the ledger; the router decides, because it has
//! some of the jobs in memory.

use std::{sync::Arc, time::Duration};

use actix_web::web::{Data, Json, Path, Query};
use mynah_actors::router::{Review, ReviewDrafts};
use mynah_domain::Target;

use crate::{
    control::{
        news::{self, Notice},
        review::{Desk, decided},
        wire,
    },
    http::{Control, error::ApiError, identity::Caller},
};

/// How many drafts to list by default.
const DEFAULT_LIMIT: usize = 50;

/// How long the router may take for a decision, which is one transaction.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What drafts are judged by; a reload may replace it meanwhile.
struct Judges {
    targets: Arc<[Target]>,
    engines: Vec<Arc<str>>,
}

impl Judges {
    fn of(control: &Control) -> Self {
        let configured = control.overview.configured.borrow();
        Self { targets: configured.judged_by.clone(), engines: configured.engines.clone() }
    }

    fn desk<'a>(&'a self, control: &'a Control) -> Desk<'a> {
        Desk { ledger: &*control.overview.ledger, targets: &self.targets, engines: &self.engines }
    }
}

pub(super) async fn list(
    control: Data<Control>,
    query: Query<wire::DraftQuery>,
) -> Result<Json<wire::Drafts>, ApiError> {
    let mut query = query.into_inner();
    query.limit.get_or_insert(DEFAULT_LIMIT);
    Ok(Json(Judges::of(&control).desk(&control).list(&query, &control.names()).await?))
}

pub(super) async fn show(control: Data<Control>, job: Path<i64>) -> Result<Json<wire::Draft>, ApiError> {
    Ok(Json(Judges::of(&control).desk(&control).show(*job).await?))
}

pub(super) async fn approve(
    control: Data<Control>,
    caller: Caller,
    job: Path<i64>,
    asked: Json<wire::Approve>,
) -> Result<Json<wire::Decided>, ApiError> {
    decide(&control, Desk::approve(*job, asked.into_inner(), caller.who())?).await
}

pub(super) async fn edit(
    control: Data<Control>,
    caller: Caller,
    job: Path<i64>,
    asked: Json<wire::Edit>,
) -> Result<Json<wire::Decided>, ApiError> {
    let judges = Judges::of(&control);
    let review = judges.desk(&control).edit(*job, asked.into_inner(), caller.who()).await?;
    decide(&control, review).await
}

pub(super) async fn again(
    control: Data<Control>,
    caller: Caller,
    job: Path<i64>,
    asked: Json<wire::Again>,
) -> Result<Json<wire::Decided>, ApiError> {
    let judges = Judges::of(&control);
    let review = judges.desk(&control).again(*job, asked.into_inner(), caller.who()).await?;
    decide(&control, review).await
}

pub(super) async fn skip(
    control: Data<Control>,
    caller: Caller,
    job: Path<i64>,
    asked: Json<wire::Skip>,
) -> Result<Json<wire::Decided>, ApiError> {
    decide(&control, Desk::skip(*job, asked.into_inner(), caller.who())).await
}

async fn decide(control: &Control, review: Review) -> Result<Json<wire::Decided>, ApiError> {
    let reviewed = control.ask_router(ReviewDrafts(vec![review]), TIMEOUT).await??;
    let decided = decided(reviewed.into_iter().next())?;
    news::tell(&control.overview.news, &Notice::Jobs).await;
    Ok(Json(decided))
}
