//! How many posts of a page X bills. X bills a post once per UTC day, however often it is read.

use std::{cell::RefCell, collections::HashSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::networks::x::wire::{Id, Timeline};

/// The most posts that are remembered. Further ones count whenever they are read, so that the bill is never higher than its
/// record.
const MOST: usize = 10_000;

/// The posts that X billed today.
#[derive(Debug, Default)]
pub(super) struct Billed(RefCell<(Option<Date>, HashSet<u64>)>);

/// What matters of a post, readable or not.
#[derive(Deserialize)]
struct Numbered {
    id: Option<Id>,
}

/// The posts that a page's posts refer to, by both names.
#[derive(Deserialize)]
struct Included<'a> {
    #[serde(borrow, default, alias = "posts")]
    tweets: Option<Vec<&'a RawValue>>,
}

impl Billed {
    /// How many posts X bills for a page that is read now.
    pub(super) fn count(&self, timeline: &Timeline, now: Timestamp) -> u64 {
        let mut today = self.0.borrow_mut();
        let day = TimeZone::UTC.to_datetime(now).date();
        if today.0 != Some(day) {
            *today = (Some(day), HashSet::new());
        }
        let included = timeline.includes.as_deref().and_then(|raw| serde_json::from_str(raw.get()).ok());
        let included = included.and_then(|included: Included<'_>| included.tweets).unwrap_or_default();
        let posts = timeline.data.iter().map(|raw| &**raw).chain(included);
        let is_new = |raw: &RawValue| {
            let id = serde_json::from_str::<Numbered>(raw.get()).ok().and_then(|numbered| numbered.id);
            match id {
                Some(id) if today.1.contains(&id.position()) => false,
                Some(id) if today.1.len() < MOST => today.1.insert(id.position()),
                // One whose id cannot be read may be billed each time.
                _ => true,
            }
        };
        posts.map(is_new).filter(|is_new| *is_new).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(ids: &[&str], included: &[&str]) -> Timeline {
        let posts = |ids: &[&str]| ids.iter().map(|id| json!({"id": id, "text": "Hi"})).collect::<Vec<_>>();
        let answer = json!({"data": posts(ids), "includes": {"tweets": posts(included)}});
        serde_json::from_str(&answer.to_string()).unwrap()
    }

    #[test]
    fn a_post_is_billed_once_per_day() {
        let billed = Billed::default();
        let morning = "2026-11-16T08:00:00Z".parse().unwrap();
        assert_eq!(billed.count(&page(&["3", "2"], &[]), morning), 2);
        assert_eq!(billed.count(&page(&["4", "3"], &[]), morning), 1);
        assert_eq!(billed.count(&page(&["4", "3", "2"], &[]), "2026-11-17T00:00:00Z".parse().unwrap()), 3);
    }

    #[test]
    fn posts_that_others_refer_to_are_billed_too_and_unreadable_ones_always() {
        let billed = Billed::default();
        let now = "2026-11-16T08:00:00Z".parse().unwrap();
        assert_eq!(billed.count(&page(&["3", "2"], &["1", "2"]), now), 3);
        let odd: Timeline = serde_json::from_str(r#"{"data": [{"id": {}}, 7], "includes": []}"#).unwrap();
        assert_eq!((billed.count(&odd, now), billed.count(&odd, now)), (2, 2));
        assert_eq!(billed.count(&Timeline::default(), now), 0);
    }
}
