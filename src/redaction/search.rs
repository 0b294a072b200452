//! Searches many secrets in one pass. Every answer of every upstream is searched, so an answer without secrets must cost next
//! to nothing: this is the algorithm of Wu and Manber, which looks at one place in about ten (docs/performance.md).

use std::{collections::HashMap, ops::Range};

use super::forms::Form;

/// How many bytes are looked at together.
const BLOCK: usize = 3;

/// How many slots blocks are spread over. The table fits a processor's first cache.
const SLOTS: usize = 1 << 14;

/// The longest part of a form that takes part in skipping; a shift is one byte.
const LONGEST_WINDOW: usize = 255;

/// It has no `Debug`: it holds secrets.
pub(super) struct Search {
    forms: Vec<Form>,
    /// How much of each form's beginning is looked for: as much as the shortest form has.
    window: usize,
    /// For the last block of a window, how far the next window is at least.
    shifts: Vec<u8>,
    /// The forms whose window ends in a slot's block.
    candidates: HashMap<usize, Vec<usize>>,
}

impl Search {
    /// `None` where there is nothing to search for. No form is shorter than a block.
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

    /// Where forms are, in order; of those that begin together, the longest.
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
