//! The service: the adapters behind the domain's ports, the settings, the commands, and the wiring of all of it.
//!
//! # Layout
//!
//! - [`cli`]: what a person types, one file a command.
//! - [`settings`]: what a person may set, checked all at once.
//! - [`app`]: the wiring, the one place that knows which adapter stands behind which port.
//! - [`networks`], [`engines`], [`ledger`]: the adapters, one folder each.
//! - [`control`]: what a person may look at and decide; [`http`]: the admin API that offers it.
//! - [`http_client`]: calls to other people's servers; [`redaction`]: no secret comes back with their answers.
//! - [`telemetry`]: what operators read; [`permissions`]: what other users of the machine cannot.

#![warn(clippy::disallowed_types)]

pub mod app;
pub mod benchmark;
pub mod cli;
pub mod control;
pub mod engines;
pub mod glossary;
pub mod http;
pub mod http_client;
pub mod ledger;
pub mod networks;
pub mod permissions;
pub mod redaction;
pub mod settings;
pub mod telemetry;
