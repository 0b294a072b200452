//! `mynah forget` removes every text of single posts, at once and for good. It uses the running service, or its ledger if
//! no service is running.

use clap::Args;
use mynah_domain::ports::Ledger;
use serde_json::json;

use super::{Failure, confirm::confirm, jobs, print_json, print_line, reach::Reach, users};
use crate::{
    control::{
        forget,
        wire::{Forget, Forgotten, ForgottenPost},
    },
    settings::Settings,
    telemetry::logging::{self, printable},
};

#[derive(Debug, Args)]
pub(super) struct ForgetArgs {
    /// The posts' ids, as `mynah jobs` shows them
    #[arg(value_name = "POST", required = true)]
    posts: Vec<String>,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn forget(args: ForgetArgs, json: bool, settings: &Settings) -> Result<(), Failure> {
    logging::init_for_command();
    let ForgetArgs { posts, yes } = args;
    if !yes {
        let which = match &posts[..] {
            [post] => format!("post {post}"),
            many => format!("{} posts", many.len()),
        };
        confirm(&format!("Remove all texts of {which} for good? What is published stays on the accounts."))?;
    }
    let outcome: Forgotten = match jobs::reach(settings).await? {
        Reach::Service(service) => {
            service.post(service.url(&["api", "posts", "forget"]), &Forget { posts }).await?
        }
        Reach::Ledger(ledger) => on_ledger(&*ledger, &posts, settings).await?,
    };
    report(&outcome, json)
}

async fn on_ledger(ledger: &dyn Ledger, posts: &[String], settings: &Settings) -> Result<Forgotten, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Work(error.to_string());
    let outcome = forget::forget(ledger, posts).await.map_err(|error| failed(&error))?;
    let author = users::author();
    for post in &outcome.forgotten {
        let record = author.decides("forget_post", post.post.as_str());
        ledger.record_decision(record).await.map_err(|error| failed(&error))?;
    }
    if !outcome.forgotten.is_empty() {
        forget::remove_cache(&settings.data_dir).map_err(|error| {
            failed(&format!("the texts are removed from the ledger, but the cache has translations: {error}"))
        })?;
        ledger.compact().await.map_err(|error| failed(&error))?;
    }
    Ok(outcome)
}

fn report(outcome: &Forgotten, json: bool) -> Result<(), Failure> {
    if json {
        print_json(&json!(outcome));
    } else {
        for ForgottenPost { post, jobs } in &outcome.forgotten {
            let jobs = if *jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") };
            print_line(format_args!("post {}: text removed ({jobs})", printable(post)));
        }
    }
    if outcome.refused.is_empty() {
        return Ok(());
    }
    let lines = outcome.refused.iter().map(|refused| format!("\n  post {}: {}", refused.post, refused.why));
    Err(Failure::Work(format!("nothing was removed of:{}", lines.collect::<String>())))
}
