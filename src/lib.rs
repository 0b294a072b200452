//! The service: the adapters behind the domain's ports, the settings, the commands, and the wiring of all of it.

pub mod destinations;
pub mod http_client;
pub mod ledger;
pub mod settings;
pub mod sources;
pub mod telemetry;
pub mod x;
