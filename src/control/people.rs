//! Adds, renews and removes the users of a Mynah, and lists what people decided.
//!
//! A user is recognized by a random token of 256 bits. Only its hash is stored: a token cannot be guessed, so a fast hash is
//! as good as a slow one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use log::info;
use mynah_domain::{
    people::{Author, InvalidName, Role, TokenHash, User, UserName},
    ports::{Ledger, LedgerError},
};
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::{PAGE, wire};

/// The name of whoever has the token in `MYNAH_ADMIN_TOKEN`.
pub const ADMIN: &str = "admin";

/// The most users: everybody who asks with a token is compared with all of them.
const MAX_USERS: usize = 200;

/// Why a user was not added, renewed or removed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The name cannot be used.
    #[error("name: {0}")]
    Name(#[from] InvalidName),
    /// The name is that of the admin token.
    #[error("name: {ADMIN} is whoever has the token in MYNAH_ADMIN_TOKEN; use another name")]
    Reserved,
    /// There is a user with this name.
    #[error("there is a user {0} already; use another name, or `mynah users renew` for a new token")]
    Taken(UserName),
    /// There are too many users.
    #[error("there are {MAX_USERS} users already; remove one that is no longer needed")]
    TooMany,
    /// There is no such user.
    #[error("there is no user {0}; `mynah users list` shows all")]
    Unknown(UserName),
    /// The system has no random numbers.
    #[error("the system gives no random numbers for a token; try again")]
    NoRandomness,
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Draws a token.
///
/// # Errors
/// The system has no random numbers.
pub fn draw_token() -> Result<SecretString, PeopleError> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| PeopleError::NoRandomness)?;
    Ok(format!("mynah_{}", URL_SAFE_NO_PAD.encode(bytes)).into())
}

/// The hash of a token.
pub fn hash_of(token: &str) -> TokenHash {
    TokenHash(Sha256::digest(token).into())
}

/// All users.
///
/// # Errors
/// The ledger cannot be read.
pub async fn list(ledger: &dyn Ledger) -> Result<wire::Users, LedgerError> {
    let users = ledger.users().await?.into_iter();
    Ok(wire::Users { users: users.map(wire::User::from).collect() })
}

/// Adds a user, and returns the token, which is stored nowhere.
///
/// # Errors
/// The name cannot be used, or the ledger cannot be written.
pub async fn add(
    ledger: &dyn Ledger,
    name: &str,
    role: Role,
    author: &Author,
) -> Result<wire::NewToken, PeopleError> {
    let name = named(name)?;
    if ledger.users().await?.len() >= MAX_USERS {
        return Err(PeopleError::TooMany);
    }
    let token = draw_token()?;
    let user = User { name: name.clone(), role, token: hash_of(token.expose_secret()), since: author.at };
    let record = author.decides("add_user", name.as_str()).with_detail(role.as_str());
    if !ledger.add_user(user, record).await? {
        return Err(PeopleError::Taken(name));
    }
    info!(by = by(author), user:% = name, role:%; "user added");
    Ok(wire::NewToken { name: name.as_str().to_owned(), role, token: token.into() })
}

/// Gives a user another token, and returns it. The old one and all sessions end at once.
///
/// # Errors
/// There is no such user, or the ledger cannot be written.
pub async fn renew(ledger: &dyn Ledger, name: &str, author: &Author) -> Result<wire::NewToken, PeopleError> {
    let name = named(name)?;
    let user = ledger.users().await?.into_iter().find(|user| user.name == name);
    let Some(user) = user else { return Err(PeopleError::Unknown(name)) };
    let token = draw_token()?;
    let record = author.decides("renew_user", user.name.as_str());
    if !ledger.renew_user(&name, hash_of(token.expose_secret()), record).await? {
        return Err(PeopleError::Unknown(name));
    }
    info!(user:% = user.name, by = by(author); "user renewed");
    Ok(wire::NewToken { name: user.name.as_str().to_owned(), role: user.role, token: token.into() })
}

/// Removes a user. Their token and all sessions end at once.
///
/// # Errors
/// There is no such user, or the ledger cannot be written.
pub async fn remove(
    ledger: &dyn Ledger,
    name: &str,
    author: &Author,
) -> Result<wire::RemovedUser, PeopleError> {
    let name = named(name)?;
    if !ledger.remove_user(&name, author.decides("remove_user", name.as_str())).await? {
        return Err(PeopleError::Unknown(name));
    }
    info!(user:% = name, by = by(author); "user removed");
    Ok(wire::RemovedUser { removed: name.as_str().to_owned() })
}

fn named(name: &str) -> Result<UserName, PeopleError> {
    let name: UserName = name.parse()?;
    if name.key() == ADMIN { Err(PeopleError::Reserved) } else { Ok(name) }
}

/// Who decided, for the log.
fn by(author: &Author) -> &str {
    author.who.as_deref().unwrap_or("unknown")
}

/// How many decisions to list by default.
const DEFAULT_LIMIT: usize = 50;

/// A page of decisions, newest first.
///
/// # Errors
/// The ledger cannot be read.
pub async fn decisions(
    ledger: &dyn Ledger,
    query: &wire::DecisionsQuery,
) -> Result<wire::Decisions, LedgerError> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, PAGE);
    // One extra line shows whether there is another page.
    let mut listed = ledger.decisions(query.before, limit + 1).await?;
    let more = listed.len() > limit;
    listed.truncate(limit);
    let next = listed.last().filter(|_| more).map(|last| last.number);
    Ok(wire::Decisions { decisions: listed.into_iter().map(wire::Decision::from).collect(), next })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use mynah_domain::ports::SystemClock;

    use super::*;

    fn author() -> Author {
        Author { who: Some(ADMIN.into()), at: Timestamp::now() }
    }

    fn open(folder: &tempfile::TempDir) -> Arc<dyn Ledger> {
        crate::ledger::open(&folder.path().join("ledger.sqlite"), Arc::new(SystemClock)).unwrap()
    }

    #[actix_rt::test]
    async fn a_token_is_returned_once_and_stored_as_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&folder);
        let added = add(&*ledger, "Ana", Role::Look, &author()).await.unwrap();
        let token = added.token.expose();
        assert!(token.len() > 40 && token.starts_with("mynah_"), "{token}");
        let stored = ledger.users().await.unwrap()[0].token;
        assert_eq!(stored, hash_of(token));
        assert!(!format!("{added:?}").contains(token));
        let renewed = renew(&*ledger, "ana", &author()).await.unwrap();
        assert_eq!((renewed.name.as_str(), renewed.role), ("Ana", Role::Look));
        assert_ne!(renewed.token.expose(), token);
        assert_ne!(ledger.users().await.unwrap()[0].token, stored);
    }

    #[actix_rt::test]
    async fn a_name_that_is_taken_reserved_or_unknown_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&folder);
        add(&*ledger, "Ana", Role::Look, &author()).await.unwrap();
        let refused = add(&*ledger, "ANA", Role::Steer, &author()).await;
        assert!(matches!(refused, Err(PeopleError::Taken(_))));
        assert!(matches!(add(&*ledger, "Admin", Role::Look, &author()).await, Err(PeopleError::Reserved)));
        assert!(matches!(add(&*ledger, "a\nb", Role::Look, &author()).await, Err(PeopleError::Name(_))));
        assert!(matches!(renew(&*ledger, "Ben", &author()).await, Err(PeopleError::Unknown(_))));
        assert!(matches!(remove(&*ledger, "Ben", &author()).await, Err(PeopleError::Unknown(_))));
        remove(&*ledger, "aNA", &author()).await.unwrap();
        assert_eq!(list(&*ledger).await.unwrap().users, []);
    }

    #[actix_rt::test]
    async fn the_number_of_users_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&folder);
        for number in 0..MAX_USERS {
            add(&*ledger, &format!("user {number}"), Role::Look, &author()).await.unwrap();
        }
        assert!(matches!(add(&*ledger, "one", Role::Look, &author()).await, Err(PeopleError::TooMany)));
    }

    #[actix_rt::test]
    async fn decisions_are_listed_a_page_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&folder);
        for name in ["one", "two", "three"] {
            add(&*ledger, name, Role::Look, &author()).await.unwrap();
        }
        let subjects = |page: &wire::Decisions| -> Vec<String> {
            page.decisions.iter().map(|decision| decision.subject.clone()).collect()
        };
        let mut query = wire::DecisionsQuery { limit: Some(2), before: None };
        let first = decisions(&*ledger, &query).await.unwrap();
        assert_eq!(subjects(&first), ["three", "two"]);
        query.before = first.next;
        let last = decisions(&*ledger, &query).await.unwrap();
        assert_eq!((subjects(&last), last.next), (vec!["one".to_owned()], None));
    }
}
