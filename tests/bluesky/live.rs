//! New posts are heard of at once, and a connection that is cut again and again loses none.

use std::time::{Duration, Instant};

use mynah::networks::Wanted;
use serde_json::json;

use crate::{
    Town,
    pipeline::{
        Between,
        dice::{seed, size},
    },
    proxy::Proxy,
    server::Server,
    support::{
        PATIENCE,
        cuts::{Cuts, Cuttable, lose_nothing},
        until,
    },
};

#[actix_rt::test]
async fn a_post_is_news_of_its_account_and_of_no_other() {
    let Some(town) = Town::new().await else { return };
    let live =
        |account: &str| town.source_of(account, Wanted { reposts: false, stream: true }).live().unwrap();
    let mut own = live(&town.source.handle).connect().await.unwrap();
    let other = Server::shared().unwrap().account("other").await;
    let mut others = live(&other.handle).connect().await.unwrap();
    town.source.write("News", json!({})).await;
    tokio::time::timeout(PATIENCE, own.next()).await.unwrap().unwrap();
    other.write("Other news", json!({})).await;
    tokio::time::timeout(PATIENCE, others.next()).await.unwrap().unwrap();
    assert_eq!(town.proxy.cut_streams(), 2);
    assert!(tokio::time::timeout(PATIENCE, own.next()).await.unwrap().is_err());
}

#[actix_rt::test]
async fn whoever_wants_no_stream_has_none() {
    let Some(town) = Town::new().await else { return };
    assert!(town.source().live().is_none());
}

impl Cuttable for Proxy {
    fn is_open(&self) -> bool {
        self.streams() > 0
    }

    fn cut(&self) {
        self.cut_streams();
    }
}

#[actix_rt::test]
async fn a_connection_that_is_cut_at_random_loses_nothing() {
    let Some(between) = Between::new().await else { return };
    let config = std::fs::read_to_string(between.x.config()).unwrap();
    let config = config.replace("poll_interval = \"200ms\"", "poll_interval = \"1h\"");
    std::fs::write(between.x.config(), config).unwrap();
    let (mut running, _) = between.x.serve().await;
    let Between { bluesky, x, .. } = &between;
    let cuts = Cuts { count: size("LIVE_CUTS", 10), seed: seed() };
    lose_nothing("bluesky live", cuts, x, &mut running, &bluesky.proxy, async |number| {
        bluesky.source.write(&crate::support::message(number), json!({})).await;
    })
    .await;
}

#[actix_rt::test]
async fn a_post_is_on_the_other_network_soon_after_it_was_written() {
    let Some(between) = Between::new().await else { return };
    let config = std::fs::read_to_string(between.x.config()).unwrap();
    let config = config.replace("poll_interval = \"200ms\"", "poll_interval = \"1h\"");
    std::fs::write(between.x.config(), config).unwrap();
    let (_running, _) = between.x.serve().await;
    until("the stream is open", || between.bluesky.proxy.streams() > 0).await;
    let (posts, mut times) = (size("LIVE_POSTS", 10), Vec::new());
    for number in 1..=posts {
        between.bluesky.source.write(&crate::support::message(number), json!({})).await;
        let begun = Instant::now();
        between.x.until_published("es", number).await;
        times.push(begun.elapsed().as_millis());
        // The next poll is asked for a second after the last one.
        actix_rt::time::sleep(Duration::from_millis(1_100)).await;
    }
    times.sort_unstable();
    println!(
        "bluesky live: {posts} posts; half within {} ms, all within {} ms",
        times[posts / 2],
        times[posts - 1]
    );
}
