//! Apertium's section of the settings.

use std::{path::PathBuf, rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use mynah_domain::Language;

use super::Apertium;
use crate::{
    engines::{ConfiguredEngine, EngineFactory, EngineKind, EngineSection},
    http_client::Transport,
    settings::{
        Reader, Vault,
        kinds::{call, folder},
    },
};

const NAME: &str = "apertium";

/// Apertium, in the registry of engines.
#[derive(Debug)]
pub struct ApertiumKind;

/// How Apertium is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApertiumSettings {
    /// What the settings call the engine.
    pub name: Arc<str>,
    /// Where its packages put their modes: `/usr/share/apertium/modes`.
    pub modes_dir: PathBuf,
    /// How long one text may take before its pipeline is taken for dead.
    pub timeout: Duration,
}

impl Default for ApertiumSettings {
    fn default() -> Self {
        Self {
            name: NAME.into(),
            modes_dir: "/usr/share/apertium/modes".into(),
            timeout: Duration::from_secs(10),
        }
    }
}

impl EngineKind for ApertiumKind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(
        &self,
        section: &EngineSection<'_>,
        reader: &mut Reader<'_>,
        _: &mut Vault<'_>,
    ) -> Option<Arc<dyn ConfiguredEngine>> {
        let modes_dir = reader.or(&section.key("modes_dir"), "/usr/share/apertium/modes", folder);
        let timeout = reader.or(&section.key("timeout"), "10s", call);
        Some(Arc::new(ApertiumSettings {
            name: section.name.into(),
            modes_dir: modes_dir?,
            timeout: timeout?,
        }))
    }
}

#[async_trait(?Send)]
impl ConfiguredEngine for ApertiumSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn longest_call(&self) -> Duration {
        self.timeout
    }

    fn factory(&self, _: Transport) -> Result<EngineFactory, String> {
        // One for all threads: its processes are shared.
        let apertium = Apertium::new(self).map_err(|error| error.to_string())?;
        Ok(Arc::new(move || Rc::new(apertium.clone())))
    }

    fn more_languages(&self, _: &[(Language, Language)]) -> Option<String> {
        Some("install Apertium's packages for it (apt install apertium-…)".into())
    }
}
