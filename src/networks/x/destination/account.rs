//! Turns X's refusals into errors that name the account and what a person has to do.

use mynah_domain::ports::{Denied, PublishError, UploadError};

use crate::networks::x::{XAuth, client::CallError, problem::Refusal, secrets};

/// The target account, as errors name it.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// Its handle, without `@`.
    pub(super) handle: String,
    /// What to do about keys that X does not accept.
    fix: String,
    /// What to do about keys of another account.
    pub(super) fix_of_owner: String,
}

impl Account {
    pub(super) fn new(handle: &str, auth: &XAuth) -> Self {
        let (fix, fix_of_owner) = match auth {
            XAuth::Login(_) => {
                let log_in = format!("run `mynah login x @{handle}`");
                (log_in.clone(), log_in)
            }
            XAuth::App(_) | XAuth::User1(_) | XAuth::User2(_) => {
                let variables = secrets::variables_of(handle, auth);
                (
                    format!("create new keys, set {variables}, and restart Mynah"),
                    format!("set {variables} to @{handle}'s own keys"),
                )
            }
        };
        Self { handle: handle.to_owned(), fix, fix_of_owner }
    }

    /// The error for a failed call to publish, or to read what was published.
    pub(super) fn publishing(&self, error: CallError) -> PublishError {
        let refusal = match error {
            CallError::Unreachable(why) => return PublishError::Unavailable(why),
            CallError::NoAnswer(why) => return PublishError::OutcomeUnknown(why),
            CallError::Refused(refusal) => refusal,
        };
        let Self { handle, fix, .. } = self;
        match refusal {
            Refusal::Trouble(why) => PublishError::OutcomeUnknown(why),
            Refusal::Duplicate(why) => PublishError::Duplicate(why),
            Refusal::ReplyRefused(why) => PublishError::ReplyRefused(why),
            Refusal::Refused(why) => PublishError::Refused(why),
            Refusal::RateLimited { reason, until } => Denied::RateLimited { reason, until }.into(),
            Refusal::Blocked(why) => {
                Denied::Blocked(format!("X blocks @{handle}: {why}, then run `mynah resume {handle}`")).into()
            }
            Refusal::Unauthorized(why) => {
                Denied::Unauthorized(format!("X does not accept the keys of @{handle}: {why}; {fix}")).into()
            }
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
