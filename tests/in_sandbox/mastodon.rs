//! Mastodon as the sandbox plays it.

use std::rc::Rc;

use async_trait::async_trait;
use mynah_domain::{
    PostId,
    network::Repeat,
    ports::{Destination, MediaFetcher, Source},
};
use mynah_sandbox::{Fault, MastodonFault, ServiceStar, TimelinePost, mastodon_token};

use super::{Names, Town};
use crate::{
    contract::{self, Trouble, destination::Message},
    destination_contract, source_contract,
};

const NAMES: Names = Names {
    network: "mastodon",
    town: "town@mastodon.example",
    nobody: "nobody@mastodon.example",
    targets: ["town_es@mastodon.example", "town_ca@mastodon.example"],
    variable: "MASTODON_TOWN_ES_MASTODON_EXAMPLE_TOKEN",
    section: "base_url = \"URL\"\n",
    secret: mastodon_token,
    service: ServiceStar::Mastodon,
    locked: Fault::Mastodon(MastodonFault::Disabled),
    // A 404 is one with any body: snac2 sends HTML with it.
    garbage: Fault::Website,
};

/// A town on Mastodon.
struct OnMastodon(Town);

#[async_trait(?Send)]
impl contract::source::Bench for OnMastodon {
    async fn new(texts: &[&str]) -> Self {
        Self(Town::with_posts(&NAMES, texts).await)
    }

    fn source(&self) -> Rc<dyn Source> {
        self.0.source_of(NAMES.town)
    }

    fn source_of_missing_account(&self) -> Rc<dyn Source> {
        self.0.source_of(NAMES.nobody)
    }

    fn fetcher(&self) -> Rc<dyn MediaFetcher> {
        self.0.fetcher()
    }

    async fn post(&self, text: &str) -> PostId {
        self.0.post(TimelinePost::new(text))
    }

    async fn post_unreadable(&self) -> Option<PostId> {
        Some(self.0.post_unreadable())
    }

    async fn post_picture(&self, text: &str, alt: &str) -> Option<PostId> {
        Some(self.0.post_picture(text, alt))
    }

    fn unknown_id(&self) -> PostId {
        PostId("1234".into())
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.0.inject(trouble).await;
        true
    }
}

#[async_trait(?Send)]
impl contract::destination::Bench for OnMastodon {
    async fn new() -> Self {
        Self(Town::with_posts(&NAMES, &[]).await)
    }

    fn destination(&self) -> Rc<dyn Destination> {
        self.0.destination_of(NAMES.targets[0])
    }

    fn destination_with_other_credentials(&self) -> Option<Rc<dyn Destination>> {
        Some(self.0.destination_of(NAMES.targets[1]))
    }

    async fn messages(&self) -> Vec<Message> {
        self.0.messages()
    }

    fn unknown_id(&self) -> PostId {
        PostId("1234".into())
    }

    fn refused_text(&self) -> String {
        "palabra ".repeat(100)
    }

    fn media_count(&self) -> usize {
        4
    }

    fn repeat(&self) -> Repeat {
        Repeat::LookUpFirst
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.0.inject(trouble).await;
        true
    }
}

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
