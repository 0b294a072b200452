//! One process between four networks: X, which the sandbox plays, Bluesky's and Mastodon's real servers, and a feed. Posts of
//! each are republished in Spanish on X, in Catalan on Bluesky and in Galician on Mastodon.
#![allow(missing_docs, clippy::unwrap_used, reason = "test names describe the behavior")]
#![allow(clippy::duplicate_mod, reason = "both servers load what they have in common")]

#[path = "../bluesky/server.rs"]
#[allow(dead_code, reason = "this program uses a part of it")]
mod bluesky;
#[path = "../feed/server.rs"]
#[allow(dead_code, reason = "this program uses a part of it")]
mod feed;
#[path = "../mastodon/server.rs"]
#[allow(dead_code, reason = "this program uses a part of it")]
mod mastodon;
#[path = "../support/mod.rs"]
mod support;

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use mynah_sandbox::{MediaKind, RateLimits, SandboxConfig, TimelineMedia, TimelinePost};
use serde_json::{Value, json};
use support::{PATIENCE, Town, message};

/// The smallest picture that the servers accept.
const PNG: &[u8] = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9BU\0\0\0\nIDATx\xDAc\xF8\x0F\0\x01\x01\x01\0\x1C\xB0\x8C\x99\0\0\0\0IEND\xAEB`\x82";

/// The sources' names, and the first number of each one's posts.
const SOURCES: [(&str, usize); 4] = [("town", 1_000), ("harbor", 2_000), ("school", 3_000), ("paper", 4_000)];

/// Four followed accounts, three that publish, and settings for one process between them.
struct Region {
    town: Town,
    harbor: bluesky::Account,
    school: mastodon::Account,
    paper: feed::Server,
    on_bluesky: bluesky::Account,
    on_mastodon: mastodon::Account,
    _server: Arc<mastodon::Server>,
}

/// What an account shows: the number of a post, its link, and the alt texts of its pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    number: usize,
    link: Option<String>,
    alts: Vec<String>,
}

/// Every third post has a link.
fn link(number: usize) -> Option<String> {
    number.is_multiple_of(3).then(|| format!("https://town.example/{number}?a=b"))
}

/// Every fifth post has a picture, except in the feed.
fn has_picture(number: usize) -> bool {
    number.is_multiple_of(5)
}

fn text(number: usize) -> String {
    match link(number) {
        Some(link) => format!("{} {link}", message(number)),
        None => message(number),
    }
}

impl Region {
    /// `None` if a server is not installed, with a line about it.
    async fn new(program: mastodon::Program, sources: &str) -> Option<Self> {
        let pds = bluesky::Server::shared()?;
        if !mastodon::Server::is_installed(program) {
            return None;
        }
        let server = mastodon::Server::get(program);
        let config = SandboxConfig {
            account: "town".into(),
            rate_limits: RateLimits::unlimited(),
            ..SandboxConfig::default()
        };
        let sandbox = mynah_sandbox::start(config.target("town_es", "es")).await.unwrap();
        let mut region = Self {
            town: Town::on(sandbox, &["es"], "gemini"),
            harbor: pds.account("harbor").await,
            school: server.account("school").await,
            paper: feed::Server::start(),
            on_bluesky: pds.account("region").await,
            on_mastodon: server.account("region").await,
            _server: server.clone(),
        };
        let password = region.on_bluesky.app_password.clone();
        region.town.environment.push((region.on_bluesky.variable(), password));
        region.town.environment.push((region.on_mastodon.variable(), region.on_mastodon.token.clone()));
        region.town.environment.push((region.school.variable(), region.school.token.clone()));
        region.write_settings(pds, &server.url, sources);
        Some(region)
    }

    fn write_settings(&self, pds: &bluesky::Server, mastodon: &str, sources: &str) {
        let x = self.town.sandbox.url();
        let mut text = format!(
            "data_dir = \"{}\"\n[defaults.sources]\nstart = \"beginning\"\n{sources}\n\
             [engine]\norder = [\"gemini\"]\n[engine.gemini]\nbase_url = \"{x}\"\n\
             [x]\nbase_url = \"{x}\"\nmedia_hosts = [\"127.0.0.1\"]\ntimeout = \"5s\"\n\
             [bluesky]\nbase_url = \"{}\"\nplc_url = \"{}\"\nstream = \"server\"\n\
             [mastodon]\nbase_url = \"{mastodon}\"\n[feed]\ntemplate = '{{title}}'\n\
             [publisher]\nmin_interval = \"0s\"\ndaily_cap = \"none\"\nmonthly_cap = \"none\"\nsettle = \"200ms\"\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n",
            self.town.folder.path().join("data").display(),
            pds.pds,
            pds.plc,
        );
        let accounts = [
            ("x", "town".to_owned()),
            ("bluesky", self.harbor.handle.clone()),
            ("mastodon", self.school.handle()),
            ("feed", self.paper.url()),
        ];
        for ((name, _), (network, account)) in SOURCES.into_iter().zip(accounts) {
            // snac2 has no stream: it is polled, whatever the settings say.
            let mode = if network == "mastodon" { "mode = \"stream\"" } else { "" };
            writeln!(
                text,
                "[[sources]]\nname = \"{name}\"\nnetwork = \"{network}\"\naccount = \"{account}\"\n{mode}"
            )
            .unwrap();
        }
        let targets = [
            ("x", "es", "town_es".to_owned()),
            ("bluesky", "ca", self.on_bluesky.handle.clone()),
            ("mastodon", "gl", self.on_mastodon.handle()),
        ];
        for (source, _) in SOURCES {
            for (network, language, account) in &targets {
                writeln!(
                    text,
                    "[[targets]]\nsource = \"{source}\"\nnetwork = \"{network}\"\nlanguage = \"{language}\"\n\
                     account = \"{account}\"\nname = \"{source}\""
                )
                .unwrap();
            }
        }
        std::fs::write(self.town.config(), text).unwrap();
    }

    async fn post(&self, source: &str, number: usize) {
        let alt = format!("A white dog, {}", message(number));
        match source {
            "town" => {
                let photo = TimelineMedia { kind: MediaKind::Photo, alt: Some(alt), url: None };
                let media = if has_picture(number) { vec![photo] } else { vec![] };
                self.town.sandbox.add_post(TimelinePost { media, ..TimelinePost::new(text(number)) });
            }
            "harbor" => {
                let mut more = json!({"langs": ["en"]});
                if has_picture(number) {
                    let image = self.harbor.upload("image/png", PNG.to_vec()).await;
                    let images = json!([{"image": image, "alt": alt}]);
                    more["embed"] = json!({"$type": "app.bsky.embed.images", "images": images});
                }
                self.harbor.write(&text(number), more).await;
            }
            "school" => {
                let mut more = json!({"language": "en"});
                if has_picture(number) {
                    more["media_ids"] = json!([self.school.upload(PNG, &alt).await]);
                }
                self.school.publish(&text(number), more).await;
            }
            _ => drop(self.paper.post(&text(number))),
        }
    }

    fn on_x(&self) -> Vec<Shown> {
        let posts = self.town.sandbox.publications("town_es");
        let shown = posts.iter().map(|post| {
            let alts = post.media.iter().map(|medium| medium.alt.clone().unwrap_or_default()).collect();
            Shown { alts, ..shown(&post.text) }
        });
        shown.collect()
    }

    async fn on_bluesky(&self) -> Vec<Shown> {
        let posts = self.on_bluesky.posts().await;
        let records: Vec<Value> = posts.into_iter().map(|(_, record)| record).collect();
        let shown = records.iter().map(|record| {
            let images = record["embed"]["images"].as_array().cloned().unwrap_or_default();
            let alts = images.iter().map(|image| image["alt"].as_str().unwrap().to_owned()).collect();
            Shown { alts, ..shown(record["text"].as_str().unwrap()) }
        });
        shown.collect()
    }

    async fn on_mastodon(&self) -> Vec<Shown> {
        let mut all = Vec::new();
        for status in self.on_mastodon.statuses().await {
            let media = status["media_attachments"].as_array().cloned().unwrap_or_default();
            let alts = media
                .iter()
                .map(|medium| medium["description"].as_str().unwrap_or_default().to_owned())
                .collect();
            all.push(Shown { alts, ..shown(&self.on_mastodon.text_of(&status).await) });
        }
        all
    }

    /// How many posts each account shows.
    async fn counts(&self) -> [usize; 3] {
        [
            self.town.sandbox.publications("town_es").len(),
            self.on_bluesky.posts().await.len(),
            self.on_mastodon.statuses().await.len(),
        ]
    }

    /// Waits until all accounts show so many posts.
    async fn until_shown(&self, count: usize) {
        let begun = Instant::now();
        loop {
            let counts = self.counts().await;
            if counts.iter().all(|shown| *shown >= count) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{counts:?} of {count}:\n{}", self.town.log_tail());
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What can be read in a text.
fn shown(text: &str) -> Shown {
    let words = || text.split_whitespace();
    let number = words().find_map(|word| word.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok());
    let link = words().find(|word| word.starts_with("https://")).map(str::to_owned);
    Shown { number: number.unwrap_or_else(|| panic!("{text}")), link, alts: Vec::new() }
}

#[actix_rt::test]
async fn each_post_of_four_networks_is_on_three_once_in_order_with_its_link_and_picture() {
    let Some(region) = Region::new(mastodon::Program::Snac, "poll_interval = \"500ms\"").await else {
        return;
    };
    let (_service, _) = region.town.serve().await;
    for index in 1..=10 {
        for (source, first) in SOURCES {
            region.post(source, first + index).await;
        }
    }
    region.until_shown(40).await;
    for (account, all) in [
        ("es on X", region.on_x()),
        ("ca on Bluesky", region.on_bluesky().await),
        ("gl on Mastodon", region.on_mastodon().await),
    ] {
        let mut of_source: HashMap<usize, Vec<Shown>> = HashMap::new();
        for shown in all {
            of_source.entry(shown.number / 1_000 * 1_000).or_default().push(shown);
        }
        for (source, first) in SOURCES {
            let shown = of_source.remove(&first).unwrap_or_default();
            let numbers: Vec<usize> = shown.iter().map(|post| post.number).collect();
            assert_eq!(numbers, (first + 1..=first + 10).collect::<Vec<_>>(), "{source}, {account}");
            for post in shown {
                assert_eq!(post.link, link(post.number), "{source}, {account}");
                let pictures = usize::from(source != "paper" && has_picture(post.number));
                assert_eq!(post.alts.len(), pictures, "{source}, {account}: {post:?}");
                assert!(post.alts.iter().all(|alt| alt.contains(&post.number.to_string())), "{post:?}");
            }
        }
        assert!(of_source.is_empty(), "{account}: {of_source:?}");
    }
    let records: Vec<Value> = region.on_bluesky.posts().await.into_iter().map(|(_, record)| record).collect();
    for (record, read) in records.iter().zip(bluesky::Parser::start().read(&records)) {
        let number = shown(record["text"].as_str().unwrap()).number;
        let segments =
            read["segments"].as_array().unwrap().iter().filter_map(|segment| segment["is"].as_str());
        let links: Vec<&str> = segments.filter(|is| is.starts_with("https://")).collect();
        assert_eq!(links, link(number).iter().map(String::as_str).collect::<Vec<_>>(), "{record}");
    }
}

/// Other accounts on Bluesky's server, which write a small record every 50 ms in turns, as on any busy server. Bluesky's
/// server looks for news at most once a second while nobody writes. They stop on drop.
struct Strangers(actix_rt::task::JoinHandle<()>);

impl Strangers {
    async fn new() -> Self {
        let server = bluesky::Server::shared().unwrap();
        let mut accounts = Vec::new();
        for number in 0..5 {
            accounts.push(server.account(&format!("stranger{number}")).await);
        }
        Self(actix_rt::spawn(async move {
            let mut pace = actix_rt::time::interval(Duration::from_millis(50));
            for account in accounts.iter().cycle() {
                pace.tick().await;
                account.write("Good morning", json!({})).await;
            }
        }))
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How long it takes from the moment at which a real server accepts a post until three accounts show it: `ROUNDS` posts of
/// each source, with `SOURCES` in `[defaults.sources]`, while strangers write on Bluesky's server unless `IDLE` is set. Prints figures for docs/performance.md; asserts none of them.
#[actix_rt::test]
#[ignore = "a measurement"]
async fn how_fresh_publications_are() {
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let sources = variable("SOURCES", "poll_interval = \"1h\"");
    // It has a stream, which snac2 has not.
    let Some(region) = Region::new(mastodon::Program::Mock, &sources).await else { return };
    let (_service, _) = region.town.serve().await;
    let _strangers = if std::env::var_os("IDLE").is_none() { Some(Strangers::new().await) } else { None };
    let rounds: usize = variable("ROUNDS", "50").parse().unwrap();
    let mut count = 0;
    let live = ["harbor", "school"];
    for (source, first) in SOURCES.into_iter().filter(|(source, _)| live.contains(source)) {
        let mut waits = Vec::new();
        for index in 1..=rounds {
            region.post(source, first + index).await;
            let accepted = Instant::now();
            count += 1;
            region.until_shown(count).await;
            waits.push(accepted.elapsed());
            // News comes at most once a second.
            actix_rt::time::sleep(Duration::from_millis(1_100)).await;
        }
        waits.sort();
        let at = |percent: usize| waits[(waits.len() * percent / 100).min(waits.len() - 1)];
        eprintln!("{source}: p50 {:?}, p99 {:?}, longest {:?}", at(50), at(99), waits[waits.len() - 1]);
    }
}
