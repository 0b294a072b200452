//! What is under way for each lease: taking its work up or putting it down. At most one task for each, and a new one
//! takes the place of the one before, which is dropped wherever it waits.
//!
//! Each runs by itself. If the keeper polled them, one that holds a lock would keep it while the keeper waits for the
//! same lock.

use std::{collections::BTreeMap, future::poll_fn, task::Poll};

use actix_rt::task::JoinHandle;
use futures_util::FutureExt as _;
use mynah_domain::ports::leases::LeaseName;

#[derive(Default)]
pub(super) struct Tasks(BTreeMap<LeaseName, Task>);

/// A task, which ends with its handle.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Tasks {
    /// Starts a task in place of the one before.
    pub(super) fn start(&mut self, name: LeaseName, task: impl Future<Output = ()> + 'static) {
        // The one before must not go on beside it.
        drop(self.0.remove(&name));
        self.0.insert(name, Task(actix_rt::spawn(task)));
    }

    /// Waits for the next task that ends; never returns if there is none. A task that panics takes the keeper with it.
    pub(super) async fn next(&mut self) -> LeaseName {
        let (name, ended) = poll_fn(|context| {
            let ended = self.0.iter_mut().find_map(|(name, task)| match task.0.poll_unpin(context) {
                Poll::Ready(ended) => Some((name.clone(), ended)),
                Poll::Pending => None,
            });
            ended.map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        self.0.remove(&name);
        if let Err(error) = ended
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn a_task_takes_the_place_of_the_one_before() {
        let (mut tasks, name) = (Tasks::default(), LeaseName::Source("net:town".into()));
        tasks.start(name.clone(), std::future::pending());
        assert_eq!(tasks.next().now_or_never(), None);
        tasks.start(name.clone(), std::future::ready(()));
        assert_eq!(tasks.next().await, name);
        assert_eq!(tasks.next().now_or_never(), None, "each ends once");
    }
}
