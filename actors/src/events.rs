//! What became of jobs, as it happens, for whoever watches: the demo's table, a progress bar. A watcher is a guest: no
//! job waits for it and none depends on it.

use std::{sync::Arc, time::Instant};

use mynah_domain::{Hold, Post, Skip, TargetId, Translation};
use tokio::sync::mpsc;

/// Something that became of a post.
#[derive(Debug, Clone)]
pub enum Event {
    /// It is new on record. The reasons say on which targets it is not published; the moment, when its page arrived.
    Recorded(Arc<Post>, Vec<(TargetId, Option<Skip>)>, Instant),
    /// All of it is on the target's account, and on record as that. The moment, when the router received the report.
    Published(Arc<Post>, TargetId, Translation, Instant),
    /// It was put aside.
    Held(Arc<Post>, TargetId, Hold),
    /// It was given up.
    Failed(Arc<Post>, TargetId, String),
}

/// Where events go; nowhere by default.
#[derive(Debug, Clone, Default)]
pub struct Feed(Option<mpsc::UnboundedSender<Event>>);

impl Feed {
    /// A feed and its reader.
    pub fn watched() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(Some(sender)), receiver)
    }

    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(sender) = &self.0 {
            // A watcher that left misses nothing that it wanted.
            let _ = sender.send(event());
        }
    }
}
