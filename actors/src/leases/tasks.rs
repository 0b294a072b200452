//! What is under way for each lease: taking its work up or putting it down. At most one task for each, and a new one
//! takes the place of the one before, which is dropped wherever it waits.

use std::{collections::BTreeMap, future::poll_fn, task::Poll};

use futures_util::future::LocalBoxFuture;
use mynah_domain::ports::leases::LeaseName;

#[derive(Default)]
pub(super) struct Tasks(BTreeMap<LeaseName, LocalBoxFuture<'static, ()>>);

impl Tasks {
    /// Starts a task in place of the one before.
    pub(super) fn start(&mut self, name: LeaseName, task: LocalBoxFuture<'static, ()>) {
        self.0.insert(name, task);
    }

    /// Waits for the next task that ends; never returns if there is none.
    pub(super) async fn next(&mut self) -> LeaseName {
        poll_fn(|context| {
            let ended = self
                .0
                .iter_mut()
                .find_map(|(name, task)| task.as_mut().poll(context).is_ready().then(|| name.clone()));
            match ended {
                Some(name) => {
                    self.0.remove(&name);
                    Poll::Ready(name)
                }
                None => Poll::Pending,
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[actix_rt::test]
    async fn a_task_takes_the_place_of_the_one_before() {
        let (mut tasks, name) = (Tasks::default(), LeaseName::Source("net:town".into()));
        tasks.start(name.clone(), std::future::pending().boxed_local());
        assert_eq!(tasks.next().now_or_never(), None);
        tasks.start(name.clone(), std::future::ready(()).boxed_local());
        assert_eq!(tasks.next().await, name);
        assert_eq!(tasks.next().now_or_never(), None, "each ends once");
    }
}
