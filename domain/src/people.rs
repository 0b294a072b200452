//! People who work with one Mynah: what each may do, how each is recognized, and what each decided.

use std::{fmt, str::FromStr, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::JobId;

/// What a person may do. Each role may do everything that the roles before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// See everything.
    Look,
    /// Decide about jobs.
    Review,
    /// Control the service.
    Steer,
}

impl Role {
    /// All roles, from the one that may do the least.
    pub const ALL: [Self; 3] = [Self::Look, Self::Review, Self::Steer];

    /// Its name in commands, the API and the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Review => "review",
            Self::Steer => "steer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No role has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role {0:?}; use look, review or steer")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == name)
            .ok_or_else(|| UnknownRole(name.chars().take(UserName::MAX_LENGTH).collect()))
    }
}

/// The name of a user: letters, digits, and single marks between them. Names that differ only in case are the same.
#[derive(Debug, Clone)]
pub struct UserName(String);

impl UserName {
    /// The longest name, in characters.
    pub const MAX_LENGTH: usize = 40;

    /// The marks that a name may have between its letters and digits.
    const MARKS: [char; 6] = [' ', '.', '-', '_', '@', '\''];

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text for all names that are the same.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for UserName {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for UserName {}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is no name of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name has 1 to {max} characters: letters, digits, and spaces or one of . - _ @ ' between them",
    max = UserName::MAX_LENGTH
)]
pub struct InvalidName;

impl FromStr for UserName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let name: String = text.nfc().take(Self::MAX_LENGTH + 1).collect();
        let is_letter = |c: char| c.is_alphanumeric();
        let ends = [name.chars().next(), name.chars().next_back()];
        let fits = ends.iter().all(|end| end.is_some_and(is_letter))
            && name.chars().count() <= Self::MAX_LENGTH
            && name.chars().all(|c| is_letter(c) || Self::MARKS.contains(&c));
        if fits { Ok(Self(name)) } else { Err(InvalidName) }
    }
}

/// The SHA-256 of a random token, which does not reveal the token. Compare hashes of what a caller sent in constant time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// A stored text is no hash of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash of a token has 64 hexadecimal digits")]
pub struct InvalidHash;

impl FromStr for TokenHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let digits = text.as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return Err(InvalidHash);
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or(InvalidHash);
            *byte = u8::try_from(16 * digit(0)? + digit(1)?).map_err(|_| InvalidHash)?;
        }
        Ok(Self(hash))
    }
}

/// A person with a name and a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their name.
    pub name: UserName,
    /// What they may do.
    pub role: Role,
    /// The hash of their token.
    pub token: TokenHash,
    /// When they were added.
    pub since: Timestamp,
}

/// A browser in which somebody has logged in. It is valid as long as its user has the token that it was opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The hash of the random id that the browser has.
    pub id: TokenHash,
    /// Who logged in: the [`key`](UserName::key) of their name.
    pub user: String,
    /// The hash of the token that they logged in with.
    pub token: TokenHash,
    /// When it ends.
    pub until: Timestamp,
}

/// Who decides, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Their name; `None` if it is not known, because the service asks nobody for a token.
    pub who: Option<Arc<str>>,
    /// When.
    pub at: Timestamp,
}

impl Author {
    /// The record of a decision.
    pub fn decides(&self, action: &str, subject: impl Into<String>) -> DecisionRecord {
        DecisionRecord {
            at: self.at,
            who: self.who.as_deref().map(str::to_owned),
            action: action.to_owned(),
            job: None,
            subject: subject.into(),
            detail: String::new(),
        }
    }
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRecord {
    /// When.
    pub at: Timestamp,
    /// Who, if that is known.
    pub who: Option<String>,
    /// What was done: `retry`, `pause`, `add_user`.
    pub action: String,
    /// The job that it was about, if it was about one.
    pub job: Option<JobId>,
    /// What it was about: a target, an actor, a user.
    pub subject: String,
    /// What else is worth knowing; may be empty.
    pub detail: String,
}

impl DecisionRecord {
    /// The same, about a job.
    #[must_use]
    pub fn about(self, job: JobId) -> Self {
        Self { job: Some(job), ..self }
    }

    /// The same, with a detail.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_the_roles_before_it_may() {
        assert!(Role::Look < Role::Review && Role::Review < Role::Steer);
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("admin".parse::<Role>().is_err());
    }

    #[test]
    fn names_are_short_printable_and_compared_without_case() {
        let name = |text: &str| text.parse::<UserName>();
        for good in
            ["ana", "Ana María", "a", "o'neill", "ana@town.example", "Jürgen_2", "Ольга", &"x".repeat(40)]
        {
            assert_eq!(name(good).unwrap().as_str(), good);
        }
        for bad in ["", " ana", "ana ", "a\nb", "a\u{202e}b", "a/b", "-ana", "a\0", &"x".repeat(41)] {
            assert_eq!(name(bad), Err(InvalidName), "{bad:?}");
        }
        assert_eq!(name("ANA"), name("ana"));
        assert_eq!(name("A\u{301}NGEL"), name("ángel"), "however the accent is encoded");
        assert_ne!(name("ana"), name("anna"));
    }

    #[test]
    fn a_hash_is_read_as_it_was_written_and_never_shown() {
        let hash = TokenHash(std::array::from_fn(|at| u8::try_from(at * 7).unwrap()));
        let text = hash.to_string();
        assert_eq!((text.len(), text.parse()), (64, Ok(hash)));
        assert_eq!("zz".repeat(32).parse::<TokenHash>(), Err(InvalidHash));
        assert_eq!("ñ".repeat(32).parse::<TokenHash>(), Err(InvalidHash));
        assert_eq!("00".parse::<TokenHash>(), Err(InvalidHash));
        assert!(!format!("{hash:?}").contains(&text[..8]));
    }
}
