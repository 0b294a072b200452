//! `mynah users` adds, lists, renews and removes the people who may use this service. It uses the running service, or its
//! ledger if no service is running.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use mynah_domain::people::{Author, Role};
use serde_json::json;

use super::{
    Failure,
    confirm::confirm,
    print_json, print_line,
    reach::{self, Reach},
    table,
};
use crate::{
    control::{
        people,
        wire::{NewToken, NewUser, RemovedUser, Users},
    },
    settings::Settings,
    telemetry::logging,
};

#[derive(Debug, Args)]
pub(super) struct UsersArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a user, and print the token to log in with; it is not shown again
    Add {
        /// Their name
        name: String,
        /// What they may do: look (see everything), review (decide about jobs) or steer (everything)
        #[arg(long)]
        role: Role,
    },
    /// List the users
    List,
    /// Give a user another token, and print it; the old one and all sessions end at once
    Renew {
        /// Their name
        name: String,
    },
    /// Remove a user; their token and all sessions end at once
    Remove {
        /// Their name
        name: String,
        /// Do not ask for confirmation
        #[arg(long, short)]
        yes: bool,
    },
}

/// Whoever decides with a command on the ledger itself: anybody who may read the data folder.
pub(super) fn author() -> Author {
    Author { who: None, at: Timestamp::now() }
}

pub(super) async fn users(args: UsersArgs, json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    match args.action {
        Action::Add { name, role } => {
            let added: NewToken = match reach::reach(settings).await? {
                Reach::Service(service) => {
                    service.post(service.url(&["api", "users"]), &NewUser { name, role }).await?
                }
                Reach::Ledger(ledger) => {
                    people::add(&*ledger, &name, role, &author()).await.map_err(failed)?
                }
            };
            show_token(&added, json);
        }
        Action::Renew { name } => {
            let renewed: NewToken = match reach::reach(settings).await? {
                Reach::Service(service) => {
                    service.post(service.url(&["api", "users", &name, "renew"]), &json!({})).await?
                }
                Reach::Ledger(ledger) => people::renew(&*ledger, &name, &author()).await.map_err(failed)?,
            };
            show_token(&renewed, json);
        }
        Action::Remove { name, yes } => {
            if !yes {
                confirm(&format!("Remove {name}? Their token and all sessions end at once."))?;
            }
            let removed: RemovedUser = match reach::reach(settings).await? {
                Reach::Service(service) => {
                    service.post(service.url(&["api", "users", &name, "remove"]), &json!({})).await?
                }
                Reach::Ledger(ledger) => people::remove(&*ledger, &name, &author()).await.map_err(failed)?,
            };
            if json {
                print_json(&json!(removed));
            } else {
                print_line(format_args!("{} is removed", removed.removed));
            }
        }
        Action::List => {
            let users: Users = match reach::reach(settings).await? {
                Reach::Service(service) => service.get(service.url(&["api", "users"])).await?,
                Reach::Ledger(ledger) => people::list(&*ledger).await.map_err(failed)?,
            };
            show(users, json);
        }
    }
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Work(error.to_string())
}

fn show_token(NewToken { name, role, token }: &NewToken, json: bool) {
    if json {
        print_json(&json!({"name": name, "role": role, "token": token}));
        return;
    }
    print_line(format_args!("{name} may {} with this token, which is not shown again:", what(*role)));
    print_line(token.expose());
}

fn what(role: Role) -> &'static str {
    match role {
        Role::Look => "see everything",
        Role::Review => "see everything and decide about jobs",
        Role::Steer => "do everything",
    }
}

fn show(users: Users, json: bool) {
    if json {
        print_json(&json!(users));
    } else if users.users.is_empty() {
        print_line("no users; add one with `mynah users add NAME --role look|review|steer`");
    } else {
        let rows = users.users.into_iter();
        let rows = rows.map(|user| [user.name, user.role.to_string(), format!("{:.0}", user.since)]);
        table::print(["NAME", "ROLE", "SINCE"], rows);
    }
}
