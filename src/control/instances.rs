//! Which instances share the ledger, and what each of them holds.

use mynah_actors::leases::View;
use mynah_domain::ports::leases::{Instance, LeaseName, Survey};

use super::wire;

/// All instances, as this one last saw them.
pub fn seen_by(view: &View) -> wire::Instances {
    let seen = view.seen();
    let unowned = seen.unowned().into_iter().map(ToString::to_string).collect();
    let trouble = seen.trouble.clone();
    wire::Instances { unowned, trouble, ..of(&seen.survey, Some(view)) }
}

/// All instances of a survey; those of `view` and the survey's others.
pub fn of(survey: &Survey, view: Option<&View>) -> wire::Instances {
    let instance = |instance: &Instance| {
        let held = || survey.held_by(&instance.id);
        wire::Instance {
            id: instance.id.to_string(),
            host: instance.host.clone(),
            admin: instance.admin.clone(),
            version: instance.version.clone(),
            started: instance.started,
            asked: view.is_some_and(|view| *view.id() == instance.id),
            sources: held().filter_map(source).collect(),
            accounts: held().filter_map(account).collect(),
        }
    };
    wire::Instances {
        instances: survey.instances.iter().map(instance).collect(),
        unowned: Vec::new(),
        trouble: None,
    }
}

fn source(name: &LeaseName) -> Option<String> {
    match name {
        LeaseName::Source(source) => Some(source.to_string()),
        LeaseName::Account(_) => None,
    }
}

fn account(name: &LeaseName) -> Option<String> {
    match name {
        LeaseName::Account(account) => Some(account.as_str().to_owned()),
        LeaseName::Source(_) => None,
    }
}
