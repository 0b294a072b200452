//! `mynah costs` shows what was spent, on what, and what is left of the budgets: from the running service, or from its ledger
//! if no service is running.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use clap::{Args, ValueEnum};
use jiff::{Timestamp, civil::Date};
use mynah_domain::Money;
use serde_json::json;

use super::{
    Failure, output, print_json, print_line,
    reach::{self, Reach},
    table,
};
use crate::{
    control::{
        configured::Configured,
        costs,
        wire::{BudgetState, CostLine, Costs},
    },
    settings::Settings,
    telemetry::logging,
};

#[derive(Debug, Args)]
pub(super) struct CostsArgs {
    /// What to add up by
    #[arg(long, value_enum, default_value_t = By::Service)]
    by: By,
    /// From this day on; by default, this month
    #[arg(long, value_name = "YYYY-MM-DD")]
    since: Option<Date>,
    /// Print every line of the record as CSV, for a spreadsheet
    #[arg(long, conflicts_with = "by")]
    csv: bool,
}

/// What costs are added up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Day,
    Source,
    Target,
    Service,
}

impl By {
    fn heading(self) -> &'static str {
        match self {
            Self::Day => "DAY",
            Self::Source => "SOURCE",
            Self::Target => "TARGET",
            Self::Service => "SERVICE",
        }
    }

    fn of(self, line: &CostLine) -> String {
        match self {
            Self::Day => line.day.to_string(),
            Self::Source => line.source.clone(),
            // Reading serves all targets of a source.
            Self::Target => line.target.clone().unwrap_or_else(|| format!("all of {}", line.source)),
            Self::Service => line.service.clone(),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.heading().to_lowercase())
    }
}

pub(super) async fn costs(args: &CostsArgs, json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let costs = read(args, settings).await?;
    if json {
        print_json(&json!(costs));
    } else if args.csv {
        print_csv(&costs.charges)?;
    } else {
        show(&costs, args.by);
    }
    Ok(())
}

async fn read(args: &CostsArgs, settings: &Settings) -> Result<Costs, Failure> {
    let now = Timestamp::now();
    let configured = Configured::of(settings, &[]);
    if !settings.place().may_exist() {
        // Before the first start there is no ledger, and looking must not create one.
        return Ok(Costs::nothing(&configured.budgets, args.since, now));
    }
    match reach::reach(settings).await? {
        Reach::Service(service) => {
            let mut url = service.url(&["api", "costs"]);
            if let Some(since) = args.since {
                url.query_pairs_mut().append_pair("since", &since.to_string());
            }
            service.get(url).await
        }
        Reach::Ledger(ledger) => {
            costs::costs(&*ledger, &configured.budgets, &configured.unpriced, args.since, now)
                .await
                .map_err(|error| Failure::Work(error.to_string()))
        }
    }
}

/// The sums of a group: of one purpose of a day, a source, a target or a service.
#[derive(Default)]
struct Sum {
    units: u64,
    cost: Money,
}

fn show(costs: &Costs, by: By) {
    let mut sums: BTreeMap<(String, &str), Sum> = BTreeMap::new();
    for line in &costs.charges {
        let sum = sums.entry((by.of(line), line.purpose.as_str())).or_default();
        sum.units += line.units;
        sum.cost = sum.cost + line.cost;
    }
    let total: Money = costs.charges.iter().map(|line| line.cost).sum();
    let rows = sums.into_iter().map(|((group, purpose), sum)| {
        [group, worded(purpose).to_owned(), sum.units.to_string(), sum.cost.to_string()]
    });
    let total = ["total".to_owned(), String::new(), String::new(), total.to_string()];
    table::print([by.heading(), "FOR", "NUMBER", "COST"], rows.chain([total]));
    print_line("");
    let forecast = costs.forecast.map(|forecast| format!(", about {forecast} at the end of the month"));
    print_line(format_args!(
        "today {}, this month {}{}",
        costs.today,
        costs.this_month,
        forecast.unwrap_or_default()
    ));
    for service in &costs.unknown_prices {
        print_line(format_args!(
            "{service} is not included: its price is unknown; set engine.{service}.price_input and \
             engine.{service}.price_output"
        ));
    }
    if !costs.budgets.is_empty() {
        print_line("");
        table::print(["BUDGET", "FOR", "LEFT", "OF", "UNTIL"], costs.budgets.iter().map(row));
    }
}

fn row(budget: &BudgetState) -> [String; 5] {
    let BudgetState { setting, scope, most, left, until, .. } = budget;
    [setting.clone(), scope.clone(), left.to_string(), most.to_string(), until.to_string()]
}

/// What a purpose is called for people.
fn worded(purpose: &str) -> &str {
    match purpose {
        "publish" => "publishing",
        "read" => "reading",
        "look_up" => "looking up",
        "media" => "alt texts",
        "translate" => "translating",
        other => other,
    }
}

/// Every line of the record. Dollars have no sign, so that a spreadsheet takes them for numbers.
fn print_csv(lines: &[CostLine]) -> Result<(), Failure> {
    let failed = |error: csv::Error| Failure::Work(format!("cannot write CSV: {error}"));
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["day", "source", "target", "service", "purpose", "number", "usd"]).map_err(failed)?;
    for CostLine { day, source, target, service, purpose, units, cost } in lines {
        let (day, units) = (day.to_string(), units.to_string());
        let cost = cost.to_string();
        let target = target.as_deref().unwrap_or_default();
        let fields = [&*day, source, target, service, purpose, &*units].map(plain);
        let usd = cost.trim_start_matches('$').into();
        csv.write_record(fields.iter().chain([&usd]).map(|field: &Cow<'_, str>| field.as_bytes()))
            .map_err(failed)?;
    }
    let text = csv.into_inner().map_err(|error| Failure::Work(format!("cannot write CSV: {error}")))?;
    output::print_bytes(&text);
    Ok(())
}

/// A field that no spreadsheet takes for a formula, whatever an account is called.
fn plain(field: &str) -> Cow<'_, str> {
    if field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{field}").into()
    } else {
        field.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_belongs_to_all_targets_of_its_source() {
        let line = CostLine {
            day: "2026-11-16".parse().unwrap(),
            source: "x:town".into(),
            target: None,
            service: "x".into(),
            purpose: "read".into(),
            units: 3,
            cost: Money::from_micros(15_000),
        };
        let groups = [By::Day, By::Source, By::Target, By::Service].map(|by| by.of(&line));
        assert_eq!(groups, ["2026-11-16", "x:town", "all of x:town", "x"]);
    }

    #[test]
    fn no_field_is_a_formula() {
        assert_eq!(plain("=SUM(A1)"), "'=SUM(A1)");
        assert_eq!(plain("x:town"), "x:town");
    }
}
