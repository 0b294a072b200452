//! Runs the source and destination contracts on X, Bluesky and Mastodon, which the sandbox plays.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviors are named by their tests")]

mod contract;
mod in_sandbox;

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use async_trait::async_trait;
use contract::{Trouble, destination::Message};
use mynah::{
    ledger,
    networks::Wanted,
    settings::{self, Settings, SettingsSources},
};
use mynah_domain::{
    PostId,
    network::Repeat,
    ports::{Destination, Ledger, MediaFetcher, Source, SystemClock},
};
use mynah_sandbox::{
    EndpointPattern, Fault, FaultPlan, FaultRule, MediaKind, Profile, RateLimits, Readability, Sandbox,
    SandboxConfig, TimelineMedia, TimelinePost, XFault,
};
use tokio::net::TcpSocket;

/// A sandbox with the source `@town` and the target `@town_es`.
struct X {
    sandbox: Sandbox,
    folder: tempfile::TempDir,
    ledger: Arc<dyn Ledger>,
    /// The port of a sandbox that was stopped.
    closed_port: RefCell<Option<TcpSocket>>,
}

impl X {
    async fn with_posts(texts: &[&str]) -> Self {
        let config = SandboxConfig {
            account: "town".into(),
            // Texts here are unescaped.
            timeline: texts.iter().map(|text| TimelinePost::new(text.replace('&', "&amp;"))).collect(),
            rate_limits: RateLimits::unlimited(),
            ..SandboxConfig::default()
        };
        let sandbox =
            mynah_sandbox::start(config.target("town_es", "es").target("town_ca", "ca")).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger::open(&folder.path().join("ledger.sqlite"), Arc::new(SystemClock)).unwrap();
        Self { sandbox, folder, ledger, closed_port: RefCell::default() }
    }

    /// Settings for the accounts, with the keys of `owner` for `@town_es`.
    fn settings(&self, source: &str, owner: &str) -> Settings {
        let url = self.sandbox.url();
        let text = format!(
            "[source]\naccount = \"{source}\"\n[[targets]]\nlanguage = \"es\"\naccount = \"town_es\"\n\
             [engine]\norder = [\"apertium\"]\n[x]\nbase_url = \"{url}\"\nmedia_hosts = [\"127.0.0.1\"]\ntimeout = \"5s\"\n"
        );
        let file = self.folder.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        let keys = mynah_sandbox::credentials(owner);
        let env = HashMap::from([
            ("X_BEARER_TOKEN".to_owned(), keys.app_bearer_token),
            ("X_TOWN_ES_OAUTH2_TOKEN".to_owned(), keys.user_bearer_token),
        ]);
        settings::load(&SettingsSources { file: Some(file), env, ..SettingsSources::default() }).unwrap()
    }

    async fn inject_trouble(&self, trouble: Trouble) -> bool {
        let fault = match trouble {
            Trouble::None => {
                self.sandbox.set_faults(FaultPlan::default());
                return true;
            }
            Trouble::Unreachable => {
                let address = self.sandbox.addr();
                self.sandbox.stop().await;
                self.closed_port.replace(Some(contract::closed_port(address)));
                return true;
            }
            Trouble::AnswerLost => Fault::DropAfterAct,
            Trouble::Down => Fault::Status(503),
            Trouble::Garbage => Fault::Garbage,
            Trouble::CredentialsRefused => Fault::Status(401),
            Trouble::RateLimited => Fault::Status(429),
            Trouble::Locked => Fault::X(XFault::Locked),
        };
        let rules = vec![FaultRule::new(EndpointPattern::ALL, fault)];
        self.sandbox.set_faults(FaultPlan { rules, ..FaultPlan::default() });
        true
    }
}

#[async_trait(?Send)]
impl contract::source::Bench for X {
    async fn new(texts: &[&str]) -> Self {
        Self::with_posts(texts).await
    }

    fn source(&self) -> Rc<dyn Source> {
        let settings = self.settings("town", "town_es");
        settings.sources[0].connection.source(Wanted::default(), self.ledger.clone())()
    }

    fn source_of_missing_account(&self) -> Rc<dyn Source> {
        let settings = self.settings("nobody", "town_es");
        settings.sources[0].connection.source(Wanted::default(), self.ledger.clone())()
    }

    fn fetcher(&self) -> Rc<dyn MediaFetcher> {
        self.settings("town", "town_es").sources[0].connection.media()()
    }

    async fn post(&self, text: &str) -> PostId {
        PostId(self.sandbox.add_post(TimelinePost::new(text)).to_string())
    }

    async fn post_unreadable(&self) -> Option<PostId> {
        let number = self.sandbox.posts().len() as u64 + 1;
        let plan = |seed| FaultPlan::of_profiles(seed, [Profile::Odd]);
        let is_unreadable = |seed: &u64| {
            let before =
                (1..number).all(|number| plan(*seed).fate(number).readability == Readability::Everywhere);
            before && plan(*seed).fate(number).readability == Readability::Nowhere
        };
        let seed = (0..100_000).find(is_unreadable).unwrap();
        self.sandbox.set_faults(plan(seed));
        Some(contract::source::Bench::post(self, "Unreadable").await)
    }

    async fn post_picture(&self, text: &str, alt: &str) -> Option<PostId> {
        let media = vec![TimelineMedia { kind: MediaKind::Photo, alt: Some(alt.into()), url: None }];
        let post = TimelinePost { media, ..TimelinePost::new(text) };
        Some(PostId(self.sandbox.add_post(post).to_string()))
    }

    fn unknown_id(&self) -> PostId {
        PostId("1234".into())
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.inject_trouble(trouble).await
    }
}

#[async_trait(?Send)]
impl contract::destination::Bench for X {
    async fn new() -> Self {
        Self::with_posts(&[]).await
    }

    fn destination(&self) -> Rc<dyn Destination> {
        self.settings("town", "town_es").targets[0].connection.destination(self.ledger.clone())()
    }

    fn destination_with_other_credentials(&self) -> Option<Rc<dyn Destination>> {
        Some(self.settings("town", "town_ca").targets[0].connection.destination(self.ledger.clone())())
    }

    async fn messages(&self) -> Vec<Message> {
        let publications = self.sandbox.publications("town_es");
        let message = |post: &mynah_sandbox::StoredPost| Message {
            id: PostId(post.id.to_string()),
            text: post.text.clone(),
            reply_to: post.reply_to.map(|id| PostId(id.to_string())),
            alts: post.media.iter().map(|medium| medium.alt.clone().unwrap_or_default()).collect(),
        };
        publications.iter().map(message).collect()
    }

    fn unknown_id(&self) -> PostId {
        PostId("1234".into())
    }

    fn refused_text(&self) -> String {
        "palabra ".repeat(100)
    }

    fn media_count(&self) -> usize {
        4
    }

    fn repeat(&self) -> Repeat {
        Repeat::LookUpFirst
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.inject_trouble(trouble).await
    }
}

mod source {
    use super::*;

    source_contract!(X);
}

mod destination {
    use super::*;

    destination_contract!(X);
}
