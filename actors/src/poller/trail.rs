//! Decides which page a backfill requests next. A source may return pages without new posts, repeat a page token or
//! refuse one. The backfill follows whatever can bring new posts, and stops after a bounded number of pages that bring
//! none.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher as _,
};

use mynah_domain::{PostId, ports::PageRequest};

/// The most pages without new posts in one backfill. With [`WIDE`] posts per page, this is more than the longest
/// timeline that a network returns, so a backfill still crosses a run of pages that are empty because reposts are left
/// out.
pub(super) const MOST_BARREN: u32 = 33;

/// How many pages without new posts a backfill follows before it waits between them. It is also the most if the
/// backfill before it was cut short: if a source offers endless pages, only the first poll follows them to the bound.
pub(super) const FEW_BARREN: u32 = 3;

/// How many posts to request at once after the first page without new posts.
const WIDE: usize = 100;

/// The path of one backfill. It requests at most one page for each page with new posts, and at most one more than the
/// bound of pages without any.
pub(super) struct Trail {
    request: PageRequest,
    /// The hash of every page token that was followed: a source that loops repeats one of them.
    followed: HashSet<u64>,
    hashes: RandomState,
    /// How many pages brought nothing new, and how many may.
    barren: u32,
    most_barren: u32,
    /// The backfill restarted from the oldest post and has found nothing new since.
    restarted: bool,
}

/// How a backfill continues.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Request the next page, after wait number `wait`, counted from 1; 0 means no wait.
    Ask { wait: u32 },
    /// The source has no more pages.
    End,
    /// The source offers more pages, but they would bring nothing new.
    CutShort,
}

impl Trail {
    /// Creates a backfill that begins with this request and crosses up to `most_barren` pages without new posts.
    pub(super) fn new(first: PageRequest, most_barren: u32) -> Self {
        Self {
            request: first,
            followed: HashSet::new(),
            hashes: RandomState::new(),
            barren: 0,
            most_barren,
            restarted: false,
        }
    }

    /// The next request.
    pub(super) fn request(&self) -> &PageRequest {
        &self.request
    }

    /// How many pages have brought nothing new so far.
    pub(super) fn barren(&self) -> u32 {
        self.barren
    }

    /// Continues after a page; `oldest` is the oldest post of the backfill so far.
    pub(super) fn after_page(
        &mut self,
        continuation: Option<String>,
        news: bool,
        oldest: Option<&PostId>,
    ) -> Next {
        let Some(token) = continuation else { return Next::End };
        if news {
            self.restarted = false;
        } else if !self.count_barren() {
            return Next::CutShort;
        }
        if !self.followed.insert(self.hashes.hash_one(&token)) {
            return self.restart(oldest);
        }
        self.request.continuation = Some(token);
        self.ask()
    }

    /// Continues after the source refused its own page token.
    pub(super) fn after_refusal(&mut self, oldest: Option<&PostId>) -> Next {
        if self.count_barren() { self.restart(oldest) } else { Next::CutShort }
    }

    /// Counts a page without new posts; returns whether another one may be requested.
    fn count_barren(&mut self) -> bool {
        self.barren += 1;
        self.request.limit = self.request.limit.max(WIDE);
        self.barren <= self.most_barren
    }

    /// Restarts from the oldest post seen; only once until that brings something new.
    fn restart(&mut self, oldest: Option<&PostId>) -> Next {
        match oldest {
            Some(oldest) if !self.restarted => {
                self.restarted = true;
                self.request.before = Some(oldest.clone());
                self.request.continuation = None;
                self.ask()
            }
            _ => Next::CutShort,
        }
    }

    fn ask(&self) -> Next {
        Next::Ask { wait: self.barren.saturating_sub(FEW_BARREN) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail() -> Trail {
        Trail::new(PageRequest { limit: 5, ..PageRequest::default() }, MOST_BARREN)
    }

    fn asks(next: &Next) -> bool {
        matches!(next, Next::Ask { .. })
    }

    #[test]
    fn a_repeated_token_is_followed_once_and_then_the_oldest_post() {
        let oldest = PostId("7".into());
        let mut trail = trail();
        assert!(asks(&trail.after_page(Some("a".to_owned()), true, Some(&oldest))));
        assert!(asks(&trail.after_page(Some("a".to_owned()), true, Some(&oldest))));
        assert_eq!((&trail.request().before, &trail.request().continuation), (&Some(oldest.clone()), &None));
        assert_eq!(trail.after_page(Some("a".to_owned()), false, Some(&oldest)), Next::CutShort);
    }

    #[test]
    fn new_posts_after_a_restart_allow_another_restart() {
        let mut trail = trail();
        for oldest in ["9", "7", "5"] {
            let oldest = PostId(oldest.into());
            assert!(asks(&trail.after_page(Some("a".to_owned()), true, Some(&oldest))), "{oldest}");
            assert!(asks(&trail.after_refusal(Some(&oldest))), "{oldest}");
            assert_eq!(trail.request().before, Some(oldest));
            trail.followed.clear();
        }
    }

    #[test]
    fn waits_begin_after_a_few_pages_without_new_posts_and_grow() {
        let mut trail = trail();
        let waits: Vec<u32> = (0..MOST_BARREN)
            .map(|page| match trail.after_page(Some(page.to_string()), false, None) {
                Next::Ask { wait } => wait,
                other => panic!("page {page}: {other:?}"),
            })
            .collect();
        assert_eq!(waits[..5], [0, 0, 0, 1, 2]);
        assert_eq!(trail.request().limit, WIDE, "a run of empty pages is crossed with the largest pages");
        assert_eq!(trail.after_page(Some("one more".to_owned()), false, None), Next::CutShort);
    }

    #[test]
    fn the_last_page_ends_a_backfill_with_or_without_new_posts() {
        for news in [true, false] {
            assert_eq!(trail().after_page(None, news, None), Next::End);
        }
    }

    #[test]
    fn a_backfill_that_saw_no_post_cannot_continue_from_one() {
        assert_eq!(trail().after_refusal(None), Next::CutShort);
    }
}
