//! Places where a test may make the service fail, to see that nothing is lost there. They are compiled in by the feature
//! `failpoints` only, and do nothing until `FAILPOINTS` names them: `FAILPOINTS="router.handler=1%panic"` panics at one
//! pass in a hundred, and `return` ends the process on the spot, as `kill -9` would.
//!
//! | where | name |
//! |---|---|
//! | the message handlers of an actor | `router.handler`, `cache.handler`, `stats.handler`, `supervisor.handler` |
//! | its `started` | `router.started`, `cache.started`, `stats.started` |
//! | futures it spawned | `router.spawned`, `cache.spawned`, `poller.step`, `translator.step`, `publisher.step` |
//! | its intervals and timers | `router.interval`, `cache.interval`, `stats.interval`, `supervisor.interval` |
//! | building it | `poller.build`, `translator.build`, `publisher.build` |
//! | a call to the world | `source.read`, `destination.publish`, `destination.lookup`, `engine.translate`; each with `.before` and `.after` |
//! | a transaction | `ledger.commit.before`, `ledger.commit.after` |

/// Passes a place of that name, and fails there if it was ordered.
#[inline]
pub fn reach(name: &str) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(name, |_| std::process::abort());
    #[cfg(not(feature = "failpoints"))]
    let _ = name;
}
