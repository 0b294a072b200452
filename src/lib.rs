//! The service: adapters for the domain's ports, settings, commands, and the wiring that connects them.
//!
//! # Layout
//!
//! - [`cli`]: the commands, one file each.
//! - [`settings`]: reads and checks the settings, and reports all problems at once.
//! - [`app`]: the wiring, the only place that knows which adapter serves which port.
//! - [`networks`], [`engines`], [`ledger`], [`cache`]: the adapters, one folder each.
//! - [`login`]: how people log in to a network's accounts; [`credentials`]: stores what they obtain there; `sealing` encrypts it.
//! - [`alerts`]: tells people what only they can fix, over webhooks and by mail.
//! - [`control`]: what operators can inspect and change; [`http`]: the admin API that offers it.
//! - [`http_client`]: calls to other people's servers; `tls`: whom other connections trust; [`redaction`]: removes secrets from their answers.
//! - [`telemetry`]: logs and metrics; [`permissions`]: hides files from other users of the machine;
//!   [`service_manager`]: tells systemd how the service is.

#![warn(clippy::disallowed_types)]

pub mod alerts;
pub mod app;
pub mod benchmark;
pub mod cache;
pub mod cli;
pub mod control;
pub mod credentials;
pub mod engines;
pub mod glossary;
pub mod http;
pub mod http_client;
pub mod ledger;
pub mod login;
pub mod networks;
pub mod permissions;
pub mod redaction;
mod sealing;
pub mod service_manager;
pub mod settings;
pub mod telemetry;
mod tls;
