//! New credentials that do not work must be noticed when they come into force, not at the next publication, which may be
//! hours away. After a reload that changes a secret, this asks everybody who uses it whether it works: the network for
//! an account, the engine for its key. `mynah resume` asks in the same way before it resumes an account.

use std::{
    collections::HashSet,
    rc::Rc,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::future::join_all;
use jiff::Timestamp;
use log::{error, info, warn};
use mynah_actors::{
    router::{Block, Router, Unblock},
    supervision::ActorRef,
    upstreams::Upstreams,
};
use mynah_domain::{
    AccountId, Language, TargetId,
    ports::{Denied, Engine, Ledger, PageRequest, PublishError, engine::EngineError, source::SourceError},
};

use crate::{
    engines::try_engine,
    networks::{Followed, Published, Wanted},
    settings::{SecretChange, Settings},
};

/// How often credentials must be refused before they count as refused: networks sometimes refuse valid ones.
const TRIES: u32 = 3;

/// The wait between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// What trying credentials showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// They work; says for what.
    Works(String),
    /// They do not work: why, and what to do.
    Refused(String),
    /// There was no answer, so nothing is known.
    Unknown(String),
}

/// Asks the network whose credentials an account has.
pub async fn try_account(account: &dyn Published, ledger: &Arc<dyn Ledger>) -> Found {
    let mut tries = 1;
    loop {
        return match account.try_credentials(ledger.clone()).await {
            Ok(name) => Found::Works(format!("verified as {name}")),
            Err(PublishError::Denied(Denied::Unauthorized(_))) if tries < TRIES => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            Err(PublishError::Denied(Denied::Unauthorized(why) | Denied::Blocked(why))) => {
                Found::Refused(why)
            }
            Err(error) => Found::Unknown(error.to_string()),
        };
    }
}

/// Somebody who uses credentials.
enum User {
    Account { name: String, target: TargetId, account: AccountId, connection: Arc<dyn Published> },
    Source { name: String, connection: Arc<dyn Followed> },
    Engine { engine: Rc<dyn Engine>, pairs: Vec<(Language, Language)> },
}

impl User {
    /// As people call it.
    fn name(&self) -> String {
        match self {
            Self::Account { name, .. } | Self::Source { name, .. } => name.clone(),
            Self::Engine { engine, .. } => engine.name().to_owned(),
        }
    }
}

/// A changed secret, and what trying it showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriedSecret {
    /// The change.
    pub change: SecretChange,
    /// Who uses it, and whether it works there; empty if nobody does yet.
    pub users: Vec<(String, Found)>,
}

/// The credentials to try after new settings came into force.
pub struct Credentials {
    changes: Vec<SecretChange>,
    /// Each with the numbers of the changes that concern it; none for a blocked account, which is tried in any case.
    users: Vec<(User, Vec<usize>)>,
    ledger: Arc<dyn Ledger>,
    router: ActorRef<Router>,
    upstreams: Upstreams,
    /// The settings that they are from are in force for as long as this is alive.
    in_force: Weak<()>,
}

/// What a pipeline provides to try credentials.
pub(super) struct Pipeline {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) router: ActorRef<Router>,
    pub(super) upstreams: Upstreams,
    pub(super) engines: Vec<Rc<dyn Engine>>,
    pub(super) in_force: Weak<()>,
}

impl Credentials {
    /// The credentials in these settings that `changes` concern, and those of blocked accounts.
    pub(super) fn of(
        settings: &Settings,
        changes: Vec<SecretChange>,
        is_blocked: impl Fn(&AccountId) -> bool,
        pipeline: Pipeline,
    ) -> Self {
        let concerned = |secrets: &[String]| -> Vec<usize> {
            let live = changes.iter().enumerate().filter(|(_, change)| change.is_live);
            let concerned = live.filter(|(_, change)| secrets.is_empty() || secrets.contains(&change.name));
            concerned.map(|(number, _)| number).collect()
        };
        let mut users = Vec::new();
        let mut seen = HashSet::new();
        // Targets that share an account share its credentials.
        for target in settings.targets.iter().filter(|target| seen.insert(target.account_id())) {
            let numbers = concerned(&target.connection.secrets());
            if !numbers.is_empty() || is_blocked(&target.account_id()) {
                let (name, account, connection) =
                    (format!("@{}", target.account), target.account_id(), target.connection.clone());
                users.push((User::Account { name, target: target.id(), account, connection }, numbers));
            }
        }
        for source in &settings.sources {
            let numbers = concerned(&source.connection.secrets());
            if !numbers.is_empty() {
                let name = format!("source {}", source.network.account_named(&source.account));
                users.push((User::Source { name, connection: source.connection.clone() }, numbers));
            }
        }
        for engine in pipeline.engines {
            let secrets = settings.engine.secrets.get(engine.name()).map_or(&[][..], Vec::as_slice);
            let numbers = concerned(secrets);
            if !secrets.is_empty() && !numbers.is_empty() {
                let pairs = super::language_pairs_of(settings, engine.name());
                users.push((User::Engine { engine, pairs }, numbers));
            }
        }
        let Pipeline { ledger, router, upstreams, in_force, .. } = pipeline;
        Self { changes, users, ledger, router, upstreams, in_force }
    }

    /// Tries all of them, blocks accounts whose credentials are refused, and resumes blocked ones whose credentials work.
    pub async fn try_all(self) -> Vec<TriedSecret> {
        let found = join_all(self.users.iter().map(|(user, _)| self.try_one(user))).await;
        let mut tried: Vec<TriedSecret> =
            self.changes.iter().map(|change| TriedSecret { change: change.clone(), users: vec![] }).collect();
        for ((user, numbers), found) in self.users.iter().zip(found) {
            for number in numbers {
                tried[*number].users.push((user.name(), found.clone()));
            }
        }
        tried
    }

    async fn try_one(&self, user: &User) -> Found {
        let found = match user {
            User::Account { connection, .. } => try_account(&**connection, &self.ledger).await,
            User::Source { connection, .. } => self.try_source(&**connection).await,
            User::Engine { engine, pairs } => self.try_engine(&**engine, pairs).await,
        };
        let name = user.name();
        match &found {
            Found::Works(what) => info!(user = name.as_str(), found = what.as_str(); "credentials verified"),
            Found::Refused(why) => error!(user = name.as_str(), reason = why.as_str(); "credentials refused"),
            Found::Unknown(why) => {
                warn!(user = name.as_str(), reason = why.as_str(); "credentials not verified");
            }
        }
        // Newer settings may have other credentials, which this says nothing about.
        if let (User::Account { target, account, .. }, Some(_)) = (user, self.in_force.upgrade()) {
            apply(&found, target, account, &self.router).await;
        }
        found
    }

    async fn try_source(&self, source: &dyn Followed) -> Found {
        let newest = PageRequest { limit: 1, ..PageRequest::default() };
        match source.source(Wanted::default(), self.ledger.clone())().page(&newest).await {
            Ok(_) => Found::Works("verified: it can be read".into()),
            Err(
                error @ (SourceError::Unauthorized(_) | SourceError::Account(_) | SourceError::Refused(_)),
            ) => Found::Refused(error.to_string()),
            Err(error) => Found::Unknown(error.to_string()),
        }
    }

    async fn try_engine(&self, engine: &dyn Engine, pairs: &[(Language, Language)]) -> Found {
        let refusals = self.upstreams.refusals();
        match try_engine(engine, pairs).await {
            Ok(answer) => {
                refusals.accepted(engine.name());
                Found::Works(format!("verified: {answer}"))
            }
            Err(error) => {
                refusals.failed(engine.name(), &error, Timestamp::now());
                match error {
                    EngineError::Unauthorized(why) | EngineError::Refused(why) => Found::Refused(why),
                    error => Found::Unknown(error.to_string()),
                }
            }
        }
    }
}

/// Blocks or resumes an account, on which `target` is published, by what trying its credentials showed.
pub async fn apply(found: &Found, target: &TargetId, account: &AccountId, router: &ActorRef<Router>) {
    match found {
        Found::Works(_) => drop(router.ask_until_answered(Unblock { target: target.clone() }).await),
        Found::Refused(reason) => {
            let block = Block { account: account.clone(), reason: reason.clone() };
            router.ask_until_answered(block).await;
        }
        Found::Unknown(_) => {}
    }
}
