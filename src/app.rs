//! The wiring: the one place that knows which adapter stands behind which port, and turns settings into a pipeline.

use std::{fs, io, path::Path, rc::Rc, sync::Arc};

use mynah_actors::{
    cache::CacheSettings,
    events::Feed,
    pipeline::{Factory, Links, Parts, Pipeline, by_name},
    poller::{PollerParts, Polled, Schedule, Start},
    publisher::{Limits, PublisherParts},
    router::{RouterParts, RouterSettings},
    supervision::{RestartPolicy, supervisor::SupervisorSettings},
    translator::TranslatorParts,
};
use mynah_domain::{
    Style, Target, TargetId,
    backoff::Backoff,
    caps::Caps,
    ports::{Clock, Destination, Engine, Ledger, Source, SystemClock, ledger::Mark},
    text::length::X_MAX_WEIGHTED_LENGTH,
};
use tokio::sync::mpsc;

use crate::{
    destinations::x::{XDestination, XDestinationSettings},
    engines::{apertium::Apertium, gemini::Gemini},
    ledger::SqliteLedger,
    settings::{self, EngineName, Settings, TargetSettings},
    sources::x::{XSource, XSourceSettings},
};

/// The waits between tries of anything that fails in passing.
const BACKOFF: Backoff =
    Backoff { base: std::time::Duration::from_secs(1), max: std::time::Duration::from_mins(5) };

/// A job, or a poll, tried this often without success does not keep `mynah once` from ending.
const PATIENCE: u32 = 4;
