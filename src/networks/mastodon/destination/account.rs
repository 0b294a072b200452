//! Turns refusals into errors that name the account and what a person has to do.

use mynah_domain::ports::{Denied, PublishError, UploadError};

use crate::{
    networks::mastodon::{
        client::CallError, names::AccountName, problem::Refusal, secrets, settings::MAX_CHARACTERS,
    },
    telemetry::outside::brief,
};

/// The target account, as errors name it.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) name: AccountName,
    /// The address of its server.
    base: String,
    /// The environment variable that holds its token.
    variable: String,
}

impl Account {
    pub(super) fn new(name: AccountName, base: &str) -> Self {
        Self { variable: secrets::variable(&name), base: base.to_owned(), name }
    }

    /// What is wrong if the token belongs to this other user.
    pub(super) fn token_of(&self, user: &str) -> String {
        let Self { name, variable, .. } = self;
        let (owner, server) = (brief(user), &name.server);
        format!(
            "the token for @{name} belongs to @{owner}@{server}; set {variable} to @{name}'s own token, and restart Mynah"
        )
    }

    /// The error for a failed call to publish, or to read what was published.
    pub(super) fn calling(&self, error: CallError) -> PublishError {
        let refusal = match error {
            CallError::Unreachable(why) => return PublishError::Unavailable(why),
            CallError::NoAnswer(why) => return PublishError::OutcomeUnknown(why),
            CallError::Refused(refusal) => refusal,
        };
        let Self { name, base, variable } = self;
        match refusal {
            Refusal::Trouble(why) => PublishError::OutcomeUnknown(format!("{base}: {why}")),
            // A proxy in front of the server may answer so for a moment.
            Refusal::Missing(why) => {
                PublishError::Unavailable(format!("{base} does not answer as a Mastodon server: {why}"))
            }
            Refusal::Refused(why) if why.to_lowercase().contains("character") => {
                PublishError::Refused(format!(
                    "{base}: {why}; run `mynah check`, which compares {MAX_CHARACTERS} with the server's limit"
                ))
            }
            Refusal::Refused(why) => PublishError::Refused(format!("{base}: {why}")),
            Refusal::RateLimited { reason, until } => {
                Denied::RateLimited { reason: format!("{base} limits calls: {reason}"), until }.into()
            }
            Refusal::Blocked(why) => Denied::Blocked(format!(
                "{base} blocks @{name}: {why}; log in there to see why, then run `mynah resume {name}`"
            ))
            .into(),
            Refusal::Unauthorized(why) => Denied::Unauthorized(format!(
                "{base} does not accept the token of @{name}: {why}; run `mynah login mastodon @{name}`; \
                 or create one with the scopes read and write, set {variable}, and restart Mynah"
            ))
            .into(),
        }
    }

    /// The error for a failed call to upload a medium.
    pub(super) fn uploading(&self, error: CallError) -> UploadError {
        match self.calling(error) {
            PublishError::Denied(denied) => denied.into(),
            PublishError::Unavailable(why) | PublishError::OutcomeUnknown(why) => {
                UploadError::Unavailable(why)
            }
            PublishError::Duplicate(why) | PublishError::ReplyRefused(why) | PublishError::Refused(why) => {
                UploadError::Refused(why)
            }
        }
    }
}
