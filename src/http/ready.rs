//! Whether the service is ready to work: every reason why it is not, for a person and for whoever sends it work.

use std::time::Duration;

use mynah_actors::{
    router::Depth,
    supervision::{ActorHealth, HealthRegistry, State},
};

use super::Control;

/// A router that answers later than this works for nobody.
const ANSWER: Duration = Duration::from_secs(2);

/// Why the service is not ready; nothing where it is. Further reasons belong here.
pub(super) async fn reasons(control: &Control) -> Vec<String> {
    let mut reasons = of_actors(&control.health);
    reasons.extend(control.vitals.trouble());
    let engines = control.known.borrow().engines.clone();
    if engines.iter().all(|engine| control.upstreams.is_down(engine)) {
        reasons.push(format!("no engine answers: {}", engines.join(", ")));
    }
    let answer = actix_rt::time::timeout(ANSWER, control.actors.router.ask(Depth)).await;
    if !matches!(answer, Ok(Ok(_))) {
        reasons.push("the router does not answer".into());
    }
    reasons
}

fn of_actors(health: &HealthRegistry) -> Vec<String> {
    let mut reasons: Vec<String> = health.escalation().map(str::to_owned).into_iter().collect();
    reasons.extend(health.stall());
    let all = health.all();
    if all.is_empty() {
        reasons.push("nothing has started yet".into());
    }
    reasons.extend(all.iter().filter_map(|(name, standing)| of_actor(name, standing)));
    reasons
}

/// One death is an incident, and mended in a moment; dying again without having done anything is a trouble.
fn of_actor(name: &str, standing: &ActorHealth) -> Option<String> {
    match standing.state {
        State::Running => standing.trouble.as_ref().map(|trouble| format!("{name}: {trouble}")),
        State::Restarting if standing.restarts == 0 || standing.progressed => None,
        State::Restarting => Some(format!("{name} keeps dying")),
        State::Stopped => Some(format!("{name} has stopped")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn one_death_is_borne_and_dying_again_is_not() {
        let standing = |state, restarts, progressed| ActorHealth {
            state,
            restarts,
            last_progress: Instant::now(),
            at_work: 0,
            resting: 0,
            progressed,
            trouble: None,
        };
        let told = |standing: ActorHealth| of_actor("cache", &standing);
        assert_eq!(told(standing(State::Running, 3, false)), None);
        assert_eq!(told(standing(State::Restarting, 0, false)), None);
        assert_eq!(told(standing(State::Restarting, 4, true)), None);
        assert_eq!(told(standing(State::Restarting, 1, false)).as_deref(), Some("cache keeps dying"));
        assert_eq!(told(standing(State::Stopped, 0, true)).as_deref(), Some("cache has stopped"));
        let troubled = ActorHealth { trouble: Some("X is away".into()), ..standing(State::Running, 0, true) };
        assert_eq!(told(troubled).as_deref(), Some("cache: X is away"));
        assert_eq!(of_actors(&HealthRegistry::default()), ["nothing has started yet"]);
    }
}
