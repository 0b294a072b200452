//! `mynah status` answers what a person asks first: does everything work, and if not, what should I do? With a running
//! service it shows how its accounts and engines are; without one, what its ledger knows about the accounts.

use std::fmt::Write as _;

use jiff::Timestamp;
use mynah_actors::pauses::{self, Paused};
use mynah_domain::{
    caps::Spent,
    ports::{Ledger, LedgerError},
};
use serde_json::json;

use super::{
    Failure, print_json, print_line,
    reach::{self, Reach},
    table,
};
use crate::{
    control::{
        configured::{Configured, ConfiguredSource, ConfiguredTarget},
        costs,
        overview::{self, Counts, Health},
        wire::{
            self, AccountState, AccountStatus, AwaitedBudget, BudgetState, PollerState, PollerStatus,
            ServiceState, Status,
        },
    },
    settings::Settings,
    telemetry::logging::{self, printable},
};

pub(super) async fn status(json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let status = if settings.place().may_exist() {
        match reach::reach(settings).await? {
            Reach::Service(service) => service.get(service.url(&["api", "status"])).await?,
            Reach::Ledger(ledger) => {
                of_ledger(settings, &*ledger).await.map_err(|error| Failure::Work(error.to_string()))?
            }
        }
    } else {
        of_nothing(settings)
    };
    if json {
        print_json(&json!(status));
    } else {
        show(&status, settings);
    }
    Ok(())
}

fn show(status: &Status, settings: &Settings) {
    let Status { state, reasons, degraded, accounts, sources, poller, engines, spent } = status;
    print_line(match state {
        ServiceState::Ready => "ready: everything works as configured".to_owned(),
        ServiceState::Degraded => "degraded: it works, but not as configured".to_owned(),
        ServiceState::NotReady => "not ready: it cannot work now".to_owned(),
        ServiceState::Stopped => {
            format!("stopped: no service uses {}; start one with `mynah run`", settings.data_dir.display())
        }
    });
    for why in reasons.iter().chain(degraded) {
        print_line(format_args!("  {}", printable(why)));
    }
    print_line("");
    table::print(
        ["ACCOUNT", "STATE", "TODAY", "THIS MONTH", "WAITING", "REVIEW", "HELD", "FAILED", "REASON"],
        accounts.iter().map(row),
    );
    // Why they do not work stands above.
    // A service of an older version reports only one source.
    let sources = if sources.is_empty() { std::slice::from_ref(poller) } else { sources };
    let sources = sources.iter().map(|source| {
        let name = match source.name.as_str() {
            name if name.is_empty() || name == source.source => source.source.clone(),
            name => format!("{name} ({})", source.source),
        };
        let state = match &source.budget {
            Some(AwaitedBudget { setting, until }) => format!("waiting for {setting} until {until:.0}"),
            None => source.state.as_str().to_owned(),
        };
        [format!("source {name}"), state, String::new()]
    });
    let engines = engines.iter().map(|engine| {
        [format!("engine {}", engine.engine), engine.state.as_str().to_owned(), engine.usage.to_string()]
    });
    print_line("");
    table::print(["SOURCE AND ENGINES", "STATE", "USED SINCE THE START"], sources.chain(engines));
    if let Some(spent) = spent {
        print_line("");
        print_line(money(spent));
    }
}

/// What was spent, and the budgets that are nearly used up.
fn money(spent: &wire::Spent) -> String {
    let mut line = format!("spent today {}, this month {}", spent.today, spent.this_month);
    for budget in spent.budgets.iter().filter(|budget| budget.is_nearly_used()) {
        let BudgetState { setting, most, left, until, .. } = budget;
        let _ = write!(line, "; {setting}: {left} of {most} left until {until}");
    }
    line
}

fn row(account: &AccountStatus) -> [String; 9] {
    let of = |published: u64, cap: Option<u64>| match cap {
        Some(cap) => format!("{published} of {cap}"),
        None => published.to_string(),
    };
    let state = match account.state {
        AccountState::NearCap => "near its cap",
        AccountState::AtCap => "at its cap",
        state => state.as_str(),
    };
    [
        account.account.clone(),
        state.to_owned(),
        of(account.published_today, account.daily_cap),
        of(account.published_this_month, account.monthly_cap),
        account.waiting.to_string(),
        account.review.to_string(),
        account.held.to_string(),
        account.failed.to_string(),
        account.reason.clone().unwrap_or_default(),
    ]
}

/// What is known without a service. What blocks an account, or what an engine refuses, shows only in a running one.
async fn of_ledger(settings: &Settings, ledger: &dyn Ledger) -> Result<Status, LedgerError> {
    let configured = Configured::of(settings, &[]);
    let paused = pauses::recall(ledger, configured.names.pausable()).await?;
    let counts = ledger.counts().await?;
    let is_paused = |source: &ConfiguredSource| {
        paused.contains(&Paused::Polling) || paused.contains(&Paused::Source(source.id.as_str().into()))
    };
    let mut status = stopped(&configured, is_paused);
    status.spent = costs::spent(ledger, &configured.budgets, Timestamp::now()).await?;
    for target in &configured.targets {
        let spent = ledger.spent(&target.account, Timestamp::now()).await?;
        let is_paused = paused.contains(&Paused::Target(target.id.clone()));
        let account = overview::account(target, spent, &counts, Health { is_paused, ..Health::default() });
        status.accounts.push(stands_still(account));
    }
    Ok(status)
}

/// Before the first start there is no ledger, and looking must not create one.
fn of_nothing(settings: &Settings) -> Status {
    let configured = Configured::of(settings, &[]);
    let account = |target: &ConfiguredTarget| {
        overview::account(target, Spent::default(), &Counts::default(), Health::default())
    };
    let accounts = configured.targets.iter().map(account).map(stands_still).collect();
    Status { accounts, ..stopped(&configured, |_| false) }
}

fn stopped(configured: &Configured, is_paused: impl Fn(&ConfiguredSource) -> bool) -> Status {
    let source = |source: &ConfiguredSource| PollerStatus {
        source: source.id.clone(),
        name: source.label.clone(),
        state: if is_paused(source) { PollerState::Paused } else { PollerState::Stopped },
        reason: None,
        budget: None,
    };
    let sources: Vec<PollerStatus> = configured.sources.iter().map(source).collect();
    Status {
        state: ServiceState::Stopped,
        reasons: Vec::new(),
        degraded: Vec::new(),
        accounts: Vec::new(),
        poller: sources.first().cloned().unwrap_or_default(),
        sources,
        engines: Vec::new(),
        spent: None,
    }
}

/// An account of which nothing else is known publishes nothing without a service.
fn stands_still(account: AccountStatus) -> AccountStatus {
    match account.state {
        AccountState::Running | AccountState::Quiet => {
            AccountStatus { state: AccountState::Stopped, reason: None, ..account }
        }
        _ => account,
    }
}
