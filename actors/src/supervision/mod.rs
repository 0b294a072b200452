//! Keeping actors alive. Every actor is built by a factory and sits in a [`Seat`]; however it ends (a panic in a
//! handler, in a future, in `started`), the seat tells the supervisor, which has its leases taken back and builds the
//! next one. Others reach it by a [`Link`], which always leads to the one that lives.

pub mod board;
pub mod link;
pub mod policy;
pub mod seat;
pub mod shell;
mod standstill;
pub mod supervisor;

pub use board::{AtWork, Board, Pulse, Standing, State};
pub(crate) use link::takes_letters;
pub use link::{Gone, Letter, Link};
pub use policy::{Policies, RestartPolicy};
pub use seat::{Death, Seat};
pub use shell::{Alive, Core, Shell, Turn};
pub use standstill::Lane;
pub use supervisor::Supervisor;
