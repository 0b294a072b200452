//! stub

pub mod engines;
pub mod http_client;
pub mod ledger;
pub mod settings;
pub mod sources;
pub mod telemetry;
pub mod x;
