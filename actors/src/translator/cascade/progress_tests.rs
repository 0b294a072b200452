//! A call of many requests counts as progress for as long as its requests end.

use std::cell::RefCell;

use async_trait::async_trait;
use mynah_domain::{
    Language, fixtures,
    ports::{CallShape, EngineError, Item, Languages, Reply},
};

use super::*;
use crate::{
    supervision::{ExitGuard, HealthRegistry},
    testing,
};

const REQUESTS: usize = 4;

/// An engine that makes several requests one after the other.
struct Slow {
    registry: HealthRegistry,
    /// When its translator last made progress, at the end of each request.
    seen: RefCell<Vec<Instant>>,
}

#[async_trait(?Send)]
impl Engine for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn revision(&self) -> String {
        "slow".into()
    }

    fn supports(&self, _: Language, _: Language) -> bool {
        true
    }

    fn composition(&self) -> CallShape {
        CallShape::new(1, Languages::One)
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        for _ in 0..REQUESTS {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.seen
                .borrow_mut()
                .extend(self.registry.actor("translator-0").map(|actor| actor.last_progress));
        }
        let items = items.iter().map(|item| Ok(item.text.clone())).collect();
        Ok(Reply { items, calls: 1, ..Reply::default() })
    }
}

#[actix_rt::test]
async fn each_request_of_a_long_call_counts_as_progress() {
    tokio::time::pause();
    let registry = HealthRegistry::default();
    let (exits, _) = tokio::sync::mpsc::unbounded_channel();
    let guard = ExitGuard::new("translator-0", 1, registry.clone(), exits);
    let heartbeat = guard.heartbeat();
    let engine = Rc::new(Slow { registry, seen: RefCell::default() });
    let engines: [Rc<dyn Engine>; 1] = [engine.clone()];
    let mut tasks = vec![Task::new(&fixtures::post(1, "Hello"), Vec::new(), fixtures::target())];
    let cascade = testing::cascade(5, Backoff { base: Duration::ZERO, max: Duration::ZERO }, 1);
    let context = CallContext { heartbeat: Some(&heartbeat), more_waiting: true };
    let work = heartbeat.at_work();
    cascade.translate(&mut tasks, |_| 1, &engines, context).await;
    work.done();
    let seen = engine.seen.borrow();
    assert!(seen.len() >= REQUESTS && seen.windows(2).all(|two| two[0] < two[1]), "{seen:?}");
}
