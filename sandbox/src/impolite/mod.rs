//! Impoliteness to order. A specification describes a polite X and a polite Gemini; public bug reports describe the real
//! ones. Each profile here is one kind of impoliteness that was really seen, so that a client can meet it before its users
//! do.
//!
//! # Layout
//!
//! - [`Profile`] and [`Manners`]: which profiles are on, and the draws that decide where they show.
//! - [`fault`] picks a fault for a whole call; [`reshape`] changes an answer that a polite handler wrote.
//! - `nulls`, `odd`, `edited`, `late`, `echo`, `hostile`: one file a profile. Each begins with its habits and their rates.
//! - [`Fate`]: what the profiles do to one post, for a test that must know what to expect.

mod echo;
pub(crate) mod edited;
mod fate;
mod hostile;
pub(crate) mod late;
mod nulls;
mod odd;

use std::{fmt, str::FromStr};

use actix_web::{HttpMessage, HttpRequest, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::fate::{Edited, Fate, Readability};
pub(crate) use self::hostile::keeps_its_token;
use crate::{
    endpoint::Endpoint,
    faults::Fault,
    hash,
    state::State,
    world::{FOLLOWED, StoredPost},
};

/// How many bytes an error answer of `echo` has at least, unless a plan orders more or less.
pub(crate) const ECHO_BYTES: usize = 256 * 1024;

/// One kind of impoliteness. Profiles can be combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Optional fields are null instead of absent.
    Nulls,
    /// Both vocabularies, numeric ids, unknown values, missing media, wrong languages, unreadable and withheld posts.
    Odd,
    /// Posts are edited, before or after they are shown.
    Edited,
    /// Publications show late, answers deny what was done, pages repeat or are empty.
    Late,
    /// Error answers repeat the request's headers, at length.
    Echo,
    /// Rate limits with absurd resets, bot guards, passing refusals, a model that answers beside the point.
    Hostile,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 6] = [Self::Nulls, Self::Odd, Self::Edited, Self::Late, Self::Echo, Self::Hostile];

    /// Its name in plans and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nulls => "nulls",
            Self::Odd => "odd",
            Self::Edited => "edited",
            Self::Late => "late",
            Self::Echo => "echo",
            Self::Hostile => "hostile",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no profile has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no profile {0:?}; the profiles are nulls, odd, edited, late, echo and hostile")]
pub struct UnknownProfile(String);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|profile| profile.name() == name);
        found.ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}

/// One habit of a profile: it shows once in `one_in` draws.
#[derive(Debug, Clone, Copy)]
struct Habit {
    profile: Profile,
    name: &'static str,
    one_in: u64,
}

impl Habit {
    const fn new(profile: Profile, name: &'static str, one_in: u64) -> Self {
        Self { profile, name, one_in }
    }
}

/// The profiles that are on for one call. Every draw depends on the seed and on what is drawn for, and on nothing else, so
/// the same plan treats the same post in the same way in every run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Manners {
    seed: u64,
    active: u8,
    echo_bytes: usize,
    /// Names this call: its endpoint, and how many calls of it there were since the plan was set.
    turn: u64,
}

impl Manners {
    pub(crate) fn new(seed: u64, profiles: &[Profile], echo_bytes: usize) -> Self {
        let active = profiles.iter().fold(0, |active, profile| active | profile.bit());
        Self { seed, active, echo_bytes, turn: 0 }
    }

    /// The same for the `count`-th call of an endpoint.
    pub(crate) fn for_call(self, endpoint: Endpoint, count: u64) -> Self {
        Self { turn: hash::stable(&[endpoint.name().as_bytes(), &count.to_le_bytes()]), ..self }
    }

    /// The manners that the interceptor chose for this request.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().copied().unwrap_or_default()
    }

    pub(crate) fn has(self, profile: Profile) -> bool {
        self.active & profile.bit() != 0
    }

    fn draw(self, habit: Habit, key: u64) -> u64 {
        hash::stable(&[
            &self.seed.to_le_bytes(),
            habit.profile.name().as_bytes(),
            habit.name.as_bytes(),
            &key.to_le_bytes(),
        ])
    }

    /// Whether the habit shows for this post, call or object.
    fn hits(self, habit: Habit, key: u64) -> bool {
        self.has(habit.profile) && self.draw(habit, key).is_multiple_of(habit.one_in)
    }

    /// Whether the habit shows in this call.
    fn hits_call(self, habit: Habit) -> bool {
        self.hits(habit, self.turn)
    }

    /// One of several ways in which the habit may show.
    fn choose<T: Copy, const N: usize>(self, habit: Habit, key: u64, from: [T; N]) -> T {
        // The remainder is below `N`. Dividing first keeps the choice apart from whether the habit shows.
        let at = usize::try_from(self.draw(habit, key) / habit.one_in % N as u64).unwrap_or_default();
        from[at]
    }
}

/// The fault that a profile has for this call, if any.
pub(crate) fn fault(
    manners: Manners,
    endpoint: Endpoint,
    request: &HttpRequest,
    state: &State,
) -> Option<Fault> {
    if manners.active == 0 {
        return None;
    }
    hostile::fault(manners, endpoint)
        .or_else(|| late::fault(manners, endpoint, request, state))
        .or_else(|| nulls::fault(manners, endpoint))
        .or_else(|| echo::fault(manners))
}

/// Whether a call is for the timeline of the followed account.
fn is_for_followed(request: &HttpRequest, state: &State) -> bool {
    let id = state.world().account(FOLLOWED).id.to_string();
    request.path().split('/').any(|segment| segment == id)
}

/// Changes an answer as the profiles have it; none where they leave it alone.
pub(crate) fn reshape(
    manners: Manners,
    endpoint: Endpoint,
    request: &HttpRequest,
    state: &State,
    status: StatusCode,
    body: &[u8],
) -> Option<Vec<u8>> {
    if manners.active == 0 {
        return None;
    }
    // A bot guard's page is no JSON, and stays as it is.
    let mut value: Value = serde_json::from_slice(body).ok()?;
    if !status.is_success() {
        nulls::reshape_error(manners, endpoint, &mut value);
        echo::reshape(manners, request, &mut value);
    } else if !endpoint.is_gemini() {
        if endpoint == Endpoint::Timeline && is_for_followed(request, state) {
            edited::mark_shown(manners, &mut state.world(), &value);
        }
        odd::reshape(manners, endpoint, request, &state.world(), &mut value);
        nulls::reshape(manners, endpoint, &mut value);
    }
    serde_json::to_vec(&value).ok()
}

/// Whether a timeline shows this publication already.
pub(crate) fn shows(manners: Manners, post: &StoredPost) -> bool {
    !late::hides(manners, post)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_found_by_the_names_that_plans_use() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(profile));
            assert_eq!(serde_json::to_value(profile).unwrap(), profile.name());
        }
        let error = "nul".parse::<Profile>().unwrap_err().to_string();
        assert!(error.starts_with("there is no profile \"nul\"") && error.contains("hostile"), "{error}");
    }

    #[test]
    fn a_habit_shows_at_its_rate_and_the_same_way_every_time() {
        const HABIT: Habit = Habit::new(Profile::Odd, "test", 10);
        let shown = |seed| {
            let manners = Manners::new(seed, &[Profile::Odd], 0);
            (0..10_000).filter(|key| manners.hits(HABIT, *key)).collect::<Vec<u64>>()
        };
        assert!((900..1_100).contains(&shown(1).len()), "{} of 10000 at 1 in 10", shown(1).len());
        assert_eq!(shown(1), shown(1));
        assert_ne!(shown(1), shown(2));
        let off = Manners::new(1, &[Profile::Nulls], 0);
        assert!((0..100).all(|key| !off.hits(HABIT, key)), "another profile's habit");
    }
}
