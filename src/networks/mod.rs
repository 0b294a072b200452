//! The networks that posts come from and translations go to, one folder each. A network is registered with one line in
//! [`NETWORKS`]; `docs/adding-a-network.md` shows how to write one.
//!
//! - [`network`]: the interface that every network implements.
//! - [`html`] reads HTML as people see it, for all networks.
//! - [`download`]: fetches media from listed hosts, for all networks; [`sniff`] detects their types from their bytes.

pub mod bluesky;
pub mod download;
pub mod feed;
pub mod file;
pub mod html;
pub mod mastodon;
pub mod network;
pub mod sniff;
pub mod x;

pub use network::{Accounts, Connections, Followed, Network, Published, Streaming, Wanted};

/// All networks; the first is the default.
const NETWORKS: [&dyn Network; 5] =
    [&x::X, &bluesky::Bluesky, &mastodon::Mastodon, &feed::Feed, &file::Files];

/// The networks that settings may name.
#[derive(Debug, Clone)]
pub struct Networks(Vec<&'static dyn Network>);

impl Default for Networks {
    fn default() -> Self {
        Self(NETWORKS.to_vec())
    }
}

impl Networks {
    /// Adds a network.
    #[must_use]
    pub fn with(mut self, network: &'static dyn Network) -> Self {
        self.0.push(network);
        self
    }

    /// The network of accounts for which the settings name none.
    pub fn default_network(&self) -> &'static dyn Network {
        self.0.first().copied().unwrap_or(NETWORKS[0])
    }

    /// All networks, in the order in which they were registered.
    pub fn iter(&self) -> impl Iterator<Item = &'static dyn Network> + '_ {
        self.0.iter().copied()
    }

    /// The network with this name.
    pub fn named(&self, name: &str) -> Option<&'static dyn Network> {
        self.iter().find(|network| network.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use mynah_domain::{SourceProfile, Target, fixtures};

    use super::*;

    #[test]
    fn each_network_has_a_unique_name_and_rules_that_match_it() {
        let mut names = HashSet::new();
        for network in Networks::default().iter() {
            assert!(names.insert(network.name()), "{network:?}");
            assert_eq!(network.rules().name(), network.name());
            let example = network.example_id();
            let post = network.post_named(example).unwrap();
            assert!(network.mark(example).is_none_or(|mark| mark.id == post));
        }
    }

    #[test]
    fn a_mention_has_no_effect_on_another_network_and_costs_nothing_there() {
        let mentions =
            [("x", "@alice"), ("bluesky", "@alice.bsky.social"), ("mastodon", "@alice@town.example")];
        let networks = Networks::default();
        let rules = |name: &str| networks.named(name).unwrap().rules();
        for (from, mention) in mentions {
            let text = format!("Thank you, {mention}!");
            for to in networks.iter().filter(|network| network.can_publish()) {
                let language = fixtures::target().source.language;
                let source = SourceProfile { name: format!("{from}:town"), language, network: rules(from) };
                let target = Target { source: source.into(), network: to.rules(), ..fixtures::target() };
                let shown = target.mask(&text, &rules(from).entities(&text)).untranslated();
                assert_eq!(shown.replace('\u{2060}', ""), text);
                if to.name() == from {
                    assert_eq!(shown, text, "on its own network it is a mention");
                } else {
                    assert_eq!(to.rules().entities(&shown), [], "{from} to {to:?}: {shown:?}");
                    assert_eq!(to.rules().price_of(&shown), to.rules().price_of("Thank you!"));
                }
            }
        }
    }
}
