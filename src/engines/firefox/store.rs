//! The folder with the models, one subfolder for each direction: `en-es/`. What `mynah models pull` puts there has a manifest
//! with the size and the hash of each file; the manifest is written last, so a model is there completely or not at all. A
//! folder that a person filled may have Firefox's own file names and no manifest.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Component, Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use mynah_domain::Language;
use ring::digest::{Context, Digest, SHA256};
use serde::{Deserialize, Serialize};

use super::{super::routes::Direction, model::ModelError};

/// The file that makes a folder a model.
const MANIFEST: &str = "manifest.json";

/// The longest manifest that is read.
const LONGEST_MANIFEST: u64 = 64 * 1024;

/// The license of all models in Firefox's catalogue.
pub const LICENSE: &str = "MPL-2.0";

/// The folder with the models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    root: PathBuf,
    /// Whether Mynah may change it.
    is_managed: bool,
}

/// What a folder of the store contains.
#[derive(Debug, Clone)]
pub struct Model {
    /// From which language to which.
    pub direction: (Language, Language),
    /// Its folder.
    pub folder: PathBuf,
    /// What can be loaded, or why nothing can.
    pub state: Result<Installed, String>,
}

/// A model whose files are all there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    pub(super) direction: Direction,
    /// The version in the catalogue, if a manifest has it.
    pub version: Option<String>,
    model: ModelFile,
    source_vocabulary: ModelFile,
    target_vocabulary: ModelFile,
    is_managed: bool,
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelFile {
    pub(super) path: PathBuf,
    size: u64,
    /// In hexadecimal, if a manifest has it.
    sha256: Option<String>,
    /// When it was changed.
    changed: Option<SystemTime>,
}

/// What a file of a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// The weights.
    Model,
    /// The vocabulary of both languages.
    Vocab,
    /// The vocabulary of the source language.
    SrcVocab,
    /// The vocabulary of the target language.
    TrgVocab,
}

/// What is known about a downloaded model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) version: String,
    pub(super) license: String,
    pub(super) files: Vec<ManifestFile>,
}

/// A file that a manifest names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ManifestFile {
    pub(super) role: Role,
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) sha256: String,
}

/// The store cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system's error.
    #[error("{path}: {source}; check that the folder exists and that Mynah may use it")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The folder belongs to a person.
    #[error(
        "{0} is engine.firefox.models_dir, which Mynah only reads; change the files there by hand, or unset the key"
    )]
    ReadOnly(PathBuf),
}

impl Store {
    /// The store in Mynah's own folder.
    pub fn managed(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), is_managed: true }
    }

    /// A folder that a person filled, and that Mynah only reads.
    pub fn offline(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), is_managed: false }
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder, if Mynah may change it.
    ///
    /// # Errors
    /// It is a person's.
    pub fn writable(&self) -> Result<&Path, StoreError> {
        if self.is_managed { Ok(&self.root) } else { Err(StoreError::ReadOnly(self.root.clone())) }
    }

    /// Every model in it, whole or not, in order. A folder that does not exist yet has none, unless a person named it.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn models(&self) -> Result<Vec<Model>, StoreError> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_managed => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::Io { path: self.root.clone(), source }),
        };
        let mut models = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| StoreError::Io { path: self.root.clone(), source })?;
            let name = entry.file_name();
            let Some(direction) = name.to_str().and_then(parse_direction) else { continue };
            let folder = entry.path();
            if folder.is_dir() {
                let state = self.read(direction, &folder);
                models.push(Model { direction, folder, state });
            }
        }
        models.sort_by_key(|model| model.direction);
        Ok(models)
    }

    /// The models that can be loaded, by direction.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(super) fn installed(&self) -> Result<BTreeMap<Direction, Installed>, StoreError> {
        let models = self.models()?.into_iter();
        Ok(models.filter_map(|model| Some((model.direction, model.state.ok()?))).collect())
    }

    /// The folder of a direction.
    pub(super) fn folder(&self, direction: Direction) -> PathBuf {
        self.root.join(pair_name(direction))
    }

    /// Removes a model. Returns how many bytes that freed; `None` if there is none.
    ///
    /// # Errors
    /// The folder is a person's, or the system refuses.
    pub fn remove(&self, direction: (Language, Language)) -> Result<Option<u64>, StoreError> {
        self.writable()?;
        let folder = self.folder(direction);
        let at = |source| StoreError::Io { path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(error)),
        };
        let sizes = entries.flatten().filter_map(|entry| Some(entry.metadata().ok()?.len()));
        let bytes = sizes.sum();
        // First what makes it a model: if the rest fails, nobody takes half of it for a whole.
        match fs::remove_file(folder.join(MANIFEST)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(error)),
            _ => {}
        }
        fs::remove_dir_all(&folder).map_err(at)?;
        Ok(Some(bytes))
    }

    fn read(&self, direction: Direction, folder: &Path) -> Result<Installed, String> {
        let manifest = folder.join(MANIFEST);
        let found = match fs::metadata(&manifest) {
            Ok(found) => found,
            // Only a download that was interrupted leaves a folder without a manifest.
            Err(_) if self.is_managed => return Err(format!("not complete; {}", fix(direction))),
            Err(_) => return read_names(direction, folder),
        };
        if found.len() > LONGEST_MANIFEST {
            return Err(format!("{} is too long; {}", manifest.display(), self.fix(direction)));
        }
        let wrong =
            |why: &dyn fmt::Display| format!("{}: {why}; {}", manifest.display(), self.fix(direction));
        let text = fs::read_to_string(&manifest).map_err(|error| wrong(&error))?;
        let manifest: Manifest = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        let file = |role: Role| -> Result<ModelFile, String> {
            let file = manifest.files.iter().find(|file| file.role == role);
            let file = file.ok_or_else(|| wrong(&format_args!("it names no {}", role.name())))?;
            let mut parts = Path::new(&file.name).components();
            let (Some(Component::Normal(name)), None) = (parts.next(), parts.next()) else {
                return Err(wrong(&"it names a file in another folder"));
            };
            let path = folder.join(name);
            match fs::metadata(&path) {
                Ok(found) if found.len() == file.size => Ok(ModelFile {
                    path,
                    size: file.size,
                    sha256: Some(file.sha256.clone()),
                    changed: found.modified().ok(),
                }),
                Ok(found) => Err(format!(
                    "{} has {} bytes instead of {}; {}",
                    path.display(),
                    found.len(),
                    file.size,
                    self.fix(direction)
                )),
                Err(error) => Err(format!("{}: {error}; {}", path.display(), self.fix(direction))),
            }
        };
        // A model has one vocabulary for both languages, or one for each.
        let has_both = manifest.files.iter().any(|file| file.role == Role::Vocab);
        let vocabulary = |role| file(if has_both { Role::Vocab } else { role });
        Ok(Installed {
            direction,
            version: Some(manifest.version.clone()),
            model: file(Role::Model)?,
            source_vocabulary: vocabulary(Role::SrcVocab)?,
            target_vocabulary: vocabulary(Role::TrgVocab)?,
            is_managed: self.is_managed,
        })
    }

    fn fix(&self, direction: Direction) -> String {
        if self.is_managed { fix(direction) } else { "copy the model there again".into() }
    }
}

/// Files with Firefox's own names: `model.enes.intgemm.alphas.bin`, `vocab.enes.spm` or `srcvocab.…` and `trgvocab.…`.
fn read_names(direction: Direction, folder: &Path) -> Result<Installed, String> {
    let unreadable = |error: io::Error| format!("{}: {error}; check the folder", folder.display());
    let mut found: BTreeMap<Role, ModelFile> = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let role =
            name.to_str().and_then(|name| name.split_once('.')).and_then(|(role, _)| Role::named(role));
        if let Some(role) = role {
            let file = fs::metadata(entry.path()).map_err(unreadable)?;
            let (size, changed) = (file.len(), file.modified().ok());
            found.insert(role, ModelFile { path: entry.path(), size, sha256: None, changed });
        }
    }
    let file = |role: Role| {
        let file = found.get(&role).or_else(|| found.get(&Role::Vocab).filter(|_| role != Role::Model));
        file.cloned()
            .ok_or_else(|| format!("{} has no file {}.…; copy it there", folder.display(), role.name()))
    };
    Ok(Installed {
        direction,
        version: None,
        model: file(Role::Model)?,
        source_vocabulary: file(Role::SrcVocab)?,
        target_vocabulary: file(Role::TrgVocab)?,
        is_managed: false,
    })
}

impl Installed {
    /// Its files: the model and both vocabularies.
    pub(super) fn files(&self) -> [&ModelFile; 3] {
        [&self.model, &self.source_vocabulary, &self.target_vocabulary]
    }

    /// The size of its files.
    pub fn bytes(&self) -> u64 {
        let target =
            if self.source_vocabulary == self.target_vocabulary { 0 } else { self.target_vocabulary.size };
        self.model.size + self.source_vocabulary.size + target
    }

    /// Its name: `en-es`.
    pub fn pair(&self) -> String {
        pair_name(self.direction)
    }

    /// What identifies its weights: the catalogue's version and the beginning of the hash.
    pub(super) fn revision(&self) -> String {
        if let (Some(version), Some(hash)) = (&self.version, &self.model.sha256) {
            return format!("{version}-{}", hash.get(..8).unwrap_or(hash));
        }
        // A file that a person put there. Another one may have the same size.
        let changed = self.model.changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        format!("{}-{}", self.model.size, changed.unwrap_or_default().as_secs())
    }

    /// Its weights cannot be used.
    pub(super) fn damaged(&self, what: &str) -> ModelError {
        ModelError::Damaged { path: self.model.path.clone(), what: what.to_owned(), fix: self.fix() }
    }

    /// What to do if a file is damaged.
    pub(super) fn fix(&self) -> String {
        if self.is_managed { fix(self.direction) } else { "copy the model there again".into() }
    }
}

impl ModelFile {
    /// Whether a manifest has this hash for it.
    pub(super) fn has(&self, sha256: &str) -> bool {
        self.sha256.as_deref() == Some(sha256)
    }

    /// Whether these are its bytes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn verify(&self, bytes: &[u8]) -> Result<(), String> {
        let Some(expected) = &self.sha256 else { return Ok(()) };
        let mut hash = Context::new(&SHA256);
        hash.update(bytes);
        let found = hex(&hash.finish());
        if found.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        Err(format!("its SHA-256 is {found} instead of {expected}"))
    }
}

impl Role {
    /// Its name in the catalogue and in file names.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Vocab => "vocab",
            Self::SrcVocab => "srcvocab",
            Self::TrgVocab => "trgvocab",
        }
    }

    /// The role with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Model, Self::Vocab, Self::SrcVocab, Self::TrgVocab]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

impl Manifest {
    /// The manifest that is there, if it can be read.
    fn read(path: &Path) -> Option<Self> {
        let is_usable = fs::metadata(path).is_ok_and(|found| found.len() <= LONGEST_MANIFEST);
        is_usable.then(|| serde_json::from_slice(&fs::read(path).ok()?).ok()).flatten()
    }

    /// Makes a folder a model, and removes what is left of older ones. The version that it replaces stays until the next
    /// one: a running service goes on loading it until it is reloaded.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let replaced = Self::read(&folder.join(MANIFEST));
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        let unfinished = folder.join(format!(".{MANIFEST}.new"));
        fs::write(&unfinished, text)?;
        fs::File::open(&unfinished)?.sync_all()?;
        fs::rename(&unfinished, folder.join(MANIFEST))?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let mut in_use = self.files.iter().chain(replaced.iter().flat_map(|manifest| &manifest.files));
            if name != MANIFEST && !in_use.any(|file| name == file.name.as_str()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// The command that gets a model.
pub(super) fn fix(direction: Direction) -> String {
    format!("run `mynah models pull {}`", pair_name(direction))
}

/// The name of a direction: `en-es`.
pub fn pair_name((from, to): (Language, Language)) -> String {
    format!("{from}-{to}")
}

/// The direction with this name. Codes may have hyphens themselves (`en-zh-Hant`), and `pt-BR` is Brazil's Portuguese, not
/// Portuguese to Breton (`pt-br`).
pub fn parse_direction(name: &str) -> Option<(Language, Language)> {
    let halves = name.match_indices('-').map(|(at, _)| (&name[..at], &name[at + 1..]));
    let directions = halves.filter_map(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    directions.into_iter().find(|direction| pair_name(*direction) == name)
}

/// A hash in hexadecimal.
pub(super) fn hex(digest: &Digest) -> String {
    digest.as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::firefox::made_up;

    fn direction(name: &str) -> Direction {
        parse_direction(name).unwrap()
    }

    /// A store with the model en-es.
    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::managed(folder.path());
        made_up::install(&store, direction("en-es"));
        (folder, store)
    }

    fn problem(store: &Store) -> String {
        store.models().unwrap().remove(0).state.unwrap_err()
    }

    #[test]
    fn directions_are_read_with_and_without_scripts() {
        assert_eq!(pair_name(direction("en-zh-Hant")), "en-zh-Hant");
        assert_eq!(pair_name(direction("zh-Hans-en")), "zh-Hans-en");
        assert_eq!(pair_name(direction("en-pt-BR")), "en-pt-BR");
        for name in ["en", "pt-BR", "README.md", "xx-yy", "-", "en-"] {
            assert_eq!(parse_direction(name), None, "{name}");
        }
    }

    #[test]
    fn a_folder_that_does_not_exist_has_no_models_unless_a_person_named_it() {
        assert!(Store::managed("/nowhere").models().unwrap().is_empty());
        let error = Store::offline("/nowhere").models().unwrap_err();
        assert!(error.to_string().contains("/nowhere"), "{error}");
    }

    #[test]
    fn a_model_is_whole_or_its_problem_and_the_fix_are_named() {
        let (folder, store) = store();
        let model = store.models().unwrap().remove(0).state.unwrap();
        assert_eq!((model.pair().as_str(), model.version.as_deref()), ("en-es", Some("3.0")));
        let [weights, ..] = model.files().map(|file| file.path.clone());
        for (damage, expected) in [
            (|path: &Path| fs::write(path, "cut").unwrap(), "has 3 bytes instead of"),
            (|path: &Path| fs::remove_file(path).unwrap(), "No such file"),
            (|path: &Path| fs::write(path.with_file_name(MANIFEST), "{").unwrap(), "manifest.json"),
            (|path: &Path| fs::remove_file(path.with_file_name(MANIFEST)).unwrap(), "not complete"),
        ] as [(fn(&Path), &str); 4]
        {
            damage(&weights);
            let problem = problem(&store);
            assert!(problem.contains(expected) && problem.contains("mynah models pull en-es"), "{problem}");
        }
        drop(folder);
    }

    #[test]
    fn a_manifest_cannot_lead_out_of_its_folder() {
        let (_folder, store) = store();
        let manifest = store.folder(direction("en-es")).join(MANIFEST);
        let text = fs::read_to_string(&manifest).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        for name in ["../x", "/etc/passwd", "a/b", ""] {
            value["files"][0]["name"] = name.into();
            fs::write(&manifest, value.to_string()).unwrap();
            assert!(problem(&store).contains("another folder"), "{name}");
        }
    }

    #[test]
    fn a_person_can_fill_a_folder_with_firefox_own_names() {
        let folder = tempfile::tempdir().unwrap();
        let pair = folder.path().join("en-ja");
        fs::create_dir(&pair).unwrap();
        for name in ["model.enja.intgemm.alphas.bin", "srcvocab.enja.spm", "lex.50.50.enja.s2t.bin"] {
            fs::write(pair.join(name), "x").unwrap();
        }
        let store = Store::offline(folder.path());
        assert!(problem(&store).contains("has no file trgvocab"), "{}", problem(&store));
        fs::write(pair.join("trgvocab.enja.spm"), "xy").unwrap();
        let model = store.models().unwrap().remove(0).state.unwrap();
        assert_eq!((model.bytes(), model.version), (4, None));
        assert!(matches!(store.remove(direction("en-ja")), Err(StoreError::ReadOnly(_))));
    }

    #[test]
    fn a_new_version_leaves_the_files_of_the_one_that_it_replaces() {
        let (_folder, store) = store();
        let before = store.models().unwrap().remove(0).state.unwrap();
        let folder = store.folder(direction("en-es"));
        let written = |name: &str| {
            fs::write(folder.join(name), name).unwrap();
            let file = ManifestFile {
                role: Role::Model,
                name: name.into(),
                size: name.len() as u64,
                sha256: "0".repeat(64),
            };
            let (source, target) = ("en".into(), "es".into());
            let manifest =
                Manifest { source, target, version: name.into(), license: LICENSE.into(), files: vec![file] };
            manifest.write(&folder).unwrap();
        };
        written("model.second");
        assert!(before.files().iter().all(|file| file.path.exists()));
        written("model.third");
        assert!(before.files().iter().all(|file| !file.path.exists()));
        assert!(folder.join("model.second").exists() && folder.join("model.third").exists());
    }

    #[test]
    fn a_file_that_a_person_replaced_is_another_revision() {
        let folder = tempfile::tempdir().unwrap();
        let pair = folder.path().join("en-ja");
        fs::create_dir(&pair).unwrap();
        for name in ["model.enja.bin", "vocab.enja.spm"] {
            fs::write(pair.join(name), "x").unwrap();
        }
        let store = Store::offline(folder.path());
        let revision = || store.models().unwrap().remove(0).state.unwrap().revision();
        let before = revision();
        let later = SystemTime::now() + std::time::Duration::from_mins(1);
        fs::File::options()
            .write(true)
            .open(pair.join("model.enja.bin"))
            .unwrap()
            .set_modified(later)
            .unwrap();
        assert_ne!(revision(), before);
    }

    #[test]
    fn a_removed_model_is_gone_and_its_size_is_known() {
        let (_folder, store) = store();
        assert!(store.remove(direction("en-es")).unwrap().unwrap() > 1000);
        assert_eq!(store.remove(direction("en-es")).unwrap(), None);
        assert!(store.models().unwrap().is_empty());
    }
}
