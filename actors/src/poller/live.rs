//! Listens for news that the source may have new posts, where its network sends any, so that a post is read at once and
//! not at the next poll. The connection is made again whenever it is lost; until then, and whatever happens to it, the
//! source is polled as usual.

use std::{rc::Rc, time::Duration};

use futures_util::FutureExt as _;
use leaky_bucket::RateLimiter;
use log::{info, warn};
use mynah_domain::ports::{Live, SourceError};
use tokio::{sync::Notify, task::JoinHandle};

use super::PollerParts;

/// How often news may ask for a poll, in the long run. A source with many posts is then read a page at a time, and never
/// more often than servers allow: 300 calls in 5 minutes are the fewest.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many polls may come at once: a network may report a post twice, and the next post must not wait for that.
const AT_ONCE: usize = 3;

/// The listener of one source. It ends with its poller.
pub(super) struct Listener {
    news: Rc<Notify>,
    polls: RateLimiter,
    task: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    /// Starts to listen for news of a poller's source.
    pub(super) fn start(parts: PollerParts, live: Rc<dyn Live>) -> Self {
        let news = Rc::new(Notify::new());
        let task = actix_rt::spawn(listen(parts, live, news.clone()));
        let polls = RateLimiter::builder().initial(AT_ONCE).max(AT_ONCE).interval(INTERVAL).build();
        Self { news, polls, task }
    }

    /// Waits for news that came after the last poll.
    pub(super) async fn news(&self) {
        self.news.notified().await;
        self.polls.acquire_one().await;
        // The poll that follows is for all that came until now.
        self.news.notified().now_or_never();
    }
}

async fn listen(
    PollerParts { source, backoff, clock, .. }: PollerParts,
    live: Rc<dyn Live>,
    news: Rc<Notify>,
) {
    let mut failures = 0;
    loop {
        let (was_useful, lost) = connection(&source, &*live, &news).await;
        // One that is lost at once, again and again, must not be made at once, again and again.
        failures = if was_useful { 1 } else { failures + 1 };
        let asked = match &lost {
            SourceError::RateLimited { until: Some(until), .. } => {
                Duration::try_from(until.duration_since(clock.now())).ok()
            }
            _ => None,
        };
        let wait = backoff.pause(failures, fastrand::f64(), asked);
        warn!(source = source.as_str(), attempt = failures, wait:? = wait, reason:% = lost; "live connection lost");
        tokio::time::sleep(wait).await;
    }
}

/// Passes on the news of one connection. Returns whether it brought any, and why it ended.
async fn connection(source: &str, live: &dyn Live, news: &Notify) -> (bool, SourceError) {
    let mut connection = match live.connect().await {
        Ok(connection) => connection,
        Err(error) => return (false, error),
    };
    info!(source = source; "live connection opened");
    // For what was posted before the connection was there.
    news.notify_one();
    let mut was_useful = false;
    loop {
        if let Err(lost) = connection.next().await {
            return (was_useful, lost);
        }
        was_useful = true;
        news.notify_one();
    }
}
