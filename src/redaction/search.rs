//! Finds many secrets in one pass. Mynah searches every answer of every upstream, so an answer without secrets must
//! cost almost nothing. The Wu-Manber algorithm looks at about one position in ten (docs/performance.md).

use std::{collections::HashMap, ops::Range};

use super::forms::Form;

/// How many bytes to compare together.
const BLOCK: usize = 3;

/// The number of hash slots for blocks. The table fits in the L1 cache.
const SLOTS: usize = 1 << 14;

/// The longest part of a form to use for skipping; a shift is one byte.
const LONGEST_WINDOW: usize = 255;

/// It has no `Debug`: it holds secrets.
pub(super) struct Search {
    forms: Vec<Form>,
    /// How many bytes at the start of each form to search for: the length of the shortest form.
    window: usize,
    /// For the last block of a window, the minimum distance to the next window.
    shifts: Vec<u8>,
    /// By slot, the forms whose window ends with a block in it.
    candidates: HashMap<usize, Vec<usize>>,
}

impl Search {
    /// `None` if there is nothing to search for. No form is shorter than a block.
    pub(super) fn of(forms: Vec<Form>) -> Option<Self> {
        let window = forms.iter().map(|form| form.text.len()).min()?.min(LONGEST_WINDOW);
        let farthest = (window + 1).checked_sub(BLOCK)?;
        let mut shifts = vec![u8::try_from(farthest).unwrap_or(u8::MAX); SLOTS];
        let mut candidates: HashMap<usize, Vec<usize>> = HashMap::new();
        for (number, form) in forms.iter().enumerate() {
            let blocks = form.text.as_bytes()[..window].windows(BLOCK);
            for (shift, block) in (0..=u8::MAX).zip(blocks.rev()) {
                let slot = &mut shifts[slot_of(block)];
                *slot = shift.min(*slot);
            }
            let last = slot_of(&form.text.as_bytes()[window - BLOCK..window]);
            candidates.entry(last).or_default().push(number);
        }
        Some(Self { forms, window, shifts, candidates })
    }

    /// The ranges of all forms, in order; the longest of those that start together.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut end = self.window;
        while end <= text.len() {
            let slot = slot_of(&text[end - BLOCK..end]);
            let shift = usize::from(self.shifts[slot]);
            if shift > 0 {
                end += shift;
                continue;
            }
            let start = end - self.window;
            let forms = self.candidates.get(&slot).into_iter().flatten().map(|number| &self.forms[*number]);
            let longest = forms.filter(|form| form.is_at(text, start)).map(|form| form.text.len()).max();
            match longest {
                Some(length) => {
                    found.push(start..start + length);
                    end = start + length + self.window;
                }
                None => end += 1,
            }
        }
        found
    }
}

fn slot_of(block: &[u8]) -> usize {
    block.iter().fold(0, |hash: usize, byte| (hash << 5) ^ usize::from(*byte)) % SLOTS
}
