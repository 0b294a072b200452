//! `edited`: an edit gives a post a new id. The versions share their history, a page may show both, and those who answer
//! the first version go on answering it.

use jiff::Timestamp;
use serde_json::Value;

use super::{Edited, Fate, Habit, Manners, Profile};
use crate::world::{FOLLOWED, World};

/// Posts that are edited before a page shows them.
const UNSEEN: Habit = Habit::new(Profile::Edited, "unseen", 20);
/// Posts that are edited after a page showed them.
const SEEN: Habit = Habit::new(Profile::Edited, "seen", 15);
/// Edited posts whose first version stays on the timeline, beside the second.
const BOTH: Habit = Habit::new(Profile::Edited, "both", 2);

pub(super) fn when(manners: Manners, number: u64) -> Edited {
    if manners.hits(UNSEEN, number) {
        Edited::Unseen
    } else if manners.hits(SEEN, number) {
        Edited::Seen
    } else {
        Edited::Never
    }
}

/// Makes the edits that are due before the followed account's timeline is read.
pub(crate) fn make_due(manners: Manners, world: &mut World) {
    if !manners.has(Profile::Edited) {
        return;
    }
    let due: Vec<(u64, u64, Timestamp)> = world
        .account(FOLLOWED)
        .posts
        .iter()
        .filter(|post| post.reposted.is_none() && !world.is_edited(post.id.0))
        .filter_map(|post| {
            let shown = world.was_shown(post.id.0);
            match Fate::of(manners, post.number).edited {
                Edited::Unseen if !shown => Some((post.id.0, post.number, post.created_at())),
                Edited::Unseen | Edited::Seen if shown => Some((post.id.0, post.number, Timestamp::now())),
                _ => None,
            }
        })
        .collect();
    for (id, number, at) in due {
        world.edit(FOLLOWED, id, at, manners.hits(BOTH, number));
    }
}

/// Remembers which posts a page showed.
pub(super) fn mark_shown(manners: Manners, world: &mut World, page: &Value) {
    if !manners.has(Profile::Edited) {
        return;
    }
    let shown = page["data"].as_array().into_iter().flatten();
    let ids: Vec<u64> = shown.filter_map(|post| post["id"].as_str()?.parse().ok()).collect();
    world.mark_shown(ids);
}
