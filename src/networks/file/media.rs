//! Media are files beside the messages. A source's are read from there, and only from there; a destination's are written
//! there, named by their content, so that a medium that is written again after a crash is the same file.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use mynah_domain::{
    Media,
    ports::{Content, FetchError, FetchedMedium, MediaFetcher, MediaLimits, Pieces, UploadError},
};
use sha2::{Digest as _, Sha256};

use super::{
    RULES,
    hash::name_of,
    place::{self, Place, PlaceError},
    source::{Interrupted, blocking},
};
use crate::networks::{download, sniff};

/// What a destination accepts: as much as the largest networks show.
pub(super) const LIMITS: MediaLimits =
    MediaLimits { network: RULES.name, picture: 20 * 1024 * 1024, video: 512 * 1024 * 1024 };

/// The types that a destination accepts, and the endings of their files.
const TYPES: [(&str, &str); 7] = [
    ("image/png", "png"),
    ("image/jpeg", "jpg"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
    ("video/mp4", "mp4"),
    ("video/quicktime", "mov"),
    ("video/webm", "webm"),
];

/// The size of a video's pieces in bytes, as for other sources.
const PIECE: u64 = 4 * 1024 * 1024;

/// How many bytes tell what a file is.
const HEAD: u64 = 189;

/// Reads the media of an account's messages.
#[derive(Debug, Clone)]
pub(super) struct FileMedia {
    pub(super) place: Place,
}

impl From<PlaceError> for FetchError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::NoBase(_) | PlaceError::Io { .. } => Self::Unavailable(error.to_string()),
            PlaceError::Missing(_) | PlaceError::Outside(_) | PlaceError::WrongKind { .. } => {
                Self::Missing(error.to_string())
            }
        }
    }
}

impl From<Interrupted> for FetchError {
    fn from(Interrupted(why): Interrupted) -> Self {
        Self::Unavailable(format!("reading it was interrupted: {why}"))
    }
}

#[async_trait(?Send)]
impl MediaFetcher for FileMedia {
    async fn fetch(&self, medium: &Media, limits: &MediaLimits) -> Result<FetchedMedium, FetchError> {
        let name = medium.url.clone().ok_or_else(|| FetchError::Missing("it names no file".into()))?;
        let (place, most) = (self.place.clone(), *limits);
        match blocking(move || open(&place.medium(&name)?, &most)).await? {
            Opened::Picture(bytes) => download::picture(bytes, limits),
            Opened::Video { mime, size, video } => {
                Ok(FetchedMedium { mime, size, content: Content::Pieces(Box::new(video)) })
            }
        }
    }
}

/// A file by its first bytes.
enum Opened {
    /// All of it, if it is not too large. Perhaps it is no picture.
    Picture(Vec<u8>),
    Video {
        mime: &'static str,
        size: u64,
        video: Video,
    },
}

fn open(path: &Path, limits: &MediaLimits) -> Result<Opened, FetchError> {
    let failed = |error| PlaceError::Io { path: path.to_owned(), error };
    let mut file = place::open(path)?;
    let mut bytes = Vec::new();
    (&mut file).take(HEAD).read_to_end(&mut bytes).map_err(failed)?;
    let Some(mime) = sniff::video(&bytes) else {
        // One more than is accepted shows that it is too large.
        let rest = limits.picture.saturating_add(1).saturating_sub(bytes.len() as u64);
        (&mut file).take(rest).read_to_end(&mut bytes).map_err(failed)?;
        return Ok(Opened::Picture(bytes));
    };
    let size = file.metadata().map_err(failed)?.len();
    if size > limits.video {
        return Err(FetchError::Missing(format!(
            "it has {size} bytes; {} accepts at most {}",
            limits.network, limits.video
        )));
    }
    let video = Video { path: path.to_owned(), file, first: Some(bytes), left: size.saturating_sub(HEAD) };
    Ok(Opened::Video { mime, size, video })
}

/// A video of which at most one piece is in memory.
struct Video {
    path: PathBuf,
    file: File,
    /// The bytes that showed what it is, until they are handed out.
    first: Option<Vec<u8>>,
    left: u64,
}

#[async_trait(?Send)]
impl Pieces for Video {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        if self.left == 0 {
            return Ok(None);
        }
        let failed = |error| PlaceError::Io { path: self.path.clone(), error };
        let file = self.file.try_clone().map_err(failed)?;
        let (path, length) = (self.path.clone(), self.left.min(PIECE));
        let piece = blocking(move || {
            let mut piece = Vec::new();
            let read = file.take(length).read_to_end(&mut piece);
            read.map_err(|error| FetchError::from(PlaceError::Io { path, error }))?;
            Ok::<_, FetchError>(piece)
        })
        .await?;
        if piece.len() as u64 != length {
            return Err(FetchError::Unavailable("it changed while it was read".into()));
        }
        self.left -= length;
        Ok(Some(piece))
    }
}

impl From<PlaceError> for UploadError {
    fn from(error: PlaceError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<Interrupted> for UploadError {
    fn from(Interrupted(why): Interrupted) -> Self {
        Self::Unavailable(format!("writing it was interrupted: {why}"))
    }
}

/// Writes a medium beside an account's messages. Returns the name by which a message has it.
pub(super) async fn store(place: &Place, medium: FetchedMedium) -> Result<String, UploadError> {
    let most = if medium.is_video() { LIMITS.video } else { LIMITS.picture };
    let ending = TYPES.iter().find(|(mime, _)| *mime == medium.mime).map(|(_, ending)| *ending);
    let Some(ending) = ending.filter(|_| medium.size <= most) else {
        return Err(UploadError::Refused(format!(
            "{} of {} bytes is not accepted: {} takes pictures of up to {} bytes and videos of up to {}",
            medium.mime, medium.size, LIMITS.network, LIMITS.picture, LIMITS.video
        )));
    };
    let prefix = place.media_prefix();
    let place = place.clone();
    let mut partial = blocking(move || Partial::create(place.media_folder()?)).await?;
    let mut content = medium.content;
    while let Some(piece) = content.next().await? {
        partial = blocking(move || partial.write(&piece)).await?;
    }
    let name = blocking(move || partial.complete(ending)).await?;
    Ok(format!("{prefix}{name}"))
}

/// A file that is not complete. It is removed on drop.
struct Partial {
    folder: PathBuf,
    path: PathBuf,
    file: File,
    hash: Sha256,
}

impl Partial {
    fn create(folder: PathBuf) -> Result<Self, UploadError> {
        let path = folder.join(format!(".{:032x}.part", fastrand::u128(..)));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|error| PlaceError::Io { path: path.clone(), error })?;
        Ok(Self { folder, path, file, hash: Sha256::new() })
    }

    fn write(mut self, bytes: &[u8]) -> Result<Self, UploadError> {
        self.hash.update(bytes);
        let written = self.file.write_all(bytes);
        written.map_err(|error| PlaceError::Io { path: self.path.clone(), error })?;
        Ok(self)
    }

    /// Gives the file its name, for good.
    fn complete(self, ending: &str) -> Result<String, UploadError> {
        let name = format!("{}.{ending}", name_of(self.hash.clone()));
        let completed = self.file.sync_all().and_then(|()| fs::rename(&self.path, self.folder.join(&name)));
        completed.map_err(|error| PlaceError::Io { path: self.path.clone(), error })?;
        place::sync(&self.folder)?;
        Ok(name)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // A complete one has another name.
        let _ = fs::remove_file(&self.path);
    }
}
