//! Budgets: what they do not allow waits for the next period in its place, and what it waits for is asked for once.

use mynah_domain::{
    Money,
    budget::{Budget, Budgets, Period, Scope},
    network::Price,
};

use super::*;

const DAY: Duration = Duration::from_hours(24);

/// A network where a message costs 1.5 cents, and 20 with a link.
fn paid(targets: Vec<TargetId>, budgets: &[(Scope, &str)]) -> Network {
    let budget = |(scope, most): &(Scope, &str)| Budget {
        scope: scope.clone(),
        period: Period::Day,
        most: most.parse().unwrap(),
        setting: "budget.daily".into(),
    };
    let all = budgets.iter().map(budget).collect();
    let price = Price { message: 15_000, with_link: 200_000 };
    let rules: Arc<dyn NetworkRules> = Arc::new(PlainText { price, ..PlainText::default() });
    let networks: Vec<_> = targets.iter().map(|target| (target.clone(), rules.clone())).collect();
    let costs = Costs::new(Arc::new(Budgets { all, ..Budgets::default() }), networks);
    Network { targets, costs, ..Network::default() }
}

async fn spent(town: &Town) -> Money {
    let charges = town.ledger.charges(jiff::civil::Date::MIN).await.unwrap();
    charges.into_iter().map(|charge| charge.amount).sum()
}

fn with_link(number: i64) -> Job {
    Job { translation: Some(testing::translation(&["Mira https://a.example"])), ..ready(number) }
}

fn for_target(job: Job, target: &TargetId) -> Job {
    Job { target: target.clone(), ..job }
}

#[actix_rt::test]
async fn what_a_budget_does_not_allow_waits_in_its_place_until_the_period_ends() {
    tokio::time::pause();
    let jobs = vec![job(1, 0), with_link(2), job(3, 0), job(4, 0)];
    let town = Town::on(paid(vec![es()], &[(Scope::Everything, "0.21")]), jobs, Account::default());
    town.pass(HOUR).await;
    // The third and the fourth are cheap enough, and wait behind the second.
    let states = [JobState::Published, JobState::Held, JobState::Ready, JobState::Ready];
    assert_eq!(town.ledger.states(), states);
    assert_eq!(spent(&town).await, Money::from_micros(15_000));
    assert_eq!(town.account.count("publish"), 1);
    town.pass(DAY).await;
    let states = [JobState::Published, JobState::Published, JobState::Held, JobState::Ready];
    assert_eq!(town.ledger.states(), states, "it resumes by itself, and is not charged twice");
    town.pass(DAY).await;
    assert_eq!(town.ledger.states(), [JobState::Published; 4]);
    assert_eq!(spent(&town).await, Money::from_micros(245_000));
}

#[actix_rt::test]
async fn lines_whose_budgets_allow_it_go_on() {
    tokio::time::pause();
    let ca = TargetId::new("net", "ca");
    let jobs = vec![job(1, 0), job(2, 0), for_target(job(3, 0), &ca), for_target(job(4, 0), &ca)];
    let budgets = [(Scope::Everything, "1"), (Scope::Target(es()), "0.015")];
    let town = Town::on(paid(vec![es(), ca], &budgets), jobs, Account::default());
    town.pass(HOUR).await;
    let states = [JobState::Published, JobState::Held, JobState::Published, JobState::Published];
    assert_eq!(town.ledger.states(), states);
}

#[actix_rt::test]
async fn a_thread_is_begun_only_if_the_budget_allows_all_of_it() {
    tokio::time::pause();
    let jobs = vec![in_two_parts(1), in_two_parts(2)];
    let town = Town::on(paid(vec![es()], &[(Scope::Everything, "0.045")]), jobs, Account::default());
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [JobState::Published, JobState::Held]);
    assert_eq!((town.account.count("publish"), spent(&town).await.micros()), (2, 30_000));
    town.pass(DAY).await;
    assert_eq!(town.ledger.states(), [JobState::Published; 2]);
    assert_eq!(spent(&town).await.micros(), 60_000);
}

#[actix_rt::test]
async fn what_costs_more_than_a_whole_budget_waits_for_a_person_and_blocks_nothing() {
    tokio::time::pause();
    let jobs = vec![with_link(1), job(2, 0)];
    let town = Town::on(paid(vec![es()], &[(Scope::Everything, "0.10")]), jobs, Account::default());
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [JobState::Held, JobState::Published]);
}

#[actix_rt::test]
async fn a_message_that_is_not_published_is_not_paid_for() {
    tokio::time::pause();
    let account = Account {
        publish: Box::new(|before| match before {
            0 => Err(PublishError::Unavailable("down".into())),
            1 => lost(),
            2 => Err(PublishError::Refused("no".into())),
            _ => Ok(PostId(before.to_string())),
        }),
        ..Account::default()
    };
    let jobs = vec![job(1, 0), job(2, 0)];
    let town = Town::on(paid(vec![es()], &[(Scope::Everything, "0.03")]), jobs, account);
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [JobState::Held, JobState::Published]);
    assert_eq!(spent(&town).await.micros(), 15_000);
}

#[actix_rt::test]
async fn an_account_that_may_publish_nothing_for_a_while_is_asked_once() {
    tokio::time::pause();
    let ca = TargetId::new("net", "ca");
    let no_credit =
        || Denied::RateLimited { reason: "no credit".into(), until: Some(noon() + Duration::from_hours(2)) };
    let account = Account {
        publish: Box::new(move |before| match before {
            0 => Err(PublishError::Denied(no_credit())),
            _ => Ok(PostId(before.to_string())),
        }),
        ..Account::default()
    };
    let jobs = vec![job(1, 0), job(2, 0), for_target(job(3, 0), &ca)];
    let town = Town::on(paid(vec![es(), ca], &[]), jobs, account);
    town.pass(HOUR).await;
    assert_eq!(town.account.count("publish"), 1, "for all targets of the account");
    assert_eq!(town.ledger.states(), [JobState::Held, JobState::Ready, JobState::Held]);
    assert_eq!(spent(&town).await, Money::ZERO);
    town.pass(2 * HOUR).await;
    assert_eq!(town.ledger.states(), [JobState::Published; 3]);
}

#[actix_rt::test]
async fn alt_texts_are_not_paid_for_a_message_that_the_budget_does_not_allow() {
    tokio::time::pause();
    let mut described = Job { post: job(2, 1).post, ..with_link(2) };
    described.translation.as_mut().unwrap().alts = vec!["Un puerto".into()];
    let uploaded = |_| Some(Ok(Uploaded { id: MediaId("5".into()), undescribed: None }));
    let account = Account { upload: Box::new(uploaded), ..Account::default() };
    let prices = CallPrices { alt_text: Money::from_micros(50_000), ..CallPrices::default() };
    let daily = Some(Money::from_micros(300_000));
    let network = Network { daily, prices, ..paid(vec![es()], &[(Scope::Everything, "0.30")]) };
    let town = Town::on(network, vec![with_link(1), described], account);
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [JobState::Published, JobState::Held]);
    assert_eq!((town.account.count("upload"), spent(&town).await.micros()), (0, 200_000));
    town.pass(DAY).await;
    assert_eq!(town.ledger.states(), [JobState::Published; 2]);
    assert_eq!(town.account.count("upload"), 1);
}

#[actix_rt::test]
async fn a_limit_on_lookups_does_not_stop_the_other_targets_of_the_account() {
    tokio::time::pause();
    let ca = TargetId::new("net", "ca");
    let limited =
        || Denied::RateLimited { reason: "too fast".into(), until: Some(noon() + Duration::from_hours(2)) };
    let account =
        Account { recent: Box::new(move |_| Err(PublishError::Denied(limited()))), ..Account::default() };
    let town =
        Town::on(paid(vec![es(), ca.clone()], &[]), vec![unknown(1), for_target(job(2, 0), &ca)], account);
    town.pass(HOUR).await;
    assert_eq!(town.ledger.states(), [JobState::Held, JobState::Published]);
}
