//! The part of the settings in force that operators' requests and the status need. A reload replaces it.

use std::{rc::Rc, sync::Arc};

use mynah_domain::{AccountId, Language, TargetId, caps::Caps, ports::Engine};

use crate::{
    networks::Published,
    settings::{Settings, TargetSettings},
};

/// What is configured now.
#[derive(Debug, Clone)]
pub struct Configured {
    /// The followed account: `x:example`.
    pub source: String,
    /// The targets.
    pub targets: Vec<ConfiguredTarget>,
    /// The engines, in order.
    pub engines: Vec<Arc<str>>,
}

/// A target that is configured.
#[derive(Debug, Clone)]
pub struct ConfiguredTarget {
    /// Its id.
    pub id: TargetId,
    /// Its account.
    pub account: AccountId,
    /// The language that it publishes in.
    pub language: Language,
    /// The most publications on it.
    pub caps: Caps,
    /// Its connection to the network.
    pub connection: Arc<dyn Published>,
    /// The engines that translate for it, in order.
    pub engines: Vec<Arc<str>>,
}

impl Configured {
    /// What these settings configure; `engines` are those of `engine.order`.
    pub fn of(settings: &Settings, engines: &[Rc<dyn Engine>]) -> Self {
        let from = settings.source.language;
        let target = |target: &TargetSettings| ConfiguredTarget {
            id: target.id(),
            // The settings give each target its own account.
            account: AccountId::from(&target.id()),
            language: target.language,
            caps: target.caps,
            connection: target.connection.clone(),
            engines: engines
                .iter()
                .filter(|engine| engine.supports(from, target.language))
                .map(|engine| engine.name().into())
                .collect(),
        };
        Self {
            source: settings.source.name(),
            targets: settings.targets.iter().map(target).collect(),
            engines: settings.engine.names(),
        }
    }

    /// The ids of the targets.
    pub fn target_ids(&self) -> Vec<TargetId> {
        self.targets.iter().map(|target| target.id.clone()).collect()
    }

    /// The target with this id.
    pub fn target(&self, id: &TargetId) -> Option<&ConfiguredTarget> {
        self.targets.iter().find(|target| target.id == *id)
    }

    /// The engines that translate for no target.
    pub fn unused_engines(&self) -> impl Iterator<Item = &Arc<str>> {
        let is_used = |engine: &Arc<str>| self.targets.iter().any(|target| target.engines.contains(engine));
        self.engines.iter().filter(move |engine| !is_used(engine))
    }
}
