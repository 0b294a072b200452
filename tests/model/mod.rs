//! What the model test is made of: a ledger that is plain enough to be believed ([`memory`]), things to do to one
//! ([`ops`]), a place where a real one can die ([`place`]), and promises that hold whatever the model says ([`promises`]).

pub(crate) mod memory;
pub(crate) mod ops;
pub(crate) mod place;
pub(crate) mod promises;
