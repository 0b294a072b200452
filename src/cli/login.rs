//! `mynah login` obtains the token that publishing on an account needs, and stores it; `mynah logout` removes it. A running
//! service takes up either at once.

use std::collections::HashMap;

use clap::Args;
use serde_json::json;

use super::{
    Failure, SettingsArgs, output::print_note, person::AtTerminal, print_json, print_line, reach,
    scratch::Scratch,
};
use crate::{
    app,
    control::wire::Reloaded,
    credentials::{Store, StoredLogin},
    login::{Desk, LogIn, LoginError, Way},
    networks::{Network, Networks},
    settings::{self, Needed, Settings},
    telemetry::{logging, outside::printable},
};

/// An account, as a person names it on the command line.
#[derive(Debug, Clone, Args)]
struct Named {
    /// The account's network: mastodon, x or bluesky
    network: String,
    /// The account, as on its network: `@town_es@mastodon.example`, `@town_es`, `@town-es.bsky.social`
    account: String,
}

#[derive(Debug, Clone, Args)]
pub(super) struct LoginArgs {
    #[command(flatten)]
    named: Named,
    /// The port on 127.0.0.1 to which the browser brings the code; any free one if you name none
    #[arg(long, conflicts_with = "paste")]
    port: Option<u16>,
    /// Paste the code yourself: the browser is on another machine
    #[arg(long)]
    paste: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct LogoutArgs {
    #[command(flatten)]
    named: Named,
}

impl From<LoginError> for Failure {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Name { .. } | LoginError::Missing { .. } | LoginError::Settings(_) => {
                Self::Usage(error.to_string())
            }
            _ => Self::Work(error.to_string()),
        }
    }
}

/// The network with this name, and how people log in there.
fn network_named(name: &str) -> Result<(&'static dyn Network, &'static dyn LogIn), Failure> {
    let networks = Networks::default();
    if let Some((network, login)) =
        networks.named(name).and_then(|network| Some((network, network.log_in()?)))
    {
        return Ok((network, login));
    }
    let names: Vec<&str> =
        networks.iter().filter(|network| network.log_in().is_some()).map(Network::name).collect();
    Err(Failure::Usage(format!("`mynah login` does not support {name:?}; use one of {}", names.join(", "))))
}

/// What both commands work with.
struct Work {
    settings: Settings,
    env: HashMap<String, String>,
    store: Store,
    scratch: Scratch,
}

impl Work {
    fn begin(args: &SettingsArgs) -> Result<Self, Failure> {
        let sources = args.sources(Needed::Nothing)?;
        let settings = settings::load(&sources)?;
        let store = Store::new(&settings.data_dir, settings::store_key(&sources.env)?);
        Ok(Self { settings, env: sources.env, store, scratch: Scratch::new("login")? })
    }

    fn desk(&self, way: Way) -> Result<Desk<'_>, Failure> {
        let ledger =
            app::open_ledger_in(self.scratch.path()).map_err(|error| Failure::Work(error.to_string()))?;
        Ok(Desk {
            settings: &self.settings,
            env: &self.env,
            person: &AtTerminal,
            way,
            ledger,
            is_own_ledger: false,
        })
    }

    /// The same with the ledger of the settings, unless a running service has it.
    async fn desk_with_ledger(&self) -> Result<Desk<'_>, Failure> {
        let desk = self.desk(Way::Paste)?;
        match app::open_ledger(&self.settings).await {
            Ok(ledger) => Ok(Desk { ledger, is_own_ledger: true, ..desk }),
            Err(error) if error.is_in_use() => Ok(desk),
            Err(error) => Err(Failure::Work(error.to_string())),
        }
    }

    /// A login that a variable overrides would never be used.
    fn refuse_overridden<'a>(&self, variables: impl IntoIterator<Item = &'a String>) -> Result<(), Failure> {
        self.overriding(variables).map_or(Ok(()), |variable| {
            Err(Failure::Usage(format!(
                "{variable} is set and would override the login, so nothing was stored; unset it, then run the command again"
            )))
        })
    }

    /// A variable that is set and overrides the store.
    fn overriding<'a>(&self, variables: impl IntoIterator<Item = &'a String>) -> Option<String> {
        let names = variables.into_iter().flat_map(|name| [name.clone(), format!("{name}_FILE")]);
        names.into_iter().find(|name| self.env.get(name).is_some_and(|value| !value.is_empty()))
    }

    /// Lets the running service, if there is one, take up what changed.
    async fn reload(&self) -> Option<Result<Reloaded, Failure>> {
        match reach::service(&self.settings) {
            Ok(None) => None,
            Ok(Some(service)) => Some(service.post(service.url(&["api", "reload"]), &json!({})).await),
            Err(failure) => Some(Err(failure)),
        }
    }
}

pub(super) async fn log_in(args: &LoginArgs, sources: &SettingsArgs, json: bool) -> Result<(), Failure> {
    logging::init_for_command();
    let (network, how) = network_named(&args.named.network)?;
    let work = Work::begin(sources)?;
    let variables = how.variables(&args.named.account);
    work.refuse_overridden(&variables)?;
    // A store that cannot be read is reported before anybody opens a browser.
    work.store.read().map_err(|error| Failure::Usage(error.to_string()))?;
    let way = if args.paste { Way::Paste } else { Way::Callback(args.port) };
    let login = how.log_in(&args.named.account, &work.desk(way)?).await?;
    // Whoever named only a server learns here which account it is.
    work.refuse_overridden(login.secrets.keys())?;
    let StoredLogin { account, scopes, expires, .. } = login.clone();
    work.store.change(|logins| logins.put(login)).map_err(|error| Failure::Work(error.to_string()))?;
    let shown = network.account_named(&account);
    if json {
        print_json(&json!({
            "network": network.name(), "account": account, "store": work.store.path(), "scopes": scopes, "expires": expires,
        }));
    } else {
        let title = network.title();
        print_line(format_args!(
            "logged in as {} on {title}; stored in {}",
            printable(&shown),
            work.store.path().display()
        ));
    }
    let is_used = work.settings.targets.iter().any(|target| {
        target.network.name() == network.name() && network.is_same_handle(&target.account, &account)
    });
    if !is_used {
        print_note(format_args!("no target uses {shown} yet: add one to the settings"));
    }
    note_reload(work.reload().await, "uses the login now");
    Ok(())
}

pub(super) async fn log_out(args: &LogoutArgs, sources: &SettingsArgs, json: bool) -> Result<(), Failure> {
    logging::init_for_command();
    let (network, how) = network_named(&args.named.network)?;
    let work = Work::begin(sources)?;
    let account = how.account(&args.named.account);
    let logins = work.store.read().map_err(|error| Failure::Usage(error.to_string()))?;
    let login = logins.of(network.name(), |stored| network.is_same_handle(stored, &account)).cloned();
    let shown = network.account_named(&account);
    let Some(login) = login else {
        return Err(Failure::Usage(format!(
            "there is no login of {shown} in {}; `mynah check` lists the logins",
            work.store.path().display()
        )));
    };
    let desk = work.desk_with_ledger().await?;
    // What is missing on this machine is reported while the login is still there, since it is needed to revoke it.
    how.prepare_revocation(&login, &desk)?;
    // Removed before it is revoked: a network that is down must not keep a person from it.
    work.store
        .change(|logins| logins.remove(&login.network, &login.account))
        .map_err(|error| Failure::Work(error.to_string()))?;
    let revoked = how.revoke(&login, &desk).await;
    if json {
        print_json(
            &json!({"network": network.name(), "account": login.account, "revoked": matches!(revoked, Ok(true))}),
        );
    } else {
        let there = if matches!(revoked, Ok(true)) { " and revoked" } else { "" };
        print_line(format_args!("the login of {} was removed{there}", printable(&shown)));
    }
    if let Some(variable) = work.overriding(login.secrets.keys()) {
        print_note(format_args!("{variable} is still set, so Mynah goes on using it"));
    } else {
        note_reload(work.reload().await, "does not use the login any more");
    }
    match revoked {
        Ok(true) => Ok(()),
        Ok(false) => {
            print_note(format_args!("to make it useless elsewhere, {}", how.revoke_by_hand(&login)));
            Ok(())
        }
        Err(error) => Err(Failure::Work(format!(
            "the login was removed, but not revoked: {error}; {}",
            how.revoke_by_hand(&login)
        ))),
    }
}

/// Tells whether the running service took up the change.
fn note_reload(reloaded: Option<Result<Reloaded, Failure>>, does: &str) {
    match reloaded {
        None => {}
        Some(Ok(_)) => print_note(format_args!("the running service {does}")),
        Some(Err(failure)) => print_note(format_args!(
            "the running service did not reload: {failure}; run `mynah reload` when that is fixed"
        )),
    }
}
