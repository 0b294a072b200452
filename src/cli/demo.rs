//! `mynah demo`: the whole way of a post, on this machine alone: a small timeline on the sandbox's X, translated by
//! Apertium, published on an account for each language, and shown side by side as it happens.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::Instant,
};

use clap::Args;
use log::LevelFilter;
use mynah_actors::events::Event;
use mynah_domain::{Language, Post, PostId, Skip, TargetId};

use super::{
    Failure,
    once::say_all,
    run::Signals,
    sandbox::{self, Plan},
    say,
};
use crate::{
    engines::apertium::Apertium,
    settings::{self, SettingsSources},
    telemetry::logging::{self, Stream, printable},
};

/// The sample, so that the demo needs nothing but the binary.
const TIMELINE: &str = include_str!("../../examples/timeline.jsonl");

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Go on serving the page when everything is said
    #[arg(long)]
    keep: bool,
    /// The languages to be said
    #[arg(long, value_delimiter = ',', default_value = "es,ca,gl", value_name = "CODES")]
    targets: Vec<Language>,
}
