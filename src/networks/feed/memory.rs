//! A feed has no reliable order: times may be absent, wrong or changed later, and an item that appears today may have
//! yesterday's time. So the order in which items first appeared is stored in the ledger, with what recognizes each of
//! them. Whatever a feed does to its times, a new item is new, and a known one is not.
//!
//! The items of one document are ordered by their times, otherwise by their place: feeds begin with the newest. An item
//! whose link or content is known under another id is the known item, so a feed that changes the ids of all its items
//! publishes none of them again.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::item::{Item, Key};

/// How many items that left the feed are still recognized. The ledger recognizes the ids of older ones.
const MOST_GONE: usize = 1000;

/// What is known about the items of a feed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// When the feed was first read.
    first_read: Option<Timestamp>,
    /// The position of the newest item.
    last: u64,
    /// By position, oldest first.
    items: Vec<Known>,
}

/// An item that the feed has, or had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// The id under which it first appeared.
    id: String,
    /// The id that the feed gives it now, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    now: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<Key>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<Key>,
    position: u64,
    seen: Timestamp,
}

/// An item with its place in the source's order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) item: Item,
    /// The id of its post.
    pub(super) id: String,
    pub(super) position: u64,
    /// The time that the feed gives it, or when it was first seen.
    pub(super) created_at: Timestamp,
    /// Whether it appeared after the feed was first read.
    pub(super) is_later: bool,
}

impl Memory {
    /// The position of a post.
    pub(super) fn position(&self, id: &str) -> Option<u64> {
        self.items.iter().find(|known| known.id == id).map(|known| known.position)
    }

    /// The position of the newest item.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Recognizes the items of a document and adds those that are new. Returns them newest first. An item that nothing
    /// identifies is left out.
    pub(super) fn place(&mut self, items: Vec<Item>, now: Timestamp) -> Vec<Placed> {
        let first_read = *self.first_read.get_or_insert(now);
        let mut ids = HashSet::new();
        let items: Vec<(String, Item)> = items
            .into_iter()
            .filter_map(|item| Some((item.id()?, item)))
            .filter(|(id, _)| ids.insert(id.clone()))
            .collect();
        let mut index = Index::of(&self.items, &items);
        let mut placed = Vec::with_capacity(items.len());
        for (id, item) in in_order(items, now) {
            let (link, content) = (item.link_key(), item.content_key());
            let at = index.find(&id, link.as_ref(), content.as_ref()).unwrap_or_else(|| {
                // Larger than any position before, even if this memory was lost.
                let clock = u64::try_from(now.as_millisecond()).unwrap_or_default().saturating_mul(1000);
                self.last = self.last.max(clock).saturating_add(1);
                self.items.push(Known {
                    id: id.clone(),
                    now: None,
                    link: None,
                    content: None,
                    position: self.last,
                    seen: now,
                });
                self.items.len() - 1
            });
            index.add(at, &id, link.as_ref(), content.as_ref());
            let known = &mut self.items[at];
            known.now = (known.id != id).then_some(id);
            (known.link, known.content) = (link, content);
            placed.push(Placed {
                id: known.id.clone(),
                position: known.position,
                created_at: item.published.filter(|moment| is_sane(*moment, now)).unwrap_or(known.seen),
                is_later: known.seen != first_read,
                item,
            });
        }
        // Two items of the document may have turned out to be the same.
        placed.sort_by_key(|placed| std::cmp::Reverse(placed.position));
        placed.dedup_by_key(|placed| placed.position);
        self.forget_gone(&placed);
        placed
    }

    fn forget_gone(&mut self, placed: &[Placed]) {
        let shown: HashSet<u64> = placed.iter().map(|placed| placed.position).collect();
        let gone = self.items.iter().filter(|known| !shown.contains(&known.position)).count();
        let mut surplus = gone.saturating_sub(MOST_GONE);
        self.items.retain(|known| {
            let is_surplus = surplus > 0 && !shown.contains(&known.position);
            surplus -= usize::from(is_surplus);
            !is_surplus
        });
    }
}

/// Finds known items by what recognizes them.
struct Index {
    by_id: HashMap<String, usize>,
    by_link: HashMap<Key, Vec<usize>>,
    by_content: HashMap<Key, Vec<usize>>,
    /// The known items that the document has under their ids. Another item is none of them.
    claimed: HashSet<usize>,
    /// Links that several items of the document have, such as the paper's front page: they recognize none.
    shared_links: HashSet<Key>,
}

impl Index {
    fn of(known: &[Known], items: &[(String, Item)]) -> Self {
        let mut index = Self {
            by_id: HashMap::new(),
            by_link: HashMap::new(),
            by_content: HashMap::new(),
            claimed: HashSet::new(),
            shared_links: HashSet::new(),
        };
        for (at, known) in known.iter().enumerate() {
            index.add(at, &known.id, known.link.as_ref(), known.content.as_ref());
            index.by_id.extend(known.now.clone().map(|id| (id, at)));
        }
        index.claimed = items.iter().filter_map(|(id, _)| index.by_id.get(id).copied()).collect();
        let mut links = HashSet::new();
        for link in items.iter().filter_map(|(_, item)| item.link_key()) {
            if let Some(link) = links.replace(link) {
                index.shared_links.insert(link);
            }
        }
        index
    }

    fn add(&mut self, at: usize, id: &str, link: Option<&Key>, content: Option<&Key>) {
        self.by_id.entry(id.to_owned()).or_insert(at);
        for (keys, key) in [(&mut self.by_link, link), (&mut self.by_content, content)] {
            if let Some(key) = key {
                let known = keys.entry(key.clone()).or_default();
                if !known.contains(&at) {
                    known.push(at);
                }
            }
        }
    }

    fn find(&self, id: &str, link: Option<&Key>, content: Option<&Key>) -> Option<usize> {
        let by_link = with(&self.by_link, link);
        let by_content = with(&self.by_content, content);
        let only = |found: &[usize]| match found {
            [at] if !self.claimed.contains(at) => Some(*at),
            _ => None,
        };
        let linked = only(by_link).filter(|_| link.is_some_and(|link| !self.shared_links.contains(link)));
        let known = self.by_id.get(id).copied().or(linked).or_else(|| only(by_content));
        // The same link and the same content are the same item, even if the document has it twice.
        known.or_else(|| by_link.iter().copied().find(|at| by_content.contains(at)))
    }
}

/// The known items with a key.
fn with<'a>(keys: &'a HashMap<Key, Vec<usize>>, key: Option<&Key>) -> &'a [usize] {
    key.and_then(|key| keys.get(key)).map_or(&[], Vec::as_slice)
}

/// The items, oldest first: by their times, an item without a time beside its neighbor in the document.
fn in_order(items: Vec<(String, Item)>, now: Timestamp) -> Vec<(String, Item)> {
    let mut time = Timestamp::MIN;
    let mut timed: Vec<(Timestamp, (String, Item))> = Vec::with_capacity(items.len());
    for item in items.into_iter().rev() {
        time = item.1.published.filter(|moment| is_sane(*moment, now)).unwrap_or(time);
        timed.push((time, item));
    }
    timed.sort_by_key(|(time, _)| *time);
    timed.into_iter().map(|(_, item)| item).collect()
}

/// Whether a time can be that of a publication. Broken feeds give 1970, and some the end of an event.
fn is_sane(moment: Timestamp, now: Timestamp) -> bool {
    let earliest = Timestamp::constant(631_152_000, 0);
    moment >= earliest && moment.duration_since(now) <= SignedDuration::from_hours(24)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_795_000_000, 0);

    fn item(id: &str) -> Item {
        Item {
            given_id: id.into(),
            title: format!("Title {id}"),
            link: Some(format!("https://paper.example/{id}")),
            ..Item::default()
        }
    }

    fn at(id: &str, seconds: i64) -> Item {
        Item { published: Some(Timestamp::from_second(seconds).unwrap()), ..item(id) }
    }

    fn later(minutes: i64) -> Timestamp {
        NOW + SignedDuration::from_mins(minutes)
    }

    fn ids(placed: &[Placed]) -> Vec<&str> {
        placed.iter().map(|placed| placed.id.as_str()).collect()
    }

    #[test]
    fn items_without_times_are_in_the_order_of_the_feed() {
        let mut memory = Memory::default();
        assert_eq!(ids(&memory.place(vec![item("b"), item("a")], NOW)), ["b", "a"]);
        let placed = memory.place(vec![item("d"), item("c"), item("b"), item("a")], later(1));
        assert_eq!(ids(&placed), ["d", "c", "b", "a"]);
        assert!(placed[1].is_later && !placed[2].is_later);
    }

    #[test]
    fn items_of_one_document_are_ordered_by_time_and_a_late_item_is_still_new() {
        let mut memory = Memory::default();
        let base = NOW.as_second() - 1000;
        assert_eq!(ids(&memory.place(vec![at("a", base), at("b", base + 9)], NOW)), ["b", "a"]);
        let placed = memory.place(vec![at("late", base - 99), at("a", base), at("b", base + 9)], later(1));
        assert_eq!(ids(&placed), ["late", "b", "a"]);
    }

    #[test]
    fn times_of_1970_and_2286_do_no_harm() {
        let mut memory = Memory::default();
        let placed =
            memory.place(vec![at("c", 9_999_999_999), at("b", 0), at("a", NOW.as_second() - 5)], NOW);
        assert_eq!(ids(&placed), ["c", "b", "a"]);
        assert_eq!(placed[0].created_at, NOW);
        assert_eq!(ids(&memory.place(vec![item("d"), at("c", 9_999_999_999)], later(1))), ["d", "c"]);
    }

    #[test]
    fn an_item_under_another_id_is_known_by_its_link_or_its_content() {
        let mut memory = Memory::default();
        let before = memory.place(vec![item("b"), item("a")], NOW);
        let renamed = |id: &str| Item { given_id: format!("new-{id}"), ..item(id) };
        let moved = Item { link: Some("https://paper.example/elsewhere".into()), ..renamed("a") };
        let after = memory.place(vec![renamed("b"), moved.clone()], later(1));
        assert_eq!(ids(&after), ["b", "a"]);
        assert_eq!(after[0].position, before[0].position);
        let edited = Item { title: "Edited".into(), link: None, ..moved };
        assert_eq!(ids(&memory.place(vec![edited], later(2))), ["a"], "the new id is known from now on");
    }

    #[test]
    fn a_link_that_several_items_share_recognizes_none() {
        let mut memory = Memory::default();
        let front = |id: &str| Item { link: Some("https://paper.example/".into()), ..item(id) };
        memory.place(vec![front("b"), front("a")], NOW);
        assert_eq!(ids(&memory.place(vec![front("c"), front("b")], later(1))), ["c", "b"]);
        assert_eq!(ids(&memory.place(vec![front("d")], later(2))), ["d"]);
    }

    #[test]
    fn the_same_item_twice_is_one() {
        let mut memory = Memory::default();
        let twin = Item { given_id: "twin".into(), ..item("a") };
        assert_eq!(memory.place(vec![item("a"), item("a"), twin], NOW).len(), 1);
    }

    #[test]
    fn positions_never_go_back_even_if_the_memory_was_lost() {
        let mut memory = Memory::default();
        let before = memory.place(vec![item("a")], NOW)[0].position;
        let after = Memory::default().place(vec![item("b")], later(1))[0].position;
        assert!(after > before);
    }

    #[test]
    fn the_memory_is_bounded_and_survives_the_ledger() {
        let mut memory = Memory::default();
        for round in 0..30 {
            let items = (0..100).map(|number| item(&format!("{round}-{number}"))).collect();
            memory.place(items, later(round));
        }
        assert_eq!(memory.items.len(), MOST_GONE + 100);
        let stored = serde_json::to_string(&memory).unwrap();
        assert_eq!(serde_json::from_str::<Memory>(&stored).unwrap(), memory);
    }
}
