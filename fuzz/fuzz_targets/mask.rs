//! Whatever is written: masked and restored it is the same, split it fits and is whole, and the gate has a word on it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah_domain::{
    Language, gate,
    text::{mask, split, weighted_length},
};

fuzz_target!(|text: &str| {
    // Much longer than any post; time goes with the length.
    if text.len() > 5_000 {
        return;
    }
    let source = mask(text);
    assert_eq!(source.restore(&source.text).as_deref(), Ok(text));
    let parts = split::split(text, 280);
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(bare(&parts.concat()), bare(text));
    gate::findings(&gate::Candidate {
        source: &source,
        parts: &parts,
        max_weighted_length: 280,
        from: Language::english(),
        to: Language::english(),
        others: &[],
    });
    weighted_length(text);
});
