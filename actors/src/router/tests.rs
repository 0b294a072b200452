//! The router with a ledger that answers only when a test allows it. This shows what happens in between, which a normal
//! run cannot show on demand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, Addr, MailboxError};
use actix_rt::task::JoinHandle;
use mynah_domain::{
    AccountId, Job, JobEvent, JobId, JobState, Money, PostId, PublicationKey,
    backoff::Backoff,
    breaker::{BreakerPolicy, CallOutcome},
    budget::{Budget, Budgets, Charge, Payer, Period, Purpose, Scope},
    job::HoldKind,
    lease_term::{LeaseTerm, Moment},
    network::{NetworkRules, PlainText, Price},
    people::Author,
    ports::{
        LedgerError, Spending as _, Work as _,
        leases::{Fence, HeldLeases, Lease, LeaseName},
        ledger::{Change, Checkpoint, Raw, RecordPage, RecordPost},
    },
};
use tokio::sync::mpsc;

use super::{
    AskActivity, AskWorkload, Assigned, Block, Decide, Decision, Depth, Drain, Drained, JobReport,
    PullPublications, PullTranslations, PutDown, Reclaim, Record, Refusal, ReportJobs, Route, Router,
    RouterParts, RouterSettings, TakeUp,
};
use crate::{
    blocks::Blocks,
    costs::Costs,
    events::{Event, Feed},
    leases::{Holdings, holdings::LeasedHoldings},
    pauses::{Paused, Pauses},
    shortages::Shortages,
    stats::Meter,
    supervision::{StageActivity, WorkerContext, exit::ExitReason},
    testing::{self, Gate, MemoryLedger, RuntimeClock, es, exit_guard, noon, post, queued, ready, worker},
    upstreams::Upstreams,
};

const PAUSE: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(1) };

/// A job of post 1, translated or not.
fn job(translated: bool) -> Job {
    Job { token: 7, ..if translated { ready(1) } else { queued(1) } }
}

struct Town {
    ledger: Arc<MemoryLedger>,
    router: Addr<Router>,
    pauses: Pauses,
    upstreams: Upstreams,
    /// Receives a message whenever the ledger is asked for a change.
    asked: mpsc::UnboundedReceiver<()>,
}

/// What a router with this ledger needs.
fn parts(ledger: Arc<MemoryLedger>) -> RouterParts {
    let policy = BreakerPolicy { failures: 3, pause: PAUSE, trial: Duration::from_mins(1) };
    RouterParts {
        settings: RouterSettings {
            queue: 10,
            routes: vec![Route::alone(es())],
            order_patience: Duration::from_hours(1),
            patience: 3,
        },
        ledger,
        upstreams: Upstreams::new(policy, 4),
        pauses: Pauses::new([]),
        holdings: Holdings::default(),
        blocks: Blocks::default(),
        costs: Costs::default(),
        clock: Arc::new(RuntimeClock::new()),
        meter: Meter::default(),
        feed: Feed::default(),
    }
}

impl Town {
    fn new(job: Job) -> Self {
        Self::with_holdings(job, Holdings::default())
    }

    fn with_holdings(job: Job, holdings: Holdings) -> Self {
        Self::with(job, holdings, Costs::default())
    }

    fn with_costs(job: Job, costs: Costs) -> Self {
        Self::with(job, Holdings::default(), costs)
    }

    fn with(job: Job, holdings: Holdings, costs: Costs) -> Self {
        let (gate, asked) = Gate::closed();
        let clock = Arc::new(RuntimeClock::new());
        let ledger = Arc::new(MemoryLedger::new([job], clock.clone()).behind(gate));
        let parts = RouterParts { holdings, costs, clock, ..parts(ledger.clone()) };
        let (pauses, upstreams) = (parts.pauses.clone(), parts.upstreams.clone());
        Self { ledger, router: Router::new(exit_guard("router"), parts).start(), pauses, upstreams, asked }
    }

    /// The stages that have work.
    async fn activity(&self) -> Vec<StageActivity> {
        self.router.send(AskActivity).await.unwrap()
    }

    fn publications(&self, worker: &WorkerContext) -> actix::prelude::Request<Router, PullPublications> {
        self.router.send(PullPublications {
            worker: worker.worker_ref(),
            account: AccountId::from(&es()),
            room: 4,
        })
    }
}

/// The only job of an assignment, which came without an intent.
fn alone(mut assigned: Vec<Assigned>) -> Job {
    assert_eq!(assigned.len(), 1);
    let Assigned { job, begun } = assigned.remove(0);
    assert_eq!(begun, None);
    job
}

/// The jobs of an assignment, all of which came with their intents.
fn begun_jobs(assigned: Vec<Assigned>) -> Vec<Job> {
    assert!(!assigned.is_empty() && assigned.iter().all(|assigned| assigned.begun.is_some()));
    assigned.into_iter().map(|assigned| assigned.job).collect()
}

fn reclaim(worker: &str) -> Reclaim {
    Reclaim { holder: format!("{worker}#1"), reason: "the test ended it".into(), suspect: false }
}

#[actix_rt::test]
async fn a_lease_that_is_written_while_its_publisher_exits_is_taken_back() {
    let mut town = Town::new(job(true));
    let ended = worker("publisher-old");
    let pull = actix_rt::spawn(town.publications(&ended));
    town.asked.recv().await.expect("the lease is to be written");
    drop(ended);
    let reclaimed = actix_rt::spawn(town.router.send(reclaim("publisher-old")));
    town.asked.recv().await.expect("its job is to be taken back");
    town.ledger.let_pass(100);
    reclaimed.await.unwrap().unwrap();
    assert_eq!(pull.await.unwrap().unwrap().unwrap(), []);

    let next = worker("publisher-new");
    let assigned = alone(town.publications(&next).await.unwrap().unwrap());
    assert_eq!((assigned.id, assigned.state), (JobId(1), JobState::Publishing));
}

#[actix_rt::test]
async fn the_jobs_of_a_dead_publisher_are_reclaimed_however_long_the_ledger_is_locked() {
    tokio::time::pause();
    let town = Town::new(job(true));
    town.ledger.let_pass(100);
    let dead = worker("publisher-old");
    town.publications(&dead).await.unwrap().unwrap();
    drop(dead);
    town.ledger.lock_for(20);
    let locked_at = tokio::time::Instant::now();
    // It counts as one panic, whatever the ledger answers.
    let suspect = Reclaim { suspect: true, ..reclaim("publisher-old") };
    town.router.send(suspect).await.unwrap();
    assert!(locked_at.elapsed() > Duration::from_mins(5), "the waits grow");
    assert_eq!(town.ledger.job(1).state, JobState::Unknown);

    let next = worker("publisher-new");
    let assigned = alone(town.publications(&next).await.unwrap().unwrap());
    assert_eq!((assigned.id, assigned.state), (JobId(1), JobState::Publishing));
}

/// A job with a part that was begun and whose outcome is unknown.
fn begun(state: JobState) -> Job {
    Job { state, token: 7, ..testing::unknown(1, noon()) }
}

#[actix_rt::test]
async fn a_lease_to_look_up_a_job_is_taken_back_if_its_publisher_exits_while_it_is_written() {
    let mut town = Town::new(begun(JobState::Unknown));
    let ended = worker("publisher-old");
    let pull = actix_rt::spawn(town.publications(&ended));
    town.asked.recv().await.expect("the lease is to be written");
    drop(ended);
    town.ledger.let_pass(100);
    assert_eq!(pull.await.unwrap().unwrap().unwrap(), []);
    assert_eq!(town.ledger.job(1).state, JobState::Unknown);

    let next = worker("publisher-new");
    let assigned = alone(town.publications(&next).await.unwrap().unwrap());
    assert_eq!((assigned.id, assigned.state), (JobId(1), JobState::Publishing));
}

#[actix_rt::test]
async fn a_job_in_publication_that_no_worker_holds_is_looked_up() {
    let town = Town::new(begun(JobState::Publishing));
    town.ledger.let_pass(100);
    let publisher = worker("publisher-es");
    let assigned = alone(town.publications(&publisher).await.unwrap().unwrap());
    assert_eq!(
        (assigned.id, assigned.state, assigned.publications.len()),
        (JobId(1), JobState::Publishing, 1)
    );
}

#[actix_rt::test]
async fn an_intent_is_recorded_before_its_publisher_receives_it() {
    let mut town = Town::new(job(true));
    let publisher = worker("publisher");
    let pull = actix_rt::spawn(town.publications(&publisher));
    town.asked.recv().await.expect("lease and intent are to be written");
    assert!(!pull.is_finished());
    town.ledger.let_pass(1);
    let assigned = begun_jobs(pull.await.unwrap().unwrap().unwrap());
    assert!(assigned[0].token > 7);
    assert_eq!(assigned[0].token, town.ledger.job(1).token);
}

#[actix_rt::test]
async fn a_translators_lease_costs_no_ledger_call_until_its_outcome_is_known() {
    let mut town = Town::new(job(false));
    let translator = worker("translator");
    let pull = PullTranslations { worker: translator.worker_ref(), max: 4 };
    let leased = town.router.send(pull).await.unwrap().unwrap();
    assert!(town.asked.try_recv().is_err(), "nothing has happened that could be lost");
    assert_eq!((leased[0].state, leased[0].attempt), (JobState::Queued, 1));

    town.ledger.let_pass(100);
    let translated = JobEvent::Translated(job(true).translation.unwrap());
    let report = JobReport::new(&leased[0], vec![translated]);
    town.router.send(ReportJobs(vec![report.clone()])).await.unwrap().unwrap();
    let reported = town.ledger.job(1);
    assert!(reported.state == JobState::Ready && reported.token > 7, "{reported:?}");
    // Reported twice, it counts once.
    town.router.send(ReportJobs(vec![report])).await.unwrap().unwrap();
    assert_eq!(town.ledger.job(1), reported);
}

/// A town whose publisher waits, and whose only job was just translated but not reported yet.
async fn translated_while_its_publisher_waits(
    publisher: &WorkerContext,
) -> (Town, JoinHandle<Result<Result<Vec<Assigned>, LedgerError>, MailboxError>>, ReportJobs) {
    let town = Town::new(job(false));
    let (waiting, report) = translated_for(&town, publisher).await;
    (town, waiting, report)
}

/// The same in this town.
async fn translated_for(
    town: &Town,
    publisher: &WorkerContext,
) -> (JoinHandle<Result<Result<Vec<Assigned>, LedgerError>, MailboxError>>, ReportJobs) {
    let translator = worker("translator");
    let pull = PullTranslations { worker: translator.worker_ref(), max: 4 };
    let leased = town.router.send(pull).await.unwrap().unwrap();
    let waiting = actix_rt::spawn(town.publications(publisher));
    // The router handles messages in order: once this is answered, the publisher waits.
    town.router.send(Depth).await.unwrap();
    let translated = JobEvent::Translated(job(true).translation.unwrap());
    (waiting, ReportJobs(vec![JobReport::new(&leased[0], vec![translated])]))
}

#[actix_rt::test]
async fn a_job_translated_while_its_publisher_waits_is_begun_in_the_same_change() {
    let publisher = worker("publisher");
    let (mut town, waiting, report) = translated_while_its_publisher_waits(&publisher).await;
    town.ledger.let_pass(1);
    town.router.send(report).await.unwrap().unwrap();
    let assigned = begun_jobs(waiting.await.unwrap().unwrap().unwrap());
    assert_eq!(assigned[0].state, JobState::Publishing);
    assert_eq!(assigned[0].translation, job(true).translation);
    assert_eq!(assigned[0].token, town.ledger.job(1).token);
    assert!(town.asked.try_recv().is_ok() && town.asked.try_recv().is_err(), "the ledger was asked once");
}

#[actix_rt::test]
async fn a_translation_is_recorded_even_if_no_budget_allows_its_publication() {
    let publisher = worker("publisher");
    let rules = PlainText { price: Price { message: 15_000, with_link: 15_000 }, ..PlainText::default() };
    let rules: Arc<dyn NetworkRules> = Arc::new(rules);
    let budget = Budget {
        scope: Scope::Everything,
        period: Period::Day,
        most: "0.02".parse().unwrap(),
        setting: "budget.daily".into(),
    };
    let budgets = Budgets { all: vec![budget], ..Budgets::default() };
    let shortages = Shortages::default();
    let costs = Costs::new(Arc::new(budgets), [(es(), rules)]).recording(shortages.clone());
    let town = Town::with_costs(job(false), costs);
    let other = Charge {
        payer: Payer { source: "net:town".into(), target: None, service: "net".into() },
        purpose: Purpose::Read,
        day: Budgets::default().day(noon()),
        amount: "0.01".parse().unwrap(),
        units: 2,
    };
    town.ledger.charge(vec![other]).await.unwrap();
    let (waiting, report) = translated_for(&town, &publisher).await;
    town.ledger.let_pass(100);
    town.router.send(report).await.unwrap().unwrap();
    // Once this is answered, the publisher has asked for the job.
    town.router.send(Drain).await.unwrap();
    let held = town.ledger.job(1);
    assert_eq!((held.state, held.translation), (JobState::Held, job(true).translation));
    assert!(held.publications.is_empty() && !waiting.is_finished());
    assert_eq!(shortages.budgets(noon())["budget.daily"].least, Money::from_micros(15_000));
}

#[actix_rt::test]
async fn jobs_begun_for_a_publisher_that_exits_meanwhile_are_taken_back() {
    let ended = worker("publisher-old");
    let (mut town, waiting, report) = translated_while_its_publisher_waits(&ended).await;
    let reported = actix_rt::spawn(town.router.send(report));
    town.asked.recv().await.expect("the translation is to be written");
    drop(ended);
    town.ledger.let_pass(100);
    reported.await.unwrap().unwrap().unwrap();
    assert_eq!(town.ledger.job(1).state, JobState::Ready);
    town.router.send(reclaim("publisher-old")).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().unwrap(), []);

    let next = worker("publisher-new");
    let assigned = alone(town.publications(&next).await.unwrap().unwrap());
    assert_eq!((assigned.id, assigned.state), (JobId(1), JobState::Publishing));
}

#[actix_rt::test]
async fn jobs_begun_for_a_publisher_are_not_taken_by_its_predecessor() {
    let ended = worker("publisher-old");
    let (town, waiting, report) = translated_while_its_publisher_waits(&ended).await;
    let next = worker("publisher-new");
    let pull = actix_rt::spawn(town.publications(&next));
    town.router.send(Depth).await.unwrap();
    drop(ended);
    town.ledger.let_pass(100);
    town.router.send(report).await.unwrap().unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().unwrap(), []);
    let assigned = begun_jobs(pull.await.unwrap().unwrap().unwrap());
    assert_eq!((assigned[0].id, assigned[0].state), (JobId(1), JobState::Publishing));
}

#[actix_rt::test]
async fn begun_jobs_stay_begun_when_the_same_report_comes_again() {
    let publisher = worker("publisher");
    let (mut town, waiting, report) = translated_while_its_publisher_waits(&publisher).await;
    let reports = [report.clone(), report].map(|report| actix_rt::spawn(town.router.send(report)));
    for _ in 0..2 {
        town.asked.recv().await.expect("both are to be written");
    }
    town.ledger.let_pass(100);
    for report in reports {
        report.await.unwrap().unwrap().unwrap();
    }
    let assigned = begun_jobs(waiting.await.unwrap().unwrap().unwrap());
    assert_eq!((assigned.len(), assigned[0].token), (1, town.ledger.job(1).token));
}

#[actix_rt::test]
async fn nothing_is_begun_on_a_paused_account_whenever_the_pause_comes() {
    for meanwhile in [false, true] {
        let publisher = worker("publisher");
        let (mut town, waiting, report) = translated_while_its_publisher_waits(&publisher).await;
        if !meanwhile {
            town.pauses.pause(Paused::Target(es()));
        }
        let reported = actix_rt::spawn(town.router.send(report));
        town.asked.recv().await.expect("the translation is to be written");
        town.pauses.pause(Paused::Target(es()));
        town.ledger.let_pass(100);
        reported.await.unwrap().unwrap().unwrap();
        assert_eq!(town.ledger.job(1).state, JobState::Ready);
        assert!(!waiting.is_finished());
    }
}

#[actix_rt::test]
async fn a_job_that_a_translator_holds_cannot_be_decided_about() {
    let town = Town::new(job(false));
    let translator = worker("translator");
    let pull = PullTranslations { worker: translator.worker_ref(), max: 4 };
    town.router.send(pull).await.unwrap().unwrap();
    let author = Author { who: None, at: noon() };
    let skip = Decide { jobs: vec![JobId(1)], decision: Decision::Skip, author };
    let decided = town.router.send(skip).await.unwrap().unwrap();
    assert_eq!(decided, [(JobId(1), Err(Refusal::PastSkipping(JobState::Translating)))]);
}

#[actix_rt::test]
async fn a_late_report_about_a_job_that_was_given_to_another_translator_changes_nothing() {
    let town = Town::new(job(false));
    town.ledger.let_pass(100);
    let dead = worker("translator-old");
    let pull = |worker: &WorkerContext| PullTranslations { worker: worker.worker_ref(), max: 4 };
    let leased = town.router.send(pull(&dead)).await.unwrap().unwrap();
    drop(dead);
    town.router.send(reclaim("translator-old")).await.unwrap();
    let next = worker("translator-new");
    let again = town.router.send(pull(&next)).await.unwrap().unwrap();
    assert_eq!(again[0].id, JobId(1));
    assert!(again[0].token > leased[0].token);

    let late = JobEvent::Failed { reason: "a late report".into() };
    town.router.send(ReportJobs(vec![JobReport::new(&leased[0], vec![late])])).await.unwrap().unwrap();
    assert_eq!(town.ledger.job(1).state, JobState::Queued);
}

#[actix_rt::test]
async fn a_late_report_that_a_message_was_sent_counts_only_for_the_message_with_its_key() {
    for is_same in [true, false] {
        let town = Town::new(begun(JobState::Unknown));
        town.ledger.let_pass(100);
        let key = town.ledger.job(1).publications[0].key.unwrap();
        let key = if is_same { key } else { PublicationKey::new(noon()) };
        let sent = JobEvent::PartSent { part: 0, remote_id: PostId("9".into()) };
        let leased = Job { token: 5, state: JobState::Publishing, ..town.ledger.job(1) };
        let report =
            JobReport { sent_under: Some(key), ..JobReport::new(&leased, vec![sent, JobEvent::Published]) };
        town.router.send(ReportJobs(vec![report])).await.unwrap().unwrap();
        let (state, id) =
            if is_same { (JobState::Published, Some(PostId("9".into()))) } else { (JobState::Unknown, None) };
        let job = town.ledger.job(1);
        assert_eq!((job.state, &job.publications[0].remote_id), (state, &id));
    }
}

#[actix_rt::test]
async fn a_stage_has_work_only_while_a_job_could_move() {
    let town = Town::new(job(false));
    town.ledger.let_pass(100);
    let stage = |stage: &str, holder: &str| {
        [StageActivity { stage: stage.into(), completed: 0, runnable: 1, holders: vec![holder.into()] }]
    };
    // Once a translator has its job, the router has loaded the ledger.
    let translator = worker("translator-1");
    let pull = PullTranslations { worker: translator.worker_ref(), max: 1 };
    let leased = town.router.send(pull).await.unwrap().unwrap();
    assert_eq!(town.activity().await, stage("translation", "translator-1#1"));
    for _ in 0..3 {
        town.upstreams.record("test", CallOutcome::Silent);
    }
    assert_eq!(town.activity().await, [], "no engine answers");
    town.upstreams.record("test", CallOutcome::Answered);

    let translation = testing::translation(&["Hola"]);
    let report = JobReport::new(&leased[0], vec![JobEvent::Translated(translation)]);
    town.router.send(ReportJobs(vec![report])).await.unwrap().unwrap();
    assert_eq!(town.activity().await, [], "its publisher waits for its rate limit");
    let publisher = worker("publisher-es");
    let assigned = begun_jobs(town.publications(&publisher).await.unwrap().unwrap());
    assert_eq!(town.activity().await, stage("publication on net:es", "publisher-es#1"));
    town.pauses.pause(Paused::Target(es()));
    assert_eq!(town.activity().await, [], "its target is paused");
    town.pauses.resume(&Paused::Target(es()));
    let sent = JobEvent::PartSent { part: 0, remote_id: PostId("9".into()) };
    let report = JobReport::new(&assigned[0], vec![sent, JobEvent::Published]);
    town.router.send(ReportJobs(vec![report])).await.unwrap().unwrap();
    assert_eq!(town.activity().await, []);
}

/// Holdings with a lease for the only account, or without it.
fn leased() -> LeasedHoldings {
    LeasedHoldings::new(HeldLeases::default(), LeaseTerm::new(Duration::from_secs(10)))
}

fn hold(leased: &LeasedHoldings) {
    let name = LeaseName::Account(AccountId::from(&es()));
    let now = Moment { steady: std::time::Instant::now(), wall: noon() };
    leased.insert(Lease { name, fence: Fence(1) }, now);
}

#[actix_rt::test]
async fn a_job_is_handed_out_once_its_account_is_taken_up_and_not_after_it_is_put_down() {
    let (account, leased) = (AccountId::from(&es()), leased());
    let town = Town::with_holdings(job(false), Holdings::Leased(leased.clone()));
    town.ledger.let_pass(100);
    let translator = worker("translator-1");
    let pull = || town.router.send(PullTranslations { worker: translator.worker_ref(), max: 1 });
    town.router.send(TakeUp { account: account.clone() }).await.unwrap().unwrap();
    assert_eq!(town.activity().await, [], "there is no lease");
    hold(&leased);
    town.router.send(TakeUp { account: account.clone() }).await.unwrap().unwrap();
    let pulled = pull().await.unwrap().unwrap();
    assert_eq!(pulled.len(), 1);
    town.router.send(PutDown { account: account.clone() }).await.unwrap();
    assert_eq!(town.activity().await, []);
    // What a translator still reports is recorded, but nothing follows from it here.
    let translated = vec![JobEvent::Translated(testing::translation(&["Hola"]))];
    town.router.send(ReportJobs(vec![JobReport::new(&pulled[0], translated)])).await.unwrap().unwrap();
    assert_eq!(town.ledger.job(1).state, JobState::Ready);
    assert_eq!(town.activity().await, []);
}

#[actix_rt::test]
async fn an_account_whose_lease_the_ledger_denies_is_put_down_quietly() {
    let leased = leased();
    hold(&leased);
    let town = Town::with_holdings(job(true), Holdings::Leased(leased.clone()));
    town.ledger.let_pass(100);
    town.ledger.set_not_held(true);
    let publisher = worker("publisher");
    let pull = actix_rt::spawn(town.publications(&publisher));
    let doubted = LeaseName::Account(AccountId::from(&es()));
    while !leased.take_doubted().contains(&doubted) {
        actix_rt::task::yield_now().await;
    }
    assert_eq!(town.ledger.job(1).state, JobState::Ready);
    // The keeper of the leases renews, finds that the account is held after all, and has it taken up.
    town.ledger.set_not_held(false);
    town.router.send(TakeUp { account: AccountId::from(&es()) }).await.unwrap().unwrap();
    assert_eq!(begun_jobs(pull.await.unwrap().unwrap().unwrap())[0].id, JobId(1));
}

#[actix_rt::test]
async fn a_translation_counts_though_its_account_is_another_instances_by_now() {
    let leased = leased();
    hold(&leased);
    let town = Town::with_holdings(job(false), Holdings::Leased(leased.clone()));
    town.ledger.let_pass(100);
    let (translator, publisher) = (worker("translator-1"), worker("publisher"));
    let pull = PullTranslations { worker: translator.worker_ref(), max: 1 };
    let pulled = town.router.send(pull).await.unwrap().unwrap();
    let _waiting = actix_rt::spawn(town.publications(&publisher));
    while town.router.send(AskWorkload).await.unwrap().asking < 1 {}
    town.ledger.set_not_held(true);
    let translated = vec![JobEvent::Translated(testing::translation(&["Hola"]))];
    town.router.send(ReportJobs(vec![JobReport::new(&pulled[0], translated)])).await.unwrap().unwrap();
    assert_eq!(town.ledger.job(1).state, JobState::Ready);
    assert_eq!(leased.take_doubted().len(), 1);
}

#[actix_rt::test]
async fn a_job_that_changed_while_its_line_was_read_is_read_again() {
    let town = Town::new(job(false));
    town.ledger.let_pass(100);
    let (translator, publisher) = (worker("translator-1"), worker("publisher"));
    let pull = PullTranslations { worker: translator.worker_ref(), max: 1 };
    let pulled = town.router.send(pull).await.unwrap().unwrap();
    // A report from before the line was read is written only now.
    let translated = || JobEvent::Translated(testing::translation(&["Hola"]));
    let earlier = Change::new(JobId(1), 7, vec![JobEvent::LeasedForTranslation, translated()]);
    town.ledger.advance([earlier].into()).await.unwrap().remove(0).unwrap();
    town.router
        .send(ReportJobs(vec![JobReport::new(&pulled[0], vec![translated()])]))
        .await
        .unwrap()
        .unwrap();
    let publications = tokio::time::timeout(Duration::from_secs(30), town.publications(&publisher));
    assert_eq!(begun_jobs(publications.await.unwrap().unwrap().unwrap())[0].id, JobId(1));
}

#[actix_rt::test]
async fn a_publisher_without_room_receives_its_job_without_an_intent() {
    let town = Town::new(job(true));
    town.ledger.let_pass(100);
    let publisher = worker("publisher");
    let pull = PullPublications { worker: publisher.worker_ref(), account: AccountId::from(&es()), room: 0 };
    let assigned = alone(town.router.send(pull).await.unwrap().unwrap());
    assert_eq!((assigned.id, assigned.state), (JobId(1), JobState::Publishing));
}

#[actix_rt::test]
async fn a_worker_counts_as_waiting_until_it_has_a_job() {
    let town = Town::new(job(false));
    town.ledger.let_pass(100);
    let asking = || async { town.router.send(AskWorkload).await.unwrap().asking };
    let (translator, publisher) = (worker("translator"), worker("publisher"));
    let waiting = actix_rt::spawn(town.publications(&publisher));
    town.router.send(Depth).await.unwrap();
    assert_eq!(asking().await, 1);
    let pull = PullTranslations { worker: translator.worker_ref(), max: 1 };
    let leased = town.router.send(pull).await.unwrap().unwrap();
    assert_eq!(asking().await, 1, "the translator has a job");
    let translated = JobEvent::Translated(testing::translation(&["Hola"]));
    town.router.send(ReportJobs(vec![JobReport::new(&leased[0], vec![translated])])).await.unwrap().unwrap();
    begun_jobs(waiting.await.unwrap().unwrap().unwrap());
    assert_eq!(asking().await, 0);
}

#[actix_rt::test]
async fn a_run_ends_once_nothing_is_left_but_what_a_person_must_fix() {
    let town = Town::new(job(false));
    let drained = actix_rt::spawn(town.router.send(Drain));
    town.router.send(Depth).await.unwrap();
    assert!(!drained.is_finished(), "a job waits for a translator");
    town.router.send(Block { account: AccountId::from(&es()), reason: "revoked".into() }).await.unwrap();
    let blocked = [(es(), "revoked".to_owned())].into();
    assert_eq!(drained.await.unwrap().unwrap(), Drained { blocked, ..Drained::default() });
}

#[actix_rt::test]
async fn a_router_whose_ledger_cannot_be_used_exits_for_good() {
    let (guard, mut exits) = testing::exit_guard_of("router");
    let _router = Router::new(guard, parts(Arc::new(MemoryLedger::damaged()))).start();
    let exit = exits.recv().await.unwrap();
    assert_eq!(exit.reason, ExitReason::Fatal("the ledger is damaged".into()));
}

/// A page with one post for "es".
fn page(unreadable: Option<Raw>) -> Record {
    let posts = vec![RecordPost { post: Arc::new(post(1)), jobs: vec![(es(), None)], unreadable }];
    let page =
        RecordPage { source: "net:town".into(), posts, checkpoint: Checkpoint::default(), settles: None };
    Record { page, arrived: Instant::now() }
}

#[actix_rt::test]
async fn a_recorded_post_is_announced_and_so_is_why_its_job_is_held() {
    let raw = Raw { json: "{}".into(), reason: "it has no text".into() };
    for (ledger, unreadable, held) in [
        (MemoryLedger::empty(), None, None),
        (MemoryLedger::empty(), Some(raw.clone()), Some(HoldKind::Unreadable)),
        (MemoryLedger::restored(), None, Some(HoldKind::Restored)),
    ] {
        let (feed, mut events) = Feed::watched();
        let parts = RouterParts { feed, ..parts(Arc::new(ledger)) };
        let router = Router::new(exit_guard("router"), parts).start();
        let recorded = router.send(page(unreadable)).await.unwrap().unwrap();
        assert_eq!(recorded.posts, 1);
        let Some(Event::Recorded(post, jobs, _)) = events.recv().await else { panic!("no post") };
        assert_eq!((post.position, jobs), (1, vec![(es(), None)]));
        let hold = match events.try_recv() {
            Ok(Event::Held(_, target, hold)) if target == es() => Some(hold.kind),
            Ok(other) => panic!("unexpected event {other:?}"),
            Err(_) => None,
        };
        assert_eq!(hold, held);
    }
}
