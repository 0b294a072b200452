use std::{collections::BTreeSet, fs, path::Path};

use jiff::SignedDuration;
use mynah_domain::{Money, TargetId, ports::ledger::HeldJobs};

use super::*;
use crate::{
    alerts::situation::{BudgetUse, Disk, Escalation, LedgerFacts, LoginEnd},
    control::wire::{BudgetState, EngineUsage, PollerStatus},
};

fn at(hour: i64) -> Timestamp {
    "2026-11-27T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hour)
}

/// A service in which nothing is wrong.
fn sound() -> Situation {
    let engine = |name: &str| EngineStatus {
        engine: name.into(),
        state: EngineState::Ok,
        reason: None,
        usage: EngineUsage::default(),
    };
    Situation {
        now: at(0),
        watching_since: at(-1),
        host: None,
        accounts: ["es", "fr"]
            .map(|name| Account { id: AccountId::new("x", name), blocked: None, is_ours: true })
            .into(),
        engines: vec![engine("gemini"), engine("apertium")],
        sources: vec![PollerStatus {
            source: "x:town".into(),
            name: "town".into(),
            ..PollerStatus::default()
        }],
        logins: vec![],
        facts: Some(LedgerFacts::default()),
        disk: Some(Disk { folder: "data".into(), free: 5_000_000_000 }),
        disk_free: Some(1_000_000_000),
        trouble: None,
        escalation: None,
        reload_failed: false,
    }
}

/// A budget of a dollar, of which this is spent.
fn budget(spent: &str) -> BudgetUse {
    let [most, spent] = ["1", spent].map(|amount| amount.parse::<Money>().unwrap());
    let state = BudgetState {
        setting: "budget.daily".into(),
        scope: "everything".into(),
        period: "daily".into(),
        most,
        spent,
        left: most.less(spent),
        until: at(24),
    };
    BudgetUse { state, refused: None }
}

/// What is found: cause and subject.
fn found(situation: &Situation) -> Vec<(&'static str, String)> {
    let (conditions, unknown) = find(situation);
    assert!(unknown.is_empty(), "{unknown:?}");
    conditions.into_iter().map(|one| (one.cause.name, one.finding.about)).collect()
}

#[test]
fn in_a_sound_service_nothing_is_found() {
    assert_eq!(found(&sound()), []);
}

#[test]
fn each_cause_is_found_by_its_state() {
    type Break = fn(&mut Situation);
    let wrong: [(&str, &str, Break); 14] = [
        ("account_blocked", "x:es", |now| now.accounts[0].blocked = Some("X refuses its keys".into())),
        ("login_ending", "mastodon:a@b.example", |now| {
            let ends = at(24 * 6);
            now.logins.push(LoginEnd { network: "mastodon".into(), account: "a@b.example".into(), ends });
        }),
        ("jobs_failed", "x:fr", |now| {
            let counts = &mut now.facts.as_mut().unwrap().counts;
            counts.insert((TargetId::new("x", "fr"), JobState::Failed), 2);
            counts.insert((TargetId::new("x", "es"), JobState::Failed), 0);
            counts.insert((TargetId::new("x", "es"), JobState::Published), 9);
        }),
        ("holds_waiting", "x:es", |now| {
            let held = HeldJobs { jobs: 3, oldest: at(-30) };
            now.facts.as_mut().unwrap().held.insert(TargetId::new("x", "es"), held);
        }),
        ("budget_nearly_used", "budget.daily", |now| {
            now.facts.as_mut().unwrap().budgets.push(budget("0.80"));
        }),
        ("budget_used_up", "budget.daily", |now| now.facts.as_mut().unwrap().budgets.push(budget("1"))),
        ("source_failing", "x:town", |now| now.sources[0].state = PollerState::Failing),
        ("source_silent", "x:town", |now| {
            let usual = Duration::from_hours(5);
            let silence = Silence { source: "x:town".into(), name: "town".into(), last: at(-30), usual };
            now.facts.as_mut().unwrap().silent.push(silence);
        }),
        ("engine_refused", "gemini", |now| now.engines[0].state = EngineState::Refused),
        ("engine_down", "apertium", |now| now.engines[1].state = EngineState::Down),
        ("service_unhealthy", "service", |now| now.trouble = Some("the router does not answer".into())),
        ("actor_escalated", "service", |now| {
            now.escalation = Some(Escalation { at: at(-2), reason: "the router keeps dying".into() });
        }),
        ("disk_nearly_full", "service", |now| now.disk.as_mut().unwrap().free = 999_999_999),
        ("reload_failed", "service", |now| now.reload_failed = true),
    ];
    let names: BTreeSet<&str> = CAUSES.iter().map(|cause| cause.name).collect();
    assert_eq!(names, wrong.iter().map(|(name, ..)| *name).collect(), "each cause has its case here");
    for (name, about, break_it) in wrong {
        let mut situation = sound();
        break_it(&mut situation);
        assert_eq!(found(&situation), [(name, about.to_owned())]);
        let (conditions, _) = find(&situation);
        let Finding { summary, details, .. } = &conditions[0].finding;
        assert!(!summary.ends_with('.') && !details.is_empty(), "{summary}: {details}");
    }
}

#[test]
fn a_budget_is_used_up_when_the_rest_is_not_enough_for_a_job() {
    let mut situation = sound();
    situation.facts.as_mut().unwrap().budgets.push(budget("0.79"));
    assert_eq!(found(&situation), []);
    let refused = |amount: &str| Some(amount.parse::<Money>().unwrap());
    situation.facts.as_mut().unwrap().budgets[0] = BudgetUse { refused: refused("0.20"), ..budget("0.79") };
    assert_eq!(found(&situation), [], "it was raised since");
    situation.facts.as_mut().unwrap().budgets[0] = BudgetUse { refused: refused("0.20"), ..budget("0.85") };
    assert_eq!(found(&situation), [("budget_used_up", "budget.daily".to_owned())]);
    let past = Past { about: "budget.daily", seen: at(-1), seen_here: true };
    assert!(!(BUDGET_NEARLY_USED.is_over)(&situation, &past), "it is worse, not over");
    situation.facts.as_mut().unwrap().budgets.clear();
    assert!((BUDGET_NEARLY_USED.is_over)(&situation, &past));
}

#[test]
fn a_budget_that_is_less_than_what_waits_for_it_needs_a_person() {
    let mut situation = sound();
    let facts = situation.facts.as_mut().unwrap();
    facts.budgets.push(BudgetUse { refused: Some("1.01".parse().unwrap()), ..budget("0.10") });
    facts.unaffordable.insert(TargetId::new("x", "es"), 2);
    let (conditions, _) = find(&situation);
    let summaries: Vec<_> =
        conditions.iter().map(|one| (one.cause.name, one.finding.summary.as_str())).collect();
    let expected = [
        ("budget_used_up", "The daily budget of $1.00 for everything is too small"),
        ("budget_used_up", "2 jobs of x:es held: a whole budget would not be enough"),
    ];
    assert_eq!(summaries, expected);
    assert!(conditions[0].finding.details.ends_with("raise budget.daily"));
}

#[test]
fn a_source_that_waits_for_a_budget_pages_nobody() {
    let mut situation = sound();
    situation.sources[0].state = PollerState::Waiting;
    assert_eq!(found(&situation), []);
}

#[test]
fn a_login_counts_seven_days_before_its_end_and_after_it() {
    for (hours, is_found) in [(24 * 7 + 1, false), (24 * 7, true), (1, true), (-24, true)] {
        let mut situation = sound();
        let ends = at(hours);
        situation.logins.push(LoginEnd { network: "x".into(), account: "es".into(), ends });
        assert_eq!(found(&situation).len(), usize::from(is_found), "{hours}");
    }
    let mut situation = sound();
    situation.logins.push(LoginEnd { network: "x".into(), account: "es".into(), ends: at(-1) });
    assert!(find(&situation).0[0].finding.summary.contains("ended at 2026-11-26 23:00 UTC"));
}

#[test]
fn what_cannot_be_read_is_unknown_and_not_over() {
    let mut situation = sound();
    (situation.facts, situation.disk) = (None, None);
    let (conditions, unknown) = find(&situation);
    assert!(conditions.is_empty());
    assert_eq!(
        unknown,
        [
            "jobs_failed",
            "holds_waiting",
            "budget_nearly_used",
            "budget_used_up",
            "source_silent",
            "disk_nearly_full"
        ]
    );
    situation.disk_free = None;
    assert!(!find(&situation).1.contains(&"disk_nearly_full"), "nobody wants to know");
}

#[test]
fn after_a_restart_a_block_is_over_only_if_something_was_published() {
    let mut situation = sound();
    let over = |situation: &Situation, about, seen_here| {
        (ACCOUNT_BLOCKED.is_over)(situation, &Past { about, seen: at(-5), seen_here })
    };
    assert!(over(&situation, "x:es", true), "a person resumed it in this process");
    assert!(!over(&situation, "x:es", false), "nobody tried");
    assert!(over(&situation, "x:gone", false), "it is not configured any more");
    let published = |situation: &mut Situation, hour| {
        situation.facts.as_mut().unwrap().published.insert(AccountId::new("x", "es"), at(hour));
    };
    published(&mut situation, -6);
    assert!(!over(&situation, "x:es", false));
    published(&mut situation, -4);
    assert!(over(&situation, "x:es", false));
    situation.accounts[0].is_ours = false;
    assert!(!over(&situation, "x:es", true), "another instance knows");
}

#[test]
fn what_concerns_a_process_is_over_only_for_itself_or_after_a_day() {
    let mut situation = sound();
    situation.host = Some("one".into());
    let of_processes = [&SERVICE_UNHEALTHY, &ACTOR_ESCALATED, &DISK_NEARLY_FULL, &RELOAD_FAILED];
    for cause in of_processes {
        let over = |about, hours: i64| {
            (cause.is_over)(&situation, &Past { about, seen: at(-hours), seen_here: false })
        };
        assert!(over("one", 1) && !over("two", 1) && !over("two", 24) && over("two", 25), "{}", cause.name);
    }
}

#[test]
fn after_a_restart_an_engine_is_well_only_if_it_was_called() {
    let mut situation = sound();
    let over = |situation: &Situation, about, seen_here| {
        (ENGINE_REFUSED.is_over)(situation, &Past { about, seen: at(-5), seen_here })
    };
    assert!(over(&situation, "gemini", true) && over(&situation, "deepl", false));
    assert!(!over(&situation, "gemini", false));
    situation.facts.as_mut().unwrap().last_published = Some(at(0));
    assert!(over(&situation, "gemini", false));
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// What only somebody outside of the process can see, or what only monitoring over time shows.
const ONLY_PROMETHEUS: [&str; 5] = [
    "MynahDown",
    "MynahAccountWithoutOwner",
    "MynahLeasesUnreachable",
    "MynahNothingGoesOut",
    "MynahUpstreamErrors",
];

#[test]
fn prometheus_and_the_docs_name_the_same_causes() {
    let rules = read("deploy/prometheus/alerts.yml");
    let rules: Vec<&str> = rules.split("\n      - alert: ").skip(1).collect();
    let named = |name: &str| rules.iter().find(|rule| rule.lines().next() == Some(name));
    let (docs, operations) = (read("docs/alerts.md"), read("docs/operations.md"));
    for cause in CAUSES {
        let rule = named(cause.prometheus).unwrap_or_else(|| panic!("no rule for {}", cause.name));
        let severity = format!("severity: {}", cause.severity.as_str());
        assert!(rule.contains(&severity), "{} should have {severity}", cause.prometheus);
        let row = format!("| `{}` | `{}` |", cause.name, cause.prometheus);
        assert!(docs.contains(&row), "docs/alerts.md has no {row}");
    }
    for rule in &rules {
        let name = rule.lines().next().unwrap();
        let is_cause = CAUSES.iter().any(|cause| cause.prometheus == name);
        assert!(is_cause != ONLY_PROMETHEUS.contains(&name), "{name} needs a cause");
        assert!(operations.contains(&format!("`{name}`")), "docs/operations.md has no {name}");
    }
    let known: BTreeSet<&str> = CAUSES.iter().map(|cause| cause.name).collect();
    for rule in &rules {
        let Some((_, rest)) = rule.split_once("mynah_alert{cause=\"") else { continue };
        let name = rest.split('"').next().unwrap();
        assert!(known.contains(name), "{name} is no cause");
    }
}
