//! Writes the measurements in Prometheus' text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>). Samples that are queried together share a family.

use std::{collections::BTreeMap, fmt::Write as _};

use mynah_domain::Money;

use crate::{
    alerts::Condition,
    control::wire::{
        AccountState, BudgetState, EngineState, EngineUsage, Instance, Instances, Pace, PollerState, Spent,
        SpentOn, Stats,
    },
};

/// The media type of [`text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A family of samples.
struct Family<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl<'a> Family<'a> {
    fn new(out: &'a mut String, name: &'static str, kind: &str, help: &str) -> Self {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Self { out, name }
    }

    fn sample(&mut self, ending: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.out, "{}{ending}{labels} {value}", self.name);
    }
}

/// All measurements.
pub fn text(stats: &Stats) -> String {
    let out = &mut String::new();
    let mut calls = Family::new(
        out,
        "mynah_call_duration_seconds",
        "summary",
        "How long calls of an operation took, over the whole uptime.",
    );
    for (name, made) in &stats.operations {
        let quantiles =
            [("0.5", made.p50_ms), ("0.9", made.p90_ms), ("0.99", made.p99_ms), ("1", made.max_ms)];
        for (quantile, millis) in quantiles {
            calls.sample("", &[("operation", name), ("quantile", quantile)], millis / 1e3);
        }
        let total = made.mean_ms / 1e3 * precise(made.calls);
        calls.sample("_sum", &[("operation", name)], total);
        calls.sample("_count", &[("operation", name)], made.calls);
    }
    let mut errors = Family::new(out, "mynah_call_errors_total", "counter", "Calls that failed, by kind.");
    for (name, made) in &stats.operations {
        for (kind, count) in &made.errors {
            errors.sample("", &[("operation", name), ("kind", kind)], count);
        }
    }
    let mut events = Family::new(out, "mynah_events_total", "counter", "Events that Mynah counts, by name.");
    for (name, count) in &stats.counts {
        events.sample("", &[("event", name)], count);
    }
    usage(out, &stats.usage);
    let mut jobs = Family::new(out, "mynah_jobs", "gauge", "Jobs in the ledger, by target and state.");
    for (target, states) in &stats.jobs {
        for (state, count) in states {
            jobs.sample("", &[("target", target), ("state", state)], count);
        }
    }
    paces(out, &stats.upstreams);
    let mut restarts = Family::new(
        out,
        "mynah_actor_restarts_total",
        "counter",
        "How often an actor was restarted, by reason; only crash and hang mean that something is wrong.",
    );
    for (actor, reasons) in &stats.restart_reasons {
        for (reason, count) in reasons {
            restarts.sample("", &[("actor", actor), ("reason", reason)], count);
        }
    }
    states(out, stats);
    if let Some(spent) = &stats.spent {
        money(out, spent);
    }
    if let Some(seen) = &stats.instances {
        instances(out, seen);
    }
    let resources = &stats.resources;
    Family::new(out, "process_resident_memory_bytes", "gauge", "Resident memory.").sample(
        "",
        &[],
        resources.rss_bytes,
    );
    Family::new(out, "mynah_cpu_percent", "gauge", "CPU over the last seconds, in percent of one core.")
        .sample("", &[], resources.cpu_percent);
    Family::new(out, "mynah_uptime_seconds", "gauge", "Time since the stats actor started.").sample(
        "",
        &[],
        stats.uptime_seconds,
    );
    std::mem::take(out)
}

/// What the engines' services counted.
fn usage(out: &mut String, usage: &BTreeMap<String, EngineUsage>) {
    let help = "Tokens that an engine's service counted, by kind: input or output.";
    let mut tokens = Family::new(out, "mynah_engine_tokens_total", "counter", help);
    for (engine, used) in usage {
        for (kind, count) in [("input", used.input_tokens), ("output", used.output_tokens)] {
            if let Some(count) = count {
                tokens.sample("", &[("engine", engine), ("kind", kind)], count);
            }
        }
    }
    let help = "Characters that an engine's service counted, if it charges by them.";
    let mut characters = Family::new(out, "mynah_engine_characters_total", "counter", help);
    for (engine, used) in usage {
        if let Some(count) = used.billed_characters {
            characters.sample("", &[("engine", engine)], count);
        }
    }
}

/// Adds what is wrong now, whether or not Mynah itself notifies anybody.
pub fn add_alerts(out: &mut String, conditions: &[Condition]) {
    let help = "1 for each condition that people are notified of, by its cause and what it is about, see `mynah alerts`.";
    let mut alerts = Family::new(out, "mynah_alert", "gauge", help);
    for Condition { cause, finding } in conditions {
        alerts.sample("", &[("cause", cause.name), ("about", &finding.about)], 1);
    }
}

/// Whether the service, its accounts, its engines and its settings are as they should be.
fn states(out: &mut String, stats: &Stats) {
    let degraded = u8::from(!stats.degraded.is_empty());
    let help = "1 if something works otherwise than configured, see `mynah status`.";
    Family::new(out, "mynah_degraded", "gauge", help).sample("", &[], degraded);
    let help = "1 for the state that an account is in, and 0 for all others.";
    let mut accounts = Family::new(out, "mynah_account_state", "gauge", help);
    for (account, state) in &stats.accounts {
        for one in AccountState::LIVE {
            accounts.sample("", &[("account", account), ("state", one.as_str())], u8::from(one == *state));
        }
    }
    let help = "1 for the state that a source is in, and 0 for all others.";
    let mut sources = Family::new(out, "mynah_source_state", "gauge", help);
    for (source, state) in &stats.sources {
        for one in PollerState::LIVE {
            sources.sample("", &[("source", source), ("state", one.as_str())], u8::from(one == *state));
        }
    }
    let help = "1 while an engine refuses its work, such as for a wrong key.";
    let mut refused = Family::new(out, "mynah_engine_refused", "gauge", help);
    for (engine, state) in &stats.engines {
        refused.sample("", &[("engine", engine)], u8::from(*state == EngineState::Refused));
    }
    if let Some(config) = stats.config {
        let help = "Whether the last attempt to read the settings succeeded.";
        Family::new(out, "mynah_config_last_reload_successful", "gauge", help).sample(
            "",
            &[],
            u8::from(config.last_successful),
        );
        let help = "When the settings were last read successfully.";
        Family::new(out, "mynah_config_last_reload_success_timestamp_seconds", "gauge", help).sample(
            "",
            &[],
            config.last_success.as_second(),
        );
    }
}

/// What was spent, and what is left.
fn money(out: &mut String, spent: &Spent) {
    type Figure = fn(&BudgetState) -> Money;
    let usd = |amount: Money| amount.to_string().trim_start_matches('$').to_owned();
    let help = "US dollars spent, and reserved, by service and purpose, today and this month.";
    let mut dollars = Family::new(out, "mynah_spent_dollars", "gauge", help);
    for SpentOn { service, purpose, today, this_month } in &spent.services {
        for (period, amount) in [("today", today), ("this_month", this_month)] {
            let labels = [("service", service.as_str()), ("purpose", purpose), ("period", period)];
            dollars.sample("", &labels, usd(*amount));
        }
    }
    let families: [(&'static str, &str, Figure); 2] = [
        ("mynah_budget_dollars", "The most US dollars that a budget allows in its period.", |budget| {
            budget.most
        }),
        ("mynah_budget_left_dollars", "US dollars that are left of a budget.", |budget| budget.left),
    ];
    for (name, help, figure) in families {
        let mut family = Family::new(out, name, "gauge", help);
        for budget in &spent.budgets {
            let labels = [("budget", budget.setting.as_str()), ("for", budget.scope.as_str())];
            family.sample("", &labels, usd(figure(budget)));
        }
    }
}

/// Which instance works for what.
fn instances(out: &mut String, seen: &Instances) {
    let help = "1 for each instance that shares the ledger, as this one sees it.";
    let mut alive = Family::new(out, "mynah_instance", "gauge", help);
    for Instance { id, host, version, .. } in &seen.instances {
        alive.sample("", &[("instance_id", id), ("host", host), ("version", version)], 1);
    }
    let help = "1 for each source and account, by the instance that works for it.";
    let mut leases = Family::new(out, "mynah_lease", "gauge", help);
    for Instance { id, host, sources, accounts, .. } in &seen.instances {
        for (kind, names) in [("source", sources), ("account", accounts)] {
            for name in names {
                leases.sample("", &[("kind", kind), ("name", name), ("instance_id", id), ("host", host)], 1);
            }
        }
    }
    let help = "1 for each source and account that no instance works for.";
    let mut unowned = Family::new(out, "mynah_lease_unowned", "gauge", help);
    for lease in &seen.unowned {
        let (kind, name) = lease.split_once(' ').unwrap_or(("", lease));
        unowned.sample("", &[("kind", kind), ("name", name)], 1);
    }
    let help = "Whether the leases could be read last time; while not, nothing is polled or published.";
    let reachable = u8::from(seen.trouble.is_none());
    Family::new(out, "mynah_leases_reachable", "gauge", help).sample("", &[], reachable);
}

/// The limits on calls to each engine, one family per figure.
fn paces(out: &mut String, upstreams: &BTreeMap<String, Pace>) {
    type Figure = fn(&Pace) -> usize;
    let families: [(&'static str, &str, Figure); 6] = [
        (
            "mynah_upstream_concurrency_limit",
            "Current limit on concurrent calls to an engine, adapted to what it can take.",
            |pace| pace.limit,
        ),
        ("mynah_upstream_concurrency_limit_max", "Upper bound of the concurrency limit.", |pace| {
            pace.limit_most
        }),
        ("mynah_upstream_calls_in_flight", "Calls to an engine in flight.", |pace| pace.under_way),
        ("mynah_upstream_calls_waiting", "Translators that wait for a permit to call an engine.", |pace| {
            pace.waiting
        }),
        (
            "mynah_upstream_batch_size",
            "Current limit on texts per call to an engine, adapted to what it can take.",
            |pace| pace.batch,
        ),
        ("mynah_upstream_batch_size_max", "Upper bound of the batch size.", |pace| pace.batch_most),
    ];
    for (name, help, figure) in families {
        let mut family = Family::new(out, name, "gauge", help);
        for (upstream, pace) in upstreams {
            family.sample("", &[("upstream", upstream)], figure(pace));
        }
    }
}

/// Exact up to 2⁵³, which no count of calls reaches.
#[expect(clippy::cast_precision_loss, reason = "no count of calls reaches 2^53")]
fn precise(count: u64) -> f64 {
    count as f64
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_has_its_figures() {
        let pace = Pace { limit: 12, limit_most: 64, under_way: 7, waiting: 3, batch: 20, batch_most: 40 };
        let upstreams = [("gemini".to_owned(), pace)].into();
        let text = text(&Stats { upstreams, ..Stats::default() });
        for (name, value) in [
            ("concurrency_limit", 12),
            ("concurrency_limit_max", 64),
            ("calls_in_flight", 7),
            ("calls_waiting", 3),
            ("batch_size", 20),
            ("batch_size_max", 40),
        ] {
            let line = format!("mynah_upstream_{name}{{upstream=\"gemini\"}} {value}");
            assert!(text.lines().any(|printed| printed == line), "{line}\n{text}");
            assert!(text.contains(&format!("# TYPE mynah_upstream_{name} gauge\n")), "{text}");
        }
    }

    #[test]
    fn every_engine_has_what_its_service_counted_and_nothing_else() {
        let model =
            EngineUsage { input_tokens: Some(120), output_tokens: Some(45), ..EngineUsage::default() };
        let service = EngineUsage { billed_characters: Some(800), ..EngineUsage::default() };
        let usage = [("gemini".to_owned(), model), ("town".to_owned(), service)].into();
        let text = text(&Stats { usage, ..Stats::default() });
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("mynah_engine_"))
            .filter(|line| line.contains('{'))
            .collect();
        assert_eq!(
            lines,
            [
                "mynah_engine_tokens_total{engine=\"gemini\",kind=\"input\"} 120",
                "mynah_engine_tokens_total{engine=\"gemini\",kind=\"output\"} 45",
                "mynah_engine_characters_total{engine=\"town\"} 800",
            ]
        );
    }

    #[test]
    fn spending_and_budgets_are_in_dollars() {
        let dollars = |text: &str| text.parse::<Money>().unwrap();
        let on = SpentOn {
            service: "x".into(),
            purpose: "publish".into(),
            today: dollars("0.015"),
            this_month: dollars("1"),
        };
        let budget = BudgetState {
            setting: "budget.daily".into(),
            scope: "everything".into(),
            period: "daily".into(),
            most: dollars("1"),
            spent: dollars("0.015"),
            left: dollars("0.985"),
            until: "2026-11-17T00:00:00Z".parse().unwrap(),
        };
        let spent = Spent { services: vec![on], budgets: vec![budget], ..Spent::default() };
        let text = text(&Stats { spent: Some(spent), ..Stats::default() });
        for line in [
            "mynah_spent_dollars{service=\"x\",purpose=\"publish\",period=\"today\"} 0.015",
            "mynah_spent_dollars{service=\"x\",purpose=\"publish\",period=\"this_month\"} 1.00",
            "mynah_budget_dollars{budget=\"budget.daily\",for=\"everything\"} 1.00",
            "mynah_budget_left_dollars{budget=\"budget.daily\",for=\"everything\"} 0.985",
        ] {
            assert!(text.lines().any(|printed| printed == line), "{line}\n{text}");
        }
    }

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
