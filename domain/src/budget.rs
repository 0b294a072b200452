//! Budgets: the most money that may be spent in a day or a month, on everything or on a part of it. Whoever is about to
//! spend money names the budgets that apply; the ledger adds up what was spent and reserved since their periods began, and
//! refuses what would exceed one of them.

use std::{fmt, sync::Arc};

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};

use crate::{Money, TargetId};

/// Who is charged for something, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Payer {
    /// The source, `plain:town`, for whose posts the money is spent.
    pub source: Arc<str>,
    /// The target; `None` for what serves all targets of the source, such as reading its posts.
    pub target: Option<TargetId>,
    /// The network or the engine that charges it, by its name in the settings.
    pub service: Arc<str>,
}

/// What something is charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// Publishing a message.
    Publish,
    /// Reading the source's posts.
    Read,
    /// Looking up a message whose outcome is unknown.
    LookUp,
    /// Copying media, with their alt texts.
    Media,
    /// Translating.
    Translate,
}

impl Purpose {
    /// Every purpose, for lookups by name.
    pub const ALL: [Self; 5] = [Self::Publish, Self::Read, Self::LookUp, Self::Media, Self::Translate];

    /// Its name in the ledger, in tables and in measurements.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Read => "read",
            Self::LookUp => "look_up",
            Self::Media => "media",
            Self::Translate => "translate",
        }
    }

    /// The purpose with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }
}

/// An amount that is charged, or reserved because it may be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Charge {
    /// Who is charged, and by whom.
    pub payer: Payer,
    /// What for.
    pub purpose: Purpose,
    /// The day, in the time zone of the budgets, that it counts for.
    pub day: Date,
    /// How much.
    pub amount: Money,
    /// How many units it pays for: messages, posts read, requests.
    pub units: u64,
}

/// What a part of a job costs. Its job pays: the payer is the job's source and target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cost {
    /// The network that charges it, by its name in the settings.
    pub service: Arc<str>,
    /// The day, in the time zone of the budgets, that it counts for.
    pub day: Date,
    /// What the part costs.
    pub amount: Money,
    /// What the later parts of the job will cost. It is reserved, so that a thread that began can be completed.
    pub rest: Money,
    /// How many later parts there are.
    pub later_parts: u64,
    /// The budgets that must allow all of it.
    pub limits: Vec<Limit>,
}

impl Cost {
    /// The charge for the part.
    pub fn charge(&self, source: Arc<str>, target: TargetId) -> Charge {
        let payer = Payer { source, target: Some(target), service: self.service.clone() };
        Charge { payer, purpose: Purpose::Publish, day: self.day, amount: self.amount, units: 1 }
    }

    /// What is reserved for the later parts, which are paid by the same payer as `charge`.
    pub fn reserved(&self, charge: &Charge) -> Option<Charge> {
        let rest = Charge { amount: self.rest, units: self.later_parts, ..charge.clone() };
        (self.later_parts > 0).then_some(rest)
    }
}

/// What a budget limits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// All spending.
    Everything,
    /// What is spent for the posts of a source, `plain:town`.
    Source(Arc<str>),
    /// What is spent for a target.
    Target(TargetId),
    /// What a network or an engine charges.
    Service(Arc<str>),
}

impl Scope {
    /// Whether it includes what this payer is charged.
    pub fn includes(&self, payer: &Payer) -> bool {
        match self {
            Self::Everything => true,
            Self::Source(source) => *source == payer.source,
            Self::Target(target) => Some(target) == payer.target.as_ref(),
            Self::Service(service) => *service == payer.service,
        }
    }
}

/// How long a budget lasts until it is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From the first of a month to the next.
    Month,
}

impl Period {
    /// The first day of the period that contains `day`.
    pub fn start(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Month => day.first_of_month(),
        }
    }

    /// The first day of the next period; the last day of the calendar has none.
    fn next(self, day: Date) -> Date {
        let last = match self {
            Self::Day => day,
            Self::Month => day.last_of_month(),
        };
        last.tomorrow().unwrap_or(Date::MAX)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day => "daily",
            Self::Month => "monthly",
        })
    }
}

/// The most money for a scope in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// What it limits.
    pub scope: Scope,
    /// When it is renewed.
    pub period: Period,
    /// The most money.
    pub most: Money,
    /// The key that sets it: a person who wants a higher one must know which to change.
    pub setting: Arc<str>,
}

/// All budgets, and the time zone of their periods.
#[derive(Debug, Clone, PartialEq)]
pub struct Budgets {
    /// Where days and months begin.
    pub zone: TimeZone,
    /// The budgets.
    pub all: Vec<Budget>,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, all: Vec::new() }
    }
}

/// A budget that applies to something that is about to be charged, in its current period.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limit {
    /// What it limits.
    pub scope: Scope,
    /// The most money.
    pub most: Money,
    /// The first day that counts. What is on record for later days than today counts as well: if the clock was set back,
    /// a budget is applied too early rather than too late.
    pub since: Date,
    /// When the next period begins.
    pub until: Timestamp,
    /// How often it is renewed.
    pub period: Period,
    /// The key that sets it.
    pub setting: Arc<str>,
}

impl Budgets {
    /// The day that a charge at `now` counts for.
    pub fn day(&self, now: Timestamp) -> Date {
        self.zone.to_datetime(now).date()
    }

    /// The budgets that a charge to this payer at `now` must stay within.
    pub fn limits(&self, payer: &Payer, now: Timestamp) -> Vec<Limit> {
        let applying = self.all.iter().filter(|budget| budget.scope.includes(payer));
        applying.map(|budget| self.limit(budget, now)).collect()
    }

    /// Each budget in its current period.
    pub fn current(&self, now: Timestamp) -> Vec<Limit> {
        self.all.iter().map(|budget| self.limit(budget, now)).collect()
    }

    fn limit(&self, budget: &Budget, now: Timestamp) -> Limit {
        let day = self.day(now);
        Limit {
            scope: budget.scope.clone(),
            most: budget.most,
            since: budget.period.start(day),
            until: self.midnight(budget.period.next(day)),
            period: budget.period,
            setting: budget.setting.clone(),
        }
    }

    /// The current month: its first day, and the moments at which it begins and ends.
    pub fn month(&self, now: Timestamp) -> (Date, Timestamp, Timestamp) {
        let first = Period::Month.start(self.day(now));
        (first, self.midnight(first), self.midnight(Period::Month.next(first)))
    }

    /// When a day begins. Where the clock skips midnight, the day begins later.
    fn midnight(&self, day: Date) -> Timestamp {
        self.zone.to_timestamp(day.to_datetime(Time::midnight())).unwrap_or(Timestamp::MAX)
    }
}

impl Limit {
    /// Whether `wanted` fits beside what was spent and reserved.
    ///
    /// # Errors
    /// The budget does not allow it.
    pub fn allow(&self, spent: Money, wanted: Money) -> Result<(), OverBudget> {
        if spent + wanted <= self.most {
            return Ok(());
        }
        Err(OverBudget {
            period: self.period,
            most: self.most,
            left: self.most.less(spent),
            reserved: Money::ZERO,
            wanted,
            setting: self.setting.clone(),
            until: self.until,
        })
    }
}

/// A budget does not allow a charge now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverBudget {
    /// How often the budget is renewed.
    pub period: Period,
    /// The most money.
    pub most: Money,
    /// What is left of it.
    pub left: Money,
    /// What is reserved of it, and may come free before it is renewed.
    pub reserved: Money,
    /// What would be charged at most.
    pub wanted: Money,
    /// The key that sets the budget.
    pub setting: Arc<str>,
    /// When the next period begins.
    pub until: Timestamp,
}

/// When a budget may allow what it does not allow now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outlook {
    /// As soon as calls in progress turn out to cost less than what is reserved for them.
    Soon,
    /// When it is renewed.
    NextPeriod,
    /// Never: it is more than the whole budget.
    Never,
}

/// How soon to try again if reserved money would suffice: calls in progress take seconds, and what a crash left reserved
/// never comes free.
const SOON: SignedDuration = SignedDuration::from_mins(5);

impl OverBudget {
    /// The same, where this much of the budget is only reserved.
    #[must_use]
    pub fn with_reserved(self, reserved: Money) -> Self {
        Self { reserved, ..self }
    }

    /// When the budget may allow it.
    pub fn outlook(&self) -> Outlook {
        if self.wanted > self.most {
            Outlook::Never
        } else if self.wanted > self.left + self.reserved {
            Outlook::NextPeriod
        } else {
            Outlook::Soon
        }
    }

    /// When to try again, if ever.
    pub fn retry_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.outlook() {
            Outlook::Soon => Some(self.until.min(now.checked_add(SOON).unwrap_or(Timestamp::MAX))),
            Outlook::NextPeriod => Some(self.until),
            Outlook::Never => None,
        }
    }

    /// When to try again, for what is tried again in any case: somebody may have raised the budget.
    pub fn again_at(&self, now: Timestamp) -> Timestamp {
        self.retry_at(now).unwrap_or(self.until)
    }

    /// Of two budgets that do not allow a charge, the one that lasts longer.
    #[must_use]
    pub fn or_longer(self, other: Self) -> Self {
        let length = |over: &Self| (over.outlook(), over.until);
        if length(&other) > length(&self) { other } else { self }
    }
}

impl std::error::Error for OverBudget {}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { period, most, left, reserved, wanted, setting, until } = self;
        match self.outlook() {
            Outlook::Soon => write!(
                f,
                "the {period} budget of {most} has {left} left, and {wanted} is needed; {reserved} is reserved for calls in \
                 progress, so it is tried again within five minutes; or raise {setting}"
            ),
            Outlook::NextPeriod => write!(
                f,
                "the {period} budget of {most} has {left} left, and {wanted} is needed; work resumes at {until}, or raise \
                 {setting}"
            ),
            Outlook::Never => {
                write!(
                    f,
                    "{wanted} is needed, which is more than the whole {period} budget of {most}; raise {setting}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn dollars(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn payer(target: Option<&str>) -> Payer {
        Payer { source: "plain:town".into(), target: target.map(TargetId::from), service: "plain".into() }
    }

    fn budget(scope: Scope, period: Period) -> Budget {
        Budget { scope, period, most: dollars("1"), setting: "budget.daily".into() }
    }

    #[test]
    fn a_charge_must_stay_within_the_budgets_of_all_that_it_is_part_of() {
        let scopes = [
            Scope::Everything,
            Scope::Source("plain:town".into()),
            Scope::Source("plain:other".into()),
            Scope::Target("plain:town_es".into()),
            Scope::Target("plain:town_fr".into()),
            Scope::Service("plain".into()),
            Scope::Service("other".into()),
        ];
        let all = scopes.iter().map(|scope| budget(scope.clone(), Period::Day)).collect();
        let budgets = Budgets { all, ..Budgets::default() };
        let scopes_of = |payer: &Payer| {
            let limits = budgets.limits(payer, at("2026-11-27T10:00:00Z"));
            limits.into_iter().map(|limit| limit.scope).collect::<Vec<_>>()
        };
        let expected: Vec<Scope> = [0, 1, 3, 5].map(|index| scopes[index].clone()).into();
        assert_eq!(scopes_of(&payer(Some("plain:town_es"))), expected);
        let expected: Vec<Scope> = [0, 1, 5].map(|index| scopes[index].clone()).into();
        assert_eq!(scopes_of(&payer(None)), expected);
    }

    #[test]
    fn periods_begin_at_midnight_where_the_budgets_are_set() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let all = vec![budget(Scope::Everything, Period::Day), budget(Scope::Everything, Period::Month)];
        let budgets = Budgets { zone, all };
        let now = at("2026-10-31T23:30:00Z");
        assert_eq!(budgets.day(now), jiff::civil::date(2026, 11, 1));
        let limits = budgets.limits(&payer(None), now);
        let bounds: Vec<_> = limits.iter().map(|limit| (limit.since, limit.until)).collect();
        let first = jiff::civil::date(2026, 11, 1);
        assert_eq!(bounds, [(first, at("2026-11-01T23:00:00Z")), (first, at("2026-11-30T23:00:00Z"))]);
    }

    #[test]
    fn a_budget_allows_exactly_its_amount() {
        let budgets = Budgets { all: vec![budget(Scope::Everything, Period::Day)], ..Budgets::default() };
        let limit = budgets.limits(&payer(None), at("2026-11-27T10:00:00Z")).remove(0);
        assert_eq!(limit.allow(dollars("0.80"), dollars("0.20")), Ok(()));
        let over = limit.allow(dollars("0.80"), dollars("0.200001")).unwrap_err();
        assert_eq!((over.left, over.until), (dollars("0.20"), at("2026-11-28T00:00:00Z")));
        let message = "the daily budget of $1.00 has $0.20 left, and $0.200001 is needed; work resumes at \
                       2026-11-28T00:00:00Z, or raise budget.daily";
        assert_eq!(over.to_string(), message);
        let over = limit.allow(dollars("0"), dollars("1.50")).unwrap_err();
        let message =
            "$1.50 is needed, which is more than the whole daily budget of $1.00; raise budget.daily";
        assert_eq!((over.to_string().as_str(), over.retry_at(at("2026-11-27T10:00:00Z"))), (message, None));
    }

    #[test]
    fn of_two_budgets_the_one_that_lasts_longer_decides() {
        let over = |left: &str, reserved: &str, until: &str| OverBudget {
            period: Period::Day,
            most: dollars("1"),
            left: dollars(left),
            reserved: dollars(reserved),
            wanted: dollars("0.20"),
            setting: "budget.daily".into(),
            until: at(until),
        };
        // What is only reserved of the month comes free before the day ends.
        let (day, month) =
            (over("0", "0", "2026-11-28T00:00:00Z"), over("0.10", "0.20", "2026-12-01T00:00:00Z"));
        assert_eq!(month.clone().or_longer(day.clone()), day);
        assert_eq!(day.clone().or_longer(month), day);
        let month = over("0.10", "0", "2026-12-01T00:00:00Z");
        assert_eq!(day.or_longer(month.clone()), month);
    }

    #[test]
    fn what_is_only_reserved_is_tried_for_again_soon() {
        let budgets = Budgets { all: vec![budget(Scope::Everything, Period::Day)], ..Budgets::default() };
        let now = at("2026-11-27T10:00:00Z");
        let over = budgets.limits(&payer(None), now).remove(0).allow(dollars("0.80"), dollars("0.30"));
        let over = over.unwrap_err();
        assert_eq!(over.again_at(now), over.until);
        assert_eq!(over.clone().with_reserved(dollars("0.09")).again_at(now), over.until);
        let over = over.with_reserved(dollars("0.10"));
        assert_eq!(over.again_at(now), at("2026-11-27T10:05:00Z"));
        assert_eq!(over.again_at(at("2026-11-27T23:59:00Z")), over.until);
    }

    #[test]
    fn a_purpose_is_found_by_its_name() {
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::from_name(purpose.as_str()), Some(purpose));
        }
        assert_eq!(Purpose::from_name("none"), None);
    }
}
