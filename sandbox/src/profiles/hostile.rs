//! `hostile`: answers that punish a client that trusts them. Resets in the past, a bot guard, temporary refusals, and a
//! model that answers something other than what was asked.

use super::{ActiveProfiles, Habit, Profile};
use crate::{
    endpoint::{Endpoint, Service},
    faults::{Fault, XFault},
    model::{GeminiFault, ModelFault},
};

/// Calls of X that get a 429 with a useless reset.
const LIMITED: Habit = Habit::new(Profile::Hostile, "limited", 30);
/// Calls of a network that get a bot guard's page.
const GUARDED: Habit = Habit::new(Profile::Hostile, "guarded", 60);
/// Posts that are refused temporarily.
const REFUSED: Habit = Habit::new(Profile::Hostile, "refused", 200);
/// Calls of Gemini that get a wrong answer.
const MISBEHAVES: Habit = Habit::new(Profile::Hostile, "misbehaves", 8);
/// Backfills of a timeline whose page token stays the same forever.
const STUCK: Habit = Habit::new(Profile::Hostile, "stuck", 20);

pub(super) fn fault(profiles: ActiveProfiles, endpoint: Endpoint) -> Option<Fault> {
    let turn = profiles.turn;
    if endpoint.is_gemini() {
        let answers = [
            GeminiFault::Model(ModelFault::Fenced),
            GeminiFault::Model(ModelFault::ItemsObject),
            GeminiFault::EmptyCandidates,
            GeminiFault::Model(ModelFault::WrongIds),
            GeminiFault::Model(ModelFault::ControlCharacters),
            GeminiFault::Model(ModelFault::DirectionMarks),
            GeminiFault::NegativeCounts,
            GeminiFault::RetryNow,
            GeminiFault::Model(ModelFault::Shifted),
            GeminiFault::Model(ModelFault::Swapped),
            GeminiFault::Model(ModelFault::Merged),
            GeminiFault::Model(ModelFault::NeighborTwice),
            GeminiFault::Model(ModelFault::Skipped),
        ];
        return profiles
            .hits_call(MISBEHAVES)
            .then(|| Fault::Gemini(profiles.choose(MISBEHAVES, turn, answers)));
    }
    if endpoint.service() != Service::X {
        return profiles.hits_call(GUARDED).then_some(Fault::HtmlPage);
    }
    if profiles.hits_call(LIMITED) {
        // The far reset belongs to a limit that is not used up. A client that obeys it anyway waits until 2100.
        let limits = [XFault::ResetPast, XFault::ResetNow, XFault::ResetUnused];
        return Some(Fault::X(profiles.choose(LIMITED, turn, limits)));
    }
    if profiles.hits_call(GUARDED) {
        return Some(Fault::HtmlPage);
    }
    (endpoint == Endpoint::Post && profiles.hits_call(REFUSED)).then(|| {
        let refusals = [XFault::DailyUpdates, XFault::DailyLimit, XFault::Automated];
        Fault::X(profiles.choose(REFUSED, turn, refusals))
    })
}

/// Whether the backfill that begins with this call gets the same page token forever.
pub(crate) fn has_stuck_token(profiles: ActiveProfiles) -> bool {
    profiles.hits_call(STUCK)
}
