//! Parts of the model test: a ledger that is simple enough to trust ([`memory`]), operations on a ledger ([`ops`]), a
//! place where a real one can crash ([`place`], [`database`]), and invariants that do not depend on the model ([`promises`]).

pub(crate) mod bill;
pub(crate) mod database;
pub(crate) mod memory;
pub(crate) mod ops;
pub(crate) mod place;
pub(crate) mod promises;
