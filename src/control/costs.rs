//! What was spent, on what, and what is left of the budgets. Commands, the admin API, the dashboard and monitors all read it
//! here.

use jiff::{Timestamp, civil::Date};
use mynah_domain::{
    Money,
    budget::{Budgets, Charge, Limit, Scope},
    ports::{LedgerError, ledger::Spending},
};

use super::wire::{BudgetState, CostLine, Costs, Spent, SpentOn};

/// The part of a budget from which it counts as nearly used up, in percent.
pub const NEARLY: u64 = 80;

/// A forecast from less than this part of a month says nothing.
const LEAST_OF_MONTH: f64 = 1.0 / 31.0;

/// What was spent from `since` on, this month if it is `None`, and the state of the budgets. `unpriced` are the services whose
/// prices are unknown.
///
/// # Errors
/// The ledger cannot be read.
pub async fn costs(
    ledger: &(impl Spending + ?Sized),
    budgets: &Budgets,
    unpriced: &[String],
    since: Option<Date>,
    now: Timestamp,
) -> Result<Costs, LedgerError> {
    let (month, ..) = budgets.month(now);
    let since = since.unwrap_or(month);
    let charges = ledger.charges(since.min(month)).await?;
    let shown = charges.iter().filter(|charge| charge.day >= since).map(line);
    let of_month = || charges.iter().filter(|charge| charge.day >= month);
    let today = budgets.day(now);
    let amount = |charges: &mut dyn Iterator<Item = &Charge>| charges.map(|charge| charge.amount).sum();
    let this_month = amount(&mut of_month());
    Ok(Costs {
        since,
        time_zone: budgets.zone.iana_name().unwrap_or("UTC").to_owned(),
        charges: shown.collect(),
        today: amount(&mut of_month().filter(|charge| charge.day >= today)),
        this_month,
        forecast: forecast(budgets, this_month, now),
        budgets: states(budgets, &charges, now),
        unknown_prices: unpriced.to_vec(),
    })
}

/// What was spent today and this month, with the budgets; `None` if nothing was, and there is no budget.
///
/// # Errors
/// The ledger cannot be read.
pub async fn spent(
    ledger: &(impl Spending + ?Sized),
    budgets: &Budgets,
    now: Timestamp,
) -> Result<Option<Spent>, LedgerError> {
    let charges = ledger.charges(budgets.month(now).0).await?;
    if charges.is_empty() && budgets.all.is_empty() {
        return Ok(None);
    }
    let today = budgets.day(now);
    let mut spent = Spent { budgets: states(budgets, &charges, now), ..Spent::default() };
    for charge in &charges {
        let (service, purpose) = (&*charge.payer.service, charge.purpose.as_str());
        let of_today = if charge.day >= today { charge.amount } else { Money::ZERO };
        spent.today = spent.today + of_today;
        spent.this_month = spent.this_month + charge.amount;
        let known = spent.services.iter_mut().find(|one| one.service == service && one.purpose == purpose);
        match known {
            Some(on) => {
                on.today = on.today + of_today;
                on.this_month = on.this_month + charge.amount;
            }
            None => spent.services.push(SpentOn {
                service: service.to_owned(),
                purpose: purpose.to_owned(),
                today: of_today,
                this_month: charge.amount,
            }),
        }
    }
    Ok(Some(spent))
}

/// Each budget in its current period, with what is spent and reserved of it.
///
/// # Errors
/// The ledger cannot be read.
pub async fn budgets(
    ledger: &(impl Spending + ?Sized),
    budgets: &Budgets,
    now: Timestamp,
) -> Result<Vec<BudgetState>, LedgerError> {
    if budgets.all.is_empty() {
        return Ok(Vec::new());
    }
    let charges = ledger.charges(budgets.month(now).0).await?;
    Ok(states(budgets, &charges, now))
}

fn states(budgets: &Budgets, charges: &[Charge], now: Timestamp) -> Vec<BudgetState> {
    let state = |limit: Limit| {
        let included =
            charges.iter().filter(|charge| charge.day >= limit.since && limit.scope.includes(&charge.payer));
        let spent: Money = included.map(|charge| charge.amount).sum();
        BudgetState {
            setting: limit.setting.to_string(),
            scope: match &limit.scope {
                Scope::Everything => "everything".to_owned(),
                Scope::Source(source) => format!("source {source}"),
                Scope::Target(target) => format!("target {target}"),
                Scope::Service(service) => service.to_string(),
            },
            period: limit.period.to_string(),
            most: limit.most,
            spent,
            left: limit.most.less(spent),
            until: limit.until,
        }
    };
    budgets.current(now).into_iter().map(state).collect()
}

fn line(charge: &Charge) -> CostLine {
    CostLine {
        day: charge.day,
        source: charge.payer.source.to_string(),
        target: charge.payer.target.as_ref().map(ToString::to_string),
        service: charge.payer.service.to_string(),
        purpose: charge.purpose.as_str().to_owned(),
        units: charge.units,
        cost: charge.amount,
    }
}

/// What the month will cost if it goes on as until now.
fn forecast(budgets: &Budgets, spent: Money, now: Timestamp) -> Option<Money> {
    let (_, begin, end) = budgets.month(now);
    let (whole, passed) = (end.duration_since(begin).as_secs_f64(), now.duration_since(begin).as_secs_f64());
    if whole <= 0.0 || passed / whole < LEAST_OF_MONTH {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a forecast is no bill")]
    let micros = spent.micros() as f64 * whole / passed;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is rounded, and positive"
    )]
    let cents = (micros / 10_000.0).round() as u64;
    Some(Money::from_micros(cents.saturating_mul(10_000)))
}

impl BudgetState {
    /// How much of it is used, in percent.
    pub fn percent(&self) -> u64 {
        match self.most.micros() {
            0 => 100,
            most => {
                let percent = u128::from(self.spent.micros()) * 100 / u128::from(most);
                u64::try_from(percent).unwrap_or(u64::MAX)
            }
        }
    }

    /// Whether it is nearly or completely used up.
    pub fn is_nearly_used(&self) -> bool {
        self.percent() >= NEARLY
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use mynah_domain::{
        TargetId,
        budget::{Budget, OverBudget, Payer, Period, Purpose},
        ports::ledger::{Reservation, ReservationKey},
    };

    use super::*;

    fn dollars(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn now() -> Timestamp {
        "2026-11-16T00:00:00Z".parse().unwrap()
    }

    /// What a ledger has on record.
    struct Recorded(Vec<Charge>);

    #[async_trait(?Send)]
    impl Spending for Recorded {
        async fn reserve(&self, _: Reservation) -> Result<Result<(), OverBudget>, LedgerError> {
            unreachable!("these tests only read")
        }

        async fn settle(&self, _: ReservationKey, _: Vec<Charge>) -> Result<(), LedgerError> {
            unreachable!("these tests only read")
        }

        async fn charge(&self, _: Vec<Charge>) -> Result<(), LedgerError> {
            unreachable!("these tests only read")
        }

        async fn charges(&self, since: Date) -> Result<Vec<Charge>, LedgerError> {
            Ok(self.0.iter().filter(|charge| charge.day >= since).cloned().collect())
        }
    }

    fn charge(day: &str, target: Option<&str>, service: &str, amount: &str) -> Charge {
        let payer =
            Payer { source: "x:town".into(), target: target.map(TargetId::from), service: service.into() };
        Charge { payer, purpose: Purpose::Publish, day: date(day), amount: dollars(amount), units: 1 }
    }

    fn recorded() -> Recorded {
        Recorded(vec![
            charge("2026-10-31", Some("x:es"), "x", "9"),
            charge("2026-11-01", Some("x:es"), "x", "0.20"),
            charge("2026-11-15", Some("x:fr"), "x", "0.30"),
            charge("2026-11-16", None, "gemini", "0.25"),
        ])
    }

    fn limits() -> Budgets {
        let budget = |scope, period, most: &str| Budget {
            scope,
            period,
            most: dollars(most),
            setting: format!("{period}").into(),
        };
        let all = vec![
            budget(Scope::Everything, Period::Day, "0.30"),
            budget(Scope::Service("x".into()), Period::Month, "0.40"),
            budget(Scope::Target("x:es".into()), Period::Month, "1"),
        ];
        Budgets { all, ..Budgets::default() }
    }

    #[actix_rt::test]
    async fn this_month_is_shown_with_a_forecast_and_other_days_on_request() {
        let costs_since = async |since| costs(&recorded(), &limits(), &[], since, now()).await.unwrap();
        let costs = costs_since(None).await;
        assert_eq!((costs.since, costs.charges.len()), (date("2026-11-01"), 3));
        assert_eq!((costs.today, costs.this_month), (dollars("0.25"), dollars("0.75")));
        assert_eq!(costs.forecast, Some(dollars("1.50")), "half of the month has passed");
        let older = costs_since(Some(date("2026-10-01"))).await;
        assert_eq!((older.charges.len(), older.this_month), (4, dollars("0.75")));
        let today = costs_since(Some(date("2026-11-16"))).await;
        assert_eq!((today.charges.len(), today.this_month), (1, dollars("0.75")));
    }

    #[actix_rt::test]
    async fn spending_is_added_up_by_service_and_purpose() {
        let spent = spent(&recorded(), &limits(), now()).await.unwrap().unwrap();
        let services: Vec<_> = spent.services.iter().map(|on| (on.service.as_str(), on.this_month)).collect();
        assert_eq!(services, [("x", dollars("0.50")), ("gemini", dollars("0.25"))]);
        assert_eq!((spent.today, spent.this_month), (dollars("0.25"), dollars("0.75")));
        let free = super::spent(&Recorded(Vec::new()), &Budgets::default(), now()).await.unwrap();
        assert_eq!(free, None);
    }

    #[test]
    fn the_first_day_of_a_month_forecasts_nothing() {
        let early = "2026-11-01T10:00:00Z".parse().unwrap();
        assert_eq!(forecast(&Budgets::default(), dollars("1"), early), None);
    }

    #[actix_rt::test]
    async fn each_budget_shows_what_is_left_in_its_period() {
        let states = budgets(&recorded(), &limits(), now()).await.unwrap();
        let left: Vec<_> = states
            .iter()
            .map(|state| (state.scope.as_str(), state.left.to_string(), state.is_nearly_used()))
            .collect();
        let expected = [
            ("everything", "$0.05".to_owned(), true),
            ("x", "$0.00".to_owned(), true),
            ("target x:es", "$0.80".to_owned(), false),
        ];
        assert_eq!(left, expected);
        assert_eq!(states[1].percent(), 125);
        assert_eq!(states[0].until, "2026-11-17T00:00:00Z".parse().unwrap());
    }
}
