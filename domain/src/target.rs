//! Where one source's posts go: a language on an account, in a tone, by the rules of its network.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    Card, Language, Post,
    filters::Filters,
    network::NetworkRules,
    review::ReviewPolicy,
    schedule::Schedule,
    text::{Entity, Links, Mask, Masking, neutralize_mentions},
};

/// A target's name in logs, in the ledger and on the command line: network and account, `plain:town_es`.
///
/// The account is in lower case, because networks compare handles without case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TargetId(Arc<str>);

impl TargetId {
    /// The name of the target on `account` of `network`.
    pub fn new(network: &str, account: &str) -> Self {
        Self(format!("{network}:{}", account.to_ascii_lowercase()).into())
    }

    /// The name as text, `plain:town_es`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The network, `plain`.
    pub fn network(&self) -> &str {
        self.0.split_once(':').map_or(&*self.0, |(network, _)| network)
    }
}

impl From<&str> for TargetId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a target needs to know about the source that it follows.
#[derive(Debug)]
pub struct SourceProfile {
    /// The source's name in the ledger: network and account, `plain:town`.
    pub name: String,
    /// The language that it writes in.
    pub language: Language,
    /// The rules by which its posts are read.
    pub network: Arc<dyn NetworkRules>,
}

/// One source's posts in one language on one account.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name.
    pub id: TargetId,
    /// The source that it follows: exactly one, so that only posts of one source have to be in order.
    pub source: Arc<SourceProfile>,
    /// The rules by which translations are weighed, split and published.
    pub network: Arc<dyn NetworkRules>,
    /// The language of its publications.
    pub language: Language,
    /// The account's handle, without `@`.
    pub account: String,
    /// How its translations should sound.
    pub style: Style,
    /// What an engine must not change in a post, and what happens to it.
    pub masking: Masking,
    /// Which of the source's posts it republishes.
    pub filters: Filters,
    /// What to do with the post's pictures and videos.
    pub media: MediaPolicy,
    /// What to do with a translation that is too long for a single publication.
    pub too_long: TooLong,
    /// Which translations a person must approve.
    pub review: ReviewPolicy,
    /// What to do with a post that has no words to translate.
    pub wordless: Wordless,
    /// Whether a link gets a card, on a network that [has them](NetworkRules::has_cards).
    pub link_card: bool,
    /// Which engines translate for it.
    pub engines: EngineOrder,
    /// When it publishes.
    pub schedule: Schedule,
}

impl Target {
    /// The card that a post is published with. A message has either media or a card.
    pub fn card_of<'a>(&self, post: &'a Post) -> Option<&'a Card> {
        let has_media = self.media != MediaPolicy::None && !post.media.is_empty();
        let has_link = self.masking.links != Links::Drop;
        post.card.as_ref().filter(|_| self.link_card && has_link && self.network.has_cards() && !has_media)
    }

    /// Masks a text of the source for an engine. `entities` are those of the text on the source's network.
    pub fn mask(&self, text: &str, entities: &[Entity]) -> Mask {
        let mut mask = self.masking.mask(text, entities);
        let source = &*self.source.network;
        if source.has_accounts() && source.name() != self.network.name() {
            neutralize_mentions(&mut mask, &*self.network);
        }
        mask
    }
}

/// Which engines translate for a target, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EngineOrder {
    /// All that there are, in their own order.
    #[default]
    All,
    /// Only those with these names.
    Only(Arc<[Arc<str>]>),
}

impl EngineOrder {
    /// Whether an engine of this name translates for the target.
    pub fn has(&self, engine: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|name| **name == *engine),
        }
    }

    /// Its engines by their places among all engines, which have these names.
    pub fn places<'a>(&self, engines: impl Iterator<Item = &'a str> + Clone) -> Vec<usize> {
        match self {
            Self::All => (0..engines.count()).collect(),
            Self::Only(names) => {
                let place = |name: &Arc<str>| engines.clone().position(|engine| *engine == **name);
                names.iter().filter_map(place).collect()
            }
        }
    }
}

/// What to do with the post's pictures and videos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaPolicy {
    /// Leave them out.
    None,
    /// Copy them, and translate their alt texts.
    Copy {
        /// What to do if one cannot be copied.
        missing: MediaMissing,
    },
}

/// What to do with a post if one of its media cannot be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MediaMissing {
    /// Publish it without the medium.
    #[default]
    Publish,
    /// Hold it for a person.
    Hold,
}

/// How translations for a target should sound. It is part of the cache key: another style is another translation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Style {
    /// The form of address.
    pub tone: Tone,
    /// Measures, idioms and examples may be changed to ones that local readers know.
    pub adapt: bool,
    /// What else the account's owner wants, in their words; empty if nothing.
    pub instructions: String,
}

/// The form of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// The post's own tone.
    #[default]
    Neutral,
    /// *Usted*, *vous*, *Sie*.
    Formal,
    /// *Tú*, *tu*, *du*.
    Informal,
}

impl Tone {
    /// The tone's name in settings and prompts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Formal => "formal",
            Self::Informal => "informal",
        }
    }
}

/// What to do with a post that has no words to translate: a link, a tag, an emoji, a score, code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wordless {
    /// Publish it as it is, without asking an engine.
    #[default]
    Copy,
    /// Skip it.
    Skip,
}

/// What to do with a translation that is too long for one publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TooLong {
    /// Publish it as a thread of several.
    #[default]
    Thread,
    /// Hold the job for a person.
    Hold,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_tries_its_own_engines_in_its_own_order_and_skips_those_that_are_not_there() {
        let engines = ["one", "two", "three"];
        let places = |order: &EngineOrder| order.places(engines.into_iter());
        assert_eq!(places(&EngineOrder::All), [0, 1, 2]);
        let own = EngineOrder::Only(["three", "gone", "one"].map(Arc::from).into());
        assert_eq!(places(&own), [2, 0]);
        assert!(own.has("one") && !own.has("two") && EngineOrder::All.has("two"));
    }

    #[test]
    fn the_name_of_a_target_has_its_network_and_its_account_in_lower_case() {
        let target = TargetId::new("plain", "Town_ES");
        assert_eq!((target.as_str(), target.network()), ("plain:town_es", "plain"));
    }
}
