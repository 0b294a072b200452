//! A database where a ledger can crash: its connections are ended at whatever they are doing.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mynah::ledger::{
    PostgresLedger,
    postgres::{Address, Member},
};
use mynah_domain::{
    AccountId, PostId, Publication, Reply,
    ports::{
        Leases as _,
        leases::{HeldLeases, InstanceId, Lease, LeaseName},
    },
};

use super::{
    memory::account_of,
    ops::{SOURCES, TARGETS, target},
    place::{Place, Stored, TestClock},
};
use crate::postgres::{Asker, Server};

/// The database of a ledger.
pub(crate) struct Database {
    url: String,
    asker: Asker,
    clock: Arc<TestClock>,
}

impl Place for Database {
    type Ledger = PostgresLedger;

    fn new(clock: Arc<TestClock>) -> Self {
        let url = Server::shared().unwrap().database();
        Self { asker: Asker::new(&url), url, clock }
    }

    fn open(&self) -> PostgresLedger {
        let (address, clock) = (Address::parse(&self.url).unwrap(), self.clock.clone());
        // The ledger outlives the thread that opens it.
        let opening = std::thread::spawn(|| actix_rt::System::new().block_on(open(address, clock)));
        opening.join().unwrap()
    }

    fn close(&self, ledger: PostgresLedger) {
        drop(ledger);
        self.wait_until_free();
    }

    fn kill(&mut self, ledger: PostgresLedger, _: u16) {
        self.asker.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        drop(ledger);
        self.wait_until_free();
    }

    fn record(&self) -> (Vec<Option<i64>>, Vec<Stored>) {
        let rows = self.asker.ask("SELECT last_change FROM mynah.jobs ORDER BY id");
        (rows.iter().map(|row| row.get(0)).collect(), self.stored())
    }

    fn forgotten(&self) -> BTreeSet<(String, PostId)> {
        let rows = self.asker.ask("SELECT source, id FROM mynah.posts WHERE body::json ->> 'text' = ''");
        rows.iter().map(|row| (row.get(0), PostId(row.get(1)))).collect()
    }

    fn stored(&self) -> Vec<Stored> {
        let jobs = self.asker.ask(
            "SELECT state, token, attempt, not_before, kind, reason, engine, id FROM mynah.jobs ORDER BY id",
        );
        let parts = self.asker.ask(
            "SELECT job, part, text, intent_at, remote_id, after, account, key, reply_root, reply_parent
             FROM mynah.publications ORDER BY job, part",
        );
        let of_job = |job: i64| {
            let parts = parts.iter().filter(|row| row.get::<_, i64>(0) == job);
            let parts = parts.map(|row| Publication {
                part: u32::try_from(row.get::<_, i64>(1)).unwrap(),
                text: row.get(2),
                intent_at: Timestamp::from_millisecond(row.get(3)).unwrap(),
                remote_id: row.get::<_, Option<String>>(4).map(PostId),
                after: row.get::<_, Option<String>>(5).map(PostId),
                account: AccountId::from(row.get::<_, &str>(6)),
                key: Some(row.get::<_, String>(7).parse().unwrap()),
                reply: row.get::<_, Option<String>>(8).zip(row.get(9)).map(
                    |(root, parent): (String, String)| Reply { root: PostId(root), parent: PostId(parent) },
                ),
            });
            parts.collect()
        };
        let job = |row: &tokio_postgres::Row| Stored {
            state: row.get(0),
            token: row.get(1),
            attempt: u32::try_from(row.get::<_, i64>(2)).unwrap(),
            not_before: row.get(3),
            kind: row.get(4),
            reason: row.get(5),
            engine: row.get(6),
            parts: of_job(row.get(7)),
        };
        jobs.iter().map(job).collect()
    }
}

impl Database {
    /// Dropping a ledger does not wait for its connections, of which one may be about to write.
    fn wait_until_free(&self) {
        let begun = Instant::now();
        let others =
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                      AND backend_type = 'client backend'";
        while !self.asker.ask(others).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(10), "the ledger was never closed");
            std::thread::yield_now();
        }
    }
}

/// Opens the ledger as the same instance each time, which holds everything.
async fn open(address: Address, clock: Arc<TestClock>) -> PostgresLedger {
    let (instance, held) = (InstanceId::from("one"), HeldLeases::default());
    let member = Member { instance: instance.clone(), held: held.clone() };
    let ledger = PostgresLedger::open(&address, member, clock, |_| {}).await.unwrap();
    let sources = SOURCES.map(|source| LeaseName::Source(source.into()));
    let accounts = (0..TARGETS.len()).map(|index| LeaseName::Account(account_of(&target(index))));
    for name in sources.into_iter().chain(accounts) {
        let fence = ledger.acquire(&name, &instance, Duration::from_mins(10)).await.unwrap().unwrap();
        held.insert(Lease { name, fence });
    }
    ledger
}
