//! What the keeper knows about its leases, and what it decides. It is told the time and every answer, and returns what
//! to do next; it waits for nothing, so that any order of answers can be tested.

use std::collections::{BTreeMap, BTreeSet};

use log::{info, warn};
use mynah_domain::{
    fair_share,
    lease_term::Moment,
    ports::{
        LedgerError,
        leases::{Fence, InstanceId, Lease, LeaseName, Survey},
    },
};

use super::{holdings::LeasedHoldings, view::View};

/// Something that the keeper is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// Calls the grantor of leases.
    Call(Call),
    /// Starts what runs under a lease; tell [`Tenure::done`] when it runs.
    TakeUp(LeaseName),
    /// Stops it after it finishes its work in progress; tell [`Tenure::done`] when it has.
    Finish(LeaseName),
    /// Stops it at once; tell [`Tenure::done`] when it has.
    Drop(LeaseName),
}

/// A call to the grantor of leases. Tell [`Tenure::answered`] its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    /// This instance is alive.
    Report,
    /// Extend these.
    Renew(Vec<Lease>),
    /// Who is there, and who holds what?
    Survey,
    /// Acquire this one.
    Acquire(LeaseName),
    /// Give this one back.
    Release(Lease),
}

/// The outcome of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Reported,
    /// These leases were extended, except the lost ones.
    Renewed {
        leases: Vec<Lease>,
        lost: Vec<LeaseName>,
    },
    /// What there is, and what this instance would work for.
    Surveyed(Survey, BTreeSet<LeaseName>),
    /// `None` if another instance holds it.
    Acquired(LeaseName, Option<Fence>),
    Released,
    /// The call failed.
    Failed(Call, LedgerError),
}

/// A lease of this instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    fence: Fence,
    /// When the request was sent that last renewed it.
    renewed: Moment,
    stage: Stage,
}

/// What happens under a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is held, and what runs under it is being started.
    TakingUp,
    /// It is held.
    Working,
    /// It is held until what runs under it has finished.
    Finishing,
    /// It is not held any more, and what ran under it is being stopped.
    Dropping {
        /// Another instance has it, or may have it.
        lost: bool,
    },
    /// It could not be renewed in time, and nothing runs under it. If nobody acquired it meanwhile, it can be renewed.
    Lapsed,
}

impl Stage {
    fn is_held(self) -> bool {
        matches!(self, Self::TakingUp | Self::Working | Self::Finishing)
    }
}

/// The leases of this instance.
#[derive(Debug)]
pub(super) struct Tenure {
    me: InstanceId,
    holdings: LeasedHoldings,
    view: View,
    kept: BTreeMap<LeaseName, Kept>,
    /// The names that are being acquired.
    asked: BTreeSet<LeaseName>,
    /// When the last round began.
    round: Option<Moment>,
    /// How many calls have no answer yet.
    calls: usize,
    /// When this instance was last reported to be alive.
    reported: Option<Moment>,
    /// How many surveys in a row were answered. After a start or an outage, the others need a moment to report that
    /// they are alive, before anything is shared with them.
    surveys: u32,
    /// Since when wanted names have had no owner.
    free_since: BTreeMap<LeaseName, Moment>,
    /// Names that nobody else acquired although they were free for long. Only this instance may know of them, and they
    /// do not count in the shares until another instance starts or ends.
    adopted: BTreeSet<LeaseName>,
    /// Leases of which the ledger said that another instance has them. A renewal shows whether that is so.
    doubted: BTreeSet<LeaseName>,
    /// The instances of the last survey.
    alive: BTreeSet<InstanceId>,
}

impl Tenure {
    /// Continues with what is held: a keeper that was restarted finds what its predecessor held. What runs under other
    /// `wanted` names is stopped first, because the predecessor may have died before it had stopped that.
    pub(super) fn new(
        holdings: LeasedHoldings,
        view: View,
        wanted: &BTreeSet<LeaseName>,
        now: Moment,
    ) -> (Self, Vec<Act>) {
        let mut kept: BTreeMap<LeaseName, Kept> = wanted
            .iter()
            .map(|name| {
                (name.clone(), Kept { fence: Fence(0), renewed: now, stage: Stage::Dropping { lost: true } })
            })
            .collect();
        kept.extend(
            holdings.all().into_iter().map(|(Lease { name, fence }, renewed)| {
                (name, Kept { fence, renewed, stage: Stage::TakingUp })
            }),
        );
        let acts = kept.iter().map(|(name, kept)| match kept.stage {
            Stage::TakingUp => Act::TakeUp(name.clone()),
            _ => Act::Drop(name.clone()),
        });
        let acts = acts.collect();
        let tenure = Self {
            me: view.id().clone(),
            holdings,
            view,
            kept,
            asked: BTreeSet::new(),
            round: None,
            calls: 0,
            reported: None,
            surveys: 0,
            free_since: BTreeMap::new(),
            adopted: BTreeSet::new(),
            doubted: BTreeSet::new(),
            alive: BTreeSet::new(),
        };
        (tenure, acts)
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Moment) -> Vec<Act> {
        let mut acts = self.lapse(now);
        let term = self.holdings.term();
        let is_due = self.round.is_none_or(|round| now.since(round) >= term.look_every());
        if !is_due || self.calls > 0 {
            return acts;
        }
        self.round = Some(now);
        let mut calls = Vec::new();
        if self.reported.is_none_or(|reported| term.is_to_renew(reported, now)) {
            calls.push(Call::Report);
        }
        self.doubted.extend(self.holdings.take_doubted());
        let to_renew = self.kept.iter().filter(|(name, kept)| {
            kept.stage != Stage::Dropping { lost: true }
                && (term.is_to_renew(kept.renewed, now) || self.doubted.contains(*name))
        });
        let to_renew: Vec<Lease> =
            to_renew.map(|(name, kept)| Lease { name: name.clone(), fence: kept.fence }).collect();
        if !to_renew.is_empty() {
            calls.push(Call::Renew(to_renew));
        }
        calls.push(Call::Survey);
        acts.extend(calls.into_iter().map(|call| self.call(call)));
        acts
    }

    /// The next moment at which [`Tenure::tick`] has something to do, by the monotonic clock.
    pub(super) fn next(&self, now: Moment) -> std::time::Instant {
        let term = self.holdings.term();
        let held = self.kept.values().filter(|kept| kept.stage.is_held());
        let lapse = held.map(|kept| term.left(kept.renewed, now)).min();
        let round = match self.round {
            _ if self.calls > 0 => None,
            None => Some(std::time::Duration::ZERO),
            Some(round) => Some(term.look_every().saturating_sub(now.since(round))),
        };
        now.steady + lapse.into_iter().chain(round).min().unwrap_or(term.look_every())
    }

    /// Handles the answer to a call that was sent at `sent`.
    pub(super) fn answered(&mut self, answer: Answer, sent: Moment, now: Moment) -> Vec<Act> {
        self.calls = self.calls.saturating_sub(1);
        match answer {
            Answer::Reported => {
                self.reported = Some(sent);
                Vec::new()
            }
            Answer::Renewed { leases, lost } => self.renewed(&leases, &lost, sent, now),
            Answer::Surveyed(survey, wanted) => self.surveyed(survey, now, &wanted),
            Answer::Acquired(name, fence) => {
                self.asked.remove(&name);
                fence.map(|fence| self.acquired(name, fence, sent)).into_iter().collect()
            }
            Answer::Released => Vec::new(),
            Answer::Failed(call, error) => {
                if let Call::Acquire(name) = call {
                    self.asked.remove(&name);
                }
                self.surveys = 0;
                if self.view.trouble().is_none() {
                    warn!(reason:% = error; "leases unreachable");
                }
                self.view.set_trouble(error.to_string());
                Vec::new()
            }
        }
    }

    /// Something that was to start or to stop has done so.
    pub(super) fn done(&mut self, name: &LeaseName, now: Moment) -> Vec<Act> {
        let term = self.holdings.term();
        let Some(kept) = self.kept.get_mut(name) else { return Vec::new() };
        match kept.stage {
            Stage::TakingUp => {
                kept.stage = Stage::Working;
                Vec::new()
            }
            Stage::Finishing => {
                let lease = Lease { name: name.clone(), fence: kept.fence };
                self.holdings.remove(name);
                self.kept.remove(name);
                info!(lease:% = name; "lease given back");
                vec![self.call(Call::Release(lease))]
            }
            Stage::Dropping { lost: true } => {
                self.kept.remove(name);
                Vec::new()
            }
            Stage::Dropping { lost: false } if term.is_current(kept.renewed, now) => vec![self.resume(name)],
            Stage::Dropping { lost: false } => {
                kept.stage = Stage::Lapsed;
                Vec::new()
            }
            Stage::Working | Stage::Lapsed => Vec::new(),
        }
    }

    /// Stops holding anything, and returns what to give back.
    pub(super) fn leave(&mut self) -> Vec<Lease> {
        let kept = std::mem::take(&mut self.kept).into_iter();
        kept.filter(|(_, kept)| kept.stage != Stage::Dropping { lost: true })
            .map(|(name, kept)| {
                self.holdings.remove(&name);
                Lease { name, fence: kept.fence }
            })
            .collect()
    }

    fn call(&mut self, call: Call) -> Act {
        self.calls += 1;
        Act::Call(call)
    }

    /// Stops what runs under leases that were not renewed in time.
    fn lapse(&mut self, now: Moment) -> Vec<Act> {
        let term = self.holdings.term();
        let lapsed = self
            .kept
            .iter_mut()
            .filter(|(_, kept)| kept.stage.is_held() && !term.is_current(kept.renewed, now));
        let mut acts = Vec::new();
        for (name, kept) in lapsed {
            self.holdings.remove(name);
            kept.stage = Stage::Dropping { lost: false };
            warn!(lease:% = name; "lease lapsed");
            acts.push(Act::Drop(name.clone()));
        }
        acts
    }

    /// Another instance has a lease by now.
    fn lose(&mut self, name: &LeaseName) -> Option<Act> {
        self.doubted.remove(name);
        let kept = self.kept.get_mut(name)?;
        match kept.stage {
            Stage::Lapsed => {
                self.kept.remove(name);
                None
            }
            Stage::Dropping { .. } => {
                kept.stage = Stage::Dropping { lost: true };
                None
            }
            Stage::TakingUp | Stage::Working | Stage::Finishing => {
                self.holdings.remove(name);
                kept.stage = Stage::Dropping { lost: true };
                warn!(lease:% = name; "lease lost");
                Some(Act::Drop(name.clone()))
            }
        }
    }

    fn acquired(&mut self, name: LeaseName, fence: Fence, sent: Moment) -> Act {
        let lease = Lease { name: name.clone(), fence };
        info!(lease:% = name, fence = fence.0; "lease acquired");
        self.holdings.insert(lease, sent);
        self.kept.insert(name.clone(), Kept { fence, renewed: sent, stage: Stage::TakingUp });
        Act::TakeUp(name)
    }

    /// Holds a lease again that had lapsed and that nobody acquired meanwhile.
    fn resume(&mut self, name: &LeaseName) -> Act {
        if let Some(kept) = self.kept.get_mut(name) {
            kept.stage = Stage::TakingUp;
            info!(lease:% = name, fence = kept.fence.0; "lease renewed after a lapse");
            self.holdings.insert(Lease { name: name.clone(), fence: kept.fence }, kept.renewed);
        }
        Act::TakeUp(name.clone())
    }

    fn renewed(&mut self, leases: &[Lease], lost: &[LeaseName], sent: Moment, now: Moment) -> Vec<Act> {
        let term = self.holdings.term();
        let mut acts = Vec::new();
        for Lease { name, fence } in leases {
            let Some(kept) = self.kept.get_mut(name).filter(|kept| kept.fence == *fence) else { continue };
            if lost.contains(name) {
                acts.extend(self.lose(name));
                continue;
            }
            kept.renewed = sent;
            // What was put down in doubt is taken up again.
            let was_doubted = kept.stage != Stage::TakingUp && self.doubted.remove(name);
            match kept.stage {
                Stage::Working if was_doubted => {
                    self.holdings.renew(name, sent);
                    kept.stage = Stage::TakingUp;
                    acts.push(Act::TakeUp(name.clone()));
                }
                stage if stage.is_held() => self.holdings.renew(name, sent),
                Stage::Lapsed if term.is_current(sent, now) => acts.push(self.resume(name)),
                _ => {}
            }
        }
        acts
    }

    fn surveyed(&mut self, mut survey: Survey, now: Moment, wanted: &BTreeSet<LeaseName>) -> Vec<Act> {
        self.surveys = self.surveys.saturating_add(1);
        if self.view.trouble().is_some() {
            info!("leases reachable again");
        }
        self.view.answered(survey.clone(), wanted.iter().cloned().collect());
        let mut acts = Vec::new();
        // A lease that the survey calls this instance's, but that it does not know, was acquired without an answer.
        survey.leases.retain(|(name, owner, _)| *owner != self.me || self.kept.contains_key(name));
        for (name, owner, fence) in &survey.leases {
            if *owner != self.me && self.kept.get(name).is_some_and(|kept| kept.fence < *fence) {
                acts.extend(self.lose(name));
            }
        }
        // One that ran out and that nobody acquired is still this instance's: it can be renewed.
        for (name, kept) in &self.kept {
            if !survey.leases.iter().any(|(leased, ..)| leased == name) {
                survey.leases.push((name.clone(), self.me.clone(), kept.fence));
            }
        }
        self.watch_orphans(&survey, now, wanted);
        for name in self.kept.keys().filter(|name| !wanted.contains(name)).cloned().collect::<Vec<_>>() {
            acts.extend(self.give_back(&name));
        }
        if self.surveys < 2 {
            return acts;
        }
        let shared: BTreeSet<LeaseName> = wanted.difference(&self.adopted).cloned().collect();
        let moves = fair_share::moves(&self.me, &shared, &survey);
        for name in moves.give_back {
            acts.extend(self.give_back(&name));
        }
        let orphans = self.adopted.iter().filter(|name| self.free_since.contains_key(name)).cloned();
        for name in moves.acquire.into_iter().chain(orphans.collect::<Vec<_>>()) {
            if !self.kept.contains_key(&name) && self.asked.insert(name.clone()) {
                acts.push(self.call(Call::Acquire(name)));
            }
        }
        acts
    }

    /// Adopts names that were free for a whole lease although others had room for them.
    fn watch_orphans(&mut self, survey: &Survey, now: Moment, wanted: &BTreeSet<LeaseName>) {
        let alive: BTreeSet<InstanceId> =
            survey.instances.iter().map(|instance| instance.id.clone()).collect();
        if std::mem::replace(&mut self.alive, alive) != self.alive {
            self.adopted.clear();
            self.free_since.clear();
        }
        let owned: BTreeSet<&LeaseName> = survey.leases.iter().map(|(name, ..)| name).collect();
        self.free_since.retain(|name, _| wanted.contains(name) && !owned.contains(name));
        for name in wanted.iter().filter(|name| !owned.contains(name)) {
            let since = *self.free_since.entry(name.clone()).or_insert(now);
            if now.since(since) >= self.holdings.term().ttl() {
                self.adopted.insert(name.clone());
            }
        }
        self.adopted.retain(|name| wanted.contains(name));
    }

    fn give_back(&mut self, name: &LeaseName) -> Option<Act> {
        let kept = self.kept.get_mut(name)?;
        match kept.stage {
            Stage::TakingUp | Stage::Working => {
                kept.stage = Stage::Finishing;
                Some(Act::Finish(name.clone()))
            }
            Stage::Lapsed => {
                let lease = Lease { name: name.clone(), fence: kept.fence };
                self.kept.remove(name);
                Some(self.call(Call::Release(lease)))
            }
            Stage::Finishing | Stage::Dropping { .. } => None,
        }
    }
}
