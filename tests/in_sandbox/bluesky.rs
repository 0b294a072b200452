//! Bluesky as the sandbox plays it.

use mynah_domain::network::Repeat;
use mynah_sandbox::{BlueskyFault, Fault, ServiceStar, app_password};

use super::{
    Names,
    bench::{On, Played},
};
use crate::{contract, destination_contract, source_contract};

static NAMES: Names = Names {
    network: "bluesky",
    town: "town.example",
    nobody: "nobody.example",
    targets: ["town-es.example", "town-ca.example"],
    variable: "BLUESKY_TOWN_ES_EXAMPLE_APP_PASSWORD",
    section: "base_url = \"URL\"\nplc_url = \"URL\"\nstream = \"server\"\n",
    secret: app_password,
    // A session is opened for the account in the settings, so another account's app password opens none.
    secret_names_account: false,
    unknown_id: "3l3qo2vuowo2b",
    repeat: Repeat::Safe,
    service: ServiceStar::Bluesky,
    locked: Fault::Bluesky(BlueskyFault::Takedown),
    garbage: Fault::Garbage,
};

/// Bluesky, as the benches know it.
struct Bluesky;

impl Played for Bluesky {
    fn names() -> &'static Names {
        &NAMES
    }
}

type OnBluesky = On<Bluesky>;

mod source {
    use super::*;

    source_contract!(OnBluesky);
}

mod destination {
    use super::*;

    destination_contract!(OnBluesky);
}
