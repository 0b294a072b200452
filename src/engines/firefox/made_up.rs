//! A model for tests, made of random numbers.

use std::fs;

use mynah_sandbox::{random_model, random_vocabulary};
use ring::digest::{SHA256, digest};

use super::{
    super::routes::Direction,
    store::{LICENSE, Manifest, ManifestFile, Role, Store, hex},
};

pub(super) fn model() -> Vec<u8> {
    random_model()
}

pub(super) fn vocabulary() -> Vec<u8> {
    random_vocabulary()
}

/// Puts a model into a store, as a download does.
pub(super) fn install(store: &Store, direction: Direction) {
    let folder = store.folder(direction);
    fs::create_dir_all(&folder).unwrap();
    let file = |role: Role, content: Vec<u8>| {
        let name = role.name().to_owned();
        fs::write(folder.join(&name), &content).unwrap();
        ManifestFile { role, name, size: content.len() as u64, sha256: hex(&digest(&SHA256, &content)) }
    };
    let manifest = Manifest {
        source: direction.0.code().into(),
        target: direction.1.code().into(),
        version: "3.0".into(),
        license: LICENSE.into(),
        files: vec![file(Role::Model, model()), file(Role::Vocab, vocabulary())],
    };
    manifest.write(&folder).unwrap();
}
