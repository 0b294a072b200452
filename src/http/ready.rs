//! Collects every reason why the service is not ready, for operators and for probes.

use std::time::Duration;

use mynah_actors::{
    router::Depth,
    supervision::{ActorHealth, HealthRegistry, State},
};

use super::Control;

/// A router that takes longer to answer is not ready.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Why the service is not ready; empty if it is. Add further reasons here.
pub(super) async fn reasons(control: &Control) -> Vec<String> {
    let mut reasons = on_record(control);
    // During a reload or a restart, the next router answers.
    let answer = actix_rt::time::timeout(TIMEOUT, control.actors.router.ask_until_answered(Depth)).await;
    if answer.is_err() {
        reasons.push("the router does not answer".into());
    }
    reasons
}

/// The reasons that are known without asking anyone.
fn on_record(control: &Control) -> Vec<String> {
    let overview = &control.overview;
    // One source that cannot be read among others is a reason to be degraded.
    let among_others = !overview.failing_among_others().is_empty();
    let configured = overview.configured.borrow();
    let is_left_out =
        |name: &str| among_others && configured.sources.iter().any(|source| source.poller == name);
    let mut reasons = of_actors(&overview.health, is_left_out);
    // During an outage, the last check found nothing else.
    reasons.extend(overview.outage().or_else(|| control.vitals.trouble()));
    let engines = &configured.engines;
    if engines.iter().all(|engine| overview.upstreams.is_down(engine)) {
        reasons.push(format!("no engine answers: {}", engines.join(", ")));
    }
    reasons
}

fn of_actors(health: &HealthRegistry, is_left_out: impl Fn(&str) -> bool) -> Vec<String> {
    let mut reasons: Vec<String> = health.escalation().map(str::to_owned).into_iter().collect();
    reasons.extend(health.stall());
    let all = health.all();
    if all.is_empty() {
        reasons.push("nothing has started yet".into());
    }
    let all = all.iter().filter(|(name, _)| !is_left_out(name));
    reasons.extend(all.filter_map(|(name, health)| of_actor(name, health)));
    reasons
}

fn of_actor(name: &str, health: &ActorHealth) -> Option<String> {
    match health.state {
        State::Running => health.trouble.as_ref().map(|trouble| format!("{name}: {trouble}")),
        State::Replacing => None,
        State::Restarting => health.keeps_dying().then(|| format!("{name} keeps dying")),
        State::Stopped => Some(format!("{name} has stopped")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use mynah_actors::supervision::{RestartReason, Restarts};

    use super::*;

    #[test]
    fn an_actor_is_not_ready_if_it_dies_again_without_progress() {
        let crashed = |times| (0..times).fold(Restarts::default(), |all, _| all.and(RestartReason::Crash));
        let health = |state, crashes, progressed| ActorHealth {
            state,
            restarts: crashed(crashes),
            last_progress: Instant::now(),
            at_work: 0,
            resting: 0,
            progressed,
            trouble: None,
        };
        let reason = |health: ActorHealth| of_actor("cache", &health);
        assert_eq!(reason(health(State::Running, 3, false)), None);
        assert_eq!(reason(health(State::Restarting, 0, false)), None);
        assert_eq!(reason(health(State::Replacing, 4, false)), None);
        assert_eq!(reason(health(State::Restarting, 4, true)), None);
        assert_eq!(reason(health(State::Restarting, 1, false)).as_deref(), Some("cache keeps dying"));
        assert_eq!(reason(health(State::Stopped, 0, true)).as_deref(), Some("cache has stopped"));
        let troubled = ActorHealth { trouble: Some("X is away".into()), ..health(State::Running, 0, true) };
        assert_eq!(reason(troubled).as_deref(), Some("cache: X is away"));
        let reloaded = Restarts::default().and(RestartReason::Reload);
        let reloaded = ActorHealth { restarts: reloaded, ..health(State::Restarting, 0, false) };
        assert_eq!(reason(reloaded), None, "it died for the first time");
        assert_eq!(of_actors(&HealthRegistry::default(), |_| false), ["nothing has started yet"]);
    }
}
