//! Endpoints that list, retry and skip jobs, and undo skips. They read jobs from the ledger, but the router makes all changes, because
//! it has some of the jobs in memory.

use std::time::Duration;

use actix_web::web::{Data, Json, Query};
use mynah_actors::router::{Decide, Decided, Decision};
use mynah_domain::{AccountId, JobId, people::Author};

use crate::{
    control::{
        self,
        ahead::Timetable,
        choice::{choose, decide_all},
        news::{self, Notice},
        wire,
    },
    http::{Control, error::ApiError, identity::Caller},
};

/// How many jobs to list by default.
const DEFAULT_LIMIT: usize = 50;

/// How long the router may take for one page of decisions, which is one transaction.
const PAGE_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn list(
    control: Data<Control>,
    query: Query<wire::Query>,
) -> Result<Json<wire::Jobs>, ApiError> {
    let filter = control::filter(&query, &control.names())?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let timetable = Timetable::of(&control.overview.configured.borrow().targets);
    let after = query.after.map(JobId);
    Ok(Json(control::list(&*control.overview.ledger, &filter, after, limit, &timetable).await?))
}

/// How many recent publications to list for each target, and at most.
const RECENT: usize = 10;
const RECENT_MOST: usize = 200;

pub(super) async fn published(control: Data<Control>) -> Result<Json<wire::Jobs>, ApiError> {
    let accounts: Vec<AccountId> = control.overview.configured.borrow().accounts();
    let lines =
        control.overview.ledger.last_published(&accounts, RECENT_MOST.min(RECENT * accounts.len())).await?;
    Ok(Json(wire::Jobs { jobs: lines.into_iter().map(wire::Job::from).collect(), next: None }))
}

pub(super) async fn retry(
    control: Data<Control>,
    caller: Caller,
    choice: Json<wire::Choice>,
) -> Result<Json<wire::Outcome>, ApiError> {
    decide(&control, choice.into_inner(), Decision::Retry, &caller.author()).await
}

pub(super) async fn skip(
    control: Data<Control>,
    caller: Caller,
    choice: Json<wire::Choice>,
) -> Result<Json<wire::Outcome>, ApiError> {
    decide(&control, choice.into_inner(), Decision::Skip, &caller.author()).await
}

pub(super) async fn unskip(
    control: Data<Control>,
    caller: Caller,
    choice: Json<wire::Choice>,
) -> Result<Json<wire::Outcome>, ApiError> {
    decide(&control, choice.into_inner(), Decision::Unskip, &caller.author()).await
}

async fn decide(
    control: &Control,
    choice: wire::Choice,
    decision: Decision,
    author: &Author,
) -> Result<Json<wire::Outcome>, ApiError> {
    let chosen = choose(choice, decision, &control.names())?;
    let act = async |jobs: Vec<JobId>| -> Result<Vec<Decided>, ApiError> {
        Ok(control.ask_router(Decide { jobs, decision, author: author.clone() }, PAGE_TIMEOUT).await??)
    };
    let outcome = decide_all(&*control.overview.ledger, chosen, act).await?;
    news::tell(&control.overview.news, &Notice::Jobs).await;
    Ok(Json(outcome))
}
