//! Mastodon, on real servers: `mastodon-mock`, which answers as Mastodon does, and `snac2`, a small server of the fediverse
//! that ignores most of what it is asked. The contract suites of both ports run on both.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviors are named by their tests")]

#[path = "../contract/mod.rs"]
mod contract;
#[path = "../chaos/dice.rs"]
mod dice;
mod journey;
mod live;
mod login;
mod proxy;
mod server;
mod statuses;
#[path = "../support/mod.rs"]
mod support;

use std::{collections::HashMap, marker::PhantomData, rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use contract::{Trouble, destination::Message};
use jiff::Timestamp;
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
use proxy::{Fault, Proxy};
use serde_json::{Value, json};
use server::{Account, Program, Server};

/// The smallest picture there is, by its first bytes.
const PNG: &[u8] = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR";

/// A program, as a type.
trait On {
    const PROGRAM: Program;
}

struct Mock;

impl On for Mock {
    const PROGRAM: Program = Program::Mock;
}

struct Snac;

impl On for Snac {
    const PROGRAM: Program = Program::Snac;
}

/// A followed account and two that publish, on one server behind a proxy.
struct Town<S> {
    followed: Account,
    es: Account,
    ca: Account,
    proxy: Proxy,
    folder: tempfile::TempDir,
    ledger: Arc<dyn Ledger>,
    _server: Arc<Server>,
    program: PhantomData<S>,
}

/// Waits until every clock of this machine shows another second. C's `time`, which snac2 reads, lags by up to one tick of the
/// kernel.
async fn until_next_second() {
    const TICK: Duration = Duration::from_millis(10);
    let begun = Timestamp::now().as_second();
    while (Timestamp::now() - TICK).as_second() <= begun {
        actix_rt::time::sleep(TICK).await;
    }
}

impl<S: On> Town<S> {
    fn is_there() -> bool {
        Server::is_installed(S::PROGRAM)
    }

    async fn with_posts(texts: &[&str]) -> Self {
        let server = Server::get(S::PROGRAM);
        let [followed, es, ca] =
            [server.account("town").await, server.account("town_es").await, server.account("town_ca").await];
        for (number, text) in texts.iter().enumerate() {
            // Statuses of one second have the same moment on snac2.
            if number > 0 && number == texts.len() / 2 && S::PROGRAM == Program::Snac {
                until_next_second().await;
            }
            followed.publish(text, Value::Null).await;
        }
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger::open(&folder.path().join("ledger.sqlite"), Arc::new(SystemClock)).unwrap();
        let proxy = Proxy::to(&server.url);
        Self { followed, es, ca, proxy, folder, ledger, _server: server, program: PhantomData }
    }

    /// Settings for the accounts, with the token of `owner` for the target.
    fn settings(&self, source: &str, owner: &Account, more: &str) -> Settings {
        let text = format!(
            "[source]\nnetwork = \"mastodon\"\naccount = \"{source}\"\n\
             [[targets]]\nnetwork = \"mastodon\"\nlanguage = \"es\"\naccount = \"{}\"\n\
             [engine]\norder = [\"apertium\"]\n[mastodon]\nbase_url = \"{}\"\ntimeout = \"5s\"\n{more}",
            self.es.handle(),
            self.proxy.url()
        );
        let file = self.folder.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        let env = HashMap::from([
            (self.es.variable(), owner.token.clone()),
            (self.followed.variable(), self.followed.token.clone()),
        ]);
        settings::load(&SettingsSources { file: Some(file), env, ..SettingsSources::default() }).unwrap()
    }

    fn source_of(&self, handle: &str, wanted: Wanted) -> Rc<dyn Source> {
        self.settings(handle, &self.es, "").sources[0].connection.source(wanted, self.ledger.clone())()
    }

    fn destination_of(&self, owner: &Account, more: &str) -> Rc<dyn Destination> {
        let settings = self.settings(&self.followed.handle(), owner, more);
        settings.targets[0].connection.destination(self.ledger.clone())()
    }

    fn inject_trouble(&self, trouble: Trouble) -> bool {
        let error = |error: &str| json!({"error": error}).to_string();
        self.proxy.set(match trouble {
            Trouble::None => Fault::None,
            Trouble::AnswerLost => Fault::LoseAnswers,
            Trouble::Unreachable => Fault::Stopped,
            Trouble::Down => Fault::Answer(503, "", error("Remote data could not be fetched")),
            Trouble::Garbage => Fault::Garbage,
            Trouble::CredentialsRefused => Fault::Answer(401, "", error("The access token was revoked")),
            Trouble::RateLimited => Fault::Answer(
                429,
                "x-ratelimit-reset: 2026-11-27T10:05:00.123456Z\r\n",
                error("Too many requests"),
            ),
            Trouble::Locked => Fault::Answer(403, "", error("Your login is currently disabled")),
        });
        true
    }

    /// A valid id of a status that does not exist.
    fn missing_id() -> PostId {
        match S::PROGRAM {
            Program::Mock => PostId("1234".into()),
            Program::Snac => PostId("1795772085aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".into()),
        }
    }
}

#[async_trait(?Send)]
impl<S: On> contract::source::Bench for Town<S> {
    fn is_available() -> bool {
        Self::is_there()
    }

    async fn new(texts: &[&str]) -> Self {
        Self::with_posts(texts).await
    }

    fn source(&self) -> Rc<dyn Source> {
        self.source_of(&self.followed.handle(), Wanted::default())
    }

    fn source_of_missing_account(&self) -> Rc<dyn Source> {
        self.source_of("nobody@town.example", Wanted::default())
    }

    fn fetcher(&self) -> Rc<dyn MediaFetcher> {
        self.settings(&self.followed.handle(), &self.es, "").sources[0].connection.media()()
    }

    async fn post(&self, text: &str) -> PostId {
        PostId(self.followed.publish(text, Value::Null).await)
    }

    async fn post_unreadable(&self) -> Option<PostId> {
        let id = self.followed.publish("Unreadable", Value::Null).await;
        self.proxy.break_status(&id);
        Some(PostId(id))
    }

    async fn post_picture(&self, text: &str, alt: &str) -> Option<PostId> {
        let medium = self.followed.upload(PNG, alt).await;
        // Through the proxy: the mock names it by the address at which it was asked.
        Some(PostId(self.followed.publish(text, json!({"media_ids": [medium]})).await))
    }

    fn unknown_id(&self) -> PostId {
        Self::missing_id()
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.inject_trouble(trouble)
    }
}

#[async_trait(?Send)]
impl<S: On> contract::destination::Bench for Town<S> {
    fn is_available() -> bool {
        Self::is_there()
    }

    async fn new() -> Self {
        Self::with_posts(&[]).await
    }

    fn destination(&self) -> Rc<dyn Destination> {
        self.destination_of(&self.es, "")
    }

    fn destination_with_other_credentials(&self) -> Option<Rc<dyn Destination>> {
        Some(self.destination_of(&self.ca, ""))
    }

    async fn messages(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        for status in self.es.statuses().await {
            let id = |name: &str| status[name].as_str().map(|id| PostId(id.to_owned()));
            let media = status["media_attachments"].as_array().unwrap().iter();
            messages.push(Message {
                id: id("id").unwrap(),
                text: self.es.text_of(&status).await,
                reply_to: id("in_reply_to_id"),
                alts: media
                    .map(|medium| medium["description"].as_str().unwrap_or_default().to_owned())
                    .collect(),
            });
        }
        messages
    }

    fn unknown_id(&self) -> PostId {
        Self::missing_id()
    }

    fn refused_text(&self) -> String {
        match S::PROGRAM {
            Program::Mock => "palabra ".repeat(100),
            // It has no limit, and would publish an empty status.
            Program::Snac => String::new(),
        }
    }

    fn media_count(&self) -> usize {
        4
    }

    fn repeat(&self) -> Repeat {
        Repeat::LookUpFirst
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.inject_trouble(trouble)
    }
}

mod mock_source {
    use super::*;

    source_contract!(Town<Mock>);
}

mod mock_destination {
    use super::*;

    destination_contract!(Town<Mock>);
}

mod snac_source {
    use super::*;

    source_contract!(Town<Snac>);
}

mod snac_destination {
    use super::*;

    destination_contract!(Town<Snac>);
}
