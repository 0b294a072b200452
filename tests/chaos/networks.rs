//! Kills the service while it publishes on Bluesky and on Mastodon, which the sandbox plays, and while both lose answers,
//! refuse calls and do not answer. Each post must be on each account once, in order and with its thread. Pictures are not
//! compared: one is left out after three failures.

use std::time::{Duration, Instant};

use mynah_sandbox::{
    EndpointPattern, Fault, FaultPlan, FaultRule, Message, RateLimits, SandboxConfig, ServiceStar,
    app_password, mastodon_token,
};

use crate::{
    oracle::{finish, parent, post},
    seed, size,
    support::{SOURCE, Town},
};

const ACCOUNTS: [&str; 2] = ["town-es.example", "town_ca@mastodon.example"];

/// A followed account on X, and one on each network that publishes its posts.
async fn town(posts: usize, plan: FaultPlan) -> Town {
    let config = SandboxConfig {
        account: SOURCE.into(),
        timeline: (1..=posts).map(post).collect(),
        rate_limits: RateLimits { window: Duration::from_secs(1), ..RateLimits::unlimited() },
        ..SandboxConfig::default()
    };
    let config = config.target(ACCOUNTS[0], "es").target(ACCOUNTS[1], "ca");
    let mut town = Town::on(mynah_sandbox::start(config).await.unwrap(), &[], "gemini");
    let (url, keys) = (town.sandbox.url(), mynah_sandbox::credentials(SOURCE));
    town.environment.extend([
        ("GEMINI_API_KEY".into(), keys.gemini_api_key),
        ("X_BEARER_TOKEN".into(), keys.app_bearer_token),
        ("BLUESKY_TOWN_ES_EXAMPLE_APP_PASSWORD".into(), app_password(ACCOUNTS[0])),
        ("MASTODON_TOWN_CA_MASTODON_EXAMPLE_TOKEN".into(), mastodon_token(ACCOUNTS[1])),
    ]);
    let settings = format!(
        "data_dir = \"{}\"\n[source]\naccount = \"{SOURCE}\"\nstart = \"beginning\"\n\
         [[targets]]\nnetwork = \"bluesky\"\nlanguage = \"es\"\naccount = \"{}\"\n\
         [[targets]]\nnetwork = \"mastodon\"\nlanguage = \"ca\"\naccount = \"{}\"\n\
         [engine]\norder = [\"gemini\"]\n[engine.gemini]\nbase_url = \"{url}\"\n\
         [x]\nbase_url = \"{url}\"\nmedia_hosts = [\"127.0.0.1\"]\n\
         [bluesky]\nbase_url = \"{url}\"\nplc_url = \"{url}\"\nstream = \"server\"\ntimeout = \"1s\"\n\
         [mastodon]\nbase_url = \"{url}\"\ntimeout = \"1s\"\n\
         [publisher]\nmin_interval = \"0s\"\ndaily_cap = \"none\"\nmonthly_cap = \"none\"\nsettle = \"200ms\"\n",
        town.folder.path().join("data").display(),
        ACCOUNTS[0],
        ACCOUNTS[1],
    );
    std::fs::write(town.config(), settings).unwrap();
    town.sandbox.set_faults(plan);
    town
}

fn plan(seed: u64) -> FaultPlan {
    let rule = |service, fault, probability| {
        FaultRule::new(EndpointPattern::Of(service), fault).probability(probability)
    };
    let of = |service| {
        [
            rule(service, Fault::DropAfterAct, 0.07),
            rule(service, Fault::Status(503), 0.05),
            rule(service, Fault::Hang, 0.02),
        ]
    };
    let rules = [ServiceStar::Bluesky, ServiceStar::Mastodon].into_iter().flat_map(of).collect();
    FaultPlan { seed, rules, ..FaultPlan::default() }
}

fn published(town: &Town) -> usize {
    ACCOUNTS.iter().map(|account| town.sandbox.messages(account).len()).sum()
}

fn number(message: &Message) -> usize {
    let number = message.text.split_whitespace().find_map(|word| word.parse().ok());
    number.unwrap_or_else(|| panic!("{}", message.text))
}

fn check(town: &Town, posts: usize, rerun: &str) {
    for account in ACCOUNTS {
        let messages = town.sandbox.messages(account);
        let numbers: Vec<usize> = messages.iter().map(number).collect();
        let context = || format!("{account}: {rerun}\n{}", town.log_tail());
        assert_eq!(numbers, (1..=posts).collect::<Vec<_>>(), "{}", context());
        for (message, number) in messages.iter().zip(&numbers) {
            let replied_to = parent(*number).map(|parent| &messages[parent - 1].id);
            assert_eq!(message.reply_to.as_ref(), replied_to, "{number}, {}", context());
        }
    }
}

#[actix_rt::test]
async fn kills_on_bluesky_and_mastodon_lose_nothing_and_publish_nothing_twice() {
    let (posts, kills, seed) = (size("CHAOS_POSTS", 30), size("CHAOS_KILLS", 6), seed());
    let rerun = format!("CHAOS_POSTS={posts} CHAOS_KILLS={kills} CHAOS_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let town = town(posts, plan(seed)).await;
    let (begun, all) = (Instant::now(), ACCOUNTS.len() * posts);
    let mut killed = 0;
    while killed < kills && published(&town) < all {
        let mut running = town.start(&["once"]);
        let goal = published(&town) + random.usize(0..=all / kills.max(1));
        let moment = Duration::from_millis(random.u64(20..2500));
        town.sandbox.until(moment, |_| published(&town) >= goal).await;
        running.kill();
        killed += 1;
    }
    let runs = finish(&town, &rerun);
    check(&town, posts, &rerun);
    println!(
        "kills on Bluesky and Mastodon: {posts} posts, {killed} kills, {runs} more runs: 0 lost, 0 twice, {:.0} s; {rerun}",
        begun.elapsed().as_secs_f64()
    );
}
