//! `late`: X acts and denies it, shows a publication some moments after it was made, answers look-ups with nothing, and
//! hands out page tokens that lead nowhere.

use std::time::Duration;

use actix_web::HttpRequest;
use jiff::Timestamp;
use url::form_urlencoded;

use super::{Habit, Manners, Profile, is_for_followed};
use crate::{
    endpoint::Endpoint,
    faults::{Fault, XFault},
    hash,
    state::State,
    world::StoredPost,
};

/// Posts that are made, and whose answer denies it or never comes.
const DENIED: Habit = Habit::new(Profile::Late, "denied", 15);
/// Publications that show late on their own timeline.
const HIDDEN: Habit = Habit::new(Profile::Late, "hidden", 5);
/// Look-ups that are answered 200 with `errors` and no `data`.
const NO_DATA: Habit = Habit::new(Profile::Late, "no_data", 10);
/// Page tokens that expire before they are used.
const EXPIRED: Habit = Habit::new(Profile::Late, "expired", 20);
/// Pages that repeat the token that they were asked with, once.
const REPEATED: Habit = Habit::new(Profile::Late, "repeated", 15);
/// Empty pages that have a token all the same.
const EMPTY: Habit = Habit::new(Profile::Late, "empty", 15);

/// The longest that a publication stays hidden.
const LONGEST: Duration = Duration::from_millis(600);

pub(super) fn fault(
    manners: Manners,
    endpoint: Endpoint,
    request: &HttpRequest,
    state: &State,
) -> Option<Fault> {
    let turn = manners.turn;
    match endpoint {
        Endpoint::Post if manners.hits_call(DENIED) => Some(manners.choose(
            DENIED,
            turn,
            [
                Fault::StatusAfterAct(503),
                Fault::DropAfterAct,
                Fault::StatusAfterAct(504),
                Fault::HangAfterAct,
                Fault::StatusAfterAct(500),
            ],
        )),
        Endpoint::Timeline if token(request).is_some_and(|key| manners.hits(EXPIRED, key)) => {
            Some(Fault::X(XFault::ExpiredToken))
        }
        Endpoint::Lookup | Endpoint::LookupOne if manners.hits_call(NO_DATA) => {
            Some(Fault::X(XFault::ErrorsOnly))
        }
        // The followed account's timeline is left alone: there, this answer means that the account is gone.
        Endpoint::Timeline if manners.hits_call(NO_DATA) && !is_for_followed(request, state) => {
            let answers = [XFault::ErrorsOnly, XFault::ErrorsAndNoResults, XFault::EmptyObject];
            Some(Fault::X(manners.choose(NO_DATA, turn, answers)))
        }
        _ => None,
    }
}

/// What a token is drawn by: one that has expired stays so.
fn token(request: &HttpRequest) -> Option<u64> {
    let mut pairs = form_urlencoded::parse(request.query_string().as_bytes());
    let (_, token) = pairs.find(|(name, _)| name == "pagination_token")?;
    Some(hash::stable(&[token.as_bytes()]))
}

/// Whether a timeline does not show this publication yet.
pub(super) fn hides(manners: Manners, post: &StoredPost) -> bool {
    // Only what came by way of the API: the followed account's own client is another matter.
    post.auth.is_some()
        && manners.hits(HIDDEN, post.number)
        && Timestamp::now().duration_since(post.created_at()).unsigned_abs() < LONGEST
}

/// How a page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paging {
    /// As it should.
    Polite,
    /// It holds nothing, and has a token for what it should have held.
    Empty,
    /// Its token is the one that it was asked with.
    Repeated,
}

/// How the page of this call ends.
pub(crate) fn paging(manners: Manners, asked_with_token: bool) -> Paging {
    if manners.hits_call(EMPTY) {
        Paging::Empty
    } else if asked_with_token && manners.hits_call(REPEATED) {
        Paging::Repeated
    } else {
        Paging::Polite
    }
}
