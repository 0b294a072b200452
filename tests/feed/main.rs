//! Feeds as a source: the source's contract, what a feed's server may answer, and the built binary from a feed to two
//! accounts.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviors are named by their tests")]

#[path = "../contract/mod.rs"]
mod contract;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod well_formed;

use std::{cell::RefCell, collections::HashMap, fmt::Write as _, fs, rc::Rc, sync::Arc};

use async_trait::async_trait;
use contract::Trouble;
use mynah::{
    ledger,
    networks::Wanted,
    settings::{self, Settings, SettingsSources},
};
use mynah_domain::{
    PostId,
    ports::{Ledger, MediaFetcher, Page, PageRequest, Source, SourceError, SystemClock},
};
use mynah_sandbox::{RateLimits, SandboxConfig};
use server::{Entry, Instead, Server};
use support::{Town, message, numbers, run};
use tokio::net::TcpSocket;

/// A feed, and a ledger.
struct Paper {
    server: Server,
    folder: tempfile::TempDir,
    ledger: Arc<dyn Ledger>,
    /// The port of a server that was stopped.
    closed_port: RefCell<Option<TcpSocket>>,
}

fn empty_ledger() -> (tempfile::TempDir, Arc<dyn Ledger>) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger::open(&folder.path().join("ledger.sqlite"), Arc::new(SystemClock)).unwrap();
    (folder, ledger)
}

impl Paper {
    fn with_items(titles: &[&str]) -> Self {
        let server = Server::start();
        for title in titles {
            server.post(title);
        }
        let (folder, ledger) = empty_ledger();
        Self { server, folder, ledger, closed_port: RefCell::default() }
    }

    /// The same server, and a ledger that knows nothing of it.
    fn with_empty_ledger(self) -> Self {
        let (folder, ledger) = empty_ledger();
        Self { folder, ledger, ..self }
    }

    fn settings(&self, address: &str) -> Settings {
        let text = format!(
            "[source]\nnetwork = \"feed\"\naccount = \"{address}\"\n[[targets]]\nlanguage = \"es\"\naccount = \"town_es\"\n\
             [engine]\norder = [\"apertium\"]\n[feed]\ntemplate = \"{{title}}\"\ntimeout = \"5s\"\n"
        );
        let file = self.folder.path().join("config.toml");
        fs::write(&file, text).unwrap();
        let token = mynah_sandbox::credentials("town_es").user_bearer_token;
        let env = HashMap::from([("X_TOWN_ES_OAUTH2_TOKEN".to_owned(), token)]);
        settings::load(&SettingsSources { file: Some(file), env, ..SettingsSources::default() }).unwrap()
    }

    /// The source as a new process has it.
    fn open(&self) -> Rc<dyn Source> {
        self.open_at(&self.server.url())
    }

    fn open_at(&self, address: &str) -> Rc<dyn Source> {
        self.settings(address).sources[0].connection.source(Wanted::default(), self.ledger.clone())()
    }

    fn answer(&self, instead: impl Into<Option<Instead>>) {
        self.server.state().instead = instead.into();
    }

    /// The number of requests so far, and the last of them.
    fn requests(&self) -> (usize, String) {
        let state = self.server.state();
        (state.requests.len(), state.requests.last().cloned().unwrap_or_default())
    }
}

#[async_trait(?Send)]
impl contract::source::Bench for Paper {
    async fn new(texts: &[&str]) -> Self {
        Self::with_items(texts)
    }

    fn source(&self) -> Rc<dyn Source> {
        self.open()
    }

    fn source_of_missing_account(&self) -> Rc<dyn Source> {
        self.open_at(&self.server.url().replace("/feed", "/nothing"))
    }

    fn fetcher(&self) -> Rc<dyn MediaFetcher> {
        self.settings(&self.server.url()).sources[0].connection.media()()
    }

    async fn post(&self, text: &str) -> PostId {
        PostId(self.server.post(text))
    }

    async fn post_unreadable(&self) -> Option<PostId> {
        self.server.add(Entry { id: "urn:bare".into(), ..Entry::default() });
        Some(PostId("urn:bare".into()))
    }

    async fn post_picture(&self, text: &str, alt: &str) -> Option<PostId> {
        let id = "urn:picture".to_owned();
        let picture = Some(alt.to_owned());
        self.server.add(Entry { id: id.clone(), title: text.into(), picture, ..Entry::default() });
        Some(PostId(id))
    }

    fn unknown_id(&self) -> PostId {
        PostId("urn:unknown".into())
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        let status = |status| Some(Instead::Status(status, String::new()));
        let instead = match trouble {
            Trouble::None => None,
            Trouble::Unreachable => {
                self.server.stop();
                self.closed_port.replace(Some(contract::closed_port(self.server.address())));
                return true;
            }
            Trouble::AnswerLost => Some(Instead::Nothing),
            Trouble::Down => status(503),
            Trouble::Garbage => Some(Instead::Body(b"<!doctype html><html>Hello</html>".to_vec())),
            Trouble::CredentialsRefused => status(401),
            Trouble::RateLimited => status(429),
            Trouble::Locked => return false,
        };
        self.answer(instead);
        true
    }
}

mod source {
    use super::*;

    source_contract!(Paper);
}

async fn newest(source: &dyn Source, after: Option<&PostId>) -> Result<Page, SourceError> {
    source.page(&PageRequest { after: after.cloned(), limit: 100, ..PageRequest::default() }).await
}

fn texts(page: &Page) -> Vec<&str> {
    page.posts.iter().map(|post| post.text.as_str()).collect()
}

#[actix_rt::test]
async fn an_unchanged_feed_is_not_sent_again_even_after_a_restart() {
    let paper = Paper::with_items(&["one", "two"]);
    paper.server.state().has_etag = true;
    let source = paper.open();
    let newest_id = newest(&*source, None).await.unwrap().posts[0].id.clone();
    assert!(!paper.requests().1.contains("if-none-match"));
    for source in [source, paper.open()] {
        assert_eq!(newest(&*source, Some(&newest_id)).await.unwrap(), Page::default());
        assert!(paper.requests().1.contains("if-none-match"));
    }
    paper.server.post("three");
    let page = newest(&*paper.open(), Some(&newest_id)).await.unwrap();
    assert_eq!(texts(&page), ["three"]);
    // A crash before the page was recorded.
    let page = newest(&*paper.open(), Some(&newest_id)).await.unwrap();
    assert_eq!(texts(&page), ["three"]);
}

#[actix_rt::test]
async fn a_feed_is_not_asked_before_its_answer_expires() {
    let paper = Paper::with_items(&["one"]);
    paper.server.state().headers = "cache-control: max-age=600\r\n".into();
    let source = paper.open();
    let newest_id = newest(&*source, None).await.unwrap().posts[0].id.clone();
    paper.server.post("two");
    for source in [source, paper.open()] {
        assert_eq!(newest(&*source, Some(&newest_id)).await.unwrap(), Page::default());
    }
    assert_eq!(paper.requests().0, 1);
}

#[actix_rt::test]
async fn a_feed_that_moved_for_good_is_asked_at_its_new_address() {
    let paper = Paper::with_items(&["one"]);
    for (status, is_remembered) in [(302, false), (307, false), (301, true), (308, true)] {
        paper.answer(Instead::Status(status, "location: /new\r\n".into()));
        assert_eq!(texts(&newest(&*paper.open(), None).await.unwrap()), ["one"], "{status}");
        let before = paper.requests().0;
        newest(&*paper.open(), None).await.unwrap();
        let asked = paper.requests().0 - before;
        assert_eq!(asked == 1, is_remembered, "{status}");
    }
}

#[actix_rt::test]
async fn redirects_are_bounded_and_lead_only_to_http() {
    let paper = Paper::with_items(&["one"]);
    for (location, reason) in
        [("/feed", "redirects more than 5 times"), ("file:///etc/passwd", "redirects to file:")]
    {
        paper.answer(Instead::Status(302, format!("location: {location}\r\n")));
        let error = newest(&*paper.open(), None).await.unwrap_err();
        assert!(error.is_passing() && error.to_string().contains(reason), "{error}");
    }
}

#[actix_rt::test]
async fn a_feed_that_is_gone_is_not_asked_again() {
    let paper = Paper::with_items(&["one"]);
    let source = paper.open();
    newest(&*source, None).await.unwrap();
    paper.answer(Instead::Status(410, String::new()));
    for _ in 0..3 {
        let error = newest(&*source, None).await.unwrap_err();
        assert!(matches!(error, SourceError::Account(_)), "{error:?}");
        assert!(error.to_string().contains("gone for good (410); remove this source"), "{error}");
    }
    assert_eq!(paper.requests().0, 2);
}

#[actix_rt::test]
async fn what_is_no_feed_is_named_and_the_next_poll_continues() {
    let paper = Paper::with_items(&["one"]);
    let source = paper.open();
    for (instead, reason) in [
        (Instead::Body(b"<html></html>".to_vec()), "this is a web page, not a feed"),
        (Instead::Body(Vec::new()), "the answer is empty"),
        (Instead::Body(b"<rss version=\"2.0\"><channel><item>".to_vec()), "the feed is cut off"),
        (Instead::Body(vec![b' '; 11 * 1024 * 1024]), "it is larger than 10 MB"),
        (Instead::Endless, "it is larger than 10 MB"),
        (Instead::Status(500, String::new()), "its server answers 500"),
    ] {
        paper.answer(instead);
        let error = newest(&*source, None).await.unwrap_err();
        assert!(error.is_passing() && error.to_string().contains(reason), "{reason}: {error}");
        paper.answer(None);
        assert_eq!(texts(&newest(&*source, None).await.unwrap()), ["one"], "{reason}");
    }
}

fn packed(mut bytes: impl std::io::Read) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut bytes, &mut encoder).unwrap();
    encoder.finish().unwrap()
}

#[actix_rt::test]
async fn a_packed_feed_is_read_and_a_bomb_is_refused() {
    let paper = Paper::with_items(&["one"]);
    let source = paper.open();
    let document = server::document(&paper.server.state().entries, paper.server.address());
    let whole = packed(document.as_bytes());
    paper.answer(Instead::Packed(whole.clone()));
    assert_eq!(texts(&newest(&*source, None).await.unwrap()), ["one"]);
    assert!(paper.requests().1.contains("accept-encoding: gzip\r\n"));
    let bomb = packed(std::io::Read::take(std::io::repeat(b' '), 200 * 1024 * 1024));
    assert!(bomb.len() < 2 * 1024 * 1024);
    for (body, reason) in [
        (bomb, "it is larger than 10 MB"),
        (whole[..whole.len() - 9].to_vec(), "cannot be unpacked"),
        (document.into_bytes(), "cannot be unpacked"),
    ] {
        paper.answer(Instead::Packed(body));
        let error = newest(&*source, None).await.unwrap_err();
        assert!(error.is_passing() && error.to_string().contains(reason), "{reason}: {error}");
    }
}

#[actix_rt::test]
async fn items_from_a_feed_are_published_once_and_in_order() {
    let paper = Server::start();
    let post = |number: usize| paper.post(&message(number));
    (1..=3).for_each(|number| drop(post(number)));
    let config = SandboxConfig {
        account: "town".into(),
        rate_limits: RateLimits::unlimited(),
        ..SandboxConfig::default()
    };
    let config = config.target("town_es", "es").target("town_ca", "ca");
    let town = Town::on(mynah_sandbox::start(config).await.unwrap(), &["es", "ca"], "gemini");
    let text = fs::read_to_string(town.config()).unwrap();
    let source = format!("[source]\nnetwork = \"feed\"\naccount = \"{}\"", paper.url());
    fs::write(town.config(), text.replace("[source]\naccount = \"town\"", &source)).unwrap();

    let check = run(&town, &["check"]);
    assert!(check.out.contains("found the feed \"Paper\" with 3 items"), "{}\n{}", check.out, check.err);

    let running = town.serve().await.0;
    for language in ["es", "ca"] {
        town.until_published(language, 3).await;
    }
    {
        let mut state = paper.state();
        state.entries[1].title = message(99);
        state.entries[0].id = "urn:another".into();
    }
    post(4);
    for language in ["es", "ca"] {
        town.until_published(language, 4).await;
    }
    assert_eq!(running.terminate(), Some(0));
    for entry in &mut paper.state().entries {
        entry.id = format!("{}:renamed", entry.id);
    }
    post(5);
    town.once().assert_success();
    for language in ["es", "ca"] {
        let publications = town.publications(language);
        assert_eq!(numbers(&publications), [1, 2, 3, 4, 5], "{}", town.log_tail());
        assert!(publications[3].text.ends_with("https://paper.example/3"), "{:?}", publications[3]);
    }
}

#[actix_rt::test]
async fn only_new_items_are_published_unless_the_settings_say_otherwise() {
    let paper = Server::start();
    paper.post(&message(1));
    let config = SandboxConfig {
        account: "town".into(),
        rate_limits: RateLimits::unlimited(),
        ..SandboxConfig::default()
    };
    let sandbox = mynah_sandbox::start(config.target("town_es", "es")).await.unwrap();
    let town = Town::on(sandbox, &["es"], "gemini");
    let text = fs::read_to_string(town.config()).unwrap();
    let source = format!("[source]\nnetwork = \"feed\"\naccount = \"{}\"", paper.url());
    let text = text
        .replace("[source]\naccount = \"town\"", &source)
        .replace("start = \"beginning\"", "start = \"now\"");
    fs::write(town.config(), text).unwrap();
    town.once().assert_success();
    paper.state().entries[0].id = "urn:another".into();
    paper.post(&message(2));
    town.once().assert_success();
    assert_eq!(numbers(&town.publications("es")), [2], "{}", town.log_tail());
}

#[test]
fn a_feed_cannot_be_a_target_and_a_wrong_template_names_the_valid_placeholders() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let text = "[source]\nnetwork = \"feed\"\naccount = \"https://paper.example/feed\"\n\
                [[targets]]\nnetwork = \"feed\"\nlanguage = \"es\"\naccount = \"town_es\"\n[feed]\ntemplate = \"{titel}\"\n";
    fs::write(&file, text).unwrap();
    let sources = SettingsSources { file: Some(file), ..SettingsSources::default() };
    let problems = settings::load(&sources).unwrap_err().to_string();
    assert!(problems.contains("nothing can be published on a feed"), "{problems}");
    assert!(problems.contains("{titel} is not a placeholder; use {title}"), "{problems}");
    assert!(!problems.contains("is not an address"), "{problems}");
}

#[test]
fn only_a_feed_may_have_a_template_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let source = |name: &str, more: &str| format!("[[sources]]\nname = \"{name}\"\n{more}\n");
    let target = |name: &str| {
        format!(
            "[[targets]]\nsource = \"{name}\"\nname = \"{name}\"\nnetwork = \"file\"\nlanguage = \"es\"\naccount = \"{name}.jsonl\"\n"
        )
    };
    let text = [
        source("town", "account = \"town\"\ntemplate = \"{title}\""),
        source(
            "paper",
            "network = \"feed\"\naccount = \"https://paper.example/feed\"\ntemplate = \"{titel}\"",
        ),
        target("town"),
        target("paper"),
    ];
    fs::write(&file, text.concat()).unwrap();
    let sources = SettingsSources { file: Some(file), ..SettingsSources::default() };
    let problems = settings::load(&sources).unwrap_err().to_string();
    assert!(
        problems.contains("sources[0].template\n  what: posts on X are published as they are"),
        "{problems}"
    );
    assert!(problems.contains("sources[1].template\n  what: {titel} is not a placeholder"), "{problems}");
}

#[actix_rt::test]
async fn each_feed_has_its_own_template_or_the_common_one() {
    let papers = [Server::start(), Server::start()];
    for paper in &papers {
        paper.post(&message(1));
    }
    let sandbox = mynah_sandbox::start(SandboxConfig::default()).await.unwrap();
    let mut town = Town::on(sandbox, &[], "gemini");
    town.environment.push(("GEMINI_API_KEY".into(), mynah_sandbox::credentials("town").gemini_api_key));
    let mut text = format!(
        "data_dir = \"{0}/data\"\n[file]\nfolder = \"{0}\"\n[defaults.sources]\nnetwork = \"feed\"\nstart = \"beginning\"\n\
         [engine]\norder = [\"gemini\"]\n[engine.gemini]\nbase_url = \"{1}\"\n[feed]\ntemplate = '{{title}}'\n",
        town.folder.path().display(),
        town.sandbox.url(),
    );
    for ((name, template), paper) in
        [("own", "template = '{title} {link}'\n"), ("common", "")].into_iter().zip(&papers)
    {
        write!(
            text,
            "[[sources]]\nname = \"{name}\"\naccount = \"{}\"\n{template}\
             [[targets]]\nsource = \"{name}\"\nnetwork = \"file\"\nlanguage = \"es\"\naccount = \"{name}.jsonl\"\n",
            paper.url()
        )
        .unwrap();
    }
    fs::write(town.config(), text).unwrap();
    town.once().assert_success();
    let has_link = |name: &str| {
        let messages = fs::read_to_string(town.folder.path().join(format!("{name}.jsonl"))).unwrap();
        assert_eq!(messages.lines().count(), 1);
        messages.contains("https://paper.example/0")
    };
    assert!(has_link("own") && !has_link("common"));
}
