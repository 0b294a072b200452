//! Downloads models. Each file comes in parts over the service's own HTTP client, so that nothing large is in memory and a
//! download that was interrupted goes on where it was. A file counts once its SHA-256 is the catalogue's; until then it has
//! another name. The library that runs the models can download them, too, but only from Firefox's own servers, with a client
//! of its own, and without going on later.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use mynah_domain::Language;
use ring::digest::{Context, SHA256};

use super::{
    catalog::{Offer, OfferedFile},
    store::{LICENSE, Manifest, ManifestFile, Store, StoreError, hex, pair_name},
};
use crate::{
    http_client::{Answer, HttpClient, Limits, Request, Transport},
    telemetry::outside::brief,
};

/// How much of a file one request asks for.
const PART: u64 = 1024 * 1024;

/// The largest file that may come out of a compressed one.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// How often a part is asked for before the download fails.
const ATTEMPTS: u32 = 4;

/// The wait before the second attempt; doubles with each one.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a part may take.
const TIMEOUT: Duration = Duration::from_mins(2);

/// How a compressed file begins.
const ZSTANDARD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A model cannot be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The server cannot be reached.
    #[error(
        "cannot read {url}: {reason}; check the network and engine.firefox.models_url, then run the command again: it goes on \
         where it was"
    )]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The server does not have it.
    #[error("{url} answered {status}: {reason}; check engine.firefox.models_url")]
    Refused {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of the answer.
        reason: String,
    },
    /// The answer is not what the catalogue of models looks like.
    #[error("{url} is no catalogue of Firefox's models: {reason}; check engine.firefox.models_url")]
    Unreadable {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no model for these languages.
    #[error(
        "Firefox has no models from {} to {}; `mynah models list --available` shows which languages it has",
        from.name(),
        to.name()
    )]
    NotOffered {
        /// The language of the posts.
        from: Language,
        /// The language to translate to.
        to: Language,
    },
    /// The file is another one than the catalogue says.
    #[error(
        "{url} is not the file that the catalogue names: its SHA-256 is {found} instead of {expected}; run the command again, \
         and if this repeats, check engine.firefox.models_url"
    )]
    WrongHash {
        /// Where it came from.
        url: String,
        /// Its hash.
        found: String,
        /// The catalogue's.
        expected: String,
    },
    /// The file cannot be decompressed.
    #[error("{url} cannot be decompressed: {reason}; check engine.firefox.models_url")]
    Compression {
        /// Where it came from.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The disk is full, or the folder cannot be written.
    #[error(
        "cannot write {path}: {source}; make room there, or check who may write to the folder, then run the command again"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Another process downloads.
    #[error("another Mynah is downloading models to {0}; wait until it has finished")]
    Busy(PathBuf),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The bytes of the model that are there.
    pub done: u64,
    /// All bytes of the model.
    pub total: u64,
}

/// The result of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulled {
    /// It was there already.
    Unchanged,
    /// It is there now; how many bytes came over the network.
    Downloaded(u64),
}

/// Keeps other processes from downloading to the same folder.
struct Lock(#[expect(dead_code, reason = "the lock is held as long as the file is open")] File);

impl Lock {
    fn acquire(root: &Path) -> Result<Self, PullError> {
        let path = root.join(".lock");
        let failed = |source| PullError::Write { path: path.clone(), source };
        fs::create_dir_all(root).map_err(|source| PullError::Write { path: root.to_owned(), source })?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(PullError::Busy(root.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// Downloads a model, if it is not there in this version.
///
/// # Errors
/// Names what went wrong and the fix. What was downloaded so far is kept for the next try, unless it is wrong.
pub async fn pull(
    offer: &Offer,
    store: &Store,
    transport: Transport,
    mut progress: impl FnMut(Progress),
) -> Result<Pulled, PullError> {
    let _lock = Lock::acquire(store.writable()?)?;
    let known = store.models()?.into_iter().find(|model| model.direction == offer.direction);
    let total = offer.bytes();
    if known.and_then(|model| model.state.ok()).is_some_and(|installed| offer.is(&installed)) {
        return Ok(Pulled::Unchanged);
    }
    let folder = store.folder(offer.direction);
    fs::create_dir_all(&folder).map_err(|source| PullError::Write { path: folder.clone(), source })?;
    let (mut done, mut downloaded) = (0, 0);
    let mut files = Vec::new();
    for file in &offer.files {
        let report = |of_file: u64| progress(Progress { done: done + of_file, total });
        let (file_there, bytes) = pull_file(file, &folder, transport, report).await?;
        files.push(file_there);
        done += file.size;
        downloaded += bytes;
    }
    let manifest = Manifest {
        source: offer.direction.0.code().into(),
        target: offer.direction.1.code().into(),
        version: offer.version.clone(),
        license: LICENSE.into(),
        files,
    };
    manifest.write(&folder).map_err(|source| PullError::Write { path: folder.clone(), source })?;
    log::info!(
        pair = pair_name(offer.direction).as_str(),
        version = offer.version.as_str(),
        bytes = downloaded;
        "model downloaded"
    );
    Ok(Pulled::Downloaded(downloaded))
}

/// Downloads a file and unpacks it, unless it is there. Returns how many bytes came over the network.
async fn pull_file(
    file: &OfferedFile,
    folder: &Path,
    transport: Transport,
    mut report: impl FnMut(u64),
) -> Result<(ManifestFile, u64), PullError> {
    // Named by what is in it, so that a new version never writes over one that is in use.
    let hash = file.decompressed_sha256.as_ref().unwrap_or(&file.sha256);
    let name = format!("{}.{}", file.role.name(), hash.get(..16).unwrap_or(hash));
    let path = folder.join(&name);
    let described =
        |size: u64, sha256: String| ManifestFile { role: file.role, name: name.clone(), size, sha256 };
    if let Some(size) = whole(&path, hash) {
        report(file.size);
        return Ok((described(size, hash.clone()), 0));
    }
    let packed = folder.join(format!(".{name}.{}.part", file.sha256.get(..16).unwrap_or_default()));
    let downloaded = download(file, &packed, transport, &mut report).await?;
    let (job, from, to) = (file.clone(), packed.clone(), path.clone());
    // Takes long enough to keep others waiting.
    let unpacked = actix_rt::task::spawn_blocking(move || unpack(&job, &from, &to)).await;
    let failed = |error: actix_rt::task::JoinError| PullError::Compression {
        url: file.url.clone(),
        reason: error.to_string(),
    };
    let unpacked = unpacked.map_err(failed).flatten();
    if !matches!(unpacked, Err(PullError::Write { .. })) {
        // Either it is not needed any more, or it is wrong and must be downloaded again.
        let _ = fs::remove_file(&packed);
    }
    let (size, sha256) = unpacked?;
    Ok((described(size, sha256), downloaded))
}

/// The size of a file, if it is there and has this hash.
fn whole(path: &Path, sha256: &str) -> Option<u64> {
    let (size, found) = measured(path).ok()?;
    (found == sha256).then_some(size)
}

/// Downloads what is missing of a file, part by part.
async fn download(
    file: &OfferedFile,
    path: &Path,
    transport: Transport,
    report: &mut impl FnMut(u64),
) -> Result<u64, PullError> {
    let failed = |source| PullError::Write { path: path.to_owned(), source };
    // A server that does not know ranges answers with the whole file.
    let max_body = usize::try_from(file.size.max(PART)).unwrap_or(usize::MAX);
    let client = HttpClient::new(Limits { connections: 1, transport, timeout: TIMEOUT, max_body });
    let mut there = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    let mut done = there.metadata().map_err(failed)?.len();
    if done > file.size {
        there.set_len(0).map_err(failed)?;
        done = 0;
    }
    report(done);
    let mut downloaded = 0;
    while done < file.size {
        let last = (done + PART).min(file.size) - 1;
        let answer = part(&client, &file.url, done, last).await?;
        if answer.status == 200 {
            there.set_len(0).map_err(failed)?;
            done = 0;
        }
        let wanted = if answer.status == 200 { file.size } else { last + 1 - done };
        if answer.body.len() as u64 != wanted {
            let reason = format!("{} bytes came instead of {wanted}", answer.body.len());
            return Err(PullError::Unreachable { url: file.url.clone(), reason });
        }
        there.write_all(&answer.body).map_err(failed)?;
        done += wanted;
        downloaded += wanted;
        report(done);
    }
    there.sync_all().map_err(failed)?;
    Ok(downloaded)
}

/// Asks for a part of a file until it comes.
async fn part(client: &HttpClient, url: &str, first: u64, last: u64) -> Result<Answer, PullError> {
    let mut attempt = 1;
    loop {
        let request = Request::get(url).header("range", format!("bytes={first}-{last}"));
        let error = match client.send(request).await {
            Ok(answer) if matches!(answer.status, 200 | 206) => return Ok(answer),
            Ok(answer) => {
                let (status, reason) = (answer.status, brief(&answer.text()));
                let refused = PullError::Refused { url: url.to_owned(), status, reason: reason.clone() };
                if status < 500 && status != 429 {
                    return Err(refused);
                }
                PullError::Unreachable {
                    url: url.to_owned(),
                    reason: format!("it answered {status}: {reason}"),
                }
            }
            Err(error) => PullError::Unreachable { url: url.to_owned(), reason: error.to_string() },
        };
        if attempt == ATTEMPTS {
            return Err(error);
        }
        actix_rt::time::sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
        attempt += 1;
    }
}

/// Checks what was downloaded, and writes what is in it under its own name. Returns its size and hash.
fn unpack(file: &OfferedFile, packed: &Path, path: &Path) -> Result<(u64, String), PullError> {
    let failed = |source| PullError::Write { path: packed.to_owned(), source };
    let wrong = |found: String, expected: &String| PullError::WrongHash {
        url: file.url.clone(),
        found,
        expected: expected.clone(),
    };
    let (_, found) = measured(packed).map_err(failed)?;
    if found != file.sha256 {
        return Err(wrong(found, &file.sha256));
    }
    let unfinished = path.with_extension("new");
    let written =
        write_content(file, packed, &unfinished).and_then(|(size, hash)| match &file.decompressed_sha256 {
            Some(expected) if *expected != hash => Err(wrong(hash, expected)),
            _ => Ok((size, hash)),
        });
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    let (size, hash) = written?;
    fs::rename(&unfinished, path).map_err(|source| PullError::Write { path: path.to_owned(), source })?;
    Ok((size, hash))
}

/// Writes what is in a file, compressed or not.
fn write_content(file: &OfferedFile, packed: &Path, path: &Path) -> Result<(u64, String), PullError> {
    let unreadable = |reason: String| PullError::Compression { url: file.url.clone(), reason };
    let failed = |source| PullError::Write { path: path.to_owned(), source };
    let mut source =
        File::open(packed).map_err(|source| PullError::Write { path: packed.to_owned(), source })?;
    let mut magic = [0; 4];
    let is_compressed = source.read_exact(&mut magic).is_ok() && magic == ZSTANDARD;
    let source = File::open(packed).map_err(|source| PullError::Write { path: packed.to_owned(), source })?;
    let mut content: Box<dyn io::Read> = if is_compressed {
        let decoder = ruzstd::decoding::StreamingDecoder::new(io::BufReader::new(source));
        Box::new(decoder.map_err(|error| unreadable(error.to_string()))?)
    } else {
        Box::new(source)
    };
    let mut target = File::create(path).map_err(failed)?;
    let mut hash = Context::new(&SHA256);
    let mut size = 0_u64;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = content.read(&mut buffer).map_err(|error| unreadable(error.to_string()))?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        size += chunk.len() as u64;
        if size > LARGEST {
            return Err(unreadable(format!("it has more than {LARGEST} bytes")));
        }
        hash.update(chunk);
        target.write_all(chunk).map_err(failed)?;
    }
    target.sync_all().map_err(failed)?;
    Ok((size, hex(&hash.finish())))
}

/// The size and the hash of a file.
fn measured(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hash = Context::new(&SHA256);
    let mut size = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        hash.update(chunk);
        size += chunk.len() as u64;
    }
    Ok((size, hex(&hash.finish())))
}

#[cfg(test)]
mod tests {
    use mynah_sandbox::{CatalogFault, ModelServer};

    use super::*;
    use crate::engines::firefox::{catalog::Catalog, store::parse_direction};

    /// A server with a model en-es, its offer, and an empty store.
    async fn offered() -> (ModelServer, Offer, tempfile::TempDir, Store) {
        let server = ModelServer::start(&[("en", "es", "3.0")]).unwrap();
        let offer = offer(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let store = Store::managed(folder.path().join("models"));
        (server, offer, folder, store)
    }

    async fn offer(server: &ModelServer) -> Offer {
        let catalog = Catalog::fetch(&server.url().parse().unwrap(), Transport::default()).await.unwrap();
        catalog.offers[&parse_direction("en-es").unwrap()].clone()
    }

    async fn get(offer: &Offer, store: &Store) -> Result<Pulled, PullError> {
        pull(offer, store, Transport::default(), |_| ()).await
    }

    /// The names of the files of a model.
    fn files(store: &Store) -> Vec<String> {
        let folder = store.folder(parse_direction("en-es").unwrap());
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[actix_rt::test]
    async fn a_model_is_downloaded_once_and_shows_how_far_it_is() {
        let (server, offer, _folder, store) = offered().await;
        let mut seen = Vec::new();
        let pulled =
            pull(&offer, &store, Transport::default(), |progress| seen.push(progress.done)).await.unwrap();
        assert_eq!(pulled, Pulled::Downloaded(offer.bytes()));
        assert!(seen.is_sorted() && seen.last() == Some(&offer.bytes()), "{seen:?}");
        let model = store.models().unwrap().remove(0).state.unwrap();
        assert_eq!(model.version.as_deref(), Some("3.0"));
        assert_eq!(files(&store).len(), 3, "{:?}", files(&store));
        server.requests();
        assert_eq!(get(&offer, &store).await.unwrap(), Pulled::Unchanged);
        assert_eq!(server.requests(), Vec::<String>::new());
    }

    #[actix_rt::test]
    async fn a_new_version_replaces_the_old_one_and_reads_only_what_is_new() {
        let (server, offer, _folder, store) = offered().await;
        get(&offer, &store).await.unwrap();
        server.offer(&[("en", "es", "3.1")]);
        // The same files under another version.
        assert_eq!(get(&self::offer(&server).await, &store).await.unwrap(), Pulled::Downloaded(0));
        assert_eq!(store.models().unwrap().remove(0).state.unwrap().version.as_deref(), Some("3.1"));
        assert_eq!(files(&store).len(), 3);
    }

    #[actix_rt::test]
    async fn an_interrupted_download_goes_on_where_it_was() {
        let (server, offer, _folder, store) = offered().await;
        let file = &offer.files[0];
        let folder = store.folder(offer.direction);
        fs::create_dir_all(&folder).unwrap();
        // What a process that was killed leaves: the beginning of the file.
        let bytes = HttpClient::new(Limits::default()).send(Request::get(&file.url)).await.unwrap().body;
        server.requests();
        let hash = file.decompressed_sha256.as_ref().unwrap();
        let part = folder.join(format!(".model.{}.{}.part", &hash[..16], &file.sha256[..16]));
        fs::write(&part, &bytes[..1000]).unwrap();
        assert!(store.models().unwrap()[0].state.is_err());
        assert_eq!(get(&offer, &store).await.unwrap(), Pulled::Downloaded(offer.bytes() - 1000));
        assert!(server.requests()[0].starts_with("model.zst bytes=1000-"));
        assert!(!part.exists());
    }

    #[actix_rt::test]
    async fn a_server_without_ranges_works_too() {
        let (server, offer, _folder, store) = offered().await;
        server.set_fault(CatalogFault::WholeFiles);
        assert_eq!(get(&offer, &store).await.unwrap(), Pulled::Downloaded(offer.bytes()));
    }

    #[actix_rt::test]
    async fn wrong_files_are_refused_and_nothing_of_them_is_left() {
        let (server, offer, _folder, store) = offered().await;
        server.set_fault(CatalogFault::OtherBytes);
        let other_bytes = (offer.clone(), offer.files[0].sha256.clone());
        server.set_fault(CatalogFault::OtherContent);
        let offer = self::offer(&server).await;
        let other_content = (offer.clone(), offer.files[0].decompressed_sha256.clone().unwrap());
        for (fault, (offer, hash)) in
            [(CatalogFault::OtherBytes, other_bytes), (CatalogFault::OtherContent, other_content)]
        {
            server.set_fault(fault);
            let error = get(&offer, &store).await.unwrap_err();
            let is_named = matches!(&error, PullError::WrongHash { expected, .. } if *expected == hash);
            assert!(is_named, "{fault:?}: {error}");
            assert!(store.models().unwrap()[0].state.is_err());
            assert_eq!(files(&store), Vec::<String>::new());
        }
    }

    #[actix_rt::test]
    async fn a_server_that_fails_or_has_no_file_is_an_error_with_the_address() {
        let (server, offer, _folder, store) = offered().await;
        server.set_fault(CatalogFault::Gone);
        let error = get(&offer, &store).await.unwrap_err().to_string();
        assert!(error.contains("answered 404: no such file") && error.contains(&server.url()), "{error}");
        server.set_fault(CatalogFault::Until(10));
        let error = get(&offer, &store).await.unwrap_err().to_string();
        assert!(error.contains("503: come back later") && error.contains("goes on"), "{error}");
        assert_eq!(server.requests().len(), 1 + ATTEMPTS as usize);
    }

    #[actix_rt::test]
    async fn a_folder_that_cannot_be_written_is_an_error_with_its_name() {
        let (_server, offer, folder, _) = offered().await;
        let file = folder.path().join("file");
        fs::write(&file, "content").unwrap();
        let error = get(&offer, &Store::managed(file.join("models"))).await.unwrap_err();
        assert!(matches!(&error, PullError::Write { .. }), "{error}");
        // Every write to this device fails as on a full disk.
        let full = Path::new("/dev/full");
        let error = write_content(&offer.files[0], &file, full).unwrap_err();
        let is_full = matches!(
            &error, PullError::Write { path, source } if path == full && source.kind() == io::ErrorKind::StorageFull
        );
        assert!(is_full, "{error:?}");
        let store = Store::offline(folder.path());
        assert!(matches!(get(&offer, &store).await, Err(PullError::Store(StoreError::ReadOnly(_)))));
    }

    #[actix_rt::test]
    async fn two_downloads_to_one_folder_do_not_mix() {
        let (_server, offer, _folder, store) = offered().await;
        let lock = Lock::acquire(store.root()).unwrap();
        assert!(matches!(get(&offer, &store).await, Err(PullError::Busy(_))));
        drop(lock);
        assert!(matches!(get(&offer, &store).await, Ok(Pulled::Downloaded(_))));
    }
}
