//! Runs the source and destination contracts on Bluesky and Mastodon as the sandbox plays them. The same contracts run on
//! real servers in `tests/bluesky` and `tests/mastodon`; here no server is needed, and every answer can be wrong.

mod bench;
mod bluesky;
mod mastodon;

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use jiff::{SignedDuration, Timestamp};
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
    Fault, FaultPlan, FaultRule, MediaKind, RateLimits, Sandbox, SandboxConfig, ServiceStar, TimelineMedia,
    TimelinePost,
};
use tokio::net::TcpSocket;

use crate::contract::{Trouble, closed_port, destination::Message};

/// What differs between the networks.
struct Names {
    network: &'static str,
    /// A followed account, and one that nobody has.
    town: &'static str,
    nobody: &'static str,
    /// Two targets; the settings know the first.
    targets: [&'static str; 2],
    /// The variable for the secret of the first target.
    variable: &'static str,
    /// The section of the settings, with `URL` for the sandbox's address.
    section: &'static str,
    secret: fn(&str) -> String,
    /// Whether a secret alone says whose it is, so that another account's is noticed.
    secret_names_account: bool,
    /// A valid id of a post that does not exist.
    unknown_id: &'static str,
    repeat: Repeat,
    service: ServiceStar,
    /// The fault of an account that is locked.
    locked: Fault,
    /// An answer that cannot be read, and says nothing about what exists.
    garbage: Fault,
}

/// A sandbox with a followed account and two targets on one network.
struct Town {
    names: &'static Names,
    sandbox: Sandbox,
    folder: tempfile::TempDir,
    ledger: Arc<dyn Ledger>,
    /// The port of a sandbox that was stopped.
    closed_port: RefCell<Option<TcpSocket>>,
}

impl Town {
    async fn with_posts(names: &'static Names, texts: &[&str]) -> Self {
        let config = SandboxConfig { rate_limits: RateLimits::unlimited(), ..SandboxConfig::default() };
        let [first, second] = names.targets;
        let config = config.also_followed(names.town).target(first, "es").target(second, "ca");
        let sandbox = mynah_sandbox::start(config).await.unwrap();
        for (minutes, text) in (1..=texts.len()).rev().zip(texts) {
            let created_at = Some(Timestamp::now() - SignedDuration::from_mins(minutes.try_into().unwrap()));
            // Texts here are unescaped.
            let text = text.replace('&', "&amp;");
            sandbox.post_as(names.town, TimelinePost { created_at, ..TimelinePost::new(text) });
        }
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger::open(&folder.path().join("ledger.sqlite"), Arc::new(SystemClock)).unwrap();
        Self { names, sandbox, folder, ledger, closed_port: RefCell::default() }
    }

    /// Settings for the accounts, with the secret of `owner` for the target.
    fn settings(&self, source: &str, owner: &str) -> Settings {
        self.settings_with(source, owner, None)
    }

    fn settings_with(&self, source: &str, owner: &str, more: Option<&str>) -> Settings {
        let Names { network, targets, section, variable, secret, .. } = self.names;
        let section = section.replace("URL", &self.sandbox.url());
        let text = format!(
            "[source]\nnetwork = \"{network}\"\naccount = \"{source}\"\n\
             [[targets]]\nnetwork = \"{network}\"\nlanguage = \"es\"\naccount = \"{}\"\n\
             [engine]\norder = [\"apertium\"]\n[{network}]\n{section}timeout = \"5s\"\n",
            targets[0]
        );
        let file = self.folder.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        let mut env = HashMap::from([((*variable).to_owned(), secret(owner))]);
        env.extend(more.map(|variable| (variable.to_owned(), secret(source))));
        settings::load(&SettingsSources { file: Some(file), env, ..SettingsSources::default() }).unwrap()
    }

    fn own_settings(&self) -> Settings {
        self.settings(self.names.town, self.names.targets[0])
    }

    fn source_of(&self, account: &str) -> Rc<dyn Source> {
        let settings = self.settings(account, self.names.targets[0]);
        settings.sources[0].connection.source(Wanted::default(), self.ledger.clone())()
    }

    /// The source of the followed account, with its own token and its stream.
    fn source_with_token(&self, variable: &str) -> Rc<dyn Source> {
        let Names { town, targets, .. } = self.names;
        let settings = self.settings_with(town, targets[0], Some(variable));
        let wanted = Wanted { stream: true, ..Wanted::default() };
        settings.sources[0].connection.source(wanted, self.ledger.clone())()
    }

    fn fetcher(&self) -> Rc<dyn MediaFetcher> {
        self.own_settings().sources[0].connection.media()()
    }

    fn destination_of(&self, owner: &str) -> Rc<dyn Destination> {
        self.settings(self.names.town, owner).targets[0].connection.destination(self.ledger.clone())()
    }

    fn post(&self, post: TimelinePost) -> PostId {
        PostId(self.sandbox.post_as(self.names.town, post))
    }

    fn post_unreadable(&self) -> PostId {
        let id = self.post(TimelinePost::new("Unreadable"));
        self.sandbox.break_post(self.names.town, &id.0);
        id
    }

    fn post_picture(&self, text: &str, alt: &str) -> PostId {
        let media = vec![TimelineMedia { kind: MediaKind::Photo, alt: Some(alt.into()), url: None }];
        self.post(TimelinePost { media, ..TimelinePost::new(text) })
    }

    fn messages(&self) -> Vec<Message> {
        let message = |message: mynah_sandbox::Message| Message {
            id: PostId(message.id),
            text: message.text,
            reply_to: message.reply_to.map(PostId),
            alts: message.media.into_iter().map(|medium| medium.alt.unwrap_or_default()).collect(),
        };
        self.sandbox.messages(self.names.targets[0]).into_iter().map(message).collect()
    }

    async fn inject(&self, trouble: Trouble) {
        let fault = match trouble {
            Trouble::None => return self.sandbox.set_faults(FaultPlan::default()),
            Trouble::Unreachable => {
                let address = self.sandbox.addr();
                self.sandbox.stop().await;
                self.closed_port.replace(Some(closed_port(address)));
                return;
            }
            Trouble::AnswerLost => Fault::DropAfterAct,
            Trouble::Down => Fault::Status(503),
            Trouble::Garbage => self.names.garbage,
            Trouble::CredentialsRefused => Fault::Status(401),
            Trouble::RateLimited => Fault::Status(429),
            Trouble::Locked => self.names.locked,
        };
        let rules = vec![FaultRule::new(mynah_sandbox::EndpointPattern::Of(self.names.service), fault)];
        self.sandbox.set_faults(FaultPlan { rules, ..FaultPlan::default() });
    }
}
