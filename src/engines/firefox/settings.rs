//! The engine's section of the settings.

use std::{collections::BTreeSet, rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use mynah_domain::{Language, ports::Engine};
use url::Url;

use super::{Catalog, Firefox, Store, fix, pull, without_model};
use crate::{
    engines::{ConfiguredEngine, EngineFactory, EngineKind, EngineSection, kind::try_engine},
    http_client::Transport,
    settings::{
        Reader, Vault,
        kinds::{base_url, count, duration, flag, folder},
    },
};

const NAME: &str = "firefox";

/// Mozilla's Remote Settings, where Firefox has its models from.
const CATALOG: &str = "https://firefox.settings.services.mozilla.com";

/// The engine, in the registry of engines.
#[derive(Debug)]
pub struct FirefoxKind;

/// How the engine is run, and where its models are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirefoxSettings {
    /// What the settings call the engine.
    pub name: Arc<str>,
    /// Where the models are.
    pub store: Store,
    /// The server with the catalogue.
    pub catalog: Url,
    /// Whether a service downloads missing models when it starts.
    pub auto_pull: bool,
    /// How many threads translate.
    pub threads: usize,
    /// The most models in memory.
    pub loaded: usize,
    /// How long a model stays in memory without work.
    pub idle: Duration,
    /// The most lines that are translated together.
    pub batch: usize,
    /// How long a call may take.
    pub timeout: Duration,
}

impl FirefoxSettings {
    /// The defaults, with the models of this store.
    ///
    /// # Panics
    /// Never: the catalogue's address is an address.
    pub fn with_models(store: Store) -> Self {
        Self {
            name: NAME.into(),
            store,
            catalog: CATALOG.parse().expect("the address is a constant that tests use"),
            auto_pull: false,
            threads: 2,
            loaded: 4,
            idle: Duration::from_mins(15),
            batch: 8,
            timeout: Duration::from_secs(30),
        }
    }

    /// The pairs of these, each `(from, to)`, for which there is no model, and the command that gets them.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn missing(&self, pairs: &[(Language, Language)]) -> Result<Option<String>, String> {
        let installed = self.store.installed().map_err(|error| error.to_string())?;
        Ok(super::missing(&installed, pairs))
    }
}

impl EngineKind for FirefoxKind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read(
        &self,
        section: &EngineSection<'_>,
        reader: &mut Reader<'_>,
        _: &mut Vault<'_>,
    ) -> Option<Arc<dyn ConfiguredEngine>> {
        let catalog = reader.or(&section.key("models_url"), CATALOG, base_url);
        let offline = reader.optional(&section.key("models_dir"), folder);
        let auto_pull = reader.or(&section.key("auto_pull"), "false", flag);
        let threads = reader.or(&section.key("threads"), "2", count(1..=64));
        let loaded = reader.or(&section.key("loaded"), "4", count(1..=100));
        let idle = reader.or(
            &section.key("idle"),
            "15m",
            duration(Duration::from_secs(1)..=Duration::from_hours(24)),
        );
        let batch = reader.or(&section.key("batch"), "8", count(1..=64));
        let store = match offline.ok()? {
            Some(folder) => Store::offline(folder),
            None => Store::managed(section.data_dir?.join("models")),
        };
        Some(Arc::new(FirefoxSettings {
            name: section.name.into(),
            store,
            catalog: catalog?,
            auto_pull: auto_pull?,
            threads: threads?,
            loaded: loaded?,
            idle: idle?,
            batch: batch?,
            timeout: section.timeout?,
        }))
    }
}

#[async_trait(?Send)]
impl ConfiguredEngine for FirefoxSettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn longest_call(&self) -> Duration {
        self.timeout
    }

    fn factory(&self, _: Transport) -> Result<EngineFactory, String> {
        // One for all threads: its threads and models are shared.
        let firefox = Firefox::new(self).map_err(|error| error.to_string())?;
        Ok(Arc::new(move || Rc::new(firefox.clone())))
    }

    fn more_languages(&self, pairs: &[(Language, Language)]) -> Option<String> {
        Some(if self.store.writable().is_ok() {
            commands(pairs)
        } else {
            format!("copy Firefox's models for it to {}", self.store.root().display())
        })
    }

    async fn prepare(&self, pairs: &[(Language, Language)], transport: Transport) -> Result<(), String> {
        if !self.auto_pull || self.store.writable().is_err() {
            return Ok(());
        }
        let installed = self.store.installed().map_err(|error| error.to_string())?;
        let missing = without_model(&installed, pairs);
        if missing.is_empty() {
            return Ok(());
        }
        let catalog = Catalog::fetch(&self.catalog, transport).await.map_err(|error| error.to_string())?;
        let mut problems = Vec::new();
        // Two pairs over English may need the same model.
        let mut needed = BTreeSet::new();
        for (from, to) in missing {
            match catalog.needed(from, to) {
                Ok(directions) => needed.extend(directions),
                Err(error) => problems.push(error.to_string()),
            }
        }
        for offer in needed.iter().filter_map(|direction| catalog.offers.get(direction)) {
            if let Err(error) = pull(offer, &self.store, transport, |_| ()).await {
                problems.push(error.to_string());
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    async fn check(&self, engine: &dyn Engine, pairs: &[(Language, Language)]) -> Result<String, String> {
        let models = self.store.models().map_err(|error| error.to_string())?;
        if let Some(damaged) = models.into_iter().find_map(|model| model.state.err()) {
            return Err(damaged);
        }
        match self.missing(pairs)? {
            Some(missing) if self.auto_pull => {
                return Ok(format!("{missing}, or start the service, which downloads it"));
            }
            Some(missing) => return Err(missing),
            None => {}
        }
        try_engine(engine, pairs).await.map_err(|error| error.to_string())
    }
}

/// The commands that get the models for these pairs.
pub(super) fn commands(pairs: &[(Language, Language)]) -> String {
    match pairs {
        [pair] => fix(*pair),
        pairs => {
            let names: Vec<String> = pairs.iter().map(|(from, to)| format!("{from}-{to}")).collect();
            format!("run `mynah models pull {}`", names.join(" "))
        }
    }
}
