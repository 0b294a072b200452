//! Takes what other instances translated, so that a text is paid for once. A worker asks the shared cache for all keys
//! that it leads at once, and claims those that nobody has translated. If another instance is at it, the worker first does
//! the rest of its work, then waits a moment, and then translates the text itself: a claim never delays a post for long.

use std::time::Duration;

use tokio::time::Instant;

use super::{super::task::Task, EngineCascade, batch::Wanted, calls::Calls, judge_found};
use crate::cache::{Key, Lead, entries::Entry, shared::Shared};

/// The longest that a worker waits for the translations of other instances, in addition to its own work.
pub(super) const WAIT: Duration = Duration::from_millis(500);

/// How often it looks for them.
const LOOK: Duration = Duration::from_millis(50);

/// A task whose translation another instance is making.
pub(super) type Elsewhere = (usize, Lead);

impl EngineCascade {
    /// Settles the tasks that other instances translated. Returns those to call the engine for, and those that other
    /// instances are translating.
    pub(super) async fn look_elsewhere(
        &self,
        tasks: &mut [Task],
        led: Vec<(usize, Lead)>,
        calls: &Calls<'_>,
    ) -> (Vec<Wanted>, Vec<Elsewhere>) {
        let (mut wanted, mut elsewhere) = (Vec::new(), Vec::new());
        let Some(shared) = self.shared.as_ref().filter(|_| !led.is_empty()) else {
            return (
                led.into_iter().map(|(task, lead)| Wanted { task, lead: Some(lead) }).collect(),
                elsewhere,
            );
        };
        let entries = shared.get(&keys(&led)).await;
        let mut missing = Vec::new();
        for ((task, lead), entry) in led.into_iter().zip(entries) {
            match entry {
                None => missing.push((task, lead)),
                Some(entry) => wanted.extend(accept_found(tasks, task, lead, entry, calls)),
            }
        }
        if !missing.is_empty() {
            elsewhere = claim(shared, tasks, missing, calls, &mut wanted).await;
        }
        (wanted, elsewhere)
    }

    /// Waits a moment for what other instances are translating, and settles what arrives. Returns the tasks to call the
    /// engine for.
    pub(super) async fn wait_elsewhere(
        &self,
        tasks: &mut [Task],
        mut elsewhere: Vec<Elsewhere>,
        calls: &Calls<'_>,
    ) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        if let Some(shared) = &self.shared {
            let until = Instant::now() + WAIT;
            loop {
                elsewhere = claim(shared, tasks, elsewhere, calls, &mut wanted).await;
                if elsewhere.is_empty() || Instant::now() >= until {
                    break;
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        wanted.extend(elsewhere.into_iter().map(|(task, lead)| Wanted { task, lead: Some(lead) }));
        wanted
    }
}

/// Claims keys. Adds those to `wanted` that nobody else is translating, and returns the others.
async fn claim(
    shared: &Shared,
    tasks: &mut [Task],
    led: Vec<(usize, Lead)>,
    calls: &Calls<'_>,
    wanted: &mut Vec<Wanted>,
) -> Vec<Elsewhere> {
    let claims = shared.claim(&keys(&led)).await;
    let mut elsewhere = Vec::new();
    for ((task, mut lead), claim) in led.into_iter().zip(claims) {
        lead.hold(claim.token);
        match claim.entry {
            Some(entry) => wanted.extend(accept_found(tasks, task, lead, entry, calls)),
            None if claim.is_taken => elsewhere.push((task, lead)),
            None => wanted.push(Wanted { task, lead: Some(lead) }),
        }
    }
    elsewhere
}

/// Accepts the translation of another instance if it passes the gate here. If not, the engine is called, whatever it is:
/// unlike a translation from this instance's own cache, this one may be anything. The new translation takes its place.
fn accept_found(
    tasks: &mut [Task],
    number: usize,
    lead: Lead,
    Entry { text, expires }: Entry,
    calls: &Calls<'_>,
) -> Option<Wanted> {
    match judge_found(tasks, number, &text, calls) {
        Some(text) => {
            lead.land_found(Entry { text: text.into(), expires });
            None
        }
        None => Some(Wanted { task: number, lead: Some(lead) }),
    }
}

fn keys(led: &[(usize, Lead)]) -> Vec<Key> {
    led.iter().map(|(_, lead)| lead.key()).collect()
}
