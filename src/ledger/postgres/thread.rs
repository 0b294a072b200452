//! The thread on which all connections live. Callers are on threads of their own that may end before the ledger does, and a
//! connection ends with the thread that drives it.

use std::thread;

use futures_util::future::LocalBoxFuture;
use tokio::{
    runtime::Builder,
    sync::mpsc,
    task::{LocalSet, spawn_local},
};

type Task = Box<dyn FnOnce() -> LocalBoxFuture<'static, ()> + Send>;

/// A handle of the thread. When the last one is dropped, the thread ends with the last task.
#[derive(Clone)]
pub(super) struct Thread(mpsc::UnboundedSender<Task>);

impl Thread {
    pub(super) fn start() -> Result<Self, String> {
        let failed = |error| format!("cannot start the ledger's thread: {error}");
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (tasks, mut waiting) = mpsc::unbounded_channel::<Task>();
        let run = move || {
            let all = LocalSet::new();
            let started = all.run_until(async move {
                while let Some(task) = waiting.recv().await {
                    spawn_local(task());
                }
            });
            runtime.block_on(started);
            // What was asked for is done, although nobody waits for it.
            runtime.block_on(all);
        };
        thread::Builder::new().name("ledger".into()).spawn(run).map_err(failed)?;
        Ok(Self(tasks))
    }

    /// Starts a task on the thread.
    pub(super) fn start_task(&self, task: impl FnOnce() -> LocalBoxFuture<'static, ()> + Send + 'static) {
        // The thread runs for as long as there is a handle, unless it panicked: then the caller is not answered.
        let _ = self.0.send(Box::new(task));
    }
}
