//! Endpoints that pause and resume polling, a source or a target. They also list targets that the service itself blocked
//! because an operator must fix the account. A resume first tries the credentials of the account: one that is still
//! refused stays blocked, and the answer says why.

use std::time::Duration;

use actix_web::web::{Bytes, Data, Json, Path};
use futures_util::future::join_all;
use log::info;
use mynah_actors::pauses::{self, Paused};
use mynah_domain::TargetId;

use crate::{
    app::credentials::{self, Found},
    control::{
        news::{self, Notice},
        wire::{Pause, Pauses, Tried},
    },
    http::{Control, error::ApiError, identity::Caller},
};

/// How long trying credentials and telling the router may take. The pause itself ends in any case.
const TRY_TIMEOUT: Duration = Duration::from_mins(1);

pub(super) async fn list(control: Data<Control>) -> Json<Pauses> {
    Json(pauses_of(&control, Vec::new()))
}

fn pauses_of(control: &Control, tried: Vec<Tried>) -> Pauses {
    let overview = &control.overview;
    let pauses = control.names().pausable().into_iter().map(|what| Pause {
        paused: overview.pauses.is_paused(&what),
        blocked: match &what {
            Paused::Polling | Paused::Source(_) => None,
            Paused::Target(target) => blocked(control, target),
        },
        what: what.to_string(),
    });
    Pauses { pauses: pauses.collect(), tried }
}

/// Why a target's account is blocked, if it is.
fn blocked(control: &Control, target: &TargetId) -> Option<String> {
    let configured = control.overview.configured.borrow();
    control.overview.blocks.why_blocked(&configured.target(target)?.account)
}

pub(super) async fn pause(
    control: Data<Control>,
    caller: Caller,
    what: Path<String>,
    _: Bytes,
) -> Result<Json<Pauses>, ApiError> {
    let (overview, author) = (&control.overview, caller.author());
    for what in named(&control, &what)? {
        if overview.pauses.pause(what.clone()) {
            info!(what:%; "paused by operator");
        }
        pauses::note(&*overview.ledger, &what, true, &author).await?;
    }
    overview.news.leave(&Notice::Pauses).await?;
    Ok(Json(pauses_of(&control, Vec::new())))
}

pub(super) async fn resume(
    control: Data<Control>,
    caller: Caller,
    what: Path<String>,
    _: Bytes,
) -> Result<Json<Pauses>, ApiError> {
    let (named, author) = (named(&control, &what)?, caller.author());
    // With `all`, only accounts that do not run: networks bill for each question.
    let is_one = named.len() == 1;
    let mut to_try = Vec::new();
    for what in named {
        let was_paused = control.overview.pauses.is_paused(&what);
        if let Paused::Target(target) = &what
            && (is_one || was_paused || blocked(&control, target).is_some())
        {
            to_try.push(target.clone());
        }
        if control.overview.pauses.resume(&what) {
            info!(what:%; "resumed by operator");
        }
        pauses::note(&*control.overview.ledger, &what, false, &author).await?;
    }
    control.overview.news.leave(&Notice::Pauses).await?;
    let tried = join_all(to_try.iter().map(|target| try_credentials(&control, target))).await;
    Ok(Json(pauses_of(&control, tried.into_iter().flatten().collect())))
}

/// Tries the credentials of a target's account, and blocks or resumes it by what that shows. `None` if the target was
/// removed in the meantime.
async fn try_credentials(control: &Control, target: &TargetId) -> Option<Tried> {
    let (account, connection) = {
        let configured = control.overview.configured.borrow();
        let target = configured.target(target)?;
        (target.account.clone(), target.connection.clone())
    };
    // Another instance may publish there, and decides by what its next publication shows.
    let holds = control.overview.holdings.has_account(&account);
    let was_blocked = blocked(control, target).is_some();
    let router = &control.actors.router;
    let trying = async {
        let found = credentials::try_account(&*connection, &control.overview.ledger).await;
        // If nothing could be found out, the person knows better, and the next publication will show it.
        let decided = match &found {
            Found::Unknown(_) => Found::Works(String::new()),
            found => found.clone(),
        };
        if holds {
            credentials::apply(&decided, target, &account, router).await;
        } else if matches!(decided, Found::Works(_)) {
            news::tell(&control.overview.news, &Notice::Unblock(target.clone())).await;
        }
        found
    };
    let found = actix_rt::time::timeout(TRY_TIMEOUT, trying).await;
    let found = found.unwrap_or_else(|_| Found::Unknown("it took too long".into()));
    let (works, found) = match found {
        Found::Works(found) => (Some(true), found),
        Found::Refused(why) if was_blocked => (Some(false), format!("still blocked: {why}")),
        Found::Refused(why) => (Some(false), format!("blocked: {why}")),
        Found::Unknown(why) => (None, format!("resumed, but the credentials could not be verified: {why}")),
    };
    Some(Tried { what: target.to_string(), works, found })
}

fn named(control: &Control, what: &str) -> Result<Vec<Paused>, ApiError> {
    control.names().to_pause(what).map_err(|error| ApiError::NotFound(error.to_string()))
}
