//! Misbehavior on demand. Specifications describe how X and Gemini should behave; public bug reports describe how they
//! do. Each profile is one kind of misbehavior that they have shown in practice, so that a client can meet it in a
//! test first.
//!
//! # Layout
//!
//! - [`Profile`] and [`ActiveProfiles`]: which profiles are on, and the draws that decide what they affect.
//! - [`fault`] picks a fault for a whole call; [`reshape`] changes a handler's correct answer.
//! - `nulls`, `odd`, `edited`, `late`, `echo`, `hostile`: one file per profile. Each begins with its habits and rates.
//! - [`Fate`]: what the profiles do to one post, for tests that must know what to expect.

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
pub(crate) use self::hostile::has_stuck_token;
use crate::{
    endpoint::{Endpoint, Service},
    faults::Fault,
    hash,
    state::State,
    world::{FOLLOWED, StoredPost},
};

/// The minimum size of an error answer of `echo`, unless a plan sets another.
pub(crate) const ECHO_BYTES: usize = 256 * 1024;

/// One kind of misbehavior. Profiles can be combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Optional fields are null instead of absent.
    Nulls,
    /// Both vocabularies, numeric ids, unknown values, missing media, wrong languages, unreadable and withheld posts.
    Odd,
    /// Posts are edited, before or after a page shows them.
    Edited,
    /// Publications appear late, errors hide successes, pages repeat or are empty.
    Late,
    /// Long error answers repeat the request's headers.
    Echo,
    /// Rate limits with absurd resets, bot guards, temporary refusals, wrong answers from the model.
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

/// One habit of a profile. It affects one in `one_in` posts, calls or objects.
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

/// The profiles that are on for one call. Every draw depends only on the seed and on what it is for, so the same plan
/// treats the same post the same way in every run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ActiveProfiles {
    seed: u64,
    active: u8,
    echo_bytes: usize,
    /// Identifies this call: its endpoint, and how many calls of it there were since the plan was set.
    turn: u64,
}

impl ActiveProfiles {
    pub(crate) fn new(seed: u64, profiles: &[Profile], echo_bytes: usize) -> Self {
        let active = profiles.iter().fold(0, |active, profile| active | profile.bit());
        Self { seed, active, echo_bytes, turn: 0 }
    }

    /// The same profiles for the `count`-th call of an endpoint.
    pub(crate) fn for_call(self, endpoint: Endpoint, count: u64) -> Self {
        Self { turn: hash::stable(&[endpoint.name().as_bytes(), &count.to_le_bytes()]), ..self }
    }

    /// The profiles that the interceptor set for this request.
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

    /// Whether the habit affects this post, call or object.
    fn hits(self, habit: Habit, key: u64) -> bool {
        self.has(habit.profile) && self.draw(habit, key).is_multiple_of(habit.one_in)
    }

    /// Whether the habit affects this call.
    fn hits_call(self, habit: Habit) -> bool {
        self.hits(habit, self.turn)
    }

    /// Chooses one of several forms of a habit.
    fn choose<T: Copy, const N: usize>(self, habit: Habit, key: u64, from: [T; N]) -> T {
        // The remainder is below `N`. Dividing first makes the choice independent of whether the habit applies.
        let at = usize::try_from(self.draw(habit, key) / habit.one_in % N as u64).unwrap_or_default();
        from[at]
    }
}

/// The fault that a profile causes in this call, if any.
pub(crate) fn fault(
    profiles: ActiveProfiles,
    endpoint: Endpoint,
    request: &HttpRequest,
    state: &State,
) -> Option<Fault> {
    if profiles.active == 0 {
        return None;
    }
    hostile::fault(profiles, endpoint)
        .or_else(|| late::fault(profiles, endpoint, request, state))
        .or_else(|| nulls::fault(profiles, endpoint))
        .or_else(|| echo::fault(profiles))
}

/// Whether a call is for the timeline of the followed account.
fn is_for_followed(request: &HttpRequest, state: &State) -> bool {
    let id = state.world().account(FOLLOWED).id.to_string();
    request.path().split('/').any(|segment| segment == id)
}

/// Changes an answer as the profiles say. None if they leave it alone.
pub(crate) fn reshape(
    profiles: ActiveProfiles,
    endpoint: Endpoint,
    request: &HttpRequest,
    state: &State,
    status: StatusCode,
    body: &[u8],
) -> Option<Vec<u8>> {
    if profiles.active == 0 {
        return None;
    }
    // A bot guard's page is not JSON and stays as it is.
    let mut value: Value = serde_json::from_slice(body).ok()?;
    if !status.is_success() {
        nulls::reshape_error(profiles, endpoint, &mut value);
        echo::reshape(profiles, request, &mut value);
    } else if endpoint.service() == Service::X {
        if endpoint == Endpoint::Timeline && is_for_followed(request, state) {
            edited::mark_shown(profiles, &mut state.world(), &value);
        }
        odd::reshape(profiles, endpoint, request, &state.world(), &mut value);
        nulls::reshape(profiles, endpoint, &mut value);
    }
    serde_json::to_vec(&value).ok()
}

/// Whether a timeline already shows this publication.
pub(crate) fn shows(profiles: ActiveProfiles, post: &StoredPost) -> bool {
    !late::hides(profiles, post)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_parse_from_the_names_that_plans_use() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(profile));
            assert_eq!(serde_json::to_value(profile).unwrap(), profile.name());
        }
        let error = "nul".parse::<Profile>().unwrap_err().to_string();
        assert!(error.starts_with("there is no profile \"nul\"") && error.contains("hostile"), "{error}");
    }

    #[test]
    fn a_habit_applies_at_its_rate_and_the_same_way_every_time() {
        const HABIT: Habit = Habit::new(Profile::Odd, "test", 10);
        let shown = |seed| {
            let profiles = ActiveProfiles::new(seed, &[Profile::Odd], 0);
            (0..10_000).filter(|key| profiles.hits(HABIT, *key)).collect::<Vec<u64>>()
        };
        assert!((900..1_100).contains(&shown(1).len()), "{} of 10000 at 1 in 10", shown(1).len());
        assert_eq!(shown(1), shown(1));
        assert_ne!(shown(1), shown(2));
        let off = ActiveProfiles::new(1, &[Profile::Nulls], 0);
        assert!((0..100).all(|key| !off.hits(HABIT, key)), "another profile's habit");
    }
}
