//! Edited posts. An edit is a separate post with a new id; all versions list the same history.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{PostId, StoredPost, World};

#[derive(Debug, Default)]
pub(super) struct Edits {
    /// The history of every version of an edited post, oldest first.
    histories: HashMap<u64, Arc<[PostId]>>,
    /// Posts that a page has shown.
    shown: HashSet<u64>,
}

impl World {
    /// All versions of a post, oldest first.
    pub(crate) fn versions(&self, id: u64) -> Arc<[PostId]> {
        self.edits.histories.get(&id).cloned().unwrap_or_else(|| Arc::from([PostId(id)]))
    }

    pub(crate) fn is_edited(&self, id: u64) -> bool {
        self.edits.histories.contains_key(&id)
    }

    pub(crate) fn was_shown(&self, id: u64) -> bool {
        self.edits.shown.contains(&id)
    }

    pub(crate) fn mark_shown(&mut self, ids: impl IntoIterator<Item = u64>) {
        self.edits.shown.extend(ids);
    }

    /// Edits a post of the account at `author`. Unless `both`, the previous version leaves the timeline; its id can
    /// still be looked up.
    pub(crate) fn edit(&mut self, author: usize, id: u64, at: Timestamp, both: bool) {
        let Some(before) = self.posts.get(&id).cloned() else { return };
        let mut new = self.flakes.next(at, id);
        while self.posts.contains_key(&new) {
            new += 1;
        }
        let text = format!("{} (edited)", before.text);
        let after = Arc::new(StoredPost { id: PostId(new), text, ..(*before).clone() });
        let history: Arc<[PostId]> = [&*self.versions(id), &[PostId(new)]].concat().into();
        for version in &*history {
            self.edits.histories.insert(version.0, Arc::clone(&history));
        }
        let listed = &mut self.accounts[author].posts;
        if !both {
            listed.retain(|post| post.id.0 != id);
        }
        let place = listed.partition_point(|post| post.id.0 < new);
        listed.insert(place, Arc::clone(&after));
        self.posts.insert(new, after);
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        timeline::TimelinePost,
        world::{FOLLOWED, World},
    };

    #[test]
    fn an_edit_has_a_new_id_and_shares_the_history_of_the_post() {
        for both in [false, true] {
            let posts = ["a", "b", "c"].map(|text| TimelinePost::new(text).in_thread("t"));
            let mut world = World::new("town", &[], posts.into());
            let first = world.account(FOLLOWED).posts[0].id;
            world.edit(FOLLOWED, first.0, first_time(&world), both);
            let listed = &world.account(FOLLOWED).posts;
            assert_eq!(listed.len(), if both { 4 } else { 3 });
            assert!(listed.is_sorted_by_key(|post| post.id));
            let history = world.versions(first.0);
            assert_eq!(history.len(), 2);
            assert_eq!(history, world.versions(history[1].0), "each version lists both");
            let edited = world.post(history[1].0).unwrap();
            assert_eq!((&*edited.text, edited.number), ("a (edited)", 1));
            assert_eq!(listed.last().unwrap().text, "c", "an early edit keeps its place");
            assert!(world.post(first.0).is_some(), "the first version can be looked up");
            let reply = listed.iter().find(|post| post.text == "b").unwrap();
            assert_eq!(reply.reply_to, Some(first), "a reply to the first version stays one");
        }
    }

    fn first_time(world: &World) -> jiff::Timestamp {
        world.account(FOLLOWED).posts[0].created_at()
    }
}
