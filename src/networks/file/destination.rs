//! The destination: writes messages to an account, on a thread that may block.

use std::{
    fmt::Debug,
    fs::{File, TryLockError},
    io,
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use jiff::Timestamp;
use mynah_domain::{
    Post, PostId, PublicationKey,
    network::NetworkRules as _,
    ports::{
        Destination, Draft, FetchedMedium, MediaId, MediaLimits, PublishError, Recent, Shown, Since,
        UploadError, Uploaded,
    },
};
use rustix::fs::Access;

use super::{
    RULES, media,
    place::{Place, PlaceError},
    record::{Medium, Record},
    source::{Interrupted, blocking},
};

/// How many milliseconds a key's time is shifted by (see [`PublicationKey`]).
const RANDOM_BITS: u32 = 80;

/// A form of an account that is written. Its functions may block.
pub(super) trait Writer: Debug + Send + Sync {
    /// The account.
    fn place(&self) -> &Place;

    /// Whether messages can be written. Writes nothing.
    fn check(&self) -> Result<(), PlaceError>;

    /// Writes a message, unless the message with this key is there. Returns its id.
    fn publish(&self, key: PublicationKey, record: Record) -> Result<String, PublishError>;

    /// The messages since some point, newest first.
    fn recent(&self, since: &Since) -> Result<Shown, PublishError>;

    /// Whether a message with this id was written with this key.
    fn is_of(&self, id: &str, key: PublicationKey) -> bool;
}

/// A file or folder as a destination.
pub(super) struct FileDestination {
    writer: Arc<dyn Writer>,
}

impl FileDestination {
    pub(super) fn new(writer: Arc<dyn Writer>) -> Self {
        Self { writer }
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Writer) -> Result<T, PublishError> + Send + 'static,
    ) -> Result<T, PublishError> {
        let writer = self.writer.clone();
        blocking(move || work(&*writer)).await
    }
}

#[async_trait(?Send)]
impl Destination for FileDestination {
    async fn verify(&self) -> Result<(), PublishError> {
        self.write(|writer| Ok(writer.check()?)).await
    }

    async fn publish(&self, draft: &Draft) -> Result<PostId, PublishError> {
        let (key, record) = (draft.key, record_of(draft)?);
        self.write(move |writer| writer.publish(key, record)).await.map(PostId)
    }

    async fn upload(&self, medium: FetchedMedium, alt: &str) -> Result<Uploaded, UploadError> {
        let file = media::store(self.writer.place(), medium).await?;
        let alt = Some(alt.to_owned()).filter(|alt| !alt.is_empty());
        let id = serde_json::to_string(&Medium { file, alt });
        let id = id.map_err(|error| UploadError::Refused(error.to_string()))?;
        Ok(Uploaded { id: MediaId(id), undescribed: None })
    }

    fn media_limits(&self) -> MediaLimits {
        media::LIMITS
    }

    fn network(&self) -> &'static str {
        RULES.name
    }

    async fn recent(&self, since: &Since) -> Result<Shown, PublishError> {
        let since = since.clone();
        self.write(move |writer| writer.recent(&since)).await
    }

    fn is_same(&self, draft: &Draft, shown: &Recent) -> bool {
        self.writer.is_of(&shown.id.0, draft.key)
    }
}

/// The message that a draft becomes, except for its id.
fn record_of(draft: &Draft) -> Result<Record, PublishError> {
    let weight = RULES.weigh(&draft.text) + draft.warning.as_ref().map_or(0, |warning| RULES.weigh(warning));
    if weight > RULES.limits.text {
        return Err(PublishError::Refused(format!(
            "it has {weight} characters; a file's message has at most {}",
            RULES.limits.text
        )));
    }
    let media: Result<Vec<Medium>, _> =
        draft.media.iter().map(|MediaId(id)| serde_json::from_str(id)).collect();
    let media = media.map_err(|error| PublishError::Refused(format!("its media are not known: {error}")))?;
    Ok(Record {
        id: None,
        text: Some(draft.text.clone()),
        created_at: Some(Timestamp::now()),
        language: draft.language.map(|language| language.to_string()),
        reply_to: draft.reply.as_ref().map(|reply| reply.parent.0.clone()),
        warning: draft.warning.clone(),
        sensitive: draft.is_sensitive.then_some(true),
        media: Some(media).filter(|media| !media.is_empty()),
    })
}

/// Nothing shows whether the message is there; it is recognized when it is published again.
impl From<Interrupted> for PublishError {
    fn from(Interrupted(why): Interrupted) -> Self {
        Self::OutcomeUnknown(format!("writing the files was interrupted: {why}"))
    }
}

/// The message may be there.
pub(super) fn outcome_unknown(error: &PlaceError) -> PublishError {
    PublishError::OutcomeUnknown(error.to_string())
}

/// The parent was deleted.
pub(super) fn replies_to_nothing(parent: &str, place: &Place) -> PublishError {
    PublishError::ReplyRefused(format!("{} has no message {parent} to reply to", place.path().display()))
}

/// When a key was made, in milliseconds since 1970.
pub(super) fn moment(key: PublicationKey) -> u64 {
    u64::try_from(key.bits() >> RANDOM_BITS).unwrap_or_default()
}

/// A message as a lookup shows it.
pub(super) fn shown(Post { id, text, created_at, .. }: Post) -> Recent {
    Recent { id, text, created_at }
}

/// Keeps other processes from writing a file or folder until it is closed.
pub(super) fn lock(file: &File, path: &Path) -> Result<(), PlaceError> {
    file.try_lock().map_err(|error| PlaceError::Io {
        path: path.to_owned(),
        error: match error {
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::WouldBlock, "another process is writing it")
            }
            TryLockError::Error(error) => error,
        },
    })
}

/// Whether files can be made in a folder.
pub(super) fn check_writable(folder: &Path) -> Result<(), PlaceError> {
    let allowed = rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK);
    allowed.map_err(|error| PlaceError::Io { path: folder.to_owned(), error: error.into() })
}
