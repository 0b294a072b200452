//! Posts that are in somebody's hands already. Every target's line asks for the same ones, and each would be read and stored
//! once for each target. What is on record of a post never changes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use mynah_domain::Post;

/// How many are looked through before those that nobody holds any more are forgotten.
const ENOUGH: usize = 1024;

/// The posts of a ledger, by source and id, for as long as anybody holds them.
#[derive(Default)]
pub(super) struct Shared(Mutex<Known>);

#[derive(Default)]
struct Known {
    posts: HashMap<Arc<str>, HashMap<Box<str>, Weak<Post>>>,
    /// So many may be there until it is worth a look through them.
    room: usize,
}

impl Shared {
    /// A post that somebody holds, or else what `read` makes of it, with the name of its source.
    pub(super) fn post<E>(
        &self,
        source: &str,
        id: &str,
        read: impl FnOnce() -> Result<Post, E>,
    ) -> Result<(Arc<str>, Arc<Post>), E> {
        // What is written under the lock is written in one step.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = known.posts.get_key_value(source);
        if let Some((source, posts)) = held
            && let Some(post) = posts.get(id).and_then(Weak::upgrade)
        {
            return Ok((source.clone(), post));
        }
        let source: Arc<str> = held.map_or_else(|| source.into(), |(source, _)| source.clone());
        let post = Arc::new(read()?);
        known.forget_what_nobody_holds();
        known.posts.entry(source.clone()).or_default().insert(id.into(), Arc::downgrade(&post));
        Ok((source, post))
    }
}

impl Known {
    fn forget_what_nobody_holds(&mut self) {
        let count = |known: &Self| known.posts.values().map(HashMap::len).sum::<usize>();
        if count(self) < self.room.max(ENOUGH) {
            return;
        }
        for posts in self.posts.values_mut() {
            posts.retain(|_, post| post.strong_count() > 0);
        }
        self.room = 2 * count(self);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use jiff::Timestamp;
    use mynah_domain::{PostId, PostKind};

    use super::*;

    fn post(id: &str) -> Post {
        Post {
            id: PostId(id.into()),
            position: 1,
            text: "Hello".into(),
            entities: None,
            language: None,
            kind: PostKind::Original,
            created_at: Timestamp::UNIX_EPOCH,
            media: vec![],
            versions: vec![],
        }
    }

    fn ask(shared: &Shared, source: &str, id: &str) -> Arc<Post> {
        let read = || Ok::<_, Infallible>(post(id));
        shared.post(source, id, read).unwrap_or_else(|never| match never {}).1
    }

    #[test]
    fn a_post_is_read_once_for_all_who_hold_it_and_told_from_another_sources() {
        let shared = Shared::default();
        let one = ask(&shared, "x:a", "1");
        assert!(Arc::ptr_eq(&one, &ask(&shared, "x:a", "1")));
        assert!(!Arc::ptr_eq(&one, &ask(&shared, "x:b", "1")));
    }

    #[test]
    fn what_nobody_holds_takes_no_room() {
        let shared = Shared::default();
        let held = ask(&shared, "x:a", "held");
        for id in 0..10 * ENOUGH {
            ask(&shared, "x:a", &id.to_string());
        }
        assert!(shared.0.lock().unwrap().posts["x:a"].len() <= ENOUGH + 1);
        assert!(Arc::ptr_eq(&held, &ask(&shared, "x:a", "held")));
    }
}
