//! The router with a ledger that answers when it is told to: what comes in between is what no run shows on order.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix::{Actor, Addr, MailboxError};
use actix_rt::task::JoinHandle;
use async_trait::async_trait;
use jiff::Timestamp;
use mynah_domain::{
    AccountId, Job, JobEvent, JobId, JobState, Post, PostId, PostKind, Reply, TargetId, Translation,
    backoff::Backoff,
    breaker::{BreakerPolicy, CallOutcome},
    caps::Spent,
    job::Publication,
    ports::{
        Clock, Facts, LedgerError, Listing, Work,
        ledger::{
            Advanced, Change, ChangeError, Checkpoint, JobFilter, JobLine, LinePosition, PublishedJob,
            RecordPage, Recorded,
        },
    },
};
use tokio::sync::{Semaphore, mpsc};

use super::{
    AskLanes, Assignment, Decide, Decision, Depth, JobReport, Lanes, PullPublications, PullTranslations,
    Reclaim, Refusal, ReportJobs, Router, RouterParts, RouterSettings,
};
use crate::{
    events::Feed,
    pauses::{Paused, Pauses},
    stats::Meter,
    supervision::{
        ActorRef, ExitGuard, HealthRegistry, RestartPolicy, Supervisor, WorkerContext,
        supervisor::SupervisorSettings,
    },
    upstreams::Upstreams,
};

/// A ledger of jobs in memory, each of whose changes waits for leave.
struct Slow {
    jobs: Mutex<BTreeMap<JobId, Job>>,
    leave: Semaphore,
    asked: mpsc::UnboundedSender<()>,
}

impl Slow {
    fn job(&self, id: i64) -> Job {
        self.jobs.lock().unwrap()[&JobId(id)].clone()
    }
}

fn not_asked<T>() -> Result<T, LedgerError> {
    Err(LedgerError::Fatal("nobody asks this here".into()))
}

#[async_trait(?Send)]
impl Work for Slow {
    async fn advance(
        &self,
        changes: Arc<[Change]>,
    ) -> Result<Vec<Result<Advanced, ChangeError>>, LedgerError> {
        let _ = self.asked.send(());
        self.leave.acquire().await.unwrap().forget();
        let mut jobs = self.jobs.lock().unwrap();
        let answers = changes.iter().map(|change| {
            let job = jobs.get_mut(&change.job()).unwrap();
            if job.token != change.token() {
                return Err(ChangeError::Stale { job: job.id, current: job.token, offered: change.token() });
            }
            for event in change.events() {
                let is_begun = job.publications.iter().any(|part| part.remote_id.is_none());
                let state = job.state.after(event).filter(|_| *event != JobEvent::Untouched || !is_begun);
                let Some(state) = state else {
                    let event = format!("{event:?}");
                    return Err(ChangeError::Illegal { job: job.id, state: job.state, event });
                };
                job.state = state;
            }
            job.token = change.new_token().unwrap_or(job.token);
            Ok(Advanced { state: job.state, token: job.token, attempt: job.attempt })
        });
        Ok(answers.collect())
    }

    async fn open_jobs(
        &self,
        _: &TargetId,
        after: Option<LinePosition>,
        _: usize,
    ) -> Result<Vec<Job>, LedgerError> {
        let jobs = self.jobs.lock().unwrap();
        let open = jobs.values().filter(|job| !job.state.is_settled() && Some(LinePosition::of(job)) > after);
        Ok(open.cloned().collect())
    }

    async fn recover(&self, _: &[TargetId]) -> Result<u64, LedgerError> {
        Ok(0)
    }

    async fn publications(&self, job: JobId) -> Result<Vec<Publication>, LedgerError> {
        Ok(self.job(job.0).publications)
    }

    async fn checkpoint(&self, _: &str) -> Result<Option<Checkpoint>, LedgerError> {
        not_asked()
    }
    async fn record(&self, _: RecordPage) -> Result<Recorded, LedgerError> {
        not_asked()
    }
    async fn to_reread(&self, _: &str, _: usize) -> Result<Vec<PostId>, LedgerError> {
        not_asked()
    }
    async fn spent(&self, _: &AccountId, _: Timestamp) -> Result<Spent, LedgerError> {
        not_asked()
    }
    async fn publication_of(&self, _: &PostId, _: &TargetId) -> Result<Option<Reply>, LedgerError> {
        not_asked()
    }
    async fn state_of(&self, _: &PostId, _: &TargetId) -> Result<Option<JobState>, LedgerError> {
        not_asked()
    }
    async fn post(&self, _: &str, _: &PostId) -> Result<Option<Post>, LedgerError> {
        not_asked()
    }
    async fn recorded(&self, _: &AccountId, _: &[PostId]) -> Result<Vec<PostId>, LedgerError> {
        not_asked()
    }
}

#[async_trait(?Send)]
impl Listing for Slow {
    async fn jobs(&self, _: &JobFilter, _: Option<JobId>, _: usize) -> Result<Vec<JobLine>, LedgerError> {
        not_asked()
    }
    async fn last_published(&self, _: &[AccountId], _: usize) -> Result<Vec<JobLine>, LedgerError> {
        not_asked()
    }
    async fn published(&self, _: Option<JobId>, _: usize) -> Result<Vec<PublishedJob>, LedgerError> {
        not_asked()
    }
    async fn counts(&self) -> Result<BTreeMap<(TargetId, JobState), u64>, LedgerError> {
        not_asked()
    }
}

#[async_trait(?Send)]
impl Facts for Slow {
    async fn fact(&self, _: &str) -> Result<Option<String>, LedgerError> {
        not_asked()
    }
    async fn remember(&self, _: &str, _: &str) -> Result<(), LedgerError> {
        not_asked()
    }
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

const PAUSE: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(1) };

fn es() -> TargetId {
    TargetId::new("x", "es")
}

/// A job of post 1, translated or not.
fn job(translated: bool) -> Job {
    let post = Post {
        id: PostId("1".into()),
        position: 1,
        text: "Hello".into(),
        entities: None,
        language: None,
        kind: PostKind::Original,
        created_at: Timestamp::UNIX_EPOCH,
        media: vec![],
        versions: vec![],
    };
    let translation = Translation { parts: vec!["Hola".into()], engine: "test".into(), alts: vec![] };
    Job {
        id: JobId(1),
        post: Arc::new(post),
        target: es(),
        source: "x:town".into(),
        state: if translated { JobState::Ready } else { JobState::Queued },
        token: 7,
        attempt: 0,
        not_before: None,
        translation: translated.then_some(translation),
        publications: vec![],
    }
}

struct Town {
    ledger: Arc<Slow>,
    router: Addr<Router>,
    pauses: Pauses,
    upstreams: Upstreams,
    /// Hears whenever the ledger is to change something.
    asked: mpsc::UnboundedReceiver<()>,
}

impl Town {
    fn new(job: Job) -> Self {
        let (sender, asked) = mpsc::unbounded_channel();
        let jobs = Mutex::new([(job.id, job)].into());
        let ledger = Arc::new(Slow { jobs, leave: Semaphore::new(0), asked: sender });
        let pauses = Pauses::new([]);
        let policy = BreakerPolicy { failures: 3, pause: PAUSE, trial: Duration::from_mins(1) };
        let upstreams = Upstreams::new(policy, 4);
        let parts = RouterParts {
            settings: RouterSettings {
                queue: 10,
                targets: vec![es()],
                order_patience: Duration::from_hours(1),
                engines: vec!["test".into()],
                patience: 3,
            },
            ledger: ledger.clone(),
            upstreams: upstreams.clone(),
            pauses: pauses.clone(),
            clock: Arc::new(Noon),
            meter: Meter::default(),
            feed: Feed::default(),
        };
        Self { ledger, router: Router::new(exit_guard("router"), parts).start(), pauses, upstreams, asked }
    }

    /// The lanes that have work: name, moves, jobs, holders.
    async fn lanes(&self) -> Vec<(String, u64, usize, Vec<String>)> {
        let Lanes(lanes) = self.router.send(AskLanes).await.unwrap();
        lanes.into_iter().map(|lane| (lane.name, lane.moves, lane.jobs, lane.holders)).collect()
    }

    fn publications(&self, worker: &WorkerContext) -> actix::prelude::Request<Router, PullPublications> {
        self.router.send(PullPublications { worker: worker.worker_ref(), target: es(), room: 4 })
    }
}

fn exit_guard(name: &str) -> ExitGuard {
    let (exits, _) = mpsc::unbounded_channel();
    ExitGuard::new(name, 1, HealthRegistry::default(), exits)
}

fn worker(name: &str) -> WorkerContext {
    WorkerContext::new(&exit_guard(name))
}

fn reclaim(worker: &str) -> Reclaim {
    Reclaim { holder: format!("{worker}#1"), reason: "it was let go".into(), suspect: false }
}

#[actix_rt::test]
async fn a_lease_that_is_written_while_its_publisher_ends_is_taken_back() {
    let mut town = Town::new(job(true));
    let ended = worker("publisher-old");
    let pull = actix_rt::spawn(town.publications(&ended));
    town.asked.recv().await.expect("the lease is to be written");
    drop(ended);
    let reclaimed = actix_rt::spawn(town.router.send(reclaim("publisher-old")));
    town.asked.recv().await.expect("what it had in hand is to be given back");
    town.ledger.leave.add_permits(100);
    reclaimed.await.unwrap().unwrap().unwrap();
    assert_eq!(pull.await.unwrap().unwrap().unwrap(), Assignment::Nothing);

    let next = worker("publisher-new");
    let Assignment::Alone(assigned) = town.publications(&next).await.unwrap().unwrap() else {
        panic!("it is ready")
    };
    assert_eq!((assigned.id, assigned.state), (JobId(1), JobState::Publishing));
}

/// A job of which a part was begun, and nobody knows what became of it.
fn begun(state: JobState) -> Job {
    let part = Publication {
        part: 0,
        account: AccountId::from(&es()),
        text: "Hola".into(),
        key: None,
        reply: None,
        intent_at: Timestamp::UNIX_EPOCH,
        after: None,
        remote_id: None,
    };
    Job { state, publications: vec![part], ..job(true) }
}

#[actix_rt::test]
async fn a_lease_of_a_job_to_look_up_that_is_written_while_its_publisher_ends_is_taken_back() {
    let mut town = Town::new(begun(JobState::Unknown));
    let ended = worker("publisher-old");
    let pull = actix_rt::spawn(town.publications(&ended));
    town.asked.recv().await.expect("the lease is to be written");
    drop(ended);
    town.ledger.leave.add_permits(100);
    assert_eq!(pull.await.unwrap().unwrap().unwrap(), Assignment::Nothing);
    assert_eq!(town.ledger.job(1).state, JobState::Unknown);

    let next = worker("publisher-new");
    let Assignment::Alone(assigned) = town.publications(&next).await.unwrap().unwrap() else {
        panic!("it is ready")
    };
    assert_eq!((assigned.id, assigned.state), (JobId(1), JobState::Publishing));
}

#[actix_rt::test]
async fn a_job_that_the_ledger_has_in_publication_and_nobody_in_hand_is_looked_up() {
    let town = Town::new(begun(JobState::Publishing));
    town.ledger.leave.add_permits(100);
    let publisher = worker("publisher-es");
    let Assignment::Alone(assigned) = town.publications(&publisher).await.unwrap().unwrap() else {
        panic!("it is to be looked up")
    };
    assert_eq!(
        (assigned.id, assigned.state, assigned.publications.len()),
        (JobId(1), JobState::Publishing, 1)
    );
}

#[actix_rt::test]
async fn an_intent_is_on_record_before_its_publisher_has_it() {
    let mut town = Town::new(job(true));
    let publisher = worker("publisher");
    let pull = actix_rt::spawn(town.publications(&publisher));
    town.asked.recv().await.expect("lease and intent are to be written");
    assert!(!pull.is_finished());
    town.ledger.leave.add_permits(1);
    let Assignment::Begun(assigned) = pull.await.unwrap().unwrap().unwrap() else {
        panic!("it is one message")
    };
    assert!(assigned[0].token > 7);
    assert_eq!(assigned[0].token, town.ledger.job(1).token);
}

#[actix_rt::test]
async fn a_translators_lease_costs_the_ledger_nothing_until_it_is_known_what_came_of_it() {
    let mut town = Town::new(job(false));
    let translator = worker("translator");
    let pull = PullTranslations { worker: translator.worker_ref(), max: 4 };
    let leased = town.router.send(pull).await.unwrap().unwrap();
    assert!(town.asked.try_recv().is_err(), "nothing has happened that could be lost");
    assert_eq!((leased[0].state, leased[0].attempt), (JobState::Queued, 1));

    town.ledger.leave.add_permits(100);
    let translated = mynah_domain::JobEvent::Translated(job(true).translation.unwrap());
    let report = JobReport::new(&leased[0], vec![translated]);
    town.router.send(ReportJobs(vec![report.clone()])).await.unwrap().unwrap();
    let reported = town.ledger.job(1);
    assert!(reported.state == JobState::Ready && reported.token > 7, "{reported:?}");
    // Reported twice, it counts once.
    town.router.send(ReportJobs(vec![report])).await.unwrap().unwrap();
    assert_eq!(town.ledger.job(1), reported);
}

/// A town whose publisher waits and whose only job was translated just now, which is about to be reported.
async fn translated_while_its_publisher_waits(
    publisher: &WorkerContext,
) -> (Town, JoinHandle<Result<Result<Assignment, LedgerError>, MailboxError>>, ReportJobs) {
    let town = Town::new(job(false));
    let translator = worker("translator");
    let pull = PullTranslations { worker: translator.worker_ref(), max: 4 };
    let leased = town.router.send(pull).await.unwrap().unwrap();
    let waiting = actix_rt::spawn(town.publications(publisher));
    // Messages are taken in order: the publisher waits when this is answered.
    town.router.send(Depth).await.unwrap();
    let translated = mynah_domain::JobEvent::Translated(job(true).translation.unwrap());
    (town, waiting, ReportJobs(vec![JobReport::new(&leased[0], vec![translated])]))
}

#[actix_rt::test]
async fn what_is_translated_while_its_publisher_waits_is_begun_with_the_same_change() {
    let publisher = worker("publisher");
    let (mut town, waiting, report) = translated_while_its_publisher_waits(&publisher).await;
    town.ledger.leave.add_permits(1);
    town.router.send(report).await.unwrap().unwrap();
    let Assignment::Begun(assigned) = waiting.await.unwrap().unwrap().unwrap() else {
        panic!("it is one message")
    };
    assert_eq!(assigned[0].state, JobState::Publishing);
    assert_eq!(assigned[0].translation, job(true).translation);
    assert_eq!(assigned[0].token, town.ledger.job(1).token);
    assert!(town.asked.try_recv().is_ok() && town.asked.try_recv().is_err(), "the ledger was asked once");
}

#[actix_rt::test]
async fn what_is_begun_for_a_publisher_that_ends_meanwhile_is_taken_back() {
    let ended = worker("publisher-old");
    let (mut town, waiting, report) = translated_while_its_publisher_waits(&ended).await;
    let reported = actix_rt::spawn(town.router.send(report));
    town.asked.recv().await.expect("the translation is to be written");
    drop(ended);
    town.ledger.leave.add_permits(100);
    reported.await.unwrap().unwrap().unwrap();
    assert_eq!(town.ledger.job(1).state, JobState::Ready);
    town.router.send(reclaim("publisher-old")).await.unwrap().unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().unwrap(), Assignment::Nothing);

    let next = worker("publisher-new");
    let Assignment::Alone(assigned) = town.publications(&next).await.unwrap().unwrap() else {
        panic!("it is ready")
    };
    assert_eq!((assigned.id, assigned.state), (JobId(1), JobState::Publishing));
}

#[actix_rt::test]
async fn what_is_begun_for_a_publisher_is_not_taken_by_the_one_before_it() {
    let ended = worker("publisher-old");
    let (town, waiting, report) = translated_while_its_publisher_waits(&ended).await;
    let next = worker("publisher-new");
    let pull = actix_rt::spawn(town.publications(&next));
    town.router.send(Depth).await.unwrap();
    drop(ended);
    town.ledger.leave.add_permits(100);
    town.router.send(report).await.unwrap().unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().unwrap(), Assignment::Nothing);
    let Assignment::Begun(assigned) = pull.await.unwrap().unwrap().unwrap() else {
        panic!("it is one message")
    };
    assert_eq!((assigned[0].id, assigned[0].state), (JobId(1), JobState::Publishing));
}

#[actix_rt::test]
async fn what_is_begun_stays_begun_when_the_same_is_reported_again() {
    let publisher = worker("publisher");
    let (mut town, waiting, report) = translated_while_its_publisher_waits(&publisher).await;
    let reports = [report.clone(), report].map(|report| actix_rt::spawn(town.router.send(report)));
    for _ in 0..2 {
        town.asked.recv().await.expect("both are to be written");
    }
    town.ledger.leave.add_permits(100);
    for report in reports {
        report.await.unwrap().unwrap().unwrap();
    }
    let Assignment::Begun(assigned) = waiting.await.unwrap().unwrap().unwrap() else {
        panic!("it is one message")
    };
    assert_eq!((assigned.len(), assigned[0].token), (1, town.ledger.job(1).token));
}

#[actix_rt::test]
async fn nothing_is_begun_on_an_account_that_is_paused_whether_before_or_meanwhile() {
    for meanwhile in [false, true] {
        let publisher = worker("publisher");
        let (mut town, waiting, report) = translated_while_its_publisher_waits(&publisher).await;
        if !meanwhile {
            town.pauses.pause(Paused::Target(es()));
        }
        let reported = actix_rt::spawn(town.router.send(report));
        town.asked.recv().await.expect("the translation is to be written");
        town.pauses.pause(Paused::Target(es()));
        town.ledger.leave.add_permits(100);
        reported.await.unwrap().unwrap().unwrap();
        assert_eq!(town.ledger.job(1).state, JobState::Ready);
        assert!(!waiting.is_finished());
    }
}

#[actix_rt::test]
async fn what_a_translator_has_in_hand_is_not_decided_about() {
    let town = Town::new(job(false));
    let translator = worker("translator");
    let pull = PullTranslations { worker: translator.worker_ref(), max: 4 };
    town.router.send(pull).await.unwrap().unwrap();
    let skip = Decide { jobs: vec![JobId(1)], decision: Decision::Skip };
    let decided = town.router.send(skip).await.unwrap().unwrap();
    assert_eq!(decided, [(JobId(1), Err(Refusal::PastSkipping(JobState::Translating)))]);
}

#[actix_rt::test]
async fn what_a_translator_says_after_its_job_was_given_to_another_changes_nothing() {
    let town = Town::new(job(false));
    town.ledger.leave.add_permits(100);
    let dead = worker("translator-old");
    let pull = |worker: &WorkerContext| PullTranslations { worker: worker.worker_ref(), max: 4 };
    let leased = town.router.send(pull(&dead)).await.unwrap().unwrap();
    drop(dead);
    town.router.send(reclaim("translator-old")).await.unwrap().unwrap();
    let next = worker("translator-new");
    let again = town.router.send(pull(&next)).await.unwrap().unwrap();
    assert_eq!(again[0].id, JobId(1));
    assert!(again[0].token > leased[0].token);

    let late = mynah_domain::JobEvent::Failed { reason: "from the grave".into() };
    town.router.send(ReportJobs(vec![JobReport::new(&leased[0], vec![late])])).await.unwrap().unwrap();
    assert_eq!(town.ledger.job(1).state, JobState::Queued);
}

#[actix_rt::test]
async fn a_lane_has_work_while_a_job_could_move_and_none_where_something_explains_its_waiting() {
    let town = Town::new(job(false));
    town.ledger.leave.add_permits(100);
    let lane = |name: &str, moves, holders: &[&str]| {
        vec![(name.to_owned(), moves, 1, holders.iter().map(|holder| (*holder).to_owned()).collect())]
    };
    // The router has taken the ledger up once a translator has its job.
    let translator = worker("translator-1");
    let pull = PullTranslations { worker: translator.worker_ref(), max: 1 };
    let leased = town.router.send(pull).await.unwrap().unwrap();
    assert_eq!(town.lanes().await, lane("translation", 0, &["translator-1#1"]));
    for _ in 0..3 {
        town.upstreams.record("test", CallOutcome::Silent);
    }
    assert_eq!(town.lanes().await, [], "no engine answers");
    town.upstreams.record("test", CallOutcome::Answered);

    let translation = Translation { parts: vec!["Hola".into()], engine: "test".into(), alts: vec![] };
    let report = JobReport::new(&leased[0], vec![JobEvent::Translated(translation)]);
    town.router.send(ReportJobs(vec![report])).await.unwrap().unwrap();
    assert_eq!(town.lanes().await, [], "its publisher waits for its own limits");
    let publisher = worker("publisher-es");
    let Assignment::Begun(assigned) = town.publications(&publisher).await.unwrap().unwrap() else {
        panic!("it is ready")
    };
    assert_eq!(town.lanes().await, lane("publication on x:es", 0, &["publisher-es#1"]));
    town.pauses.pause(Paused::Target(es()));
    assert_eq!(town.lanes().await, [], "a person paused it");
    town.pauses.resume(&Paused::Target(es()));
    let sent = JobEvent::PartSent { part: 0, remote_id: PostId("9".into()) };
    let report = JobReport::new(&assigned[0], vec![sent, JobEvent::Published]);
    town.router.send(ReportJobs(vec![report])).await.unwrap().unwrap();
    assert_eq!(town.lanes().await, []);
}

#[actix_rt::test]
async fn a_standstill_is_reported_until_work_moves_again() {
    let town = Town::new(job(false));
    town.ledger.leave.add_permits(100);
    let translator = worker("translator-1");
    let pull = PullTranslations { worker: translator.worker_ref(), max: 1 };
    let leased = town.router.send(pull).await.unwrap().unwrap();
    tokio::time::pause();
    let link = ActorRef::new();
    link.point_at(town.router.clone());
    let health = HealthRegistry::default();
    let policy = RestartPolicy { max_restarts: 1, window: Duration::from_mins(1), backoff: PAUSE };
    let settings = SupervisorSettings {
        policy,
        stats_interval: Duration::from_hours(1),
        patience: Duration::from_hours(1),
        stalled_after: Duration::from_secs(40),
    };
    let (supervisor, _outcome) = Supervisor::new(settings, health.clone(), link, ActorRef::new(), vec![]);
    let _supervisor = supervisor.start();
    tokio::time::sleep(Duration::from_secs(39)).await;
    assert_eq!(health.stall(), None);
    tokio::time::sleep(Duration::from_secs(21)).await;
    let stall = health.stall().expect("the translator holds the job and does nothing");
    assert_eq!(stall, "the pipeline is stalled: nothing moves in translation");
    let refused = JobEvent::HandedBack { not_before: None, reason: "503".into() };
    town.router.send(ReportJobs(vec![JobReport::new(&leased[0], vec![refused])])).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(health.stall(), None);
}
