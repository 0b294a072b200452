//! What can go wrong with a network, as a contract suite orders it.

/// What happens to the next calls of a network, until something else is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// It acts, and its answer is lost.
    AnswerLost,
    /// It cannot be reached at all.
    Unreachable,
    /// It is there and does not work.
    Down,
    /// It answers something that cannot be read.
    Garbage,
    /// It does not accept the credentials.
    CredentialsRefused,
    /// There were too many calls.
    RateLimited,
    /// The account is locked.
    Locked,
}
