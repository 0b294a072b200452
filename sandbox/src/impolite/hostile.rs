//! `hostile`: answers that punish a client which believes them. Resets in the past, a bot guard, refusals that pass by
//! themselves, and a model that answers something else than it was asked.

use super::{Habit, Manners, Profile};
use crate::{
    endpoint::Endpoint,
    faults::{Fault, GeminiFault, XFault},
};

/// Calls of X that are answered 429 with a reset that helps nobody.
const LIMITED: Habit = Habit::new(Profile::Hostile, "limited", 30);
/// Calls of X that meet a bot guard.
const GUARDED: Habit = Habit::new(Profile::Hostile, "guarded", 60);
/// Posts that are refused for a while.
const REFUSED: Habit = Habit::new(Profile::Hostile, "refused", 200);
/// Calls of Gemini that are answered beside the point.
const MISBEHAVES: Habit = Habit::new(Profile::Hostile, "misbehaves", 8);
/// Walks along a timeline whose token stays the same for ever.
const STUCK: Habit = Habit::new(Profile::Hostile, "stuck", 20);

pub(super) fn fault(manners: Manners, endpoint: Endpoint) -> Option<Fault> {
    let turn = manners.turn;
    if endpoint.is_gemini() {
        let answers = [
            GeminiFault::Fenced,
            GeminiFault::ItemsObject,
            GeminiFault::EmptyCandidates,
            GeminiFault::WrongIds,
            GeminiFault::ControlCharacters,
            GeminiFault::DirectionMarks,
            GeminiFault::NegativeCounts,
            GeminiFault::RetryNow,
        ];
        return manners
            .hits_call(MISBEHAVES)
            .then(|| Fault::Gemini(manners.choose(MISBEHAVES, turn, answers)));
    }
    if manners.hits_call(LIMITED) {
        // The far one names a limit that is not used up: who believes it all the same waits until 2100.
        let limits = [XFault::ResetPast, XFault::ResetNow, XFault::ResetUnused];
        return Some(Fault::X(manners.choose(LIMITED, turn, limits)));
    }
    if manners.hits_call(GUARDED) {
        return Some(Fault::HtmlPage);
    }
    (endpoint == Endpoint::Post && manners.hits_call(REFUSED)).then(|| {
        let refusals = [XFault::DailyUpdates, XFault::DailyLimit, XFault::Automated];
        Fault::X(manners.choose(REFUSED, turn, refusals))
    })
}

/// Whether the walk that this call begins is answered with the same token for ever.
pub(crate) fn keeps_its_token(manners: Manners) -> bool {
    manners.hits_call(STUCK)
}
