//! Mastodon as the sandbox plays it.

use mynah_domain::network::Repeat;
use mynah_sandbox::{Fault, MastodonFault, ServiceStar, TimelinePost, mastodon_token};

use super::{
    Names, Town,
    bench::{On, Played},
};
use crate::{contract, destination_contract, source_contract};

static NAMES: Names = Names {
    network: "mastodon",
    town: "town@mastodon.example",
    nobody: "nobody@mastodon.example",
    targets: ["town_es@mastodon.example", "town_ca@mastodon.example"],
    variable: "MASTODON_TOWN_ES_MASTODON_EXAMPLE_TOKEN",
    section: "base_url = \"URL\"\n",
    secret: mastodon_token,
    secret_names_account: true,
    unknown_id: "1234",
    repeat: Repeat::LookUpFirst,
    service: ServiceStar::Mastodon,
    locked: Fault::Mastodon(MastodonFault::Disabled),
    // A 404 is one with any body: snac2 sends HTML with it.
    garbage: Fault::Website,
};

/// Mastodon, as the benches know it.
struct Mastodon;

impl Played for Mastodon {
    fn names() -> &'static Names {
        &NAMES
    }
}

type OnMastodon = On<Mastodon>;

#[actix_rt::test]
async fn a_post_is_heard_of_at_once() {
    let town = Town::with_posts(&NAMES, &[]).await;
    // The stream of the followed account, to which its own token leads.
    let source = town.source_with_token("MASTODON_TOWN_MASTODON_EXAMPLE_TOKEN");
    let mut news = source.live().unwrap().connect().await.unwrap();
    town.post(TimelinePost::new("News"));
    news.next().await.unwrap();
}

mod source {
    use super::*;

    source_contract!(OnMastodon);
}

mod destination {
    use super::*;

    destination_contract!(OnMastodon);
}
