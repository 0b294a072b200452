//! Runs the ledger contract on every adapter.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "behaviours are named by their tests, which fail where they cannot go on"
)]

mod contract;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use contract::ledger::{Bench, TestClock};
use mynah::ledger::{OpenError, SqliteLedger};
use mynah_domain::ports::Ledger;

struct Sqlite {
    folder: tempfile::TempDir,
    clock: Arc<TestClock>,
}

impl Bench for Sqlite {
    fn new(clock: Arc<TestClock>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock }
    }

    fn open(&self) -> Box<dyn Ledger> {
        let file = self.folder.path().join("ledger.sqlite");
        // The previous ledger's thread may still be closing the file: dropping does not wait for it.
        let begun = Instant::now();
        loop {
            match SqliteLedger::open(&file, self.clock.clone()) {
                Ok(ledger) => return Box::new(ledger),
                Err(OpenError::InUse { .. }) if begun.elapsed() < Duration::from_secs(10) => {
                    std::thread::yield_now();
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

ledger_contract!(Sqlite);
