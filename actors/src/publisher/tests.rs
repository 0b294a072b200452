//! A publisher with its router, a scripted account, and a clock that stands still while there is anything to do: an
//! hour of waiting takes no time, and every call has an exact time.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, Addr};
use async_trait::async_trait;
use mynah_domain::{
    AccountId, Card, CardWords, Job, JobId, JobState, Media, MediaKind, MediaMissing, MediaPolicy, Money,
    Post, PostId, PostKind, Publication, Reply, Target, TargetId, Translation,
    backoff::Backoff,
    budget::{Budget, Budgets, Period, Scope},
    caps::{Cap, CapSetting},
    fixtures,
    network::{NetworkRules, PlainText, Repeat},
    ports::{
        Content, Denied, Draft, DraftCard, FetchError, FetchedMedium, MediaFetcher, MediaId, MediaLimits,
        PublishError, Recent, Shown, Since, Spending as _, UploadError, Uploaded, Work as _, ledger::Change,
    },
    schedule::Schedule,
    tariff::CallPrices,
};
use tokio::sync::{Notify, mpsc};

mod budgets;
mod schedule;

use super::*;
use crate::{
    blocks::Blocks,
    costs::Costs,
    events::Feed,
    pauses::{Paused, Pauses},
    router::{Route, Router, RouterParts, RouterSettings, Unblock},
    spending::Purse,
    stats::Meter,
    supervision::{
        ActorRef, Shell,
        exit::{Exit, ExitReason},
        shell::StopAsked,
    },
    testing::{self, MemoryLedger, RuntimeClock, es, exit_guard, exit_guard_of, never_broken, noon, ready},
    upstreams::Upstreams,
};

/// Calls after this many are never answered: a test must not run forever if nothing waits.
const MOST_CALLS: usize = 500;

type Answer<T> = Box<dyn Fn(usize) -> T>;

/// The outcome of an upload; one without an answer never ends.
type Uploading = Answer<Option<Result<Uploaded, UploadError>>>;

/// A scripted account; each answer gets the number of earlier calls of its kind.
struct Account {
    verify: Answer<Result<(), PublishError>>,
    publish: Answer<Result<PostId, PublishError>>,
    recent: Answer<Result<Shown, PublishError>>,
    upload: Uploading,
    /// How long the network takes to publish a message.
    takes: Duration,
    /// The calls so far, and when they were made.
    calls: RefCell<Vec<(&'static str, Duration)>>,
    drafts: RefCell<Vec<Draft>>,
    begun: tokio::time::Instant,
    called: Notify,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            verify: Box::new(|_| Ok(())),
            publish: Box::new(|before| Ok(PostId((before + 1).to_string()))),
            recent: Box::new(|_| Ok(Shown::default())),
            upload: Box::new(|before| {
                Some(Ok(Uploaded { id: MediaId(before.to_string()), undescribed: None }))
            }),
            takes: Duration::ZERO,
            calls: RefCell::default(),
            drafts: RefCell::default(),
            begun: tokio::time::Instant::now(),
            called: Notify::new(),
        }
    }
}

impl Account {
    /// Records a call; returns how many of its kind came before.
    async fn call(&self, name: &'static str) -> usize {
        let before = self.count(name);
        if self.calls.borrow().len() >= MOST_CALLS {
            std::future::pending::<()>().await;
        }
        self.calls.borrow_mut().push((name, self.begun.elapsed()));
        self.called.notify_one();
        before
    }

    fn count(&self, name: &str) -> usize {
        self.calls.borrow().iter().filter(|(called, _)| *called == name).count()
    }

    fn names(&self) -> Vec<&'static str> {
        self.calls.borrow().iter().map(|(name, _)| *name).collect()
    }

    /// How many calls were made in the first `time`.
    fn within(&self, time: Duration) -> usize {
        self.calls.borrow().iter().filter(|(_, at)| *at <= time).count()
    }

    async fn until_called(&self, name: &str) {
        while self.count(name) == 0 {
            self.called.notified().await;
        }
    }
}

#[async_trait(?Send)]
impl Destination for Account {
    async fn verify(&self) -> Result<(), PublishError> {
        (self.verify)(self.call("verify").await)
    }

    async fn publish(&self, draft: &Draft) -> Result<PostId, PublishError> {
        let before = self.call("publish").await;
        self.drafts.borrow_mut().push(draft.clone());
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        (self.publish)(before)
    }

    async fn upload(&self, _: FetchedMedium, _: &str) -> Result<Uploaded, UploadError> {
        match (self.upload)(self.call("upload").await) {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    fn media_limits(&self) -> MediaLimits {
        MediaLimits { network: "Net", picture: 1000, video: 1000 }
    }

    fn network(&self) -> &'static str {
        "net"
    }

    async fn recent(&self, _: &Since) -> Result<Shown, PublishError> {
        (self.recent)(self.call("recent").await)
    }

    fn is_same(&self, draft: &Draft, shown: &Recent) -> bool {
        draft.text == shown.text
    }
}

/// A source whose media can all be fetched.
struct Pictures;

#[async_trait(?Send)]
impl MediaFetcher for Pictures {
    async fn fetch(&self, _: &Media, _: &MediaLimits) -> Result<FetchedMedium, FetchError> {
        Ok(FetchedMedium { mime: "image/png", size: 1, content: Content::Whole(vec![0]) })
    }
}

/// A translated job of a post with this many photos.
fn job(number: i64, photos: usize) -> Job {
    let medium = |photo: usize| Media {
        key: format!("3_{photo}"),
        kind: MediaKind::Photo,
        url: Some("https://example.com/a.jpg".into()),
        alt: None,
    };
    let post = Post { media: (0..photos).map(medium).collect(), ..testing::post(number) };
    Job { post: Arc::new(post), ..ready(number) }
}

/// A job whose translation has two parts.
fn in_two_parts(number: i64) -> Job {
    Job { translation: Some(testing::translation(&["Hola", "otra vez"])), ..ready(number) }
}

/// A job with a part that was begun an hour ago and whose outcome is unknown.
fn unknown(number: i64) -> Job {
    testing::unknown(number, noon() - Duration::from_hours(1))
}

/// The properties of the network, and the accounts on it.
struct Network {
    settle: Duration,
    repeat: Repeat,
    targets: Vec<TargetId>,
    threads: Threads,
    bucket: Bucket,
    caps: Caps,
    costs: Costs,
    /// The most money in a day for what is needed besides messages, if it is limited.
    daily: Option<Money>,
    prices: CallPrices,
    schedule: Schedule,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            settle: Duration::ZERO,
            repeat: Repeat::LookUpFirst,
            targets: vec![es()],
            threads: Threads::Chain,
            bucket: None,
            caps: Caps::default(),
            costs: Costs::default(),
            daily: None,
            prices: CallPrices::default(),
            schedule: Schedule::default(),
        }
    }
}

fn target(id: TargetId, repeat: Repeat) -> Target {
    Target {
        id,
        network: Arc::new(PlainText { repeat, ..PlainText::default() }),
        media: MediaPolicy::Copy { missing: MediaMissing::Publish },
        ..fixtures::target()
    }
}

fn budgets_of(daily: Option<Money>) -> Budgets {
    let budget =
        |most| Budget { scope: Scope::Everything, period: Period::Day, most, setting: "budget.daily".into() };
    Budgets { all: daily.map(budget).into_iter().collect(), ..Budgets::default() }
}

struct Town {
    ledger: Arc<MemoryLedger>,
    router: Addr<Router>,
    account: Rc<Account>,
    pauses: Pauses,
    blocks: Blocks,
    /// What a router is built from, and the publisher's reference to it.
    routing: (RouterParts, ActorRef<Router>),
    publisher: Addr<Shell<Publisher>>,
    exits: mpsc::UnboundedReceiver<Exit>,
}

impl Town {
    fn new(jobs: Vec<Job>, account: Account) -> Self {
        Self::on(Network::default(), jobs, account)
    }

    /// A town on a network where a message takes up to `settle` to become visible.
    fn settling(settle: Duration, jobs: Vec<Job>, account: Account) -> Self {
        Self::on(Network { settle, ..Network::default() }, jobs, account)
    }

    /// A town on a network that recognizes the key of a repeated message.
    fn repeatable(jobs: Vec<Job>, account: Account) -> Self {
        Self::on(Network { repeat: Repeat::Safe, ..Network::default() }, jobs, account)
    }

    fn on(network: Network, jobs: Vec<Job>, account: Account) -> Self {
        let Network { settle, repeat, targets, threads, bucket, caps, costs, daily, prices, schedule } =
            network;
        let clock = Arc::new(RuntimeClock::since(account.begun));
        let ledger = Arc::new(MemoryLedger::new(jobs, clock.clone()));
        let backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_mins(5) };
        let upstreams = Upstreams::new(never_broken(backoff), 4);
        let pauses = Pauses::new([]);
        let blocks = Blocks::default();
        let parts = RouterParts {
            settings: RouterSettings {
                queue: 100,
                routes: targets
                    .iter()
                    .map(|target| Route {
                        account: AccountId::from(&es()),
                        schedule: schedule.clone(),
                        ..Route::alone(target.clone())
                    })
                    .collect(),
                order_patience: Duration::from_hours(1000),
                patience: 3,
            },
            ledger: ledger.clone(),
            upstreams: upstreams.clone(),
            pauses: pauses.clone(),
            holdings: crate::leases::Holdings::default(),
            blocks: blocks.clone(),
            costs: costs.clone(),
            clock: clock.clone(),
            meter: Meter::default(),
            feed: Feed::default(),
        };
        let router = Router::new(exit_guard("router"), parts.clone()).start();
        let link = ActorRef::new();
        link.point_at(router.clone());
        let routing = (parts, link.clone());
        let limits = Limits { min_interval: Duration::ZERO, burst: 1, caps };
        let parts = PublisherParts {
            account: AccountId::from(&es()),
            targets: targets
                .into_iter()
                .map(|id| Target { schedule: schedule.clone(), ..target(id, repeat) })
                .collect(),
            limits,
            bucket,
            threads,
            settle,
            upstreams,
            holdings: crate::leases::Holdings::default(),
            pauses: pauses.clone(),
            router: link,
            ledger: ledger.clone(),
            purse: Some(Purse::new(ledger.clone(), Arc::new(budgets_of(daily)), clock.clone())),
            prices,
            costs,
            backoff,
            clock,
            meter: Meter::default(),
        };
        let account = Rc::new(account);
        let destination = account.clone();
        let (guard, exits) = exit_guard_of("publisher-es");
        let publisher = Shell::new(guard, move |exit_guard| {
            let pictures: Rc<dyn MediaFetcher> = Rc::new(Pictures);
            let fetchers = [("net:town".to_owned(), pictures)].into();
            Publisher::new(WorkerContext::new(exit_guard), parts, destination, fetchers)
        });
        Self { ledger, router, account, pauses, blocks, routing, publisher: publisher.start(), exits }
    }

    /// Lets this much time pass.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Replaces the router. Its successor revokes the leases that it granted.
    async fn replace_router(&self) {
        self.router.send(StopAsked::AtOnce("it panicked".into())).await.unwrap();
        let lost = JobEvent::OutcomeLost { reason: "the router panicked".into(), not_before: None };
        let leased = (1..).zip(self.ledger.states()).filter(|(_, state)| *state == JobState::Publishing);
        let revoked = leased.map(|(number, _)| {
            Change::revoking(JobId(number), self.ledger.job(number).token, vec![lost.clone()])
        });
        let answers = self.ledger.advance(revoked.collect()).await.unwrap();
        assert!(!answers.is_empty() && answers.iter().all(Result::is_ok), "{answers:?}");
        let (parts, link) = &self.routing;
        link.point_at(Router::new(exit_guard("router"), parts.clone()).start());
    }

    fn blocked(&self) -> Option<String> {
        self.blocks.why_blocked(&AccountId::from(&es()))
    }

    async fn resume(&self) {
        assert!(self.router.send(Unblock { target: es() }).await.unwrap());
        self.pass(Duration::from_secs(1)).await;
    }
}

const HOUR: Duration = Duration::from_hours(1);

fn lost<T>() -> Result<T, PublishError> {
    Err(PublishError::OutcomeUnknown("no answer".into()))
}

fn limited(until: Option<&str>) -> Denied {
    Denied::RateLimited { reason: "too many".into(), until: until.map(|until| until.parse().unwrap()) }
}

fn gap() -> Shown {
    Shown { gap: Some("the network complains: try again".into()), ..Shown::default() }
}

#[actix_rt::test]
async fn repeated_failures_are_retried_less_and_less_often() {
    tokio::time::pause();
    let past = || limited(Some("2020-01-01T00:00:00Z"));
    let now = || limited(Some("2026-11-26T12:00:00Z"));
    let publish = |answer: fn() -> PublishError| Account {
        publish: Box::new(move |_| Err(answer())),
        ..Account::default()
    };
    let blind = |recent: Answer<Result<Shown, PublishError>>| Account {
        publish: Box::new(|_| lost()),
        recent,
        ..Account::default()
    };
    let worlds: Vec<(&str, Account)> = vec![
        (
            "the answer is lost and nothing is found",
            publish(|| PublishError::OutcomeUnknown("no answer".into())),
        ),
        ("the lookup has a gap", blind(Box::new(|_| Ok(gap())))),
        ("the lookup gets no answer", blind(Box::new(|_| lost()))),
        ("the lookup fails", blind(Box::new(|_| Err(PublishError::Unavailable("down".into()))))),
        ("the lookup is refused", blind(Box::new(|_| Err(PublishError::Refused("no".into()))))),
        ("the lookup is limited", blind(Box::new(move |_| Err(past().into())))),
        ("the network cannot be reached", publish(|| PublishError::Unavailable("down".into()))),
        ("the network calls it a duplicate", publish(|| PublishError::Duplicate("again".into()))),
        ("a rate limit without an end", publish(|| limited(None).into())),
        (
            "a rate limit that ended in the past",
            Account { publish: Box::new(move |_| Err(past().into())), ..Account::default() },
        ),
        (
            "a rate limit that ends now",
            Account { publish: Box::new(move |_| Err(now().into())), ..Account::default() },
        ),
        ("the keys cannot be verified", Account { verify: Box::new(|_| lost()), ..Account::default() }),
        (
            "verifying is rate-limited",
            Account { verify: Box::new(move |_| Err(now().into())), ..Account::default() },
        ),
    ];
    let one = worlds.into_iter().map(|(what, account)| (what, vec![job(1, 0)], account));
    // The first of several messages is sent, and the next one fails: the next job of a batch, or the second part of one
    // post.
    let then_lost = |before| if before == 0 { Ok(PostId("1".into())) } else { lost() };
    let behind = || Account { publish: Box::new(then_lost), ..Account::default() };
    let several = [
        ("the second of a batch is lost", vec![job(1, 0), job(2, 0)], behind()),
        ("the second part is lost", vec![in_two_parts(1)], behind()),
    ];
    for (what, jobs, account) in one.chain(several) {
        let town = Town::new(jobs, Account { begun: tokio::time::Instant::now(), ..account });
        town.pass(HOUR).await;
        let (soon, all) = (town.account.within(Duration::from_secs(25)), town.account.calls.borrow().len());
        // With the shortest backoff, the waits are 0.5, 0.5, 1, 2, 4, 8 and 16 s, each followed by a lookup and an
        // attempt.
        assert!((3..=16).contains(&soon), "{what}: {soon} calls in 25 s: {:?}", town.account.calls.borrow());
        assert!(all <= 80, "{what}: {all} calls in an hour");
    }
}

#[actix_rt::test]
async fn waits_after_lost_answers_grow_although_each_lookup_finds_nothing() {
    tokio::time::pause();
    let account = Account { publish: Box::new(|_| lost()), ..Account::default() };
    let town = Town::new(vec![job(1, 0)], account);
    town.pass(HOUR).await;
    let calls = town.account.calls.borrow();
    let posts: Vec<Duration> =
        calls.iter().filter(|(name, _)| *name == "publish").map(|(_, at)| *at).collect();
    let waits: Vec<Duration> = posts.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    assert!(waits.len() >= 10, "{waits:?}");
    for (number, wait) in (1..).zip(&waits) {
        let ceiling = Backoff { base: Duration::from_secs(1), max: Duration::from_mins(5) }.ceiling(number);
        assert!(*wait >= ceiling / 2, "wait {number} is {wait:?}: {waits:?}");
    }
}

#[actix_rt::test]
async fn a_rate_limit_that_ends_in_the_next_century_pauses_for_a_day_at_most() {
    tokio::time::pause();
    let far = || limited(Some("2100-01-01T00:00:00Z"));
    let first = |before: usize| before == 0;
    let worlds = [
        (
            "publishing",
            vec![job(1, 0)],
            Account {
                publish: Box::new(
                    move |before| if first(before) { Err(far().into()) } else { Ok(PostId("9".into())) },
                ),
                ..Account::default()
            },
        ),
        (
            "verifying",
            vec![job(1, 0)],
            Account {
                verify: Box::new(move |before| if first(before) { Err(far().into()) } else { Ok(()) }),
                ..Account::default()
            },
        ),
        (
            "looking up",
            vec![unknown(1)],
            Account {
                recent: Box::new(
                    move |before| if first(before) { Err(far().into()) } else { Ok(Shown::default()) },
                ),
                ..Account::default()
            },
        ),
        (
            "copying",
            vec![job(1, 1)],
            Account {
                upload: Box::new(move |before| {
                    let copied = Uploaded { id: MediaId("1".into()), undescribed: None };
                    Some(if first(before) { Err(far().into()) } else { Ok(copied) })
                }),
                ..Account::default()
            },
        ),
    ];
    for (what, jobs, account) in worlds {
        let town = Town::new(jobs, Account { begun: tokio::time::Instant::now(), ..account });
        town.pass(HOUR * 23).await;
        assert_ne!(town.ledger.job(1).state, JobState::Published, "{what}");
        town.pass(HOUR * 2).await;
        assert_eq!(town.ledger.job(1).state, JobState::Published, "{what}");
    }
}

#[actix_rt::test]
async fn nothing_is_published_before_the_keys_are_verified_and_they_are_verified_once() {
    tokio::time::pause();
    let verify = |before| if before < 3 { lost() } else { Ok(()) };
    let account = Account { verify: Box::new(verify), ..Account::default() };
    let town = Town::new((1..=10).map(|number| job(number, 0)).collect(), account);
    town.pass(HOUR).await;
    let names = town.account.names();
    assert_eq!(names[..4], ["verify"; 4]);
    assert_eq!(names[4..], ["publish"; 10]);
    assert!(town.ledger.states().iter().all(|state| *state == JobState::Published));
}

#[actix_rt::test]
async fn keys_of_another_account_block_it_and_are_verified_again_when_it_is_resumed() {
    tokio::time::pause();
    let anothers = "the keys for @es belong to @ca";
    let verify = move |before| match before {
        0 => Err(Denied::Blocked(anothers.into()).into()),
        _ => Ok(()),
    };
    for (jobs, state) in [
        (vec![job(1, 0), job(2, 0)], JobState::Ready),
        // A message that may be on the account keeps its state, and is not looked up on another account.
        (vec![unknown(1), job(2, 0)], JobState::Unknown),
        (vec![job(1, 2)], JobState::Ready),
    ] {
        let account = Account { verify: Box::new(verify), ..Account::default() };
        let town = Town::new(jobs, account);
        town.pass(HOUR).await;
        assert_eq!(town.account.names(), ["verify"]);
        assert_eq!(town.blocked().as_deref(), Some(anothers));
        assert_eq!(town.ledger.job(1).state, state);
        town.resume().await;
        assert_eq!(town.blocked(), None);
        assert!(town.ledger.states().iter().all(|state| *state == JobState::Published));
        assert_eq!(town.account.count("verify"), 2);
    }
}

#[actix_rt::test]
async fn a_blocked_account_gets_no_more_calls_and_its_jobs_wait() {
    tokio::time::pause();
    let locked = || Denied::Blocked("this account is locked".into());
    let worlds = [
        (
            "publish",
            vec![job(1, 0), job(2, 0)],
            JobState::Ready,
            Account { publish: Box::new(move |_| Err(locked().into())), ..Account::default() },
        ),
        (
            "recent",
            vec![unknown(1), job(2, 0)],
            JobState::Unknown,
            Account { recent: Box::new(move |_| Err(locked().into())), ..Account::default() },
        ),
        (
            "upload",
            vec![job(1, 3), job(2, 0)],
            JobState::Ready,
            Account { upload: Box::new(move |_| Some(Err(locked().into()))), ..Account::default() },
        ),
    ];
    for (call, jobs, state, account) in worlds {
        let town = Town::new(jobs, Account { begun: tokio::time::Instant::now(), ..account });
        town.pass(HOUR).await;
        assert_eq!(town.account.names(), ["verify", call]);
        assert_eq!(town.blocked().as_deref(), Some("this account is locked"));
        assert_eq!(town.ledger.states(), [state, JobState::Ready], "{call}");
    }
}

#[actix_rt::test]
async fn a_token_is_presumed_revoked_only_after_three_refusals() {
    tokio::time::pause();
    for (refusals, is_blocked) in [(2, false), (3, true)] {
        let refused = || Denied::Unauthorized("401".into()).into();
        let publish = move |before: usize| {
            if before < refusals { Err(refused()) } else { Ok(PostId(before.to_string())) }
        };
        let town = Town::new(vec![job(1, 0)], Account { publish: Box::new(publish), ..Account::default() });
        town.pass(HOUR).await;
        assert_eq!(town.blocked().is_some(), is_blocked);
        let state = if is_blocked { JobState::Ready } else { JobState::Published };
        assert_eq!(town.ledger.job(1).state, state);
    }
}

#[actix_rt::test]
async fn an_answer_between_refusals_shows_that_a_token_is_valid() {
    tokio::time::pause();
    let publish = |before: usize| match before {
        0 | 1 | 3 | 4 => Err(Denied::Unauthorized("401".into()).into()),
        _ => Ok(PostId(before.to_string())),
    };
    let town =
        Town::new(vec![job(1, 0), job(2, 0)], Account { publish: Box::new(publish), ..Account::default() });
    town.pass(HOUR).await;
    assert_eq!(town.blocked(), None);
    assert_eq!(town.ledger.states(), [JobState::Published; 2]);
}

#[actix_rt::test]
async fn what_is_above_a_cap_is_held_and_not_sent() {
    tokio::time::pause();
    let daily = Some(Cap { most: 2, setting: CapSetting::AllTargets });
    let network = Network { caps: Caps { daily, monthly: None }, ..Network::default() };
    let town = Town::on(network, vec![job(1, 0), in_two_parts(2), job(3, 0)], Account::default());
    town.pass(HOUR).await;
    // The second part of the second job is above the cap.
    assert_eq!(town.ledger.states(), [JobState::Published, JobState::Held, JobState::Ready]);
    assert_eq!(town.account.count("publish"), 2);
}

#[actix_rt::test]
async fn a_pause_in_the_middle_of_a_batch_leaves_the_jobs_behind_it_ready() {
    tokio::time::pause();
    let account = Account { takes: Duration::from_secs(2), ..Account::default() };
    let town = Town::new((1..=4).map(|number| job(number, 0)).collect(), account);
    // The first job goes alone, and the second is the first of a batch.
    town.pass(Duration::from_secs(3)).await;
    assert_eq!(town.account.count("publish"), 2);
    town.pauses.pause(Paused::Target(es()));
    town.pass(HOUR).await;
    let (published, ready) = (JobState::Published, JobState::Ready);
    assert_eq!(town.ledger.states(), [published, published, ready, ready]);
    assert_eq!(town.account.count("publish"), 2);
}

#[actix_rt::test]
async fn a_message_that_did_not_reach_the_network_is_sent_again_without_a_lookup() {
    tokio::time::pause();
    let publish = |before| match before {
        0 => Err(PublishError::Unavailable("down".into())),
        _ => Ok(PostId("9".into())),
    };
    let town = Town::new(vec![job(1, 0)], Account { publish: Box::new(publish), ..Account::default() });
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [JobState::Published]);
    assert_eq!(town.account.names(), ["verify", "publish", "publish"]);
}

#[actix_rt::test]
async fn a_message_that_is_found_is_not_sent_again_although_the_list_has_a_gap() {
    tokio::time::pause();
    let found = Recent { id: PostId("77".into()), text: "Hola 1".into(), created_at: noon() };
    let shown = Shown {
        messages: vec![found],
        gap: Some("the network counts 2 messages and lists 1".into()),
        billed: 0,
    };
    let account = Account { recent: Box::new(move |_| Ok(shown.clone())), ..Account::default() };
    let town = Town::new(vec![unknown(1)], account);
    town.pass(HOUR).await;
    assert_eq!(town.account.names(), ["verify", "recent"]);
    assert_eq!(town.ledger.job(1).publications[0].remote_id, Some(PostId("77".into())));
}

#[actix_rt::test]
async fn a_message_that_is_not_found_in_a_list_with_a_gap_is_not_sent_until_the_list_is_complete() {
    tokio::time::pause();
    let recent = |before| Ok(if before < 5 { gap() } else { Shown::default() });
    let town = Town::new(vec![unknown(1)], Account { recent: Box::new(recent), ..Account::default() });
    town.pass(HOUR).await;
    assert_eq!(
        town.account.names()[1..],
        ["recent", "recent", "recent", "recent", "recent", "recent", "publish"]
    );
}

#[actix_rt::test]
async fn a_part_of_a_thread_does_not_wait_for_a_part_behind_it() {
    tokio::time::pause();
    let answering = |number: i64, parent: &str| {
        let plain = job(number, 0);
        let kind = PostKind::Thread { parent: PostId(parent.into()) };
        Job { post: Arc::new(Post { kind, ..(*plain.post).clone() }), ..plain }
    };
    // The edit of its parent was recorded late.
    let town = Town::new(vec![answering(1, "2"), job(2, 0)], Account::default());
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [JobState::Published; 2]);
    assert!(town.account.drafts.borrow().iter().all(|draft| draft.reply.is_none()));

    let held = Job { state: JobState::Failed, ..job(1, 0) };
    let town = Town::new(vec![held, answering(2, "1")], Account::default());
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [JobState::Failed, JobState::Held]);
}

/// A job that was interrupted a moment ago, after this many attempts that took no time.
fn crashed(attempt: u32) -> Job {
    let begun = unknown(1).publications.remove(0);
    let begun = Publication { intent_at: noon() - Duration::from_millis(100), ..begun };
    Job { attempt, publications: vec![begun], ..unknown(1) }
}

#[actix_rt::test]
async fn a_message_gets_its_time_to_become_visible_however_many_crashes_came_before() {
    tokio::time::pause();
    let settle = Duration::from_secs(5);
    for attempt in [0, 1, 2, 3, 7, 100] {
        let begun = tokio::time::Instant::now();
        let recent = move |_| {
            let at = Recent { id: PostId("9".into()), text: "Hola 1".into(), created_at: noon() };
            let messages = if begun.elapsed() < Duration::from_secs(4) { vec![] } else { vec![at] };
            Ok(Shown { messages, ..Shown::default() })
        };
        let account = Account { recent: Box::new(recent), begun, ..Account::default() };
        let town = Town::settling(settle, vec![crashed(attempt)], account);
        town.pass(HOUR).await;
        assert_eq!(town.account.count("publish"), 0, "after {attempt} crashes");
        assert_eq!(town.ledger.states(), [JobState::Published], "after {attempt} crashes");
    }
}

#[actix_rt::test]
async fn a_duplicate_is_looked_up_repeatedly_before_it_is_held_however_many_crashes_came_before() {
    tokio::time::pause();
    for (attempt, shows_at_look) in [(0, 2), (2, 2), (3, 3), (7, 4), (100, 2)] {
        let recent = move |before: usize| {
            let at = Recent { id: PostId("9".into()), text: "Hola 1".into(), created_at: noon() };
            let messages = if before + 1 < shows_at_look { vec![] } else { vec![at] };
            Ok(Shown { messages, ..Shown::default() })
        };
        let account = Account {
            publish: Box::new(|_| Err(PublishError::Duplicate("403".into()))),
            recent: Box::new(recent),
            ..Account::default()
        };
        let town = Town::new(vec![Job { attempt, ..job(1, 0) }], account);
        town.pass(HOUR).await;
        assert_eq!(town.ledger.states(), [JobState::Published], "after {attempt} crashes");
    }
}

#[actix_rt::test]
async fn a_repeat_that_the_network_refuses_is_skipped_if_the_post_has_no_words_and_held_otherwise() {
    tokio::time::pause();
    let copy = |parts: &[&str]| {
        let parts = parts.iter().map(|part| (*part).to_owned()).collect();
        Job { translation: Some(Translation::copy(parts)), ..ready(1) }
    };
    // The second part of two is the one that is refused: the first is on the account by then.
    for (refused, job, state) in [
        (0, copy(&["https://a.example"]), JobState::Skipped),
        (0, ready(1), JobState::Held),
        (1, copy(&["https://a.example", "https://b.example"]), JobState::Held),
    ] {
        let publish = move |before: usize| match before {
            before if before < refused => Ok(PostId("1".into())),
            _ => Err(PublishError::Duplicate("403".into())),
        };
        let account = Account { publish: Box::new(publish), ..Account::default() };
        let town = Town::new(vec![job, ready(2)], account);
        town.pass(HOUR).await;
        assert_eq!(town.ledger.states()[0], state, "{refused}");
        assert_eq!(town.ledger.job(1).publications.len(), refused);
    }
}

#[actix_rt::test]
async fn a_message_that_is_sent_while_its_lease_is_revoked_is_recorded_and_not_sent_again() {
    tokio::time::pause();
    // The first job is not begun with its lease; the second and third are.
    let jobs = [vec![in_two_parts(1)], vec![job(1, 0)], vec![job(1, 0), job(2, 0), job(3, 0)]];
    for jobs in jobs {
        let messages: usize = jobs.iter().map(|job| job.translation.as_ref().unwrap().parts.len()).sum();
        let takes = Duration::from_secs(10);
        for number in (0_u32..).take(messages) {
            let begun = tokio::time::Instant::now();
            // The account's list never shows any of them.
            let town = Town::new(jobs.clone(), Account { takes, begun, ..Account::default() });
            town.pass(takes * number + takes / 2).await;
            town.replace_router().await;
            town.pass(HOUR).await;
            assert_eq!(town.account.count("publish"), messages, "replaced during message {number}");
            assert!(town.ledger.states().iter().all(|state| *state == JobState::Published));
        }
    }
}

#[actix_rt::test]
async fn a_picture_without_words_that_cannot_be_copied_is_held() {
    tokio::time::pause();
    let refused = |_| Some(Err(UploadError::Refused("it has no bytes".into())));
    let job = Job { translation: Some(Translation::copy(vec![String::new()])), ..job(1, 1) };
    let town = Town::new(vec![job], Account { upload: Box::new(refused), ..Account::default() });
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [JobState::Held]);
    assert_eq!(town.account.count("publish"), 0);
}

#[actix_rt::test]
async fn stopping_abandons_a_copy_in_progress_and_counts_no_attempt() {
    let account = Account { upload: Box::new(|_| None), ..Account::default() };
    let mut town = Town::new(vec![job(1, 1)], account);
    town.account.until_called("upload").await;
    town.publisher.send(StopAsked::InOrder).await.unwrap();
    let exit = tokio::time::timeout(Duration::from_secs(30), town.exits.recv()).await;
    assert_eq!(exit.expect("the stop does not wait for the copy").unwrap().reason, ExitReason::Finished);
    let job = town.ledger.job(1);
    assert_eq!((job.state, job.attempt, job.publications.len()), (JobState::Ready, 0, 0));
    assert_eq!(town.account.count("publish"), 0);
}

#[actix_rt::test]
async fn stopping_between_two_parts_hands_the_job_back_and_the_next_publisher_continues_it() {
    tokio::time::pause();
    let bucket = Limits { min_interval: HOUR, burst: 1, caps: Caps::default() }.bucket();
    let network = Network { bucket, ..Network::default() };
    let mut town = Town::on(network, vec![in_two_parts(1)], Account::default());
    town.account.until_called("publish").await;
    town.pass(Duration::from_secs(1)).await;
    town.publisher.send(StopAsked::InOrder).await.unwrap();
    let exit = tokio::time::timeout(Duration::from_secs(1), town.exits.recv()).await;
    assert_eq!(exit.expect("the stop does not wait for a token").unwrap().reason, ExitReason::Finished);
    let job = town.ledger.job(1);
    assert_eq!((job.state, job.attempt, job.publications.len()), (JobState::Ready, 0, 1));

    let next = Town::new(vec![job], Account::default());
    next.pass(HOUR).await;
    assert_eq!(next.ledger.states(), [JobState::Published]);
    let texts: Vec<String> = next.account.drafts.borrow().iter().map(|draft| draft.text.clone()).collect();
    assert_eq!(texts, ["otra vez"]);
}

#[actix_rt::test]
async fn a_picture_is_published_even_without_its_alt_text() {
    tokio::time::pause();
    let copy = |_| {
        Some(Ok(Uploaded { id: MediaId("5".into()), undescribed: Some("the network answers 503".into()) }))
    };
    let town = Town::new(vec![job(1, 1)], Account { upload: Box::new(copy), ..Account::default() });
    town.pass(HOUR).await;
    assert_eq!(town.account.drafts.borrow()[0].media, [MediaId("5".into())]);
}

#[actix_rt::test]
async fn media_that_cannot_be_copied_are_left_out_at_once_or_after_three_attempts() {
    tokio::time::pause();
    let missing = || UploadError::Refused("gone".into());
    let silent = || UploadError::Unavailable("no answer".into());
    let worlds: [(Uploading, usize); 2] =
        [(Box::new(move |_| Some(Err(missing()))), 1), (Box::new(move |_| Some(Err(silent()))), 3)];
    for (copy, tries) in worlds {
        let town = Town::new(vec![job(1, 1)], Account { upload: copy, ..Account::default() });
        town.pass(HOUR).await;
        assert_eq!(town.account.count("upload"), tries);
        assert!(town.account.drafts.borrow()[0].media.is_empty());
    }
}

/// A translated job whose post has a card with a picture.
fn with_card(number: i64) -> Job {
    let picture = job(number, 1).post.media[0].clone();
    let card = Card::new("https://a.example", "The bridge", "", Some(picture)).unwrap();
    let words = CardWords { title: "El puente".into(), description: String::new() };
    let parts = ["Hola", "https://a.example"];
    let translation = Translation { card: Some(words.into()), ..testing::translation(&parts) };
    let post = Post { card: Some(card), ..testing::post(number) };
    Job { post: Arc::new(post), translation: Some(translation), ..ready(number) }
}

#[actix_rt::test]
async fn the_part_with_the_link_has_the_card_and_a_card_needs_no_picture() {
    tokio::time::pause();
    let refused = || UploadError::Refused("gone".into());
    let silent = || UploadError::Unavailable("no answer".into());
    let copied = || Uploaded { id: MediaId("5".into()), undescribed: None };
    let worlds: [(Uploading, usize, Option<MediaId>); 3] = [
        (Box::new(move |_| Some(Ok(copied()))), 1, Some(MediaId("5".into()))),
        (Box::new(move |_| Some(Err(refused()))), 1, None),
        // The first part was progress, after which attempts are counted from one again.
        (Box::new(move |_| Some(Err(silent()))), 4, None),
    ];
    for (copy, tries, picture) in worlds {
        let town = Town::new(vec![with_card(1)], Account { upload: copy, ..Account::default() });
        town.pass(HOUR).await;
        assert_eq!(town.account.count("upload"), tries);
        let cards: Vec<_> = town.account.drafts.borrow().iter().map(|draft| draft.card.clone()).collect();
        let words = CardWords { title: "El puente".into(), description: String::new() };
        assert_eq!(cards, [None, Some(DraftCard { url: "https://a.example".into(), words, picture })]);
    }
}

#[actix_rt::test]
async fn a_quote_leads_to_the_first_message_of_what_it_quotes_if_that_is_on_the_account() {
    tokio::time::pause();
    let of_kind = |number, kind| {
        let post = Post { kind, ..testing::post(number) };
        Job { post: Arc::new(post), ..ready(number) }
    };
    let quoting = |number, of: &str| of_kind(number, PostKind::Quote { of: PostId(of.into()) });
    let continuing =
        |number, parent: &str| of_kind(number, PostKind::Thread { parent: PostId(parent.into()) });
    let jobs = vec![in_two_parts(1), continuing(2, "1"), quoting(3, "1"), quoting(4, "2"), quoting(5, "9")];
    let town = Town::new(jobs, Account::default());
    town.pass(HOUR).await;
    let quotes: Vec<_> = town.account.drafts.borrow().iter().map(|draft| draft.quote.clone()).collect();
    let id = |id: &str| Some(PostId(id.into()));
    // The account numbers its messages: the first post has two, the second is the third.
    assert_eq!(quotes, [None, None, None, id("1"), id("3"), None]);
}

#[actix_rt::test]
async fn attempts_that_failed_for_another_reason_do_not_count_as_copies() {
    tokio::time::pause();
    let publish = |before| match before {
        0 | 1 => Err(PublishError::Unavailable("down".into())),
        _ => Ok(PostId("9".into())),
    };
    // The first photo is copied for the two failed attempts; then its host is silent twice, and the second photo's once.
    let copy = |before: usize| {
        let copied = Uploaded { id: MediaId(before.to_string()), undescribed: None };
        let is_silent = [4, 5, 7].contains(&before);
        Some(if is_silent { Err(UploadError::Unavailable("no answer".into())) } else { Ok(copied) })
    };
    let account = Account { publish: Box::new(publish), upload: Box::new(copy), ..Account::default() };
    let town = Town::new(vec![job(1, 2)], account);
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [JobState::Published]);
    assert_eq!(town.account.drafts.borrow()[2].media.len(), 2, "the post is published with its media");
}

#[actix_rt::test]
async fn a_lost_message_is_sent_again_without_a_lookup_if_that_is_safe() {
    tokio::time::pause();
    let publish = |before| if before < 3 { lost() } else { Ok(PostId("9".into())) };
    let town =
        Town::repeatable(vec![job(1, 1)], Account { publish: Box::new(publish), ..Account::default() });
    town.pass(HOUR).await;
    assert_eq!((town.account.count("publish"), town.account.count("recent")), (4, 0));
    let drafts = town.account.drafts.borrow();
    let content = |draft: &Draft| (draft.key, draft.text.clone(), draft.reply.clone());
    assert!(drafts.iter().all(|draft| content(draft) == content(&drafts[0])), "{drafts:?}");
    let published = town.ledger.job(1);
    assert_eq!(published.state, JobState::Published);
    assert_eq!(published.publications[0].key, Some(drafts[0].key));
}

#[actix_rt::test]
async fn a_lost_message_is_looked_up_first_if_a_repeat_would_be_published_twice() {
    tokio::time::pause();
    let publish = |before| if before == 0 { lost() } else { Ok(PostId("9".into())) };
    let town = Town::new(vec![job(1, 0)], Account { publish: Box::new(publish), ..Account::default() });
    town.pass(HOUR).await;
    assert_eq!(town.account.names(), ["verify", "publish", "recent", "publish"]);
    let drafts = town.account.drafts.borrow();
    assert_eq!(drafts[0].key, drafts[1].key, "a server that was slower than the lookup may know the key");
}

#[actix_rt::test]
async fn a_message_interrupted_by_a_crash_is_sent_again_under_its_recorded_key() {
    tokio::time::pause();
    let left = unknown(1);
    let key = left.publications[0].key.unwrap();
    let town = Town::repeatable(vec![left], Account::default());
    town.pass(HOUR).await;
    assert_eq!(town.account.names(), ["verify", "publish"]);
    assert_eq!(town.account.drafts.borrow()[0].key, key);
    assert_eq!(town.ledger.states(), [JobState::Published]);
}

#[actix_rt::test]
async fn a_message_from_a_version_without_keys_is_looked_up_on_every_network() {
    tokio::time::pause();
    let mut left = unknown(1);
    left.publications[0].key = None;
    let town = Town::repeatable(vec![left], Account::default());
    town.pass(HOUR).await;
    assert_eq!(town.account.names(), ["verify", "recent", "publish"]);
    assert_eq!(town.ledger.states(), [JobState::Published]);
}

#[actix_rt::test]
async fn an_error_unrelated_to_the_message_leaves_a_lost_outcome_unknown() {
    tokio::time::pause();
    let down: fn() -> PublishError = || PublishError::Unavailable("down".into());
    let limit: fn() -> PublishError = || limited(None).into();
    for failure in [down, limit] {
        let publish = move |before| match before {
            0 => lost(),
            1..4 => Err(failure()),
            _ => Ok(PostId("9".into())),
        };
        let town =
            Town::repeatable(vec![job(1, 0)], Account { publish: Box::new(publish), ..Account::default() });
        town.pass(Duration::from_millis(900)).await;
        assert_eq!(town.ledger.states(), [JobState::Unknown], "after {}", failure());
        assert_eq!(town.ledger.job(1).publications.len(), 1);
        town.pass(HOUR).await;
        assert_eq!(town.ledger.states(), [JobState::Published]);
        let drafts = town.account.drafts.borrow();
        assert!(drafts.iter().all(|draft| draft.key == drafts[0].key), "it must stay one message");
    }
}

#[actix_rt::test]
async fn a_message_that_is_refused_when_it_is_sent_again_was_not_published() {
    tokio::time::pause();
    let publish = |before| if before == 0 { lost() } else { Err(PublishError::Refused("no".into())) };
    let town =
        Town::repeatable(vec![job(1, 0)], Account { publish: Box::new(publish), ..Account::default() });
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [JobState::Held]);
    assert_eq!(town.ledger.job(1).publications, []);
}

#[actix_rt::test]
async fn a_message_whose_repeat_is_refused_although_it_is_on_the_account_is_not_sent_again() {
    tokio::time::pause();
    let refusals: [fn() -> PublishError; 3] = [
        || PublishError::Refused("no".into()),
        || PublishError::ReplyRefused("the parent is gone".into()),
        || PublishError::Duplicate("again".into()),
    ];
    for refusal in refusals {
        for shown_after in [Duration::ZERO, Duration::from_secs(4)] {
            let begun = tokio::time::Instant::now();
            // The first part is published, the answer of the second is lost, and each repeat of it is refused.
            let publish = move |before| match before {
                0 => Ok(PostId("1".into())),
                1 => lost(),
                _ => Err(refusal()),
            };
            let second = Recent { id: PostId("2".into()), text: "otra vez".into(), created_at: noon() };
            let recent = move |_| {
                let messages = if begun.elapsed() < shown_after { vec![] } else { vec![second.clone()] };
                Ok(Shown { messages, ..Shown::default() })
            };
            let account =
                Account { publish: Box::new(publish), recent: Box::new(recent), begun, ..Account::default() };
            let network = Network {
                repeat: Repeat::Safe,
                settle: Duration::from_secs(5),
                threads: Threads::Standalone,
                ..Network::default()
            };
            let town = Town::on(network, vec![in_two_parts(1)], account);
            town.pass(HOUR).await;
            let published = town.ledger.job(1);
            assert_eq!(published.state, JobState::Published, "{}", refusal());
            assert_eq!(published.publications[1].remote_id, Some(PostId("2".into())), "{}", refusal());
            let drafts = town.account.drafts.borrow();
            assert!(drafts[1..].iter().all(|draft| draft.key == drafts[1].key), "{}: {drafts:?}", refusal());
        }
    }
}

#[actix_rt::test]
async fn every_part_replies_to_the_one_before_it_and_names_the_root_even_after_a_lost_answer() {
    tokio::time::pause();
    let id = |id: usize| PostId(id.to_string());
    let publish = move |before| if before == 1 { lost() } else { Ok(id(before + 1)) };
    let parts = testing::translation(&["uno", "dos", "tres"]);
    let thread = Job { translation: Some(parts), ..job(1, 0) };
    let town = Town::repeatable(vec![thread], Account { publish: Box::new(publish), ..Account::default() });
    town.pass(HOUR).await;
    let answer = |parent: usize| Some(Reply { root: id(1), parent: id(parent) });
    let replies: Vec<Option<Reply>> =
        town.account.drafts.borrow().iter().map(|draft| draft.reply.clone()).collect();
    // The second part was sent twice, and is message 3.
    assert_eq!(replies, [None, answer(1), answer(1), answer(3)]);
    assert_eq!(town.ledger.states(), [JobState::Published]);
}

#[actix_rt::test]
async fn a_part_that_is_refused_as_a_reply_is_held_or_published_on_its_own_as_the_settings_say() {
    tokio::time::pause();
    for threads in [Threads::Chain, Threads::Standalone] {
        let publish = |before: usize| match before {
            1 => Err(PublishError::ReplyRefused("the parent is gone".into())),
            _ => Ok(PostId(before.to_string())),
        };
        let account =
            Account { publish: Box::new(publish), begun: tokio::time::Instant::now(), ..Account::default() };
        let network = Network { threads, ..Network::default() };
        let town = Town::on(network, vec![in_two_parts(1)], account);
        town.pass(HOUR).await;
        let replies: Vec<bool> =
            town.account.drafts.borrow().iter().map(|draft| draft.reply.is_some()).collect();
        let (state, expected) = match threads {
            Threads::Chain => (JobState::Held, &[false, true][..]),
            Threads::Standalone => (JobState::Published, &[false, true, false][..]),
        };
        assert_eq!((town.ledger.job(1).state, &replies[..]), (state, expected));
    }
}

#[actix_rt::test]
async fn targets_that_share_an_account_take_turns_and_a_pause_stops_only_one_of_them() {
    tokio::time::pause();
    let roads = TargetId::new("net", "roads");
    let of_roads = |number: i64| Job { target: roads.clone(), ..in_two_parts(number) };
    let jobs = vec![in_two_parts(1), in_two_parts(2), of_roads(3), of_roads(4)];
    let network = Network { targets: vec![es(), roads.clone()], ..Network::default() };
    let town = Town::on(network, jobs, Account::default());
    town.pauses.pause(Paused::Target(es()));
    town.pass(HOUR).await;
    let (ready, published) = (JobState::Ready, JobState::Published);
    assert_eq!(town.ledger.states(), [ready, ready, published, published]);
    town.pauses.resume(&Paused::Target(es()));
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [published; 4]);
    assert_eq!(town.account.count("verify"), 1, "both targets share one account");
}

/// What is on record for everything but messages.
async fn spent(town: &Town) -> Money {
    let charges = town.ledger.charges(jiff::civil::Date::MIN).await.unwrap();
    charges.iter().map(|charge| charge.amount).sum()
}

/// A network that charges a cent for each message that a lookup shows, and ten for an alt text.
fn charging(daily: Option<u64>) -> Network {
    let cents = |cents| Money::from_micros(10_000).times(cents);
    let prices = CallPrices { own_read: cents(1), alt_text: cents(10), ..CallPrices::default() };
    Network { daily: daily.map(cents), prices, ..Network::default() }
}

#[actix_rt::test]
async fn a_lookup_costs_what_the_network_bills_for_it() {
    for daily in [None, Some(20)] {
        tokio::time::pause();
        let found = Recent { id: PostId("77".into()), text: "Hola 1".into(), created_at: noon() };
        let shown = Shown { messages: vec![found], gap: None, billed: 3 };
        let account = Account { recent: Box::new(move |_| Ok(shown.clone())), ..Account::default() };
        let town = Town::on(charging(daily), vec![unknown(1)], account);
        town.pass(HOUR).await;
        assert_eq!(town.ledger.states(), [JobState::Published]);
        assert_eq!(spent(&town).await, Money::from_micros(30_000), "{daily:?}");
        tokio::time::resume();
    }
}

#[actix_rt::test]
async fn a_job_whose_lookup_no_budget_pays_for_waits_with_its_outcome_unknown_and_is_not_sent_again() {
    tokio::time::pause();
    let account = Account { recent: Box::new(|_| Ok(Shown::default())), ..Account::default() };
    let town = Town::on(charging(Some(5)), vec![unknown(1)], account);
    town.pass(HOUR).await;
    assert_eq!((town.ledger.states(), town.account.count("recent")), (vec![JobState::Unknown], 0));
    assert_eq!(spent(&town).await, Money::ZERO);
    assert!(town.account.drafts.borrow().is_empty());
}

#[actix_rt::test]
async fn an_alt_text_is_paid_if_the_network_accepted_it_and_waits_for_the_next_period_without_money() {
    let with_alt = || {
        let mut described = job(1, 1);
        described.translation.as_mut().unwrap().alts = vec!["Un puerto".into()];
        described
    };
    let uploads = |undescribed: Option<&'static str>| {
        let uploaded = move |_| {
            let undescribed = undescribed.map(str::to_owned);
            Some(Ok(Uploaded { id: MediaId("5".into()), undescribed }))
        };
        Account { upload: Box::new(uploaded), ..Account::default() }
    };
    for (undescribed, cost) in [(None, 100_000), (Some("503"), 0)] {
        tokio::time::pause();
        let town = Town::on(charging(None), vec![with_alt()], uploads(undescribed));
        town.pass(HOUR).await;
        assert_eq!(town.ledger.states(), [JobState::Published]);
        assert_eq!(spent(&town).await, Money::from_micros(cost), "{undescribed:?}");
        tokio::time::resume();
    }
    tokio::time::pause();
    let town = Town::on(charging(Some(5)), vec![with_alt()], uploads(None));
    town.pass(HOUR).await;
    assert_eq!((town.ledger.states(), town.account.count("upload")), (vec![JobState::Held], 0));
}
