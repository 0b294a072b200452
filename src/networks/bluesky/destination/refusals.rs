//! Turns failed calls into errors that name the account and what a person has to do.

use mynah_domain::ports::{Denied, PublishError, UploadError};

use crate::networks::bluesky::{
    client::CallError, identity::LocateError, problem::Refusal, session::SessionError,
};

/// The target account, as errors name it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Its handle or DID.
    pub(super) name: String,
    /// The environment variable with its app password.
    pub(super) variable: String,
}

impl Target {
    /// The error for a failed call that publishes, or reads what was published.
    pub(super) fn publishing(&self, error: CallError) -> PublishError {
        match error {
            CallError::Unreachable(why) => PublishError::Unavailable(why),
            CallError::NoAnswer(why) | CallError::Refused(Refusal::Trouble(why)) => {
                PublishError::OutcomeUnknown(why)
            }
            CallError::Refused(refusal) => self.refused(refusal),
        }
    }

    /// The error for a failed call before the one that publishes: whatever happened to it, nothing is on the account.
    pub(super) fn preparing(&self, error: CallError) -> PublishError {
        match error {
            CallError::Unreachable(why)
            | CallError::NoAnswer(why)
            | CallError::Refused(Refusal::Trouble(why)) => PublishError::Unavailable(why),
            CallError::Refused(refusal) => self.refused(refusal),
        }
    }

    /// The error for a call in a session that publishes.
    pub(super) fn in_session(&self, error: SessionError) -> PublishError {
        match error {
            SessionError::Login(error) => self.preparing(error),
            SessionError::Call(error) => self.publishing(error),
            SessionError::Ledger(error) => PublishError::Unavailable(error.into()),
        }
    }

    /// The error for an account that was not found.
    pub(super) fn locating(&self, error: LocateError) -> PublishError {
        match error {
            LocateError::Call(error) => self.preparing(error),
            LocateError::Ledger(error) => PublishError::Unavailable(error.into()),
        }
    }

    fn refused(&self, refusal: Refusal) -> PublishError {
        let Self { name, variable } = self;
        match refusal {
            Refusal::Trouble(why) => PublishError::OutcomeUnknown(why),
            Refusal::Refused(why) => PublishError::Refused(why),
            Refusal::NoRecord(why) => PublishError::ReplyRefused(why),
            Refusal::RateLimited { reason, until } => Denied::RateLimited { reason, until }.into(),
            Refusal::Blocked(why) => Denied::Blocked(format!(
                "Bluesky blocks @{name}: {why}; log in to Bluesky as the account, then run `mynah resume {name}`"
            ))
            .into(),
            Refusal::NoAccount(why) => Denied::Blocked(format!(
                "there is no account @{name} on Bluesky: {why}; correct the target's account, or run `mynah resume {name}` when it is back"
            ))
            .into(),
            Refusal::Expired(why) | Refusal::Unauthorized(why) => Denied::Unauthorized(format!(
                "Bluesky does not accept the app password of @{name}: {why}; create one under Settings, Privacy and security, App passwords; then run `mynah login bluesky @{name}`, or set {variable} and restart Mynah"
            ))
            .into(),
        }
    }
}

/// The error for a failed call that uploads a medium.
pub(super) fn uploading(error: PublishError) -> UploadError {
    match error {
        PublishError::Denied(denied) => denied.into(),
        PublishError::Unavailable(why) | PublishError::OutcomeUnknown(why) => UploadError::Unavailable(why),
        PublishError::Duplicate(why) | PublishError::ReplyRefused(why) | PublishError::Refused(why) => {
            UploadError::Refused(format!("Bluesky does not accept it: {why}"))
        }
    }
}
