//! The networks that the sandbox plays. The form of a handle tells them apart, so one list of accounts may have accounts
//! of all of them.

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
}
