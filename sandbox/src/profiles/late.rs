//! `late`: X acts but reports a failure, shows a publication only after a delay, answers lookups without data, and
//! hands out page tokens that lead nowhere.

use std::time::Duration;

use actix_web::HttpRequest;
use jiff::Timestamp;
use url::form_urlencoded;

use super::{ActiveProfiles, Habit, Profile, is_for_followed};
use crate::{
    endpoint::Endpoint,
    faults::{Fault, XFault},
    hash,
    state::State,
    world::StoredPost,
};

/// Posts that are created, but whose answer is an error or never comes.
const DENIED: Habit = Habit::new(Profile::Late, "denied", 15);
/// Publications that appear late on their account's timeline.
const HIDDEN: Habit = Habit::new(Profile::Late, "hidden", 5);
/// Lookups that get a 200 with `errors` and no `data`.
const NO_DATA: Habit = Habit::new(Profile::Late, "no_data", 10);
/// Page tokens that expire before they are used.
const EXPIRED: Habit = Habit::new(Profile::Late, "expired", 20);
/// Pages that repeat the token that requested them, once.
const REPEATED: Habit = Habit::new(Profile::Late, "repeated", 15);
/// Empty pages that have a token anyway.
const EMPTY: Habit = Habit::new(Profile::Late, "empty", 15);

/// How long a publication stays hidden.
const LONGEST: Duration = Duration::from_millis(600);

pub(super) fn fault(
    profiles: ActiveProfiles,
    endpoint: Endpoint,
    request: &HttpRequest,
    state: &State,
) -> Option<Fault> {
    let turn = profiles.turn;
    match endpoint {
        Endpoint::Post
        | Endpoint::BlueskyPutRecord
        | Endpoint::BlueskyCreateRecord
        | Endpoint::MastodonPost
            if profiles.hits_call(DENIED) =>
        {
            Some(profiles.choose(
                DENIED,
                turn,
                [
                    Fault::StatusAfterAct(503),
                    Fault::DropAfterAct,
                    Fault::StatusAfterAct(504),
                    Fault::HangAfterAct,
                    Fault::StatusAfterAct(500),
                ],
            ))
        }
        Endpoint::Timeline if token(request).is_some_and(|key| profiles.hits(EXPIRED, key)) => {
            Some(Fault::X(XFault::ExpiredToken))
        }
        Endpoint::Lookup | Endpoint::LookupOne if profiles.hits_call(NO_DATA) => {
            Some(Fault::X(XFault::ErrorsOnly))
        }
        // Not for the followed account's timeline, where this answer means that the account does not exist.
        Endpoint::Timeline if profiles.hits_call(NO_DATA) && !is_for_followed(request, state) => {
            let answers = [XFault::ErrorsOnly, XFault::ErrorsAndNoResults, XFault::EmptyObject];
            Some(Fault::X(profiles.choose(NO_DATA, turn, answers)))
        }
        _ => None,
    }
}

/// The key to draw by for a page token, so that an expired token stays expired.
fn token(request: &HttpRequest) -> Option<u64> {
    let mut pairs = form_urlencoded::parse(request.query_string().as_bytes());
    let (_, token) = pairs.find(|(name, _)| name == "pagination_token")?;
    Some(hash::stable(&[token.as_bytes()]))
}

/// Whether a timeline still hides this publication.
pub(super) fn hides(profiles: ActiveProfiles, post: &StoredPost) -> bool {
    // Only posts that were created through the API, not those of the followed account.
    post.auth.is_some()
        && profiles.hits(HIDDEN, post.number)
        && Timestamp::now().duration_since(post.created_at()).unsigned_abs() < LONGEST
}

/// What is wrong with a page's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paging {
    /// Nothing.
    Normal,
    /// The page is empty, and its token leads to the posts that it should have had.
    Empty,
    /// Its token is the one that requested it.
    Repeated,
}

/// What is wrong with the page token in the answer to this call.
pub(crate) fn paging(profiles: ActiveProfiles, asked_with_token: bool) -> Paging {
    if profiles.hits_call(EMPTY) {
        Paging::Empty
    } else if asked_with_token && profiles.hits_call(REPEATED) {
        Paging::Repeated
    } else {
        Paging::Normal
    }
}
