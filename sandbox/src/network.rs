//! The networks that the sandbox plays. The form of a handle tells them apart, so one list of accounts may have accounts
//! of all of them.

use std::str::FromStr;

use serde::Serialize;

/// A social network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// X: `town_es`.
    X,
    /// Bluesky: `town-es.bsky.example`, a domain.
    Bluesky,
    /// Mastodon: `town_es@mastodon.example`, a user on a server.
    Mastodon,
}

impl Network {
    /// All networks.
    pub const ALL: [Self; 3] = [Self::X, Self::Bluesky, Self::Mastodon];

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::X => "x",
            Self::Bluesky => "bluesky",
            Self::Mastodon => "mastodon",
        }
    }

    /// The network that a handle belongs to.
    pub fn of(handle: &str) -> Self {
        match handle {
            user if user.trim_start_matches('@').contains('@') => Self::Mastodon,
            domain if domain.contains('.') => Self::Bluesky,
            _ => Self::X,
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::X => "X",
            Self::Bluesky => "Bluesky",
            Self::Mastodon => "Mastodon",
        }
    }
}

/// A name that no network has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox has no network {0:?}; its networks are x, bluesky and mastodon")]
pub struct UnknownNetwork(String);

impl FromStr for Network {
    type Err = UnknownNetwork;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|network| network.name() == name);
        found.ok_or_else(|| UnknownNetwork(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_belongs_to_one_network() {
        for (handle, network) in [
            ("town_es", Network::X),
            ("town.example", Network::Bluesky),
            ("town@mastodon.example", Network::Mastodon),
            ("@town@mastodon.example", Network::Mastodon),
            ("@town", Network::X),
        ] {
            assert_eq!(Network::of(handle), network, "{handle}");
        }
    }

    #[test]
    fn networks_parse_from_their_names() {
        for network in Network::ALL {
            assert_eq!(network.name().parse(), Ok(network));
        }
        assert!("feed".parse::<Network>().unwrap_err().to_string().contains("x, bluesky and mastodon"));
    }
}
