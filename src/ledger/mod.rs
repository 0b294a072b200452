//! The durable record: adapters of the [`Ledger`](mynah_domain::ports::Ledger) port, one folder each.

pub mod sqlite;

pub use sqlite::{OpenError, SqliteLedger, is_in_use};
