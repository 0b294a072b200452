//! Keeps actors alive. A factory builds every actor and gives it an [`ExitGuard`]. However the actor exits (a panic in
//! a handler, in a future, in `started`), the guard reports the exit to the supervisor, which has the actor's leases
//! reclaimed and builds its successor. Others reach an actor through an [`ActorRef`], which always points to the living
//! incarnation.
//!
//! Nothing here knows what an actor does; [`SupervisorHooks`] provides that.

pub mod actor_ref;
pub mod child;
mod due;
pub mod exit;
pub mod health;
mod hooks;
mod replacement;
pub mod restart;
pub mod shell;
mod stall;
pub mod supervisor;
mod watchdog;

pub(crate) use actor_ref::handles_tracked;
pub use actor_ref::{ActorRef, Gone, TrackedMessage};
pub(crate) use exit::actor_of;
pub use exit::{Exit, ExitGuard};
pub use health::{ActorHealth, AtWork, HealthRegistry, Heartbeat, RestartReason, Restarts, State};
pub use hooks::{StageActivity, SupervisorHooks};
pub use restart::RestartPolicy;
pub use shell::{Shell, Step, Worker, WorkerContext};
pub use supervisor::Supervisor;
