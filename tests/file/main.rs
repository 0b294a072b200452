//! Files as a source and as a destination: both contracts on both forms of an account, and the built binary from files to
//! files, from files to X and back, through kills, broken lines, full disks and missing folders.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviors are named by their tests")]

mod chaos;
#[path = "../contract/mod.rs"]
mod contract;
#[path = "../chaos/dice.rs"]
mod dice;
mod folder;
mod pipeline;
#[path = "../support/mod.rs"]
mod support;
mod town;

use std::{collections::HashMap, fs, path::PathBuf, rc::Rc, sync::Arc};

use async_trait::async_trait;
use contract::{Trouble, destination::Message as Shown};
use jiff::Timestamp;
use mynah::{
    ledger,
    networks::Wanted,
    settings::{self, Settings, SettingsSources},
};
use mynah_domain::{
    PostId, PublicationKey,
    network::Repeat,
    ports::{Destination, Ledger, MediaFetcher, Source, SystemClock},
};
use serde_json::{Value, json};

/// The smallest picture there is, by its first bytes.
const PNG: &[u8] = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR";

/// A base folder with a source and a target of one form, and a ledger.
struct Bench<const IS_JSONL: bool> {
    folder: tempfile::TempDir,
    ledger: Arc<dyn Ledger>,
}

impl<const IS_JSONL: bool> Bench<IS_JSONL> {
    fn with_posts(texts: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger::open(&folder.path().join("ledger.sqlite"), Arc::new(SystemClock)).unwrap();
        let bench = Self { folder, ledger };
        fs::create_dir(bench.base()).unwrap();
        if IS_JSONL {
            fs::write(bench.path("town"), "").unwrap();
        } else {
            fs::create_dir(bench.path("town")).unwrap();
        }
        for text in texts {
            bench.add(&json!({ "text": text }));
        }
        bench
    }

    fn base(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    fn name(account: &str) -> String {
        if IS_JSONL { format!("{account}.jsonl") } else { account.to_owned() }
    }

    fn path(&self, account: &str) -> PathBuf {
        self.base().join(Self::name(account))
    }

    /// Adds a message to the source now.
    fn add(&self, message: &Value) -> PostId {
        let now = Timestamp::now();
        let mut message = message.clone();
        message["created_at"] = json!(now.to_string());
        if IS_JSONL {
            let id = format!("post {}", now.as_nanosecond());
            message["id"] = json!(id);
            town::append(&self.path("town"), &format!("{message}\n"));
            return PostId(id);
        }
        let id = format!("{}.json", now.as_nanosecond());
        fs::write(self.path("town").join(&id), message.to_string()).unwrap();
        PostId(id)
    }

    fn settings(&self, source: &str) -> Settings {
        let text = format!(
            "[source]\nnetwork = \"file\"\naccount = \"{}\"\n[[targets]]\nnetwork = \"file\"\nlanguage = \"es\"\naccount = \"{}\"\n\
             [engine]\norder = [\"apertium\"]\n[file]\nfolder = \"{}\"\n",
            Self::name(source),
            Self::name("town_es"),
            self.base().display()
        );
        let file = self.folder.path().join("config.toml");
        fs::write(&file, text).unwrap();
        let env = HashMap::new();
        settings::load(&SettingsSources { file: Some(file), env, ..SettingsSources::default() }).unwrap()
    }

    fn source_of(&self, account: &str) -> Rc<dyn Source> {
        self.settings(account).sources[0].connection.source(Wanted::default(), self.ledger.clone())()
    }

    fn order_trouble(&self, trouble: Trouble) -> bool {
        if trouble == Trouble::Unreachable {
            fs::rename(self.base(), self.folder.path().join("elsewhere")).unwrap();
        }
        // Files do not lie, and know no keys and no limits.
        matches!(trouble, Trouble::None | Trouble::Unreachable)
    }
}

#[async_trait(?Send)]
impl<const IS_JSONL: bool> contract::source::Bench for Bench<IS_JSONL> {
    async fn new(texts: &[&str]) -> Self {
        Self::with_posts(texts)
    }

    fn source(&self) -> Rc<dyn Source> {
        self.source_of("town")
    }

    fn source_of_missing_account(&self) -> Rc<dyn Source> {
        self.source_of("nobody")
    }

    fn fetcher(&self) -> Rc<dyn MediaFetcher> {
        self.settings("town").sources[0].connection.media()()
    }

    async fn post(&self, text: &str) -> PostId {
        self.add(&json!({ "text": text }))
    }

    async fn post_unreadable(&self) -> Option<PostId> {
        Some(self.add(&json!({ "text": 7 })))
    }

    async fn post_picture(&self, text: &str, alt: &str) -> Option<PostId> {
        let folder = if IS_JSONL { self.base().join("pictures") } else { self.path("town") };
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("dog.png"), PNG).unwrap();
        let file = if IS_JSONL { "pictures/dog.png" } else { "dog.png" };
        Some(self.add(&json!({ "text": text, "media": [{ "file": file, "alt": alt }] })))
    }

    fn unknown_id(&self) -> PostId {
        PostId("gone".into())
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.order_trouble(trouble)
    }
}

#[async_trait(?Send)]
impl<const IS_JSONL: bool> contract::destination::Bench for Bench<IS_JSONL> {
    async fn new() -> Self {
        Self::with_posts(&[])
    }

    fn destination(&self) -> Rc<dyn Destination> {
        self.settings("town").targets[0].connection.destination(self.ledger.clone())()
    }

    fn destination_with_other_credentials(&self) -> Option<Rc<dyn Destination>> {
        None
    }

    async fn messages(&self) -> Vec<Shown> {
        let shown = |message: town::Message| Shown {
            id: PostId(message.id),
            text: message.text,
            reply_to: message.reply_to.map(PostId),
            alts: message.media.into_iter().map(|(_, alt)| alt).collect(),
        };
        town::messages(&self.path("town_es")).into_iter().map(shown).collect()
    }

    fn unknown_id(&self) -> PostId {
        let key = PublicationKey::new(Timestamp::now());
        PostId(if IS_JSONL { key.to_string() } else { format!("00000000000000000001-{key}.json") })
    }

    fn refused_text(&self) -> String {
        "palabra ".repeat(2000)
    }

    fn media_count(&self) -> usize {
        10
    }

    fn repeat(&self) -> Repeat {
        Repeat::Safe
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.order_trouble(trouble)
    }
}

mod jsonl_source {
    use super::*;

    source_contract!(Bench<true>);
}

mod jsonl_destination {
    use super::*;

    destination_contract!(Bench<true>);
}

mod folder_source {
    use super::*;

    source_contract!(Bench<false>);
}

mod folder_destination {
    use super::*;

    destination_contract!(Bench<false>);
}
