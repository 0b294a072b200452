//! Reports what happens to jobs, as it happens, to a watcher such as the demo's table or a progress bar. No job waits
//! for a watcher or depends on one.

use std::{sync::Arc, time::Instant};

use mynah_domain::{Hold, Post, Skip, TargetId, Translation};
use tokio::sync::mpsc;

/// An event in the life of a post.
#[derive(Debug, Clone)]
pub enum Event {
    /// The post was recorded. Contains each target with the reason to skip it, if any, and the time at which its page
    /// arrived.
    Recorded(Arc<Post>, Vec<(TargetId, Option<Skip>)>, Instant),
    /// All parts are published and recorded. Contains the time at which the router received the report.
    Published(Arc<Post>, TargetId, Translation, Instant),
    /// The job is translated, and waits for a person's approval.
    Drafted(Arc<Post>, TargetId),
    /// The job is held.
    Held(Arc<Post>, TargetId, Hold),
    /// The job is skipped after all: the network refuses the post as a repeat.
    Skipped(Arc<Post>, TargetId, Skip),
    /// The job failed.
    Failed(Arc<Post>, TargetId, String),
}

/// Where events go; by default, nowhere.
#[derive(Debug, Clone, Default)]
pub struct Feed(Option<mpsc::UnboundedSender<Event>>);

impl Feed {
    /// Creates a feed and its receiver.
    pub fn watched() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(Some(sender)), receiver)
    }

    pub(crate) fn send(&self, event: impl FnOnce() -> Event) {
        if let Some(sender) = &self.0 {
            // A watcher that has left misses nothing it wants.
            let _ = sender.send(event());
        }
    }
}
