//! The names of accounts, servers and statuses. They go into addresses, so they are checked before anything is called.

use std::fmt;

use config::ValueKind;
use mynah_domain::{PostId, ports::ledger::Mark};
use url::{Host, Url};

use crate::settings::kinds::{Read, quoted, refuse, text_of};

/// An example of a status's id, as people find it at the end of a link.
pub(super) const EXAMPLE_ID: &str = "113548281929347851";

/// The longest id that is accepted. Mastodon's have 18 characters, those of other servers up to 42.
const LONGEST_ID: usize = 128;

/// The longest name of a user. Mastodon allows 30 characters, other servers more.
const LONGEST_USER: usize = 64;

const FIX: &str = "write the user and the server: \"town_es@mastodon.example\"";

/// An account: a user on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccountName {
    /// The user, as it was written.
    pub(super) user: String,
    /// The host of the server's website, in lower case.
    pub(super) server: String,
}

impl AccountName {
    /// Reads `user@server`, with or without `@` in front.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (user, server) = text.strip_prefix('@').unwrap_or(text).split_once('@')?;
        let is_user = (1..=LONGEST_USER).contains(&user.len()) && is_user(user);
        let server = match Host::parse(server).ok()? {
            Host::Domain(domain) if domain.contains('.') && !domain.ends_with('.') => domain,
            // A server is named by its domain.
            _ => return None,
        };
        is_user.then(|| Self { user: user.to_owned(), server })
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.server)
    }
}

/// Letters, digits and `_`, with dots and hyphens in between (Mastodon, `Account::USERNAME_RE`).
fn is_user(user: &str) -> bool {
    let is_word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    let bytes = user.as_bytes();
    bytes.iter().all(|c| is_word(*c) || matches!(c, b'.' | b'-'))
        && bytes.first().copied().is_some_and(is_word)
        && bytes.last().copied().is_some_and(is_word)
}

/// A handle, as `user@server`.
pub(super) fn handle(value: &ValueKind) -> Read<String> {
    let text = text_of(value)?;
    match AccountName::read(text) {
        Some(name) => Ok(name.to_string()),
        None => refuse(format!("{} is not an account on Mastodon", quoted(value)), FIX),
    }
}

/// An id that may go into a path.
pub(super) fn is_id(id: &str) -> bool {
    let is_safe = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(is_safe) && id.bytes().any(|c| c != b'.')
}

/// The position of a status whose id is a number. On Mastodon, ids are numbers that grow; other servers have ids without
/// an order.
pub(super) fn position(id: &str) -> Option<u64> {
    let is_number = (1..=19).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { id.parse().ok() } else { None }
}

/// A status's position, which is its id.
pub(super) fn mark(id: &str) -> Option<Mark> {
    Some(Mark { id: PostId(id.to_owned()), position: position(id)? })
}

/// A status by its id, or by its link on its own server: `https://mastodon.example/@town/1234`.
pub(super) fn post_named(which: &str) -> Read<PostId> {
    let id = match Url::parse(which) {
        Ok(link) => link.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned(),
        Err(_) => which.trim().to_owned(),
    };
    if is_id(&id) {
        return Ok(PostId(id));
    }
    refuse(
        format!("{which:?} is not a post on Mastodon"),
        format!("name it by its id, such as {EXAMPLE_ID:?}, or by its link on its own server"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle_of(text: &str) -> Read<String> {
        handle(&ValueKind::from(text))
    }

    #[test]
    fn an_account_is_a_user_on_a_server() {
        for (written, read) in [
            ("town_es@mastodon.example", "town_es@mastodon.example"),
            ("@Town.ES@Mastodon.Example", "Town.ES@mastodon.example"),
            ("a@bücher.example", "a@xn--bcher-kva.example"),
        ] {
            assert_eq!(handle_of(written).unwrap(), read);
        }
        for wrong in [
            "",
            "@",
            "town",
            "@town",
            "town@",
            "@@a.example",
            "a b@c.example",
            "a@b",
            "a@b.example/x",
            "a@b.example:80",
            "a@b@c.example",
            ".a@b.example",
            "a-@b.example",
            "niño@b.example",
            "https://b.example/@a",
            "a@127.0.0.1",
            "a@[::1]",
        ] {
            let refusal = handle_of(wrong).unwrap_err();
            assert!(refusal.what.contains("not an account") && refusal.fix.contains("user and the server"));
        }
        assert!(handle_of(&format!("{}@b.example", "a".repeat(10_000))).is_err());
    }

    #[test]
    fn an_id_goes_into_a_path_only_if_it_leads_nowhere_else() {
        for id in ["1", EXAMPLE_ID, "17957720857812fbc8aa7238d599fc7ed16a810f70", "01JDQ8ZJ3C", "a-b_c.d"] {
            assert!(is_id(id), "{id}");
        }
        for id in ["", "..", ".", "a/b", "a?b", "a b", "é", "%2e", &"1".repeat(10_000)] {
            assert!(!is_id(id), "{id}");
        }
    }

    #[test]
    fn only_numbers_have_a_place() {
        assert_eq!(position("12"), Some(12));
        for id in ["", "+1", "-1", "1a", "17957720857812fbc8aa7238d599fc7ed16a810f70", &"9".repeat(20)] {
            assert_eq!(position(id), None, "{id}");
        }
    }

    #[test]
    fn a_post_is_named_by_its_id_or_its_link() {
        for which in
            ["1234", "https://a.example/@town/1234", "https://a.example/users/town/statuses/1234/?x=1"]
        {
            assert_eq!(post_named(which).unwrap(), PostId("1234".into()), "{which}");
        }
        for which in ["", "https://a.example", "https://a.example/@town/", "../1", "a b"] {
            assert!(post_named(which).is_err(), "{which}");
        }
    }
}
