//! Decides what may be spent. What a budget has left is derived from the rows of the record, the sum of what was spent and
//! what is reserved, so there is no balance that could disagree with them. A command works on a [`Book`] in memory, which
//! knows the rows that it asked for and what the command changes; the adapter writes the changes with the rest of it.

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    sync::Arc,
};

use jiff::civil::Date;
use mynah_domain::{
    JobId, Money, TargetId,
    budget::{Charge, Cost, Limit, OverBudget, Payer, Purpose, Scope},
    ports::ledger::{Reservation, ReservationKey},
};

/// The most that a row has, a billion dollars: sums of rows must fit into the integers of a database.
const MOST: u64 = 1_000_000_000_000_000;

/// What the rows have.
pub(super) trait Rows {
    type Error;

    /// What was spent and what is reserved in a scope since a day.
    fn sum(&self, scope: &Scope, since: Date) -> Result<Sum, Self::Error>;

    /// The charges of a reservation; none if there is no such reservation.
    fn reservation(&self, key: ReservationKey) -> Result<Vec<Charge>, Self::Error>;
}

/// A sum of rows, in millionths of a dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    pub(super) spent: i128,
    pub(super) reserved: i128,
}

/// What a row is about: a payer's spending on one day for one purpose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) day: Date,
    pub(super) payer: Payer,
    pub(super) purpose: Purpose,
}

/// How much is added to a row, or taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Difference {
    pub(super) micros: i128,
    pub(super) units: i128,
}

/// The record of spending within a command.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// The sums that were asked for, as they are now.
    sums: HashMap<(Scope, Date), Sum>,
    spent: BTreeMap<Line, Difference>,
    reservations: BTreeMap<ReservationKey, Reserved>,
    /// What was done since [`Book::start`], to undo it.
    steps: Vec<Step>,
    /// Whether a limit allowed something, which must still be true when this is written.
    is_limited: bool,
    /// Whether more was spent than was reserved for it, which others must notice before they spend more.
    is_beyond: bool,
}

/// A reservation: the rows as they are stored, and as they are now.
#[derive(Debug, Default)]
struct Reserved {
    stored: Vec<Charge>,
    now: Vec<Charge>,
}

#[derive(Debug)]
enum Step {
    Spent(Charge, i128),
    /// The reservation's charges before.
    Reserved(ReservationKey, Vec<Charge>),
}

impl Line {
    fn of(charge: &Charge) -> Self {
        Self { day: charge.day, payer: charge.payer.clone(), purpose: charge.purpose }
    }
}

/// An amount as the rows have it.
pub(super) fn micros(amount: Money) -> i64 {
    // The cap fits.
    i64::try_from(amount.micros().min(MOST)).unwrap_or(i64::MAX)
}

/// A row's numbers as a charge has them. Rows are never negative, except if their file was changed by hand.
pub(super) fn charge(line: Line, micros: i64, units: i64) -> Charge {
    let Line { day, payer, purpose } = line;
    let amount = Money::from_micros(u64::try_from(micros).unwrap_or_default());
    Charge { payer, purpose, day, amount, units: u64::try_from(units).unwrap_or_default() }
}

/// The charge of a part of a job, from its row.
pub(super) fn of_part(
    (source, target): (&Arc<str>, &TargetId),
    cost: i64,
    day: Date,
    service: &str,
) -> Charge {
    let payer = Payer { source: source.clone(), target: Some(target.clone()), service: service.into() };
    charge(Line { day, payer, purpose: Purpose::Publish }, cost, 1)
}

/// By what charges are sorted.
pub(super) fn order(charge: &Charge) -> (Date, Payer, Purpose) {
    (charge.day, charge.payer.clone(), charge.purpose)
}

/// All charges of one line as one, in order.
pub(super) fn merged(charges: impl IntoIterator<Item = Charge>) -> Vec<Charge> {
    let mut lines: BTreeMap<Line, (Money, u64)> = BTreeMap::new();
    for charge in charges {
        let (amount, units) = lines.entry(Line::of(&charge)).or_default();
        *amount = *amount + charge.amount;
        *units = units.saturating_add(charge.units);
    }
    let charge =
        |(Line { day, payer, purpose }, (amount, units))| Charge { payer, purpose, day, amount, units };
    lines.into_iter().map(charge).collect()
}

/// Whether a scope's sum since a day includes a line.
fn includes(scope: &Scope, since: Date, day: Date, payer: &Payer) -> bool {
    day >= since && scope.includes(payer)
}

fn of_limit<'a>(limit: &Limit, charges: impl IntoIterator<Item = &'a Charge>) -> i128 {
    let included =
        charges.into_iter().filter(|charge| includes(&limit.scope, limit.since, charge.day, &charge.payer));
    included.map(|charge| i128::from(micros(charge.amount))).sum()
}

fn money(micros: i128) -> Money {
    Money::from_micros(u64::try_from(micros.max(0)).unwrap_or(u64::MAX))
}

impl Book {
    /// Begins a change, which may be undone until the next one begins.
    pub(super) fn start(&mut self) {
        self.steps.clear();
    }

    /// Undoes what was done since the change began.
    pub(super) fn undo(&mut self) {
        while let Some(step) = self.steps.pop() {
            match step {
                Step::Spent(charge, sign) => self.add(&charge, -sign),
                Step::Reserved(key, before) => drop(self.replace(key, before)),
            }
        }
    }

    /// Charges a part of a job, and replaces what is reserved for the parts after it. Returns the charge.
    pub(super) fn begin<R: Rows + ?Sized>(
        &mut self,
        rows: &R,
        (job, source, target): (JobId, &Arc<str>, &TargetId),
        cost: &Cost,
    ) -> Result<Result<Charge, OverBudget>, R::Error> {
        let key = ReservationKey::of_job(job);
        let own = self.reserved(rows, key)?.to_vec();
        let charge = cost.charge(source.clone(), target.clone());
        let rest: Vec<Charge> = cost.reserved(&charge).into_iter().collect();
        let wanted: Vec<Charge> = std::iter::once(&charge).chain(&rest).cloned().collect();
        if let Err(over) = self.allow(rows, &cost.limits, &wanted, &own)? {
            return Ok(Err(over));
        }
        self.spend(&charge, 1);
        if !(own.is_empty() && rest.is_empty()) {
            self.hold(key, rest);
        }
        Ok(Ok(charge))
    }

    /// Takes a charge back: what it was for did not happen.
    pub(super) fn take_back(&mut self, charge: &Charge) {
        self.spend(charge, -1);
    }

    /// Reserves for a job, beside what is reserved for it already, what was just taken back.
    pub(super) fn reserve_again<R: Rows + ?Sized>(
        &mut self,
        rows: &R,
        job: JobId,
        charge: &Charge,
    ) -> Result<(), R::Error> {
        let key = ReservationKey::of_job(job);
        let own = self.reserved(rows, key)?.to_vec();
        self.hold(key, merged(own.into_iter().chain([charge.clone()])));
        Ok(())
    }

    /// Releases what is reserved for a job, if anything is.
    pub(super) fn release<R: Rows + ?Sized>(&mut self, rows: &R, job: JobId) -> Result<(), R::Error> {
        let key = ReservationKey::of_job(job);
        if !self.reserved(rows, key)?.is_empty() {
            self.hold(key, Vec::new());
        }
        Ok(())
    }

    /// See [`Spending::reserve`](mynah_domain::ports::ledger::Spending::reserve).
    pub(super) fn reserve<R: Rows + ?Sized>(
        &mut self,
        rows: &R,
        Reservation { key, charges, limits }: &Reservation,
    ) -> Result<Result<(), OverBudget>, R::Error> {
        if !self.reserved(rows, *key)?.is_empty() {
            return Ok(Ok(()));
        }
        let allowed = self.allow(rows, limits, charges, &[])?;
        if allowed.is_ok() {
            self.hold(*key, merged(charges.iter().cloned()));
        }
        Ok(allowed)
    }

    /// See [`Spending::settle`](mynah_domain::ports::ledger::Spending::settle).
    pub(super) fn settle<R: Rows + ?Sized>(
        &mut self,
        rows: &R,
        key: ReservationKey,
        charges: &[Charge],
    ) -> Result<(), R::Error> {
        let reserved: BTreeMap<Line, Money> =
            self.reserved(rows, key)?.iter().map(|charge| (Line::of(charge), charge.amount)).collect();
        if reserved.is_empty() {
            return Ok(());
        }
        self.hold(key, Vec::new());
        for charge in merged(charges.iter().cloned()) {
            self.is_beyond |= reserved.get(&Line::of(&charge)).is_none_or(|most| charge.amount > *most);
            self.spend(&charge, 1);
        }
        Ok(())
    }

    /// See [`Spending::charge`](mynah_domain::ports::ledger::Spending::charge).
    pub(super) fn charge(&mut self, charges: &[Charge]) {
        for charge in charges {
            self.spend(charge, 1);
        }
    }

    /// What is to be added to the rows of what was spent.
    pub(super) fn differences(&self) -> impl Iterator<Item = (&Line, Difference)> {
        let nothing = Difference::default();
        self.spent.iter().map(|(line, difference)| (line, *difference)).filter(move |(_, by)| *by != nothing)
    }

    /// The reservations that are to be replaced: the key, how many rows are stored, and the rows to store.
    pub(super) fn replaced(&self) -> impl Iterator<Item = (ReservationKey, usize, &[Charge])> {
        let changed = self.reservations.iter().filter(|(_, reserved)| reserved.stored != reserved.now);
        changed.map(|(key, reserved)| (*key, reserved.stored.len(), &*reserved.now))
    }

    /// Whether there is anything to write.
    pub(super) fn is_changed(&self) -> bool {
        self.differences().next().is_some() || self.replaced().next().is_some()
    }

    /// Whether a limit allowed something.
    pub(super) fn is_limited(&self) -> bool {
        self.is_limited
    }

    /// Whether more was spent than was reserved for it.
    pub(super) fn is_beyond(&self) -> bool {
        self.is_beyond
    }

    /// Whether every limit allows the charges. What the same job reserved may be spent even if the budget is lower by now.
    fn allow<R: Rows + ?Sized>(
        &mut self,
        rows: &R,
        limits: &[Limit],
        wanted: &[Charge],
        own: &[Charge],
    ) -> Result<Result<(), OverBudget>, R::Error> {
        let mut refused: Option<OverBudget> = None;
        for limit in limits {
            let wanted = of_limit(limit, wanted);
            // If the clock was set back, it may be reserved in a later period.
            let of_period = own.iter().filter(|charge| limit.period.start(charge.day) == limit.since);
            if wanted <= of_limit(limit, of_period) {
                continue;
            }
            let Sum { spent, reserved } = self.sum(rows, limit)?;
            let reserved = reserved - of_limit(limit, own);
            if let Err(over) = limit.allow(money(spent + reserved), money(wanted)) {
                let over = over.with_reserved(money(reserved));
                refused = Some(refused.map_or(over.clone(), |first| first.or_longer(over)));
            }
        }
        self.is_limited |= !limits.is_empty();
        Ok(refused.map_or(Ok(()), Err))
    }

    fn sum<R: Rows + ?Sized>(&mut self, rows: &R, limit: &Limit) -> Result<Sum, R::Error> {
        let key = (limit.scope.clone(), limit.since);
        if let Some(sum) = self.sums.get(&key) {
            return Ok(*sum);
        }
        let mut sum = rows.sum(&limit.scope, limit.since)?;
        let is_included = |line: &Line| includes(&limit.scope, limit.since, line.day, &line.payer);
        let spent =
            self.spent.iter().filter(|(line, _)| is_included(line)).map(|(_, by)| by.micros).sum::<i128>();
        let reserved = self.reservations.values();
        let reserved =
            reserved.map(|one| of_limit(limit, &one.now) - of_limit(limit, &one.stored)).sum::<i128>();
        sum.spent += spent;
        sum.reserved += reserved;
        self.sums.insert(key, sum);
        Ok(sum)
    }

    fn reserved<R: Rows + ?Sized>(&mut self, rows: &R, key: ReservationKey) -> Result<&[Charge], R::Error> {
        let known = match self.reservations.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let stored = rows.reservation(key)?;
                unknown.insert(Reserved { now: stored.clone(), stored })
            }
        };
        Ok(&known.now)
    }

    fn spend(&mut self, charge: &Charge, sign: i128) {
        self.add(charge, sign);
        self.steps.push(Step::Spent(charge.clone(), sign));
    }

    fn hold(&mut self, key: ReservationKey, charges: Vec<Charge>) {
        let before = self.replace(key, charges);
        self.steps.push(Step::Reserved(key, before));
    }

    fn add(&mut self, charge: &Charge, sign: i128) {
        let by = sign * i128::from(micros(charge.amount));
        let difference = self.spent.entry(Line::of(charge)).or_default();
        difference.micros += by;
        difference.units += sign * i128::from(charge.units);
        for sum in self.sums_with(charge) {
            sum.spent += by;
        }
    }

    /// Replaces a reservation that was read. Returns its charges before.
    fn replace(&mut self, key: ReservationKey, charges: Vec<Charge>) -> Vec<Charge> {
        for charge in &charges {
            let by = i128::from(micros(charge.amount));
            self.sums_with(charge).for_each(|sum| sum.reserved += by);
        }
        let before = std::mem::replace(&mut self.reservations.entry(key).or_default().now, charges);
        for charge in &before {
            let by = i128::from(micros(charge.amount));
            self.sums_with(charge).for_each(|sum| sum.reserved -= by);
        }
        before
    }

    /// The sums that include a charge.
    fn sums_with(&mut self, charge: &Charge) -> impl Iterator<Item = &mut Sum> {
        let included = self.sums.iter_mut();
        let included =
            included.filter(move |((scope, since), _)| includes(scope, *since, charge.day, &charge.payer));
        included.map(|(_, sum)| sum)
    }
}
