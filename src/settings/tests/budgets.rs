//! Budgets, and the prices that they need.

use mynah_domain::{
    Money,
    budget::{Budget, Period, Scope},
    network::Price,
    tariff::{CallPrices, Tariff},
};

use super::*;
use crate::networks::x::X;

fn dollars(text: &str) -> Money {
    text.parse().unwrap()
}

/// The budgets, as a person would list them.
fn listed(settings: &Settings) -> Vec<String> {
    let of = |budget: &Budget| {
        let scope = match &budget.scope {
            Scope::Everything => "everything".to_owned(),
            Scope::Source(source) => format!("source {source}"),
            Scope::Target(target) => format!("target {}", target.as_str()),
            Scope::Service(service) => format!("service {service}"),
        };
        format!("{} {} {scope}: {}", budget.most, budget.period, budget.setting)
    };
    settings.budgets.all.iter().map(of).collect()
}

#[test]
fn there_is_no_budget_unless_somebody_sets_one() {
    let settings = Bench::least().good();
    assert_eq!(listed(&settings), Vec::<String>::new());
    assert_eq!(settings.budgets.zone.iana_name(), Some("UTC"));
}

#[test]
fn everything_that_costs_money_may_have_a_budget() {
    let text = "daily_budget = \"0.50\"\nmonthly_budget = \"none\"\n\
                [budget]\ndaily = \"1.00\"\nmonthly = 20\ntime_zone = \"Europe/Madrid\"\n\
                [x]\nmonthly_budget = \"10\"\n[engine.gemini]\ndaily_budget = \"0.25\"\n";
    let settings = with(text).set("source.daily_budget=0.75").good();
    assert_eq!(
        listed(&settings),
        [
            "$1.00 daily everything: budget.daily",
            "$20.00 monthly everything: budget.monthly",
            "$0.75 daily source x:example: source.daily_budget",
            "$0.50 daily target x:example_es: targets[0].daily_budget",
            "$10.00 monthly service x: x.monthly_budget",
            "$0.25 daily service gemini: engine.gemini.daily_budget",
        ]
    );
    assert_eq!(settings.budgets.zone.iana_name(), Some("Europe/Madrid"));
    assert_eq!(settings.budgets.all[0].period, Period::Day);
}

#[test]
fn an_amount_that_is_none_is_reported_with_its_fix() {
    for (value, what) in [
        ("\"lots\"", "not an amount"),
        ("\"-1\"", "negative"),
        ("\"1.00 EUR\"", "not in US dollars"),
        ("\"0.0000001\"", "six digits"),
        ("true", "not an amount"),
    ] {
        let text = format!("[budget]\ndaily = {value}\n");
        with(&text).reports("config.toml:9", "budget.daily", what, "\"none\" for no budget");
        let text = format!("[x]\nprice_read = {value}\n");
        with(&text).reports("config.toml:9", "x.price_read", what, "\"0.005\"");
    }
    with("[budget]\ntime_zone = \"Madrid\"\n").reports(
        "config.toml:9",
        "budget.time_zone",
        "there is no time zone \"Madrid\"",
        "\"Europe/Madrid\"",
    );
    with("[engine.apertium]\ndaily_budget = \"1\"\n").reports(
        "config.toml:9",
        "engine.apertium.daily_budget",
        "unknown setting",
        "",
    );
}

#[test]
fn prices_are_those_of_the_lists_unless_somebody_sets_others() {
    let settings = Bench::least().good();
    let target = &settings.targets[0];
    assert_eq!(target.rules().price(), X.rules().price(), "the default is the list's");
    let listed = CallPrices {
        read: dollars("0.005"),
        read_alone: dollars("0.03"),
        account: dollars("0.01"),
        own_read: dollars("0.001"),
        alt_text: dollars("0.005"),
    };
    assert_eq!((target.connection.prices(), settings.sources[0].connection.prices()), (listed, listed));
    let listed = Tariff::Tokens { input: dollars("0.30"), output: dollars("2.50") };
    assert_eq!(settings.engine.order[0].tariff(), listed);
    assert!(settings.engine.order[1].tariff().is_free());

    let text =
        "[x]\nprice_post = \"0.01\"\nprice_post_with_link = 0.1\n[engine.gemini]\nprice_output = \"9\"\n";
    let settings = with(text).good();
    let price = Price { message: 10_000, with_link: 100_000 };
    assert_eq!(settings.targets[0].rules().price(), price);
    let mixed = Tariff::Tokens { input: dollars("0.30"), output: dollars("9") };
    assert_eq!(settings.engine.order[0].tariff(), mixed);
}

#[test]
fn a_service_on_this_machine_is_free_and_deepl_is_by_its_key() {
    let order = |engine: &str| format!("[engine]\norder = [\"{engine}\"]\n");
    let local = "[engine.local]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\nmodel = \"mine\"\n";
    let settings = with(&(order("local") + local)).good();
    assert!(settings.engine.order[0].tariff().is_free());
    for (key, price) in [("hush:fx", "0"), ("hush", "25")] {
        let settings = with(&order("deepl")).env("DEEPL_API_KEY", key).good();
        assert_eq!(settings.engine.order[0].tariff(), Tariff::Characters(dollars(price)));
    }
}

#[test]
fn a_budget_needs_the_price_of_every_engine_that_it_includes() {
    let groq = |more: &str| {
        with(&format!("[engine]\norder = [\"groq\"]\n[engine.groq]\nkind = \"openai\"\n{more}"))
            .env("GROQ_API_KEY", "hush")
    };
    assert!(!groq("").good().engine.order[0].tariff().is_free());
    // A budget for what the engine has no part in can be enforced.
    groq("[x]\ndaily_budget = \"1\"\n").good();
    for (budget, name) in [
        ("daily_budget = \"1\"\n", "engine.groq.daily_budget"),
        ("[budget]\nmonthly = \"1\"\n", "budget.monthly"),
    ] {
        let what = format!("the price of groq is unknown, so {name} cannot be enforced");
        groq(budget).reports("config.toml:10", "engine.groq.price_input", &what, "\"0\" if it is free");
    }
    let own = "[engine]\norder = [\"groq\", \"apertium\"]\n[engine.groq]\nkind = \"openai\"\n[[targets]]\nlanguage = \"es\"\n\
               account = \"town_es\"\nengines = [\"groq\"]\n[[targets]]\nlanguage = \"ca\"\naccount = \"town_ca\"\n\
               engines = [\"apertium\"]\ndaily_budget = \"1\"\n";
    let keys = ["GROQ_API_KEY", "X_TOWN_ES_OAUTH2_TOKEN", "X_TOWN_CA_OAUTH2_TOKEN"];
    keys.into_iter().fold(with(own), |bench, name| bench.env(name, "hush")).good();
    let half = "price_input = \"0.15\"\ndaily_budget = \"1\"\n";
    groq(half).reports("config.toml:10", "engine.groq.price_output", "is unknown", "a million tokens");
    groq("price_input = \"0.15\"\nprice_output = \"0.60\"\ndaily_budget = \"1\"\n").good();
}
