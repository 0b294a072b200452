//! The networks that posts come from and translations go to, one folder each. A network registers itself with one line in
//! [`NETWORKS`]; `docs/adding-a-network.md` shows how one is written.
//!
//! - [`network`]: what every network answers.
//! - [`download`]: fetching media from listed hosts, for all of them; [`sniff`]: what they are by their bytes.

pub mod download;
pub mod network;
pub mod sniff;
pub mod x;

pub use network::{Accounts, Connections, Followed, Network, Published, Wanted};

/// Every network there is; the first is meant where settings name none.
const NETWORKS: [&dyn Network; 1] = [&x::X];

/// The networks that settings may name.
#[derive(Debug, Clone)]
pub struct Networks(Vec<&'static dyn Network>);

impl Default for Networks {
    fn default() -> Self {
        Self(NETWORKS.to_vec())
    }
}

impl Networks {
    /// These, and another one.
    #[must_use]
    pub fn with(mut self, network: &'static dyn Network) -> Self {
        self.0.push(network);
        self
    }

    /// The network that is meant where settings name none.
    pub fn default_network(&self) -> &'static dyn Network {
        self.0.first().copied().unwrap_or(NETWORKS[0])
    }

    /// Each of them, in the order in which they were registered.
    pub fn iter(&self) -> impl Iterator<Item = &'static dyn Network> + '_ {
        self.0.iter().copied()
    }

    /// The one of that name.
    pub fn named(&self, name: &str) -> Option<&'static dyn Network> {
        self.iter().find(|network| network.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_network_has_a_name_of_its_own_which_its_rules_know() {
        let mut names = HashSet::new();
        for network in Networks::default().iter() {
            assert!(names.insert(network.name()), "{network:?}");
            assert_eq!(network.rules().name(), network.name());
            let example = network.example_id();
            assert_eq!(network.mark(example).unwrap().id, network.post_named(example).unwrap());
        }
    }
}
