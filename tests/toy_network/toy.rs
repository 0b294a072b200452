//! A minimal network made of files: `docs/adding-a-network.md` walks through it. An account is a folder in
//! `toy.folder`, and each of its messages is a JSON file whose name sorts by time.

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
    networks::{Accounts, Connections, Followed, Network, Published, Wanted, sniff},
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
        Content, Destination, Draft, FetchError, FetchedMedium, Ledger, Lookup, MediaFetcher, MediaId,
        MediaLimits, Page, PageRequest, PublishError, Recent, Shown, Since, Source, SourceError, Unreadable,
        UploadError, Uploaded, ledger::Mark,
    },
};
use serde::{Deserialize, Serialize};

/// The limits of its messages. Publishing a message again under the same key changes nothing, because the key is part
/// of the file's name.
pub(crate) const RULES: PlainText = PlainText {
    name: "toy",
    limits: Limits { text: 300, alt_text: 300, media: 4 },
    repeat: Repeat::Safe,
    price: Price { message: 0, with_link: 0 },
};

/// The entry in the registry.
#[derive(Debug)]
pub(crate) struct Toy;

impl Network for Toy {
    fn name(&self) -> &'static str {
        RULES.name
    }

    fn title(&self) -> &'static str {
        "the toy network"
    }

    fn rules(&self) -> Arc<dyn NetworkRules> {
        Arc::new(RULES)
    }

    fn handle(&self, value: &ValueKind) -> Read<String> {
        match text_of(value)? {
            handle
                if !handle.is_empty()
                    && handle.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') =>
            {
                Ok(handle.to_owned())
            }
            _ => refuse(format!("{} is not a folder name", quoted(value)), "write lowercase letters and _"),
        }
    }

    fn mark(&self, id: &str) -> Option<Mark> {
        Some(Mark { id: PostId(id.into()), position: position(id)? })
    }

    fn example_id(&self) -> &'static str {
        "00001790000000000000-hello"
    }

    fn read(
        &self,
        reader: &mut Reader<'_>,
        _: &mut Vault<'_>,
        accounts: &Accounts<'_>,
        _: Option<Transport>,
    ) -> Option<Connections> {
        let root = reader.or("toy.folder", "toy", folder)?;
        let account = |handle: Option<&str>| Some(Arc::new(Account { folder: root.join(handle?) }));
        let followed: Option<Vec<_>> = accounts.followed.iter().copied().map(account).collect();
        let published: Option<Vec<_>> = accounts.published.iter().copied().map(account).collect();
        Some(Connections {
            followed: followed?.into_iter().map(|account| account as Arc<dyn Followed>).collect(),
            published: published?.into_iter().map(|account| account as Arc<dyn Published>).collect(),
            longest_call: Duration::ZERO,
        })
    }
}

/// The content of a message's file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Message {
    pub(crate) text: String,
    /// The id of the message it replies to.
    pub(crate) reply_to: Option<String>,
    /// The file name of each picture, and its alt text.
    pub(crate) pictures: Vec<(String, String)>,
}

/// An account: its folder.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) folder: PathBuf,
}

/// A message's position: the time in nanoseconds with which its id begins.
fn position(id: &str) -> Option<u64> {
    id.split_once('-')?.0.parse().ok()
}

/// An id for this moment.
pub(crate) fn id_now(name: impl std::fmt::Display) -> String {
    format!("{:020}-{name}", Timestamp::now().as_nanosecond())
}

impl Account {
    /// The ids of its messages, newest first.
    fn ids(&self) -> io::Result<Vec<String>> {
        let mut ids = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let name = file?.file_name().to_string_lossy().into_owned();
            ids.extend(name.strip_suffix(".json").filter(|id| position(id).is_some()).map(str::to_owned));
        }
        ids.sort_by(|one, other| other.cmp(one));
        Ok(ids)
    }

    pub(crate) fn file(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    pub(crate) fn read(&self, id: &str) -> io::Result<Message> {
        Ok(serde_json::from_str(&fs::read_to_string(self.file(id))?)?)
    }

    /// Writes a message completely or not at all.
    pub(crate) fn write(&self, id: &str, message: &Message) -> io::Result<()> {
        let draft = self.folder.join(format!("{id}.draft"));
        fs::write(&draft, serde_json::to_vec(message)?)?;
        fs::rename(draft, self.file(id))
    }

    /// The message with this id as a post, or why it is unreadable.
    fn post(&self, id: &str) -> Result<Post, Unreadable> {
        let position = position(id).unwrap_or_default();
        let id = PostId(id.to_owned());
        let message = self.read(&id.0).map_err(|error| Unreadable {
            mark: Some((id.clone(), position)),
            reason: error.to_string(),
            raw: fs::read_to_string(self.file(&id.0)).unwrap_or_default(),
        })?;
        let picture = |(file, alt): (String, String)| Media {
            key: file.clone(),
            kind: MediaKind::Photo,
            url: Some(file),
            alt: Some(alt),
        };
        Ok(Post {
            id,
            position,
            entities: Some(RULES.entities(&message.text)),
            text: message.text,
            language: None,
            kind: message.reply_to.map_or(PostKind::Original, |id| PostKind::Thread { parent: PostId(id) }),
            created_at: Timestamp::from_nanosecond(position.into()).unwrap_or_default(),
            media: message.pictures.into_iter().map(picture).collect(),
            versions: vec![],
        })
    }

    fn unavailable(&self, error: &io::Error) -> String {
        format!("{}: {error}; check that the folder exists", self.folder.display())
    }

    /// Whether only the account is missing, not the whole network.
    fn is_missing(&self) -> bool {
        !self.folder.exists() && self.folder.parent().is_some_and(Path::exists)
    }
}

#[async_trait(?Send)]
impl Source for Account {
    async fn page(&self, request: &PageRequest) -> Result<Page, SourceError> {
        let ids = self.ids().map_err(|error| {
            let why = self.unavailable(&error);
            if self.is_missing() { SourceError::Account(why) } else { SourceError::Unavailable(why) }
        })?;
        let after = request.after.as_ref().map_or("", |PostId(id)| id);
        let before = [request.before.as_ref().map(|PostId(id)| id), request.continuation.as_ref()];
        let from = request.from.map(|from| format!("{:020}", from.as_nanosecond())).unwrap_or_default();
        let wanted = |id: &&String| {
            id.as_str() > after && *id >= &from && before.iter().flatten().all(|before| id < before)
        };
        let mut page = Page::default();
        let mut ids = ids.iter().filter(wanted).peekable();
        for id in ids.by_ref().take(request.limit.max(1)) {
            page.continuation = Some(id.clone());
            match self.post(id) {
                Ok(post) => page.posts.push(post),
                Err(unreadable) => page.unreadable.push(unreadable),
            }
        }
        if ids.peek().is_none() {
            page.continuation = None;
        }
        Ok(page)
    }

    async fn by_id(&self, PostId(id): &PostId) -> Result<Lookup, SourceError> {
        match fs::exists(&self.folder).and_then(|_| self.ids()) {
            Err(error) => Err(SourceError::Unavailable(self.unavailable(&error))),
            Ok(ids) if !ids.contains(id) => Ok(Lookup::Gone(format!("there is no file {id}.json"))),
            Ok(_) => Ok(self.post(id).map_or_else(Lookup::Unreadable, |post| Lookup::Post(Box::new(post)))),
        }
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
        // The name is not trusted: it must stay within this folder.
        let is_plain = |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let name = medium.url.as_ref().filter(is_plain);
        let name = name.ok_or_else(|| FetchError::Missing("it has no plain name of a file".into()))?;
        let bytes =
            fs::read(self.folder.join(name)).map_err(|error| FetchError::Missing(error.to_string()))?;
        if bytes.len() as u64 > limits.picture {
            let network = limits.network;
            return Err(FetchError::Missing(format!("{name} is larger than {network} accepts")));
        }
        let mime =
            sniff::picture(&bytes).ok_or_else(|| FetchError::Missing(format!("{name} is not a picture")))?;
        Ok(FetchedMedium { mime, size: bytes.len() as u64, content: Content::Whole(bytes) })
    }
}

#[async_trait(?Send)]
impl Destination for Account {
    async fn verify(&self) -> Result<(), PublishError> {
        self.ids().map(drop).map_err(|error| PublishError::Unavailable(self.unavailable(&error)))
    }

    async fn publish(&self, draft: &Draft) -> Result<PostId, PublishError> {
        let ids = self.ids().map_err(|error| PublishError::Unavailable(self.unavailable(&error)))?;
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
        let alt =
            |file: &str| fs::read_to_string(self.folder.join(format!("{file}.alt"))).unwrap_or_default();
        let pictures = draft.media.iter().map(|MediaId(file)| (file.clone(), alt(file))).collect();
        let id = id_now(key);
        let written = self.write(&id, &Message { text: draft.text.clone(), reply_to, pictures });
        written.map_err(|error| PublishError::OutcomeUnknown(self.unavailable(&error)))?;
        Ok(PostId(id))
    }

    async fn upload(&self, mut medium: FetchedMedium, alt: &str) -> Result<Uploaded, UploadError> {
        let limits = self.media_limits();
        if !["image/png", "image/jpeg"].contains(&medium.mime) || medium.size > limits.picture {
            return Err(UploadError::Refused(format!(
                "{} of {} bytes is not accepted",
                medium.mime, medium.size
            )));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = medium.content.next().await? {
            bytes.extend(piece);
        }
        let name = id_now("picture");
        let files = [(name.clone(), bytes), (format!("{name}.alt"), alt.into())];
        for (file, bytes) in files {
            let written = fs::write(self.folder.join(file), bytes);
            written.map_err(|error| UploadError::Unavailable(self.unavailable(&error)))?;
        }
        Ok(Uploaded { id: MediaId(name), undescribed: None })
    }

    fn media_limits(&self) -> MediaLimits {
        MediaLimits { network: "the toy network", picture: 1024 * 1024, video: 0 }
    }

    fn network(&self) -> &'static str {
        RULES.name
    }

    async fn recent(&self, since: &Since) -> Result<Shown, PublishError> {
        let start = match since {
            Since::Message(PostId(id)) => id.clone(),
            Since::Moment(moment) => format!("{:020}", moment.as_nanosecond()),
        };
        let mut shown = Shown::default();
        let ids = self.ids().map_err(|error| PublishError::Unavailable(self.unavailable(&error)))?;
        for id in ids.into_iter().filter(|id| *id > start) {
            match self.post(&id) {
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

#[async_trait(?Send)]
impl Followed for Account {
    fn source(&self, _: Wanted, _: Arc<dyn Ledger>) -> Factory<Rc<dyn Source>> {
        let account = self.clone();
        Arc::new(move || Rc::new(account.clone()))
    }

    fn media(&self) -> Factory<Rc<dyn MediaFetcher>> {
        let account = self.clone();
        Arc::new(move || Rc::new(account.clone()))
    }

    async fn check(&self, _: Arc<dyn Ledger>) -> Result<String, String> {
        let ids = self.ids().map_err(|error| self.unavailable(&error))?;
        Ok(format!("found, with {} messages", ids.len()))
    }

    async fn post(&self, PostId(id): &PostId, _: Arc<dyn Ledger>) -> Result<Post, String> {
        Account::post(self, id).map_err(|unreadable| unreadable.reason)
    }
}

#[async_trait(?Send)]
impl Published for Account {
    fn destination(&self, _: Arc<dyn Ledger>) -> Factory<Rc<dyn Destination>> {
        let account = self.clone();
        Arc::new(move || Rc::new(account.clone()))
    }

    async fn check(&self, _: Arc<dyn Ledger>) -> Result<String, String> {
        let ids = self.ids().map_err(|error| self.unavailable(&error))?;
        Ok(format!("the folder has {} messages", ids.len()))
    }
}
