//! Leases in PostgreSQL: the contract, what the ledger refuses without them, and that no interleaving lets two instances
//! write.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "behaviours are named by their tests, which fail where they cannot go on"
)]

mod contract;
#[path = "support/postgres.rs"]
#[allow(dead_code, reason = "each test program uses a part of it")]
mod postgres;

use std::time::Duration;

use contract::ledger::{TestClock, account, begun, change, line, page, sent, to_publishing};
use futures_util::future::join_all;
use mynah::ledger::{
    PostgresLedger,
    postgres::{Address, Member},
};
use mynah_domain::{
    Job, JobEvent,
    ports::{
        Leases, LedgerError, Work as _,
        leases::{HeldLeases, InstanceId, Lease, LeaseName},
        ledger::ChangeError,
    },
};
use postgres::{Asker, Server};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};

const TTL: Duration = Duration::from_mins(10);

/// A process that shares the ledger.
struct Process {
    id: InstanceId,
    held: HeldLeases,
    ledger: PostgresLedger,
}

impl Process {
    async fn start(url: &str, name: &str) -> Self {
        let (id, held) = (InstanceId::from(name), HeldLeases::default());
        let member = Member { instance: id.clone(), held: held.clone() };
        let clock = TestClock::at("2026-11-23T12:00:00Z");
        let ledger =
            PostgresLedger::open(&Address::parse(url).unwrap(), member, clock, |_| {}).await.unwrap();
        Self { id, held, ledger }
    }

    async fn acquire(&self, name: LeaseName) -> bool {
        let fence = self.ledger.acquire(&name, &self.id, TTL).await.unwrap();
        if let Some(fence) = fence {
            self.held.insert(Lease { name, fence });
        }
        fence.is_some()
    }
}

fn source() -> LeaseName {
    LeaseName::Source(contract::ledger::SOURCE.into())
}

fn town_es() -> LeaseName {
    LeaseName::Account(account("es"))
}

/// The database's clock, for leases.
fn pass(asker: &Asker, time: Duration) {
    for table in ["leases", "instances"] {
        let seconds = time.as_secs_f64();
        asker.ask(&format!("UPDATE mynah.{table} SET until = until - interval '{seconds} seconds'"));
    }
}

struct Bench {
    asker: Asker,
    process: Process,
}

impl contract::leases::Bench for Bench {
    fn is_available() -> bool {
        Server::shared().is_some()
    }

    fn new() -> Self {
        let url = Server::shared().unwrap().database();
        let to = url.clone();
        // The ledger outlives the thread that opens it.
        let opening =
            std::thread::spawn(move || actix_rt::System::new().block_on(Process::start(&to, "bench")));
        Self { asker: Asker::new(&url), process: opening.join().unwrap() }
    }

    fn leases(&self) -> &dyn Leases {
        &self.process.ledger
    }

    fn pass(&self, time: Duration) {
        pass(&self.asker, time);
    }
}

mod contract_on_postgresql {
    use super::*;

    leases_contract!(Bench);
}

#[actix_rt::test]
async fn without_a_lease_nothing_is_recorded_and_no_publication_begins() {
    let Some(server) = Server::shared() else { return };
    let url = server.database();
    let (owner, tool) = (Process::start(&url, "owner").await, Process::start(&url, "tool").await);
    assert!(owner.acquire(source()).await && owner.acquire(town_es()).await);
    owner.ledger.record(page([1], &["es"])).await.unwrap();
    assert_eq!(tool.ledger.record(page([2], &["es"])).await, Err(LedgerError::NotHeld(source())));
    let job = line(&tool.ledger, "es").await.remove(0);
    // Whoever has the job's token may report; only publishing needs the account.
    let token = to_publishing(&tool.ledger, &job).await;
    let refused = change(&tool.ledger, &job, token, vec![begun(0)]).await;
    assert_eq!(refused, Err(ChangeError::NotHeld { job: job.id, lease: town_es() }));
    assert!(tool.ledger.publications(job.id).await.unwrap().is_empty());
    change(&owner.ledger, &job, token, vec![begun(0), sent(0, "9"), JobEvent::Published]).await.unwrap();
}

#[actix_rt::test]
async fn an_owner_that_was_replaced_without_noticing_changes_nothing() {
    let Some(server) = Server::shared() else { return };
    let url = server.database();
    let asker = Asker::new(&url);
    let (old, new) = (Process::start(&url, "old").await, Process::start(&url, "new").await);
    assert!(old.acquire(source()).await && old.acquire(town_es()).await);
    old.ledger.record(page([1, 2], &["es"])).await.unwrap();
    let jobs = line(&old.ledger, "es").await;
    let token = to_publishing(&old.ledger, &jobs[0]).await;
    assert!(!new.acquire(source()).await);
    pass(&asker, 2 * TTL);
    assert!(new.acquire(source()).await && new.acquire(town_es()).await);
    // It was stopped in between, and still believes that it holds both.
    let both = join_all([old.ledger.record(page([3], &["es"])), old.ledger.record(page([4], &["es"]))]).await;
    assert_eq!(both, [Err(LedgerError::NotHeld(source())), Err(LedgerError::NotHeld(source()))]);
    let refused = change(&old.ledger, &jobs[0], token, vec![begun(0)]).await;
    assert_eq!(refused, Err(ChangeError::NotHeld { job: jobs[0].id, lease: town_es() }));
    new.ledger.record(page([3], &["es"])).await.unwrap();
    new.ledger.recover(&[contract::ledger::target("es")]).await.unwrap();
    // Its token was revoked, too.
    let stale = change(&old.ledger, &jobs[0], token, vec![JobEvent::Untouched]).await;
    assert!(matches!(stale, Err(ChangeError::Stale { .. })), "{stale:?}");
}

/// What one of the processes does next.
#[derive(Debug, Clone)]
enum Step {
    Acquire,
    Renew,
    /// Gives it back, and notices it or not.
    Release {
        notices: bool,
    },
    Record,
    Begin,
}

/// Steps of several processes at the same time, after which time may pass. A process that pauses takes no step meanwhile,
/// and still believes what it believed.
type Round = (Vec<(usize, Step)>, bool);

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let step = prop_oneof![
        4 => Just(Step::Acquire),
        2 => Just(Step::Renew),
        1 => any::<bool>().prop_map(|notices| Step::Release { notices }),
        4 => Just(Step::Record),
        4 => Just(Step::Begin),
    ];
    vec((vec((0..3_usize, step), 1..6), prop::bool::weighted(0.3)), 1..15)
}

/// Notes in the database, in order, which fence was acquired, and which process wrote under which.
const WITNESS: &str = "
    CREATE TABLE mynah.witness (number BIGINT GENERATED ALWAYS AS IDENTITY, what TEXT, name TEXT, who TEXT, fence BIGINT);
    CREATE FUNCTION mynah.acquired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'INSERT' OR new.fence <> old.fence THEN
            INSERT INTO mynah.witness (what, name, who, fence) VALUES ('acquired', new.name, 'mynah ' || new.owner, new.fence);
        END IF;
        RETURN new;
    END $$;
    CREATE TRIGGER acquired AFTER INSERT OR UPDATE ON mynah.leases FOR EACH ROW EXECUTE FUNCTION mynah.acquired();
    CREATE FUNCTION mynah.wrote() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO mynah.witness (what, name, who, fence)
        SELECT 'wrote', leases.name, current_setting('application_name'), leases.fence FROM mynah.leases
        WHERE leases.name = CASE TG_TABLE_NAME WHEN 'checkpoints' THEN 'source ' || (to_jsonb(new) ->> 'source')
                                               ELSE 'account ' || (to_jsonb(new) ->> 'account') END;
        RETURN new;
    END $$;
    CREATE TRIGGER wrote AFTER INSERT OR UPDATE ON mynah.checkpoints FOR EACH ROW EXECUTE FUNCTION mynah.wrote();
    CREATE TRIGGER wrote AFTER INSERT ON mynah.publications FOR EACH ROW EXECUTE FUNCTION mynah.wrote();
";

#[test]
fn no_interleaving_lets_two_instances_write() {
    let Some(server) = Server::shared() else { return };
    let mut runner = TestRunner::new(Config {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    });
    let runtime = actix_rt::Runtime::new().unwrap();
    let mut seen = std::collections::BTreeMap::<&str, u32>::new();
    let seen = std::cell::RefCell::new(&mut seen);
    let outcome = runner.run(&rounds(), |rounds| {
        let outcomes = runtime.block_on(interleave(server, &rounds))?;
        for outcome in outcomes {
            *seen.borrow_mut().entry(outcome).or_default() += 1;
        }
        Ok(())
    });
    outcome.unwrap();
    let seen = seen.into_inner();
    println!("{seen:?}");
    for what in ["acquired", "taken", "wrote", "refused"] {
        assert!(seen.contains_key(what), "this never occurred: {what}");
    }
}

async fn interleave(server: &Server, rounds: &[Round]) -> Result<Vec<&'static str>, TestCaseError> {
    let url = server.database();
    let asker = Asker::new(&url);
    let mut processes = Vec::new();
    for name in ["a", "b", "c"] {
        processes.push(Process::start(&url, name).await);
    }
    server.sql(url.rsplit('/').next().unwrap(), WITNESS);
    // Jobs to begin, each on the account.
    let first = &processes[0];
    assert!(first.acquire(source()).await);
    first.ledger.record(page(1..60, &["es"])).await.unwrap();
    let mut jobs = line(&first.ledger, "es").await;
    let mut outcomes = Vec::new();
    for (round, (steps, passes)) in rounds.iter().enumerate() {
        let steps = steps.iter().enumerate().map(|(number, (who, step))| {
            let at = 1000 + 10 * round as u64 + number as u64;
            take(&processes[*who], step.clone(), at, jobs.pop())
        });
        outcomes.extend(join_all(steps.collect::<Vec<_>>()).await);
        if *passes {
            pass(&asker, 2 * TTL);
        }
    }
    let rows = asker.ask("SELECT what, name, who, fence FROM mynah.witness ORDER BY number");
    let mut current = std::collections::HashMap::new();
    for row in &rows {
        let (what, name): (&str, String) = (row.get(0), row.get(1));
        let holder: (String, i64) = (row.get(2), row.get(3));
        if what == "acquired" {
            let before = current.insert(name, holder.clone());
            prop_assert!(before.is_none_or(|(_, fence)| holder.1 > fence), "a fence did not grow");
        } else {
            prop_assert_eq!(current.get(&name), Some(&holder), "{} wrote under another's fence", name);
        }
    }
    Ok(outcomes)
}

async fn take(process: &Process, step: Step, at: u64, job: Option<Job>) -> &'static str {
    let (ledger, held) = (&process.ledger, &process.held);
    match step {
        Step::Acquire => {
            let both = join_all([process.acquire(source()), process.acquire(town_es())]).await;
            if both.contains(&true) { "acquired" } else { "taken" }
        }
        Step::Renew => {
            for lost in ledger.renew(&held.all(), &process.id, TTL).await.unwrap() {
                held.remove(&lost);
            }
            "renewed"
        }
        Step::Release { notices } => {
            let all = held.all();
            if notices {
                for lease in &all {
                    held.remove(&lease.name);
                }
            }
            ledger.release(&all, &process.id).await.unwrap();
            "released"
        }
        Step::Record => match ledger.record(page([at], &["ca"])).await {
            Ok(_) => "wrote",
            Err(LedgerError::NotHeld(_)) => "refused",
            Err(error) => panic!("{error}"),
        },
        Step::Begin => {
            let Some(job) = job else { return "nothing to begin" };
            let token = to_publishing(ledger, &job).await;
            match change(ledger, &job, token, vec![begun(0)]).await {
                Ok(_) => "wrote",
                Err(ChangeError::NotHeld { .. }) => "refused",
                Err(error) => panic!("{error}"),
            }
        }
    }
}
