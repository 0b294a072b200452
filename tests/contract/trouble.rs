//! The failures of a network that a contract suite can inject.

/// What happens to the next calls of a network, until another failure is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// It performs the call, but its answer is lost.
    AnswerLost,
    /// It cannot be reached.
    Unreachable,
    /// It answers with a server error.
    Down,
    /// Its answer cannot be parsed.
    Garbage,
    /// It refuses the credentials.
    CredentialsRefused,
    /// It limits the rate of calls.
    RateLimited,
    /// It locked the account.
    Locked,
}
