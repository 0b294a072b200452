//! A network that is a folder of files (`toy`): the contract suites, and the whole pipeline from one of its accounts to
//! others, with restarts and kills.
#![allow(missing_docs, clippy::unwrap_used, reason = "behaviors are named by their tests")]

mod chaos;
#[path = "../contract/mod.rs"]
mod contract;
#[path = "../chaos/dice.rs"]
mod dice;
mod toy;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use contract::{Trouble, destination::Message as Shown};
use jiff::Timestamp;
use mynah::{
    app::service::{Polling, Service, Watch},
    ledger,
    networks::{Networks, Wanted},
    settings::{self, Settings, SettingsSources},
};
use mynah_actors::{
    events::{Event, Feed},
    stats::Report,
};
use mynah_domain::{
    PostId,
    network::Repeat,
    ports::{
        Destination, Ledger, MediaFetcher, Page, PageRequest, Shown as Recents, Since, Source, SystemClock,
    },
};
use mynah_sandbox::{Sandbox, SandboxConfig};
use tokio::sync::mpsc::UnboundedReceiver;
use toy::{Account, Message, Toy, id_now};

/// The smallest picture there is, by its first bytes.
const PNG: &[u8] = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR";

/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_mins(1);

/// The name of the settings file.
const CONFIG: &str = "config.toml";

/// A folder with the network, the settings and the ledger.
struct Town {
    folder: tempfile::TempDir,
    ledger: Arc<dyn Ledger>,
}

impl Town {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for account in ["town", "town_es", "town_fr"] {
            fs::create_dir_all(folder.path().join("toy").join(account)).unwrap();
        }
        let ledger = ledger::open(&folder.path().join("facts.sqlite"), Arc::new(SystemClock)).unwrap();
        Self { folder, ledger }
    }

    fn network(&self) -> PathBuf {
        self.folder.path().join("toy")
    }

    fn account(&self, handle: &str) -> Account {
        Account { folder: self.network().join(handle) }
    }

    /// The account posts something now.
    fn post(&self, text: &str) -> PostId {
        let id = id_now("post");
        self.account("town").write(&id, &Message { text: text.into(), ..Message::default() }).unwrap();
        PostId(id)
    }

    /// What is on an account, oldest first.
    fn messages(&self, handle: &str) -> Vec<Shown> {
        let account = self.account(handle);
        let names = fs::read_dir(&account.folder).into_iter().flatten();
        let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut ids: Vec<String> =
            names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect();
        ids.sort();
        let shown = |id: String| {
            let Message { text, reply_to, pictures } = account.read(&id).unwrap();
            let alts = pictures.into_iter().map(|(_, alt)| alt).collect();
            Shown { id: PostId(id), text, reply_to: reply_to.map(PostId), alts }
        };
        ids.into_iter().map(shown).collect()
    }

    /// Settings that name the network for the source and both targets.
    fn settings(&self, source: &str, engine: &str) -> Settings {
        let text = format!(
            "data_dir = \"{0}/data\"\n[source]\nnetwork = \"toy\"\naccount = \"{source}\"\nstart = \"beginning\"\npoll_interval = \"100ms\"\n\
             [[targets]]\nnetwork = \"toy\"\naccount = \"town_es\"\nlanguage = \"es\"\n\
             [[targets]]\nnetwork = \"toy\"\naccount = \"town_fr\"\nlanguage = \"fr\"\n\
             [toy]\nfolder = \"{0}/toy\"\n[engine]\norder = [\"gemini\"]\n[engine.gemini]\nbase_url = \"{engine}\"\n\
             [publisher]\nmin_interval = \"0s\"\ndaily_cap = \"none\"\nmonthly_cap = \"none\"\n[admin]\nlisten = \"off\"\n",
            self.folder.path().display()
        );
        fs::write(self.folder.path().join(CONFIG), text).unwrap();
        load_settings(self.folder.path())
    }

    fn order_trouble(&self, trouble: Trouble) -> bool {
        if trouble == Trouble::Unreachable {
            fs::rename(self.network(), self.folder.path().join("elsewhere")).unwrap();
        }
        // Files do not lie, and know no keys and no limits.
        matches!(trouble, Trouble::None | Trouble::Unreachable)
    }
}

/// The settings in a town's folder.
fn load_settings(folder: &Path) -> Settings {
    let env = HashMap::from([("GEMINI_API_KEY".to_owned(), mynah_sandbox::credentials("").gemini_api_key)]);
    // The one line by which a network is registered.
    let networks = Networks::default().with(&Toy);
    let file = Some(folder.join(CONFIG));
    settings::load(&SettingsSources { file, env, networks, ..SettingsSources::default() }).unwrap()
}

const NO_ENGINE: &str = "http://127.0.0.1:9";

#[async_trait(?Send)]
impl contract::source::Bench for Town {
    async fn new(texts: &[&str]) -> Self {
        let town = Self::new();
        for text in texts {
            town.post(text);
        }
        town
    }

    fn source(&self) -> Rc<dyn Source> {
        let settings = self.settings("town", NO_ENGINE);
        settings.sources[0].connection.source(Wanted::default(), self.ledger.clone())()
    }

    fn source_of_missing_account(&self) -> Rc<dyn Source> {
        let settings = self.settings("nobody", NO_ENGINE);
        settings.sources[0].connection.source(Wanted::default(), self.ledger.clone())()
    }

    fn fetcher(&self) -> Rc<dyn MediaFetcher> {
        self.settings("town", NO_ENGINE).sources[0].connection.media()()
    }

    async fn post(&self, text: &str) -> PostId {
        self.post(text)
    }

    async fn post_unreadable(&self) -> Option<PostId> {
        let id = id_now("post");
        fs::write(self.account("town").file(&id), "{\"text\": 7").unwrap();
        Some(PostId(id))
    }

    async fn post_picture(&self, text: &str, alt: &str) -> Option<PostId> {
        let (account, id) = (self.account("town"), id_now("post"));
        fs::write(account.folder.join("picture"), PNG).unwrap();
        let pictures = vec![("picture".to_owned(), alt.to_owned())];
        account.write(&id, &Message { text: text.into(), pictures, ..Message::default() }).unwrap();
        Some(PostId(id))
    }

    fn unknown_id(&self) -> PostId {
        PostId(id_now("gone"))
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.order_trouble(trouble)
    }
}

#[async_trait(?Send)]
impl contract::destination::Bench for Town {
    async fn new() -> Self {
        Self::new()
    }

    fn destination(&self) -> Rc<dyn Destination> {
        self.settings("town", NO_ENGINE).targets[0].connection.destination(self.ledger.clone())()
    }

    fn destination_with_other_credentials(&self) -> Option<Rc<dyn Destination>> {
        None
    }

    async fn messages(&self) -> Vec<Shown> {
        self.messages("town_es")
    }

    fn unknown_id(&self) -> PostId {
        PostId(id_now("gone"))
    }

    fn refused_text(&self) -> String {
        "palabra ".repeat(100)
    }

    fn media_count(&self) -> usize {
        toy::RULES.limits.media
    }

    fn repeat(&self) -> Repeat {
        toy::RULES.repeat
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.order_trouble(trouble)
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

/// The service on these settings, and what it reports.
async fn start(settings: &Settings) -> (Service, UnboundedReceiver<Event>) {
    let file = settings.data_dir.join("ledger.sqlite");
    // Dropping the ledger of the service before does not wait for its thread.
    while file.exists() && ledger::is_in_use(&file).unwrap() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (feed, events) = Feed::watched();
    let service = Service::start(settings, Polling::Continuous, Watch { feed, polls: None }).await.unwrap();
    (service, events)
}

/// How many calls to networks and engines failed so far.
async fn failed_calls(service: &Service) -> u64 {
    let report = service.pipeline.actors.stats.ask(Report).await.unwrap();
    report.operations.values().flat_map(|operation| operation.errors.values()).sum()
}

/// Waits until so many jobs are published; none may fail or be held.
async fn until_published(events: &mut UnboundedReceiver<Event>, count: usize) {
    let mut published = 0;
    let wait = async {
        while published < count {
            match events.recv().await.unwrap() {
                Event::Published(..) => published += 1,
                Event::Recorded(..) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{count} are not published"));
}

/// The first number in each text, in the account's order.
fn numbers(messages: &[Shown]) -> Vec<usize> {
    let number = |message: &Shown| {
        message.text.split(|c: char| !c.is_ascii_digit()).find_map(|digits| digits.parse().ok())
    };
    messages.iter().map(|message| number(message).unwrap_or_else(|| panic!("{message:?}"))).collect()
}

async fn engine() -> Sandbox {
    mynah_sandbox::start(SandboxConfig::default()).await.unwrap()
}

#[actix_rt::test]
async fn posts_go_the_whole_way_from_folder_to_folder_once_and_in_order_through_restarts() {
    let (town, engine) = (Town::new(), engine().await);
    let settings = town.settings("town", &engine.url());
    let text = |number: usize| {
        let street = char::from(b'A' + u8::try_from(number).unwrap());
        format!("Message {number} from the town hall about street {street}{street}{street}")
    };
    let rounds = 4;
    for round in 0..rounds {
        for number in 1..=5 {
            town.post(&text(round * 5 + number));
        }
        let (service, mut events) = start(&settings).await;
        // All but the last round are stopped with work in hand.
        if round + 1 < rounds {
            until_published(&mut events, 1).await;
        } else {
            let published = town.messages("town_es").len() + town.messages("town_fr").len();
            until_published(&mut events, rounds * 10 - published).await;
        }
        service.stop().await;
    }
    for account in ["town_es", "town_fr"] {
        assert_eq!(numbers(&town.messages(account)), (1..=20).collect::<Vec<_>>(), "{account}");
    }
}

#[actix_rt::test]
async fn a_thread_stays_a_thread_and_pictures_go_with_it() {
    let (town, engine) = (Town::new(), engine().await);
    let account = town.account("town");
    fs::write(account.folder.join("dog"), PNG).unwrap();
    let pictures = vec![("dog".to_owned(), "A white dog under a tree".to_owned())];
    let first = id_now("first");
    let text = "We planted trees in the old town".to_owned();
    account.write(&first, &Message { text, pictures, ..Message::default() }).unwrap();
    let text = "Next year we plant more of them".to_owned();
    let reply_to = Some(first);
    account.write(&id_now("second"), &Message { text, reply_to, ..Message::default() }).unwrap();

    let (service, mut events) = start(&town.settings("town", &engine.url())).await;
    until_published(&mut events, 4).await;
    service.stop().await;
    for account in ["town_es", "town_fr"] {
        let messages = town.messages(account);
        let [first, second] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!(second.reply_to.as_ref(), Some(&first.id));
        assert!(first.alts.len() == 1 && !first.alts[0].is_empty(), "{first:?}");
        let picture = town.account(account).read(&first.id.0).unwrap().pictures.remove(0).0;
        assert_eq!(fs::read(town.account(account).folder.join(picture)).unwrap(), PNG);
    }
}

#[actix_rt::test]
async fn a_check_finds_the_accounts_and_a_preview_their_posts() {
    let town = Town::new();
    let id = town.post("The bridge opens at noon");
    let settings = town.settings("town", NO_ENGINE);
    let (source, target) = (&settings.sources[0].connection, &settings.targets[0].connection);
    let ledger = || town.ledger.clone();
    source.check(ledger()).await.unwrap();
    target.check(ledger()).await.unwrap();
    assert_eq!(source.post(&id, ledger()).await.unwrap().text, "The bridge opens at noon");
    let why = source.post(&PostId("../town_es/1-a".into()), ledger()).await.unwrap_err();
    assert!(why.contains("no file"), "{why}");
    fs::write(town.account("town").file(&id.0), "{\"te").unwrap();
    let why = source.post(&id, ledger()).await.unwrap_err();
    assert!(why.contains("cannot be read"), "{why}");

    town.order_trouble(Trouble::Unreachable);
    for answer in [source.check(ledger()).await, target.check(ledger()).await] {
        let why = answer.unwrap_err();
        assert!(why.contains("check that the folder is there"), "{why}");
    }
}

#[actix_rt::test]
async fn a_half_written_file_that_a_kill_left_behind_is_no_message() {
    let town = Town::new();
    let settings = town.settings("town", NO_ENGINE);
    let (source, target) = (&settings.sources[0].connection, &settings.targets[0].connection);
    for handle in ["town", "town_es"] {
        fs::write(town.account(handle).folder.join(format!("{}.draft", id_now("post"))), "{\"te").unwrap();
    }
    let page = source.source(Wanted::default(), town.ledger.clone())().page(&PageRequest::default()).await;
    assert_eq!(page.unwrap(), Page::default());
    let since = Since::Moment(Timestamp::UNIX_EPOCH);
    assert_eq!(target.destination(town.ledger.clone())().recent(&since).await.unwrap(), Recents::default());
}

#[actix_rt::test]
async fn a_network_that_is_gone_for_a_while_loses_nothing() {
    let (town, engine) = (Town::new(), engine().await);
    town.post("Message 1 from the town hall about the old bridge");
    let settings = town.settings("town", &engine.url());
    let (service, mut events) = start(&settings).await;
    until_published(&mut events, 2).await;
    let elsewhere = town.folder.path().join("elsewhere");
    fs::rename(town.network(), &elsewhere).unwrap();
    let missed = async {
        while failed_calls(&service).await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, missed).await.expect("a call fails while the network is away");
    fs::rename(&elsewhere, town.network()).unwrap();
    town.post("Message 2 from the town hall about the new ferry");
    until_published(&mut events, 2).await;
    service.stop().await;
    assert_eq!(numbers(&town.messages("town_es")), [1, 2]);
}
