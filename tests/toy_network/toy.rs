//! A network that is a folder of files, as short as a network can be. `docs/adding-a-network.md` walks through it. An account
//! is a folder in `toy.folder`. Each of its messages is a JSON file, whose name sorts by time.

use std::{
    fs, io,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use config::ValueKind;
use jiff::Timestamp;
use mynah::{
    http_client::Transport,
    networks::{Accounts, Connections, Followed, Network, Published, Wanted, download},
    settings::{
        Reader, Vault,
        kinds::{Read, folder, quoted, refuse, text_of},
    },
};
use mynah_actors::pipeline::Factory;
use mynah_domain::{
    Media, MediaKind, Post, PostId, PostKind,
    network::{Limits, NetworkRules, PlainText, Price, Repeat},
    ports::{
        Destination, Draft, FetchError, FetchedMedium, Ledger, Lookup, MediaFetcher, MediaId, MediaLimits,
        Page, PageRequest, PublishError, Recent, Shown, Since, Source, SourceError, Unreadable, UploadError,
        Uploaded, ledger::Mark,
    },
};
use serde::{Deserialize, Serialize};

/// What its messages may hold. A draft that is published again is recognized by its key, which is in the file's name.
pub(crate) const RULES: PlainText = PlainText {
    name: "toy",
    limits: Limits { text: 300, alt_text: 300, media: 4 },
    repeat: Repeat::Safe,
    price: Price { message: 0, with_link: 0 },
    has_warnings: false,
    has_cards: false,
};

/// The entry in the registry.
#[derive(Debug)]
pub(crate) struct Toy;

impl Network for Toy {
    fn name(&self) -> &'static str {
        RULES.name
    }

    fn rules(&self) -> Arc<dyn NetworkRules> {
        Arc::new(RULES)
    }

    fn handle(&self, value: &ValueKind) -> Read<String> {
        let handle = text_of(value)?;
        if !handle.is_empty() && handle.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            return Ok(handle.to_owned());
        }
        refuse(format!("{} is no name of a folder", quoted(value)), "write small letters and _")
    }

    fn mark(&self, id: &str) -> Option<Mark> {
        Some(Mark { id: PostId(id.into()), position: position(id)? })
    }

    fn example_id(&self) -> &'static str {
        "01790000000000000000-hello"
    }

    fn read(
        &self,
        reader: &mut Reader<'_>,
        _: &mut Vault<'_>,
        accounts: &Accounts<'_>,
        _: Option<Transport>,
    ) -> Option<Connections> {
        let root = reader.or("toy.folder", "toy", folder)?;
        let account = |handle: &str| Some(Account { folder: root.join(handle) });
        accounts.connect(Duration::ZERO, account, account)
    }
}

/// A message as its file has it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Message {
    pub(crate) text: String,
    /// The id of the message that it replies to.
    pub(crate) reply_to: Option<String>,
    /// The name of each picture's file, and its alt text.
    pub(crate) pictures: Vec<(String, String)>,
}

/// An id of this moment.
pub(crate) fn id_now(name: impl std::fmt::Display) -> String {
    format!("{}-{name}", digits(Timestamp::now()))
}

/// The nanoseconds with which the id of a message of this moment begins.
fn digits(moment: Timestamp) -> String {
    format!("{:020}", moment.as_nanosecond())
}

/// The place that a message has by its id.
fn position(id: &str) -> Option<u64> {
    id.split_once('-')?.0.parse().ok()
}

/// An account. It needs no connection, so it is its own source, media fetcher and destination.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) folder: PathBuf,
}

impl Account {
    pub(crate) fn file(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    /// The ids of its messages, newest first, or why they cannot be listed.
    fn ids(&self) -> Result<Vec<String>, String> {
        let files = fs::read_dir(&self.folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let files = files.map_err(|error| self.reason(&error))?;
        let names = files.iter().map(|file| file.file_name().to_string_lossy().into_owned());
        let mut ids: Vec<String> =
            names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect();
        ids.retain(|id| position(id).is_some());
        ids.sort_by(|one, other| other.cmp(one));
        Ok(ids)
    }

    fn reason(&self, error: &io::Error) -> String {
        format!("{}: {error}; check that the folder is there", self.folder.display())
    }

    pub(crate) fn read(&self, id: &str) -> io::Result<Message> {
        Ok(serde_json::from_str(&fs::read_to_string(self.file(id))?)?)
    }

    /// Writes a message, whole or not at all: whoever is killed before the rename leaves a file that is no message.
    pub(crate) fn write(&self, id: &str, message: &Message) -> io::Result<()> {
        let draft = self.folder.join(format!("{id}.draft"));
        fs::write(&draft, serde_json::to_vec(message)?)?;
        fs::rename(draft, self.file(id))
    }

    /// The message of that id as a post.
    fn post(&self, id: &str) -> Result<Post, Unreadable> {
        let (position, id) = (position(id).unwrap_or_default(), PostId(id.to_owned()));
        let Message { text, reply_to, pictures } = self.read(&id.0).map_err(|error| Unreadable {
            mark: Some((id.clone(), position)),
            reason: error.to_string(),
            raw: fs::read_to_string(self.file(&id.0)).unwrap_or_default(),
        })?;
        let media = pictures.into_iter().map(|(file, alt)| Media {
            key: file.clone(),
            kind: MediaKind::Photo,
            url: Some(file),
            alt: Some(alt),
        });
        Ok(Post {
            id,
            position,
            entities: Some(RULES.entities(&text)),
            text,
            language: None,
            kind: reply_to.map_or(PostKind::Original, |id| PostKind::Thread { parent: PostId(id) }),
            created_at: Timestamp::from_nanosecond(position.into()).unwrap_or_default(),
            media: media.collect(),
            has_poll: false,
            warning: None,
            is_sensitive: false,
            card: None,
            versions: vec![],
        })
    }
}

#[async_trait(?Send)]
impl Source for Account {
    async fn page(&self, request: &PageRequest) -> Result<Page, SourceError> {
        // If the whole network is missing, it may come back.
        let is_missing = || self.folder.parent().is_some_and(Path::exists) && !self.folder.exists();
        let ids = self.ids().map_err(|why| {
            if is_missing() { SourceError::Account(why) } else { SourceError::Unavailable(why) }
        })?;
        let limit = request.limit.max(1);
        let after = request.after.as_ref().map_or("", |PostId(id)| id);
        let before = request.continuation.as_ref().or(request.before.as_ref().map(|PostId(id)| id));
        let from = request.from.map(digits).unwrap_or_default();
        let is_wanted =
            |id: &String| id.as_str() > after && *id >= from && before.is_none_or(|before| id < before);
        let ids: Vec<String> = ids.into_iter().filter(is_wanted).take(limit).collect();
        let mut page = Page { continuation: ids.get(limit - 1).cloned(), ..Page::default() };
        for id in &ids {
            match self.post(id) {
                Ok(post) => page.posts.push(post),
                Err(unreadable) => page.unreadable.push(unreadable),
            }
        }
        Ok(page)
    }

    async fn by_id(&self, PostId(id): &PostId) -> Result<Lookup, SourceError> {
        if !self.ids().map_err(SourceError::Unavailable)?.contains(id) {
            return Ok(Lookup::Gone(format!("there is no file {id}.json")));
        }
        Ok(self.post(id).map_or_else(Lookup::Unreadable, |post| Lookup::Post(Box::new(post))))
    }

    fn position(&self, PostId(id): &PostId) -> Option<u64> {
        position(id)
    }

    fn network(&self) -> &'static str {
        RULES.name
    }
}

#[async_trait(?Send)]
impl MediaFetcher for Account {
    async fn fetch(&self, medium: &Media, limits: &MediaLimits) -> Result<FetchedMedium, FetchError> {
        // A stranger wrote the name: it may lead nowhere but into this folder.
        let is_plain = |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let name = medium.url.as_ref().filter(is_plain);
        let name = name.ok_or_else(|| FetchError::Missing("it has no plain name of a file".into()))?;
        let bytes = fs::read(self.folder.join(name));
        download::picture(bytes.map_err(|error| FetchError::Missing(error.to_string()))?, limits)
    }
}

#[async_trait(?Send)]
impl Destination for Account {
    async fn verify(&self) -> Result<(), PublishError> {
        self.ids().map(drop).map_err(PublishError::Unavailable)
    }

    async fn publish(&self, draft: &Draft) -> Result<PostId, PublishError> {
        let ids = self.ids().map_err(PublishError::Unavailable)?;
        let key = draft.key.to_string();
        if let Some(published) = ids.iter().find(|id| id.ends_with(&key)) {
            return Ok(PostId(published.clone()));
        }
        if RULES.weigh(&draft.text) > RULES.limits.text {
            return Err(PublishError::Refused(format!("it has more than {} characters", RULES.limits.text)));
        }
        let reply_to = draft.reply.as_ref().map(|reply| reply.parent.0.clone());
        if let Some(gone) = reply_to.as_ref().filter(|id| !ids.contains(id)) {
            return Err(PublishError::ReplyRefused(format!("there is no message {gone}")));
        }
        let pictures = draft.media.iter().filter_map(|MediaId(id)| id.split_once(' '));
        let pictures = pictures.map(|(file, alt)| (file.to_owned(), alt.to_owned())).collect();
        let id = id_now(key);
        let written = self.write(&id, &Message { text: draft.text.clone(), reply_to, pictures });
        written.map_err(|error| PublishError::OutcomeUnknown(self.reason(&error)))?;
        Ok(PostId(id))
    }

    /// The id is the name of the file and the alt text, as a picture's file has no place for that.
    async fn upload(&self, medium: FetchedMedium, alt: &str) -> Result<Uploaded, UploadError> {
        let FetchedMedium { mime, size, content } = medium;
        if !["image/png", "image/jpeg"].contains(&mime) || size > self.media_limits().picture {
            return Err(UploadError::Refused(format!("{mime} of {size} bytes is not accepted")));
        }
        let file = id_now("picture");
        let written = fs::write(self.folder.join(&file), content.whole().await?);
        written.map_err(|error| UploadError::Unavailable(self.reason(&error)))?;
        Ok(Uploaded { id: MediaId(format!("{file} {alt}")), undescribed: None })
    }

    fn media_limits(&self) -> MediaLimits {
        MediaLimits { network: RULES.name, picture: 1024 * 1024, video: 0 }
    }

    fn network(&self) -> &'static str {
        RULES.name
    }

    async fn recent(&self, since: &Since) -> Result<Shown, PublishError> {
        let start = match since {
            Since::Message(PostId(id)) => id.clone(),
            Since::Moment(moment) => digits(*moment),
        };
        let mut shown = Shown::default();
        for id in self.ids().map_err(PublishError::Unavailable)?.iter().filter(|id| **id > start) {
            match self.post(id) {
                Ok(Post { id, text, created_at, .. }) => shown.messages.push(Recent { id, text, created_at }),
                Err(unreadable) => shown.gap = Some(unreadable.reason),
            }
        }
        Ok(shown)
    }

    fn is_same(&self, draft: &Draft, shown: &Recent) -> bool {
        shown.id.0.ends_with(&draft.key.to_string())
    }
}

impl Followed for Account {
    fn source(&self, _: Wanted, _: Arc<dyn Ledger>) -> Factory<Rc<dyn Source>> {
        let account = self.clone();
        Arc::new(move || Rc::new(account.clone()))
    }

    fn media(&self) -> Factory<Rc<dyn MediaFetcher>> {
        let account = self.clone();
        Arc::new(move || Rc::new(account.clone()))
    }
}

impl Published for Account {
    fn destination(&self, _: Arc<dyn Ledger>) -> Factory<Rc<dyn Destination>> {
        let account = self.clone();
        Arc::new(move || Rc::new(account.clone()))
    }
}
