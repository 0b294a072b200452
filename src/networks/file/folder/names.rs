//! The order of a folder's messages. Names alone are none: a file may appear today with a name that sorts before
//! yesterday's, and it must not be lost. Times are none either, because copying may keep or change them. So the order in
//! which files appear is stored in the ledger. Files that appear together are in the order of their names.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How many files that are gone are still known, so that the poller can continue from one of them.
const MOST_GONE: usize = 1000;

/// What is known about a folder's files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Memory {
    /// The position of the last file at the first read; `None` before it.
    pub(super) first: Option<u64>,
    /// The position of the newest file.
    last: u64,
    positions: BTreeMap<String, u64>,
}

impl Memory {
    /// Gives new files their positions, and forgets most of those that are gone.
    pub(super) fn place(&mut self, names: &BTreeSet<String>) {
        for name in names {
            if !self.positions.contains_key(name) {
                self.last += 1;
                self.positions.insert(name.clone(), self.last);
            }
        }
        self.first.get_or_insert(self.last);
        let gone = self.positions.iter().filter(|(name, _)| !names.contains(*name));
        let mut gone: Vec<u64> = gone.map(|(_, position)| *position).collect();
        // An empty folder may be one whose disk is away: all of its files come back.
        if gone.len() > MOST_GONE && !names.is_empty() {
            gone.sort_unstable();
            let surplus: BTreeSet<u64> = gone[..gone.len() - MOST_GONE].iter().copied().collect();
            self.positions.retain(|_, position| !surplus.contains(position));
        }
    }

    /// Whether a file has a position.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.positions.contains_key(name)
    }

    /// The position of a file that is or was in the folder.
    pub(super) fn position(&self, name: &str) -> Option<u64> {
        self.positions.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn in_order(memory: &Memory) -> Vec<&str> {
        let mut positions: Vec<(&u64, &String)> = memory.positions.iter().map(|(a, b)| (b, a)).collect();
        positions.sort();
        positions.into_iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn files_that_appear_together_are_in_the_order_of_their_names_and_a_later_one_is_later() {
        let mut memory = Memory::default();
        memory.place(&names(&["b", "d"]));
        memory.place(&names(&["b", "c", "a", "d"]));
        assert_eq!(in_order(&memory), ["b", "d", "a", "c"]);
        assert_eq!(memory.first, Some(2));
    }

    #[test]
    fn a_file_that_is_gone_keeps_its_position_for_a_while() {
        let mut memory = Memory::default();
        memory.place(&names(&["a", "b"]));
        memory.place(&names(&["b"]));
        assert_eq!(memory.position("a"), Some(1));
        let many: Vec<String> = (0..MOST_GONE + 10).map(|number| format!("c{number:05}")).collect();
        memory.place(&many.into_iter().collect());
        memory.place(&names(&["b"]));
        assert_eq!(memory.positions.len(), MOST_GONE + 1);
        assert_eq!((memory.position("a"), memory.position("b")), (None, Some(2)));
        assert!(memory.knows(&format!("c{:05}", MOST_GONE + 9)), "the newest is never forgotten");
        memory.place(&names(&[]));
        assert_eq!(memory.positions.len(), MOST_GONE + 1, "the disk may be away");
    }
}
