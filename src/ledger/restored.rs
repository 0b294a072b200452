//! What a ledger that was restored from a backup must not do. It does not know what was published after the backup, so
//! what may have been published waits for a person: everything that was not done by then, and every post from before the
//! restore that is recorded after it. Later posts are published as usual.

use std::time::Duration;

use jiff::Timestamp;
use mynah_domain::{Hold, Post, job::HoldKind};

/// The fact with the time of the restore.
pub(super) const FACT: &str = "ledger:restored_at";

/// How far this machine's clock may be behind the network's.
const SLACK: Duration = Duration::from_mins(1);

/// How long after a post its author may edit it. The edit has a new id and a new time, and only one of the two is
/// published.
const EDITABLE: Duration = Duration::from_hours(24);

/// When the ledger was restored, if it was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Restored(Option<Timestamp>);

impl Restored {
    /// By the fact on record.
    pub(super) fn of(fact: Option<&str>) -> Self {
        // Only Mynah writes it.
        Self(fact.and_then(|at| at.parse().ok()))
    }

    /// Why a new post must wait for a person, if it may be published already.
    pub(super) fn hold(self, post: &Post) -> Option<Hold> {
        let at = self.0?;
        let slack = if post.versions.is_empty() { SLACK } else { EDITABLE };
        let until = at.saturating_add(slack).unwrap_or(Timestamp::MAX);
        (post.created_at <= until).then(|| Hold {
            kind: HoldKind::Restored,
            reason: reason(None),
            until: None,
        })
    }
}

/// Why a job is held; `before` is why it was not published by the time of the backup.
pub(super) fn reason(before: Option<&str>) -> String {
    let before = before.map(|before| format!(" (in the backup: {before})")).unwrap_or_default();
    format!(
        "the ledger was restored from a backup, so it is not known whether this was published since: look at the \
        account, then skip it or retry it{before}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_from_before_the_restore_wait_and_later_ones_do_not() {
        let at: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let post = |minutes: i64, versions: &[&str]| Post {
            id: mynah_domain::PostId("1".into()),
            position: 1,
            text: "Hello".into(),
            entities: None,
            language: None,
            kind: mynah_domain::PostKind::Original,
            created_at: at + jiff::SignedDuration::from_mins(minutes),
            media: vec![],
            has_poll: false,
            warning: None,
            is_sensitive: false,
            card: None,
            versions: versions.iter().map(|id| mynah_domain::PostId((*id).into())).collect(),
        };
        let held = |post: Post| Restored(Some(at)).hold(&post).is_some();
        assert!(held(post(-60, &[])) && held(post(0, &[])) && held(post(1, &[])));
        assert!(!held(post(2, &[])));
        assert!(held(post(2, &["0", "1"])), "an edit of a post from before the restore");
        assert!(Restored(None).hold(&post(-60, &[])).is_none());
    }
}
