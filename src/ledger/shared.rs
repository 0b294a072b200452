//! Shares posts that are in memory. The lines of all targets load the same posts, and each would otherwise be read and
//! stored once per target. A recorded post never changes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use mynah_domain::Post;

/// The number of posts from which on unused ones are dropped.
const ENOUGH: usize = 1024;

/// The posts of a ledger, by source and id, as long as they are in use.
#[derive(Default)]
pub(super) struct Shared(Mutex<Known>);

#[derive(Default)]
struct Known {
    posts: HashMap<Arc<str>, HashMap<Box<str>, Weak<Post>>>,
    /// The number of posts from which on the next cleanup is worthwhile.
    room: usize,
}

impl Shared {
    /// A post in use, or the result of `read`, with the name of its source.
    pub(super) fn post<E>(
        &self,
        source: &str,
        id: &str,
        read: impl FnOnce() -> Result<Post, E>,
    ) -> Result<(Arc<str>, Arc<Post>), E> {
        // A panic cannot leave inconsistent state: all writes under the lock happen in one step.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = known.posts.get_key_value(source);
        if let Some((source, posts)) = held
            && let Some(post) = posts.get(id).and_then(Weak::upgrade)
        {
            return Ok((source.clone(), post));
        }
        let source: Arc<str> = held.map_or_else(|| source.into(), |(source, _)| source.clone());
        let post = Arc::new(read()?);
        known.drop_unused();
        known.posts.entry(source.clone()).or_default().insert(id.into(), Arc::downgrade(&post));
        Ok((source, post))
    }
}

impl Known {
    fn drop_unused(&mut self) {
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
            has_poll: false,
            warning: None,
            is_sensitive: false,
            card: None,
            versions: vec![],
        }
    }

    fn ask(shared: &Shared, source: &str, id: &str) -> Arc<Post> {
        let read = || Ok::<_, Infallible>(post(id));
        shared.post(source, id, read).unwrap_or_else(|never| match never {}).1
    }

    #[test]
    fn a_post_is_read_once_and_kept_apart_from_another_sources() {
        let shared = Shared::default();
        let one = ask(&shared, "x:a", "1");
        assert!(Arc::ptr_eq(&one, &ask(&shared, "x:a", "1")));
        assert!(!Arc::ptr_eq(&one, &ask(&shared, "x:b", "1")));
    }

    #[test]
    fn unused_posts_are_dropped() {
        let shared = Shared::default();
        let held = ask(&shared, "x:a", "held");
        for id in 0..10 * ENOUGH {
            ask(&shared, "x:a", &id.to_string());
        }
        assert!(shared.0.lock().unwrap().posts["x:a"].len() <= ENOUGH + 1);
        assert!(Arc::ptr_eq(&held, &ask(&shared, "x:a", "held")));
    }
}
