//! Bluesky as the sandbox plays it.

use std::rc::Rc;

use async_trait::async_trait;
use mynah_domain::{
    PostId,
    network::Repeat,
    ports::{Destination, MediaFetcher, Source},
};
use mynah_sandbox::{BlueskyFault, Fault, ServiceStar, TimelinePost, app_password};

use super::{Names, Town};
use crate::{
    contract::{self, Trouble, destination::Message},
    destination_contract, source_contract,
};

const NAMES: Names = Names {
    network: "bluesky",
    town: "town.example",
    nobody: "nobody.example",
    targets: ["town-es.example", "town-ca.example"],
    variable: "BLUESKY_TOWN_ES_EXAMPLE_APP_PASSWORD",
    section: "base_url = \"URL\"\nplc_url = \"URL\"\nstream = \"server\"\n",
    secret: app_password,
    service: ServiceStar::Bluesky,
    locked: Fault::Bluesky(BlueskyFault::Takedown),
    garbage: Fault::Garbage,
};

/// A town on Bluesky.
struct OnBluesky(Town);

#[async_trait(?Send)]
impl contract::source::Bench for OnBluesky {
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
        PostId("3l3qo2vuowo2b".into())
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.0.inject(trouble).await;
        true
    }
}

#[async_trait(?Send)]
impl contract::destination::Bench for OnBluesky {
    async fn new() -> Self {
        Self(Town::with_posts(&NAMES, &[]).await)
    }

    fn destination(&self) -> Rc<dyn Destination> {
        self.0.destination_of(NAMES.targets[0])
    }

    /// A session is opened for the account in the settings, so another account's app password opens none.
    fn destination_with_other_credentials(&self) -> Option<Rc<dyn Destination>> {
        None
    }

    async fn messages(&self) -> Vec<Message> {
        self.0.messages()
    }

    fn unknown_id(&self) -> PostId {
        PostId("3l3qo2vuowo2b".into())
    }

    fn refused_text(&self) -> String {
        "palabra ".repeat(100)
    }

    fn media_count(&self) -> usize {
        4
    }

    fn repeat(&self) -> Repeat {
        Repeat::Safe
    }

    async fn inject(&self, trouble: Trouble) -> bool {
        self.0.inject(trouble).await;
        true
    }
}

mod source {
    use super::*;

    source_contract!(OnBluesky);
}

mod destination {
    use super::*;

    destination_contract!(OnBluesky);
}
