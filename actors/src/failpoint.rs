//! Failpoints, where a test can make the service fail to check that nothing is lost. They exist only with the feature
//! `failpoints`, and do nothing unless `FAILPOINTS` names them: `FAILPOINTS="router.handler=1%panic"` panics in one of
//! a hundred passes, and `return` ends the process on the spot, as `kill -9` would.
//!
//! | where | name |
//! |---|---|
//! | the message handlers of an actor | `router.handler`, `cache.handler`, `stats.handler`, `supervisor.handler` |
//! | its `started` | `router.started`, `cache.started`, `stats.started` |
//! | futures it spawned | `router.spawned`, `cache.spawned`, `poller.step`, `translator.step`, `publisher.step` |
//! | its intervals and timers | `router.interval`, `cache.interval`, `stats.interval`, `supervisor.interval` |
//! | building it | `poller.build`, `translator.build`, `publisher.build` |
//! | a call to an upstream | `source.read`, `destination.publish`, `destination.lookup`, `engine.translate`; each with `.before` and `.after` |
//! | a transaction | `ledger.commit.before`, `ledger.commit.after` |
//! | a renewal of the tokens of a login | `login.renew.before`, `login.renew.after`, `login.renew.saved` |
//! | a copy of the ledger | `backup.step`, `restore.copied`, `restore.checked`, `copy.piece` |

/// Passes the failpoint of that name, and fails there if a test asked for it.
#[inline]
pub fn reach(name: &str) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(name, |_| std::process::abort());
    #[cfg(not(feature = "failpoints"))]
    let _ = name;
}
