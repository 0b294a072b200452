//! Keeping actors alive. A factory builds every actor and gives it an [`ExitGuard`]. However the actor ends (a panic in a
//! handler, in a future, in `started`), the guard reports the exit to the supervisor, which has the actor's leases
//! reclaimed and builds its successor. Others reach an actor through an [`ActorRef`], which always leads to the living
//! incarnation.

pub mod actor_ref;
pub mod exit;
pub mod health;
pub mod restart;
pub mod shell;
mod standstill;
pub mod supervisor;

pub(crate) use actor_ref::handles_tracked;
pub use actor_ref::{ActorRef, Gone, TrackedMessage};
pub use exit::{Exit, ExitGuard};
pub use health::{ActorHealth, AtWork, HealthRegistry, Heartbeat, State};
pub use restart::{RestartPolicies, RestartPolicy};
pub use shell::{Shell, Step, Worker, WorkerContext};
pub use standstill::Lane;
pub use supervisor::Supervisor;
