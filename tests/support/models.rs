//! Real translation models for tests. Their license is not stated, so they are downloaded, and part of nothing.

use std::path::PathBuf;

#[path = "server.rs"]
#[allow(dead_code, reason = "each test uses a part of it")]
mod server;

/// The variable that says whether tests may be skipped.
const VARIABLE: &str = "MYNAH_TEST_MODELS";

/// The folder with the models en-pt and pt-en; `None` if they are not there, which is reported in one line.
pub(crate) fn real_models() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/models");
    if cfg!(not(feature = "firefox")) {
        server::skip(VARIABLE, "this build does not contain the engine firefox");
        return None;
    }
    if !folder.join("pt-en").is_dir() {
        server::skip(VARIABLE, "there are no translation models; run: make setup-models");
        return None;
    }
    Some(folder)
}
