//! Which page a backfill along a timeline asks for next. A source may show pages without news, repeat a page token or
//! refuse one. The backfill follows whatever can bring news, and stops after a bounded number of pages that bring none.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher as _,
};

use mynah_domain::{PostId, ports::PageRequest};

/// The most pages without news in one backfill. With [`WIDE`] posts on each, this is more than the longest timeline that a
/// network shows, so a stretch that is empty because reposts are left out is still crossed.
pub(super) const MOST_BARREN: u32 = 33;

/// How many pages without news a backfill follows before it waits between them, and the most where the one before was cut
/// short: a source that offers pages without end is not followed to the bound with every poll.
pub(super) const FEW_BARREN: u32 = 3;

/// How many posts are asked for at once after the first page without news.
const WIDE: usize = 100;

/// The way of one backfill. It asks for at most one page for each page with news, and for one more than the bound of those
/// without.
pub(super) struct Trail {
    request: PageRequest,
    /// The hash of every page token that was followed: a source that goes in circles repeats one of them.
    followed: HashSet<u64>,
    hashes: RandomState,
    /// How many pages brought nothing new, and how many may.
    barren: u32,
    most_barren: u32,
    /// The backfill continued from the oldest post and has found nothing new since.
    restarted: bool,
}

/// How a backfill continues.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask for the next page, after the wait number `wait`, counted from 1; 0 is no wait.
    Ask { wait: u32 },
    /// The source has no more pages.
    End,
    /// More pages would bring nothing new, though the source offers them.
    CutShort,
}

impl Trail {
    /// A backfill that begins with this request and crosses up to `most_barren` pages without news.
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

    /// What to ask for.
    pub(super) fn request(&self) -> &PageRequest {
        &self.request
    }

    /// How many pages brought nothing new so far.
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

    /// Continues after the source refused the page token that it gave.
    pub(super) fn after_refusal(&mut self, oldest: Option<&PostId>) -> Next {
        if self.count_barren() { self.restart(oldest) } else { Next::CutShort }
    }

    /// Counts a page without news; whether another one may be asked for.
    fn count_barren(&mut self) -> bool {
        self.barren += 1;
        self.request.limit = self.request.limit.max(WIDE);
        self.barren <= self.most_barren
    }

    /// Asks for what is older than the oldest post seen, once until that brings something new.
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
    fn a_token_that_repeats_is_followed_once_and_then_the_oldest_post() {
        let oldest = PostId("7".into());
        let mut trail = trail();
        assert!(asks(&trail.after_page(Some("a".to_owned()), true, Some(&oldest))));
        assert!(asks(&trail.after_page(Some("a".to_owned()), true, Some(&oldest))));
        assert_eq!((&trail.request().before, &trail.request().continuation), (&Some(oldest.clone()), &None));
        assert_eq!(trail.after_page(Some("a".to_owned()), false, Some(&oldest)), Next::CutShort);
    }

    #[test]
    fn news_after_a_restart_allows_another_one() {
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
    fn waits_begin_after_a_few_pages_without_news_and_grow() {
        let mut trail = trail();
        let waits: Vec<u32> = (0..MOST_BARREN)
            .map(|page| match trail.after_page(Some(page.to_string()), false, None) {
                Next::Ask { wait } => wait,
                other => panic!("page {page}: {other:?}"),
            })
            .collect();
        assert_eq!(waits[..5], [0, 0, 0, 1, 2]);
        assert_eq!(trail.request().limit, WIDE, "an empty stretch is crossed with the largest pages");
        assert_eq!(trail.after_page(Some("one more".to_owned()), false, None), Next::CutShort);
    }

    #[test]
    fn the_last_page_ends_a_backfill_with_or_without_news() {
        for news in [true, false] {
            assert_eq!(trail().after_page(None, news, None), Next::End);
        }
    }

    #[test]
    fn a_backfill_that_saw_no_post_cannot_continue_from_one() {
        assert_eq!(trail().after_refusal(None), Next::CutShort);
    }
}
