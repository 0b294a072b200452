//! The catalogue of Firefox's models: a collection of Mozilla's Remote Settings, with one record for each file. A mirror serves
//! the same three things: `/v1/` (which names the address of the files), the records, and the files.

use std::collections::BTreeMap;

use mynah_domain::Language;
use serde::Deserialize;
use url::Url;

use super::{
    super::routes::Direction,
    pull::PullError,
    store::{Installed, Role},
};
use crate::{
    http_client::{Answer, HttpClient, Limits, Request, Transport},
    telemetry::outside::brief,
};

/// The version of the files' format that the engine reads. Another one has another number before the point.
const MAJOR: u64 = 3;

/// Where the records are.
const RECORDS: &str = "/v1/buckets/main/collections/translations-models-v2/records";

/// The longest catalogue that is read. Firefox's has less than a megabyte.
const LONGEST: usize = 16 * 1024 * 1024;

/// The largest file that is downloaded.
const LARGEST: u64 = 512 * 1024 * 1024;

/// The models that can be downloaded.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// By direction.
    pub(super) offers: BTreeMap<Direction, Offer>,
}

/// A model that can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub(super) direction: Direction,
    /// Its version.
    pub version: String,
    /// Its size: `tiny`, `base-memory`, `base`.
    pub architecture: Option<String>,
    pub(super) files: Vec<OfferedFile>,
}

/// A file that can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OfferedFile {
    pub(super) role: Role,
    pub(super) url: String,
    /// Of what is downloaded, which may be compressed.
    pub(super) size: u64,
    /// Of what is downloaded.
    pub(super) sha256: String,
    /// Of the file itself, if what is downloaded is compressed.
    pub(super) decompressed_sha256: Option<String>,
}

/// The answer of `/v1/`.
#[derive(Deserialize)]
struct ServerInfo {
    capabilities: Capabilities,
}

#[derive(Deserialize)]
struct Capabilities {
    attachments: Attachments,
}

#[derive(Deserialize)]
struct Attachments {
    base_url: String,
}

/// The answer with the records. The collection has had records of other kinds, so each is read by itself.
#[derive(Deserialize)]
struct Records {
    data: Vec<serde_json::Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    file_type: String,
    source_language: String,
    target_language: String,
    version: String,
    architecture: Option<String>,
    decompressed_hash: Option<String>,
    #[serde(default, rename = "filter_expression")]
    filter_expression: Option<String>,
    attachment: Attachment,
}

#[derive(Debug, Clone, Deserialize)]
struct Attachment {
    location: String,
    hash: String,
    size: u64,
}

impl Catalog {
    /// Reads the catalogue of a server.
    ///
    /// # Errors
    /// Names the address and the fix.
    pub async fn fetch(server: &Url, transport: Transport) -> Result<Self, PullError> {
        let limits = Limits { transport, max_body: LONGEST, ..Limits::default() };
        let client = HttpClient::new(limits);
        let info = get(&client, joined(server, "/v1/")).await?;
        let info: ServerInfo = parsed(&info, &joined(server, "/v1/"))?;
        let files = files_address(server, &info.capabilities.attachments.base_url)?;
        let records = joined(server, RECORDS);
        let answer = get(&client, records.clone()).await?;
        let Records { data } = parsed(&answer, &records)?;
        Ok(Self { offers: offers(data, &files) })
    }

    /// Each model, in order.
    pub fn iter(&self) -> impl Iterator<Item = ((Language, Language), &Offer)> {
        self.offers.iter().map(|(direction, offer)| (*direction, offer))
    }

    /// The models that are needed from one language to another: one, or two with English in between.
    ///
    /// # Errors
    /// No models cover the pair.
    pub fn needed(&self, from: Language, to: Language) -> Result<Vec<(Language, Language)>, PullError> {
        super::super::routes::route(&self.offers, from, to).ok_or(PullError::NotOffered { from, to })
    }
}

impl Offer {
    /// How many bytes are downloaded.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Whether this is the model that is there.
    pub(super) fn is(&self, installed: &Installed) -> bool {
        installed.version.as_ref() == Some(&self.version)
            && self.files.iter().all(|file| {
                let hash = file.decompressed_sha256.as_ref().unwrap_or(&file.sha256);
                installed.files().iter().any(|there| there.has(hash))
            })
    }
}

async fn get(client: &HttpClient, url: String) -> Result<Answer, PullError> {
    let answer = client.send(Request::get(url.clone())).await;
    let answer =
        answer.map_err(|error| PullError::Unreachable { url: url.clone(), reason: error.to_string() })?;
    if answer.status == 200 {
        return Ok(answer);
    }
    Err(PullError::Refused { url, status: answer.status, reason: brief(&answer.text()) })
}

fn parsed<'a, T: Deserialize<'a>>(answer: &'a Answer, url: &str) -> Result<T, PullError> {
    let unreadable =
        |error: serde_json::Error| PullError::Unreadable { url: url.to_owned(), reason: error.to_string() };
    serde_json::from_slice(&answer.body).map_err(unreadable)
}

/// The address of the files. A mirror may name one in relation to its own.
fn files_address(server: &Url, named: &str) -> Result<Url, PullError> {
    let unreadable = |reason: String| PullError::Unreadable { url: joined(server, "/v1/"), reason };
    let mut base = server.clone();
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", server.path()));
    }
    let url = base.join(named).map_err(|error| unreadable(format!("the address of the files: {error}")))?;
    let is_as_safe = url.scheme() == "https" || url.scheme() == "http" && server.scheme() == "http";
    if is_as_safe { Ok(url) } else { Err(unreadable(format!("the files are at {url}, which is not https"))) }
}

fn joined(base: &Url, path: &str) -> String {
    format!("{}/{}", base.as_str().trim_end_matches('/'), path.trim_start_matches('/'))
}

/// The best model for each direction.
fn offers(data: Vec<serde_json::Value>, files: &Url) -> BTreeMap<Direction, Offer> {
    let records = data.into_iter().filter_map(|record| serde_json::from_value::<Record>(record).ok());
    let mut by_direction: BTreeMap<Direction, Vec<Record>> = BTreeMap::new();
    for record in records.filter(is_usable) {
        // A language that Mynah does not know cannot be a target's.
        let (Ok(from), Ok(to)) = (record.source_language.parse(), record.target_language.parse()) else {
            continue;
        };
        by_direction.entry((from, to)).or_default().push(record);
    }
    let offers = by_direction.into_iter();
    offers.filter_map(|(direction, records)| Some((direction, offer(direction, &records, files)?))).collect()
}

fn is_usable(record: &Record) -> bool {
    let Attachment { location, hash, size } = &record.attachment;
    let is_hash = |hash: &str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_inside = !location.contains("..") && !location.contains(':') && !location.is_empty();
    numbers(&record.version).first() == Some(&MAJOR)
        && is_hash(hash)
        && record.decompressed_hash.as_deref().is_none_or(is_hash)
        && is_inside
        && (1..=LARGEST).contains(size)
}

fn offer<'a>(direction: Direction, records: &'a [Record], files: &Url) -> Option<Offer> {
    let of_role = |role: Role| records.iter().filter(move |record| record.file_type == role.name());
    // With another version's vocabulary, a model translates everything into nonsense. A model may come without one.
    let vocabulary = |role: Role, model: &Record| {
        let is_its_own = |record: &&Record| {
            (&record.version, &record.architecture) == (&model.version, &model.architecture)
        };
        of_role(role).filter(is_its_own).max_by_key(|record| rank(record)).map(|record| (role, record))
    };
    let complete = |model: &'a Record| {
        let vocabularies = match vocabulary(Role::Vocab, model) {
            Some(both) => vec![both],
            None => vec![vocabulary(Role::SrcVocab, model)?, vocabulary(Role::TrgVocab, model)?],
        };
        Some((model, vocabularies))
    };
    let (model, vocabularies) =
        of_role(Role::Model).filter_map(complete).max_by_key(|(model, _)| rank(model))?;
    let chosen = [(Role::Model, model)].into_iter().chain(vocabularies);
    Some(Offer {
        direction,
        version: model.version.clone(),
        architecture: model.architecture.clone(),
        files: chosen.map(|(role, record)| record.offered(role, files)).collect(),
    })
}

impl Record {
    fn offered(&self, role: Role, files: &Url) -> OfferedFile {
        OfferedFile {
            role,
            url: joined(files, &self.attachment.location),
            size: self.attachment.size,
            sha256: self.attachment.hash.to_ascii_lowercase(),
            decompressed_sha256: self.decompressed_hash.as_ref().map(|hash| hash.to_ascii_lowercase()),
        }
    }
}

/// Newer versions are better; a release is better than a trial (`3.0a1`), and a model for everybody than one for some of
/// Firefox's channels.
fn rank(record: &Record) -> (bool, bool, Vec<u64>) {
    let is_release = !record.version.contains(|c: char| c.is_ascii_alphabetic());
    let is_for_all = record.filter_expression.as_deref().is_none_or(|filter| filter.trim().is_empty());
    (is_release, is_for_all, numbers(&record.version))
}

/// The numbers of a version: `3.0a1` is 3, 0.
fn numbers(version: &str) -> Vec<u64> {
    let number = |part: &str| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse().unwrap_or(0)
    };
    version.split('.').map(number).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(kind: &str, pair: (&str, &str), version: &str) -> Value {
        json!({
            "id": "0", "name": format!("{kind}.bin"), "fileType": kind, "sourceLanguage": pair.0, "targetLanguage": pair.1,
            "version": version, "architecture": "tiny", "decompressedHash": "a".repeat(64), "filter_expression": "",
            "attachment": {"hash": "B".repeat(64), "size": 7, "filename": "x", "location": format!("main/{version}/{kind}"),
                "mimetype": "application/octet-stream"},
        })
    }

    fn offered(records: Vec<Value>) -> BTreeMap<Direction, Offer> {
        offers(records, &"https://cdn.example/files/".parse().unwrap())
    }

    #[test]
    fn the_newest_release_that_the_engine_can_read_is_offered_with_its_own_vocabulary() {
        let pair = ("en", "es");
        let versions = ["2.9", "3.0", "3.0a1", "3.1", "3.10", "3.11a1", "4.0"];
        let records = versions
            .iter()
            .flat_map(|version| [record("model", pair, version), record("vocab", pair, version)]);
        let offers = offered(records.collect());
        let offer = offers.values().next().unwrap();
        assert_eq!((offer.version.as_str(), offers.len(), offer.bytes()), ("3.10", 1, 14));
        let urls: Vec<&str> = offer.files.iter().map(|file| file.url.as_str()).collect();
        assert_eq!(
            urls,
            ["https://cdn.example/files/main/3.10/model", "https://cdn.example/files/main/3.10/vocab"]
        );
        assert_eq!(offer.files[0].sha256, "b".repeat(64));
    }

    #[test]
    fn a_model_needs_its_vocabularies() {
        let pair = ("en", "ja");
        assert!(offered(vec![record("model", pair, "3.0"), record("srcvocab", pair, "3.0")]).is_empty());
        let all = ["model", "srcvocab", "trgvocab", "lex"].map(|kind| record(kind, pair, "3.0"));
        let offers = offered(all.into());
        let roles: Vec<&str> =
            offers.values().next().unwrap().files.iter().map(|file| file.role.name()).collect();
        assert_eq!(roles, ["model", "srcvocab", "trgvocab"]);
    }

    #[test]
    fn a_model_is_never_offered_with_the_vocabulary_of_another_version() {
        let pair = ("en", "ja");
        let old = || vec![record("model", pair, "3.0"), record("vocab", pair, "3.0")];
        let chosen = |more: &[Value]| {
            let offers = offered([old(), more.to_vec()].concat());
            let offer = offers.values().next().unwrap();
            (offer.version.clone(), offer.files.iter().map(|file| file.role.name()).collect::<Vec<_>>())
        };
        let new = ["model", "srcvocab", "trgvocab"].map(|kind| record(kind, pair, "3.1"));
        assert_eq!(chosen(&new), ("3.1".into(), vec!["model", "srcvocab", "trgvocab"]));
        assert_eq!(chosen(&new[..2]), ("3.0".into(), vec!["model", "vocab"]));
        let mut larger = record("vocab", pair, "3.1");
        larger["architecture"] = json!("base");
        assert_eq!(chosen(&[new[0].clone(), larger]), ("3.0".into(), vec!["model", "vocab"]));
    }

    #[test]
    fn odd_records_are_passed_over() {
        let mut records = vec![json!(null), json!({"a": 1}), record("model", ("en", "xx"), "3.0")];
        for (key, value) in [
            ("hash", json!("short")),
            ("location", json!("../up")),
            ("location", json!("https://a.b/c")),
            ("size", json!(u64::MAX)),
            ("size", json!("7")),
        ] {
            let mut odd = record("model", ("en", "es"), "3.0");
            odd["attachment"][key] = value;
            records.extend([odd, record("vocab", ("en", "es"), "3.0")]);
        }
        assert!(offered(records).is_empty());
    }

    #[test]
    fn files_are_beside_the_catalogue_or_where_it_says_and_never_less_safe() {
        let at = |server: &str, named: &str| files_address(&server.parse().unwrap(), named).map(String::from);
        assert_eq!(at("https://a.example/m", "files/").unwrap(), "https://a.example/m/files/");
        assert_eq!(at("https://a.example", "https://cdn.example/").unwrap(), "https://cdn.example/");
        assert_eq!(at("http://127.0.0.1:1", "/f").unwrap(), "http://127.0.0.1:1/f");
        for named in ["http://cdn.example/", "file:///etc/", "data:,x"] {
            assert!(at("https://a.example", named).is_err(), "{named}");
        }
    }

    #[test]
    fn two_models_lead_from_one_language_to_another_over_english() {
        let pairs = [("es", "en"), ("en", "fr")];
        let records =
            pairs.iter().flat_map(|pair| [record("model", *pair, "3.0"), record("vocab", *pair, "3.0")]);
        let catalog = Catalog { offers: offered(records.collect()) };
        let language = |code: &str| code.parse::<Language>().unwrap();
        assert_eq!(catalog.needed(language("es"), language("fr-CA")).unwrap().len(), 2);
        let error = catalog.needed(language("en"), language("ja")).unwrap_err().to_string();
        assert!(error.contains("English to Japanese") && error.contains("mynah models list"), "{error}");
    }
}
