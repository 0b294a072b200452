//! Runs the ledger contract on every adapter.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "behaviours are named by their tests, which fail where they cannot go on"
)]

mod contract;
#[path = "support/postgres.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod postgres;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use contract::ledger::{Bench, TestClock};
use mynah::ledger::{
    PostgresLedger, SqliteLedger,
    postgres::{Address, Member},
    sqlite::OpenError,
};
use mynah_domain::{
    AccountId,
    ports::{
        Leases as _, Ledger,
        leases::{HeldLeases, InstanceId, Lease, LeaseName},
    },
};
use postgres::Server;

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

mod sqlite {
    use super::*;

    ledger_contract!(Sqlite);
}

struct Postgres {
    url: String,
    clock: Arc<TestClock>,
}

/// Every source and account of the suite: a ledger records nothing for one whose lease is not held.
const SOURCES: [&str; 7] = ["x:town", "x:left", "x:city", "feed:town", "x:parks", "feed:police", "x:other"];
const ACCOUNTS: [&str; 7] = ["ca", "es", "parks", "town", "town_es", "police", "eu"];

impl Bench for Postgres {
    fn is_available() -> bool {
        Server::shared().is_some()
    }

    fn new(clock: Arc<TestClock>) -> Self {
        Self { url: Server::shared().unwrap().database(), clock }
    }

    fn open(&self) -> Box<dyn Ledger> {
        let address = Address::parse(&self.url).unwrap();
        let clock = self.clock.clone();
        // The ledger outlives the thread that opens it.
        let opening = std::thread::spawn(|| actix_rt::System::new().block_on(open(address, clock)));
        Box::new(opening.join().unwrap())
    }

    fn open_beside(&self) -> Option<Box<dyn Ledger>> {
        Some(self.open())
    }
}

async fn open(address: Address, clock: Arc<TestClock>) -> PostgresLedger {
    // The same instance each time: its leases have not run out.
    let (instance, held) = (InstanceId::from("one"), HeldLeases::default());
    let member = Member { instance: instance.clone(), held: held.clone() };
    let ledger = PostgresLedger::open(&address, member, clock, |_| {}).await.unwrap();
    let sources = SOURCES.map(|source| LeaseName::Source(source.into()));
    let accounts = ACCOUNTS.map(|name| LeaseName::Account(AccountId::new("x", name)));
    for name in sources.into_iter().chain(accounts) {
        let fence = ledger.acquire(&name, &instance, Duration::from_mins(10)).await.unwrap().unwrap();
        held.insert(Lease { name, fence });
    }
    ledger
}

mod postgresql {
    use super::*;

    ledger_contract!(Postgres);
}
