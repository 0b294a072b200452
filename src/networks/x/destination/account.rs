//! Turns X's refusals into errors that name the account and what a person has to do.

use mynah_domain::ports::{Denied, PublishError, UploadError};

use crate::networks::x::{XAuth, client::CallError, problem::Refusal, secrets};

/// The target account, as errors name it.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// Its handle, without `@`.
    pub(super) handle: String,
    /// The environment variables that hold its keys.
    pub(super) variables: String,
}

impl Account {
    pub(super) fn new(handle: &str, auth: &XAuth) -> Self {
        let variables = secrets::variables_of(handle, auth);
        Self { handle: handle.to_owned(), variables }
    }

    /// The error for a failed call to publish, or to read what was published.
    pub(super) fn publishing(&self, error: CallError) -> PublishError {
        let refusal = match error {
            CallError::Unreachable(why) => return PublishError::Unavailable(why),
            CallError::NoAnswer(why) => return PublishError::OutcomeUnknown(why),
            CallError::Refused(refusal) => refusal,
        };
        let Self { handle, variables } = self;
        match refusal {
            Refusal::Trouble(why) => PublishError::OutcomeUnknown(why),
            Refusal::Duplicate(why) => PublishError::Duplicate(why),
            Refusal::ReplyRefused(why) => PublishError::ReplyRefused(why),
            Refusal::Refused(why) => PublishError::Refused(why),
            Refusal::RateLimited { reason, until } => Denied::RateLimited { reason, until }.into(),
            Refusal::Blocked(why) => {
                Denied::Blocked(format!("X blocks @{handle}: {why}, then run `mynah resume {handle}`")).into()
            }
            Refusal::Unauthorized(why) => Denied::Unauthorized(format!(
                "X does not accept the keys of @{handle}: {why}; create new keys, set {variables}, and restart Mynah"
            ))
            .into(),
        }
    }

    /// The error for a failed call to upload a medium.
    pub(super) fn uploading(&self, error: CallError) -> UploadError {
        match self.publishing(error) {
            PublishError::Denied(denied) => denied.into(),
            PublishError::Unavailable(why) | PublishError::OutcomeUnknown(why) => {
                UploadError::Unavailable(why)
            }
            PublishError::Duplicate(why) | PublishError::ReplyRefused(why) | PublishError::Refused(why) => {
                UploadError::Refused(format!("X does not accept it: {why}"))
            }
        }
    }
}
