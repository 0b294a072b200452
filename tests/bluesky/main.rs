//! Bluesky on its real server: the contracts of a source and of a destination, what Bluesky's own parser makes of what
//! Mynah publishes, sessions, and answers that are wrong in every way.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviors are named by their tests")]

mod beside;
#[path = "../contract/mod.rs"]
mod contract;
mod live;

mod pipeline;
mod posts;
mod proxy;
mod server;
mod sessions;
#[path = "../support/mod.rs"]
mod support;

use std::{collections::HashMap, rc::Rc, sync::Arc};

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
use proxy::{Fault, Proxy};
use serde_json::{Value, json};
use server::{Account, POSTS, Server};

/// One white pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9BU\0\0\0\nIDATx\xDAc\xF8\x0F\0\x01\x01\x01\0\x1C\xB0\x8C\x99\0\0\0\0IEND\xAEB`\x82";

/// A followed account and a target account on the real server, behind a proxy.
struct Town {
    proxy: Proxy,
    source: Account,
    target: Account,
    folder: tempfile::TempDir,
    ledger: Arc<dyn Ledger>,
}

impl Town {
    /// `None` if the server is not installed.
    async fn new() -> Option<Self> {
        Some(Self::on(Server::shared()?).await)
    }

    async fn on(server: &Server) -> Self {
        let proxy = Proxy::to(&server.pds, &server.plc);
        let (source, target) = (server.account("town").await, server.account("town-es").await);
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger::open(&folder.path().join("ledger.sqlite"), Arc::new(SystemClock)).unwrap();
        Self { proxy, source, target, folder, ledger }
    }

    /// Settings for these accounts.
    fn settings(&self, source: &str, target: &str, password: (&str, &str)) -> Settings {
        let url = self.proxy.url();
        let text = format!(
            "[source]\nnetwork = \"bluesky\"\naccount = \"{source}\"\n\
             [[targets]]\nnetwork = \"bluesky\"\nlanguage = \"es\"\naccount = \"{target}\"\n\
             [engine]\norder = [\"apertium\"]\n[bluesky]\nbase_url = \"{url}\"\nplc_url = \"{url}\"\nstream = \"server\"\ntimeout = \"10s\"\n"
        );
        let file = self.folder.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        let env = HashMap::from([(password.0.to_owned(), password.1.to_owned())]);
        settings::load(&SettingsSources { file: Some(file), env, ..SettingsSources::default() }).unwrap()
    }

    fn own_settings(&self) -> Settings {
        let Account { handle, app_password, .. } = &self.target;
        self.settings(&self.source.handle, handle, (&self.target.variable(), app_password))
    }

    /// The target's destination, as after a restart.
    fn destination(&self) -> Rc<dyn Destination> {
        self.own_settings().targets[0].connection.destination(self.ledger.clone())()
    }

    /// The same with another app password.
    fn destination_with(&self, password: &str) -> Rc<dyn Destination> {
        let settings =
            self.settings(&self.source.handle, &self.target.handle, (&self.target.variable(), password));
        settings.targets[0].connection.destination(self.ledger.clone())()
    }

    fn source_of(&self, account: &str, wanted: Wanted) -> Rc<dyn Source> {
        let password = (&*self.target.variable(), &*self.target.app_password);
        let settings = self.settings(account, &self.target.handle, password);
        settings.sources[0].connection.source(wanted, self.ledger.clone())()
    }

    fn source(&self) -> Rc<dyn Source> {
        self.source_of(&self.source.handle, Wanted::default())
    }

    fn inject_trouble(&self, trouble: Trouble) -> bool {
        let error = |status, headers: &str, name: &str| {
            Fault::Answer(
                status,
                headers.to_owned(),
                json!({"error": name, "message": "A fault"}).to_string(),
            )
        };
        self.proxy.set(match trouble {
            Trouble::None => Fault::None,
            Trouble::AnswerLost => Fault::LoseAnswers,
            Trouble::Unreachable => Fault::Stopped,
            Trouble::Down => error(503, "", "InternalServerError"),
            Trouble::Garbage => {
                Fault::Answer(200, "content-type: text/html\r\n".into(), "<html>Welcome</html>".into())
            }
            Trouble::CredentialsRefused => error(401, "", "AuthenticationRequired"),
            Trouble::RateLimited => error(429, "ratelimit-reset: 4000000000\r\n", "RateLimitExceeded"),
            Trouble::Locked => error(401, "", "AccountTakedown"),
        });
        true
    }
}

#[async_trait(?Send)]
impl contract::source::Bench for Town {
    fn is_available() -> bool {
        Server::shared().is_some()
    }

    async fn new(texts: &[&str]) -> Self {
        let town = Self::on(Server::shared().unwrap()).await;
        for text in texts {
            town.source.write(text, json!({})).await;
        }
        town
    }

    fn source(&self) -> Rc<dyn Source> {
        self.source()
    }

    fn source_of_missing_account(&self) -> Rc<dyn Source> {
        self.source_of("nobody.test", Wanted::default())
    }

    fn fetcher(&self) -> Rc<dyn MediaFetcher> {
        self.own_settings().sources[0].connection.media()()
    }

    async fn post(&self, text: &str) -> PostId {
        PostId(self.source.write(text, json!({})).await.0)
    }

    async fn post_unreadable(&self) -> Option<PostId> {
        Some(PostId(self.source.write("", json!({"text": 7})).await.0))
    }

    async fn post_picture(&self, text: &str, alt: &str) -> Option<PostId> {
        let image = self.source.upload("image/png", PNG.to_vec()).await;
        let embed = json!({"$type": "app.bsky.embed.images", "images": [{"image": image, "alt": alt}]});
        Some(PostId(self.source.write(text, json!({"embed": embed})).await.0))
    }

    fn unknown_id(&self) -> PostId {
        PostId("3l3qo2vuowo2b".into())
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.inject_trouble(trouble)
    }
}

#[async_trait(?Send)]
impl contract::destination::Bench for Town {
    fn is_available() -> bool {
        Server::shared().is_some()
    }

    async fn new() -> Self {
        Self::on(Server::shared().unwrap()).await
    }

    fn destination(&self) -> Rc<dyn Destination> {
        self.destination()
    }

    /// A session is opened for the account in the settings, so another account's app password opens none.
    fn destination_with_other_credentials(&self) -> Option<Rc<dyn Destination>> {
        None
    }

    async fn messages(&self) -> Vec<Message> {
        let key = |uri: &Value| PostId(uri.as_str().unwrap().rsplit('/').next().unwrap().to_owned());
        let message = |(id, record): (String, Value)| Message {
            id: PostId(id),
            text: record["text"].as_str().unwrap().to_owned(),
            reply_to: record.get("reply").map(|reply| key(&reply["parent"]["uri"])),
            alts: record["embed"]["images"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|image| image["alt"].as_str().unwrap().to_owned())
                .collect(),
        };
        self.target.posts().await.into_iter().map(message).collect()
    }

    fn unknown_id(&self) -> PostId {
        PostId("3l3qo2vuowo2b".into())
    }

    fn refused_text(&self) -> String {
        "palabra ".repeat(100)
    }

    fn media_count(&self) -> usize {
        4
    }

    fn repeat(&self) -> Repeat {
        Repeat::Safe
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.inject_trouble(trouble)
    }
}

mod source {
    use super::*;

    source_contract!(Town);
}

mod destination {
    use super::*;

    destination_contract!(Town);
}
