//! `edited`: an edit gives a post a new id. All versions list the same history, a page may show both, and replies to
//! the first version stay replies to it.

use jiff::Timestamp;
use serde_json::Value;

use super::{ActiveProfiles, Edited, Fate, Habit, Profile};
use crate::world::{FOLLOWED, World};

/// Posts that are edited before a page shows them.
const UNSEEN: Habit = Habit::new(Profile::Edited, "unseen", 20);
/// Posts that are edited after a page showed them.
const SEEN: Habit = Habit::new(Profile::Edited, "seen", 15);
/// Edited posts whose first version stays on the timeline next to the second.
const BOTH: Habit = Habit::new(Profile::Edited, "both", 2);

pub(super) fn when(profiles: ActiveProfiles, number: u64) -> Edited {
    if profiles.hits(UNSEEN, number) {
        Edited::Unseen
    } else if profiles.hits(SEEN, number) {
        Edited::Seen
    } else {
        Edited::Never
    }
}

/// Makes the due edits before the followed account's timeline is read.
pub(crate) fn make_due(profiles: ActiveProfiles, world: &mut World) {
    if !profiles.has(Profile::Edited) {
        return;
    }
    let due: Vec<(u64, u64, Timestamp)> = world
        .account(FOLLOWED)
        .posts
        .iter()
        .filter(|post| post.reposted.is_none() && !world.is_edited(post.id.0))
        .filter_map(|post| {
            let shown = world.was_shown(post.id.0);
            match Fate::of(profiles, post.number).edited {
                Edited::Unseen if !shown => Some((post.id.0, post.number, post.created_at())),
                Edited::Unseen | Edited::Seen if shown => Some((post.id.0, post.number, Timestamp::now())),
                _ => None,
            }
        })
        .collect();
    for (id, number, at) in due {
        world.edit(FOLLOWED, id, at, profiles.hits(BOTH, number));
    }
}

/// Records which posts a page showed.
pub(super) fn mark_shown(profiles: ActiveProfiles, world: &mut World, page: &Value) {
    if !profiles.has(Profile::Edited) {
        return;
    }
    let shown = page["data"].as_array().into_iter().flatten();
    let ids: Vec<u64> = shown.filter_map(|post| post["id"].as_str()?.parse().ok()).collect();
    world.mark_shown(ids);
}
