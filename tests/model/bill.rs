//! A network that keeps its own bill, and a caller that spends money on it: begins messages, loses answers, looks messages
//! up, reserves and settles, crashes, and lives through the turns of days and months. Whatever the order, no budget is
//! exceeded, and once every outcome is known, the ledger's sum is the bill.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp, civil::Date};
use mynah_domain::{
    Hold, JobEvent, JobId, JobState, Money, PostId, PublicationKey, TargetId, Translation,
    budget::{Budgets, Charge, Cost, Payer, Period, Purpose},
    job::HoldKind,
    ports::{
        Clock as _, Spending as _, Work as _,
        ledger::{Change, ChangeError, Checkpoint, RecordPage, RecordPost, Reservation, ReservationKey},
    },
};
use proptest::{collection::vec, prelude::*, test_runner::TestCaseError};

use super::{
    memory::account_of,
    ops::{SOURCES, TARGETS, budgets, plain_post, target},
    place::{Place, TestClock},
};

/// How many jobs each target has.
const JOBS: u64 = 8;

const CENT: u64 = 10_000;

#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Begins the next part of a job, which costs this many cents. The network may or may not publish it.
    Begin {
        job: usize,
        cents: u64,
        is_published: bool,
    },
    /// The answer about a job's part arrives.
    Answer(usize),
    /// The answer is lost; whoever leases the job next looks the part up.
    Lost(usize),
    /// Nothing more of a job is published.
    GiveUp(usize),
    /// Reserves this many cents for a call.
    Reserve {
        cents: u64,
        target: usize,
    },
    /// A call was made, and costs this part of what was reserved, in percent.
    Settle {
        pick: usize,
        percent: u64,
    },
    Crash,
    /// Moves the clock by this many minutes.
    Clock(i64),
}

pub(crate) fn acts() -> impl Strategy<Value = Vec<Act>> {
    let job = || 0..JOBS as usize * TARGETS.len();
    let cents = || prop::sample::select(vec![1_u64, 2, 20]);
    let minutes = prop::sample::select(vec![1, 60, 7 * 60, 24 * 60, -7 * 60]);
    let act = prop_oneof![
        8 => (job(), cents(), any::<bool>())
            .prop_map(|(job, cents, is_published)| Act::Begin { job, cents, is_published }),
        6 => job().prop_map(Act::Answer),
        3 => job().prop_map(Act::Lost),
        1 => job().prop_map(Act::GiveUp),
        3 => (cents(), 0..TARGETS.len() + 1).prop_map(|(cents, target)| Act::Reserve { cents, target }),
        3 => (any::<usize>(), 0..=100_u64).prop_map(|(pick, percent)| Act::Settle { pick, percent }),
        1 => Just(Act::Crash),
        2 => minutes.prop_map(Act::Clock),
    ];
    vec(act, 1..80)
}

/// A job: the two parts of a thread, and whether the network published each of those that were begun.
#[derive(Debug, Default)]
struct Work {
    token: i64,
    parts: Vec<bool>,
    is_unanswered: bool,
    is_over: bool,
}

struct World<P: Place> {
    clock: Arc<TestClock>,
    place: P,
    ledger: Option<P::Ledger>,
    jobs: Vec<(JobId, TargetId, Work)>,
    reserved: BTreeMap<ReservationKey, Charge>,
    /// What the network and the services really charged, and what a crash left reserved.
    bill: u64,
    made: u64,
    refused: u64,
}

pub(crate) async fn run<P: Place>(acts: &[Act]) -> Result<(u64, u64), TestCaseError> {
    let clock = Arc::new(TestClock(Mutex::new("2026-11-29T22:00:00Z".parse().unwrap())));
    let place = P::new(clock.clone());
    let ledger = Some(place.open());
    let mut world =
        World { clock, place, ledger, jobs: vec![], reserved: BTreeMap::new(), bill: 0, made: 0, refused: 0 };
    let outcome = world.live(acts).await;
    if let Some(ledger) = world.ledger.take() {
        world.place.close(ledger);
    }
    outcome.map(|()| (world.made, world.refused))
}

impl<P: Place> World<P> {
    fn ledger(&self) -> &P::Ledger {
        self.ledger.as_ref().unwrap()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn live(&mut self, acts: &[Act]) -> Result<(), TestCaseError> {
        self.record().await;
        for act in acts {
            self.act(act).await;
            self.check_budgets().await?;
        }
        // All outcomes become known.
        for index in 0..self.jobs.len() {
            self.answer(index).await;
            self.give_up(index).await;
        }
        for (key, charge) in std::mem::take(&mut self.reserved) {
            self.settle(key, charge).await;
        }
        self.check_budgets().await?;
        let sum: Money = self.charges().await.into_iter().map(|charge| charge.amount).sum();
        prop_assert_eq!(sum.micros(), self.bill, "the sum of the record and the bill");
        Ok(())
    }

    async fn record(&mut self) {
        let targets: Vec<TargetId> = (0..TARGETS.len()).map(target).collect();
        let posts = (0..JOBS).rev().map(|position| RecordPost {
            post: Arc::new(plain_post(SOURCES[0], position)),
            jobs: targets.iter().map(|target| (target.clone(), None)).collect(),
            unreadable: None,
        });
        let (source, checkpoint) = (SOURCES[0].into(), Checkpoint::default());
        let page = RecordPage { source, posts: posts.collect(), checkpoint, settles: None };
        self.ledger().record(page).await.unwrap();
        for target in targets {
            for job in self.ledger().open_jobs(&target, None, usize::MAX).await.unwrap() {
                let translation = Translation::by("test", vec!["Uno".into(), "Dos".into()]);
                let events = vec![JobEvent::LeasedForTranslation, JobEvent::Translated(translation)];
                let token = self.change(job.id, job.token, events).await.unwrap();
                self.jobs.push((job.id, target.clone(), Work { token, ..Work::default() }));
            }
        }
    }

    async fn change(&self, job: JobId, token: i64, events: Vec<JobEvent>) -> Result<i64, ChangeError> {
        let change = Change::new(job, token, events);
        let answer = self.ledger().advance([change].into()).await.unwrap().remove(0);
        answer.map(|advanced| advanced.token)
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Begin { job, cents, is_published } => self.begin(*job, *cents, *is_published).await,
            Act::Answer(job) => self.answer(*job).await,
            Act::Lost(job) => self.lose(*job).await,
            Act::GiveUp(job) => self.give_up(*job).await,
            Act::Reserve { cents, target } => self.reserve(*cents, *target).await,
            Act::Settle { pick, percent } => {
                let Some(key) = self.reserved.keys().nth(pick % self.reserved.len().max(1)).copied() else {
                    return;
                };
                let reserved = self.reserved.remove(&key).unwrap();
                let amount = Money::from_micros(reserved.amount.micros() * percent / 100);
                self.settle(key, Charge { amount, ..reserved }).await;
            }
            Act::Crash => {
                let ledger = self.ledger.take().unwrap();
                self.place.kill(ledger, 0);
                self.ledger = Some(self.place.open());
                let targets: Vec<TargetId> = (0..TARGETS.len()).map(target).collect();
                self.ledger().recover(&targets).await.unwrap();
                self.read_tokens().await;
                // Nobody knows what the calls of the process cost: they count as made.
                let lost = std::mem::take(&mut self.reserved);
                self.bill += lost.values().map(|charge| charge.amount.micros()).sum::<u64>();
            }
            Act::Clock(minutes) => {
                let moved = self.now() + SignedDuration::from_mins(*minutes);
                *self.clock.0.lock().unwrap() = moved;
            }
        }
    }

    async fn read_tokens(&mut self) {
        for index in 0..TARGETS.len() {
            let line = self.ledger().open_jobs(&target(index), None, usize::MAX).await.unwrap();
            for read in line {
                for (job, _, work) in &mut self.jobs {
                    if *job == read.id {
                        work.token = read.token;
                        assert!(!work.is_unanswered || read.state == JobState::Unknown, "{read:?}");
                    }
                }
            }
        }
    }

    async fn begin(&mut self, index: usize, cents: u64, is_published: bool) {
        let now = self.now();
        let (job, target, work) = &self.jobs[index];
        if work.is_over || work.is_unanswered || work.parts.len() == 2 {
            return;
        }
        let part = u32::try_from(work.parts.len()).unwrap();
        let payer = Payer { source: SOURCES[0].into(), target: Some(target.clone()), service: "x".into() };
        let later_parts = u64::from(1 - part);
        let cost = Cost {
            service: payer.service.clone(),
            day: budgets().day(now),
            amount: Money::from_micros(cents * CENT),
            rest: Money::from_micros(later_parts * 20 * CENT),
            later_parts,
            limits: budgets().limits(&payer, now),
        };
        let begun = JobEvent::PartBegun {
            part,
            account: account_of(target),
            text: "Uno".into(),
            key: PublicationKey::new(now),
            reply: None,
            cost: Some(Box::new(cost)),
        };
        let (job, token) = (*job, work.token);
        match self.change(job, token, vec![JobEvent::LeasedForPublication, begun]).await {
            Ok(token) => {
                let work = &mut self.jobs[index].2;
                (work.token, work.is_unanswered) = (token, true);
                work.parts.push(is_published);
                self.made += 1;
                if is_published {
                    self.bill += cents * CENT;
                }
            }
            Err(ChangeError::OverBudget { .. }) => self.refused += 1,
            Err(other) => panic!("{other}"),
        }
    }

    /// The outcome of a part becomes known: by its answer, or by a lookup.
    async fn answer(&mut self, index: usize) {
        let (job, _, work) = &self.jobs[index];
        if !work.is_unanswered {
            return;
        }
        let part = u32::try_from(work.parts.len() - 1).unwrap();
        let is_published = work.parts.last().copied().unwrap();
        let known = if is_published {
            JobEvent::PartSent { part, remote_id: PostId(format!("{job}{part}")) }
        } else {
            JobEvent::PartAbsent { part }
        };
        let retry = JobEvent::NotSent { not_before: None, reason: "the next part follows".into() };
        let (job, token) = (*job, work.token);
        let answered = match self.change(job, token, vec![known.clone(), retry.clone()]).await {
            // Its outcome was lost.
            Err(ChangeError::Illegal { .. }) => {
                self.change(job, token, vec![JobEvent::LeasedForPublication, known, retry]).await
            }
            answered => answered,
        };
        let work = &mut self.jobs[index].2;
        (work.token, work.is_unanswered) = (answered.unwrap(), false);
        if !is_published {
            work.parts.pop();
        }
    }

    async fn lose(&mut self, index: usize) {
        let (job, _, work) = &self.jobs[index];
        if work.is_unanswered {
            let lost = JobEvent::OutcomeLost { reason: "no answer".into(), not_before: None };
            // It may be lost already.
            let _ = self.change(*job, work.token, vec![lost]).await;
        }
    }

    async fn give_up(&mut self, index: usize) {
        let (job, _, work) = &self.jobs[index];
        if work.is_unanswered || work.is_over {
            return;
        }
        let hold = Hold { kind: HoldKind::Refused, reason: "no".into(), until: None };
        self.change(*job, work.token, vec![JobEvent::Held(hold)]).await.unwrap();
        self.jobs[index].2.is_over = true;
    }

    async fn reserve(&mut self, cents: u64, of: usize) {
        let now = self.now();
        let target = (of < TARGETS.len()).then(|| target(of));
        let payer = Payer { source: SOURCES[0].into(), target, service: "gemini".into() };
        let limits = budgets().limits(&payer, now);
        let charge = Charge {
            payer,
            purpose: Purpose::Translate,
            day: budgets().day(now),
            amount: Money::from_micros(cents * CENT),
            units: 1,
        };
        let key = ReservationKey::draw();
        let reservation = Reservation { key, charges: vec![charge.clone()], limits };
        match self.ledger().reserve(reservation).await.unwrap() {
            Ok(()) => {
                self.made += 1;
                self.reserved.insert(key, charge);
            }
            Err(_) => self.refused += 1,
        }
    }

    async fn settle(&mut self, key: ReservationKey, charge: Charge) {
        self.bill += charge.amount.micros();
        self.ledger().settle(key, vec![charge]).await.unwrap();
    }

    async fn charges(&self) -> Vec<Charge> {
        self.ledger().charges(Date::MIN).await.unwrap()
    }

    /// In every day and month so far, what is spent and reserved is within every budget.
    async fn check_budgets(&self) -> Result<(), TestCaseError> {
        let charges = self.charges().await;
        let Budgets { all, .. } = budgets();
        for budget in &all {
            let mut periods: BTreeMap<Date, Money> = BTreeMap::new();
            for charge in charges.iter().filter(|charge| budget.scope.includes(&charge.payer)) {
                let sum = periods.entry(budget.period.start(charge.day)).or_default();
                *sum = *sum + charge.amount;
            }
            for (since, sum) in periods {
                let what = if budget.period == Period::Day { "day" } else { "month" };
                prop_assert!(sum <= budget.most, "{} in the {} of {}: {}", sum, what, since, budget.setting);
            }
        }
        Ok(())
    }
}
