//! For any text: masking and restoring returns the same text, every part of a split fits and nothing is lost, and the
//! gate does not panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah::networks::x::text::{LIMITS, XRules, weigh};
use mynah_domain::{
    Language, gate,
    network::{NetworkRules, PlainText},
    text::{mask, split::split},
};

fuzz_target!(|text: &str| {
    // Much longer than any post, and time grows with the length.
    if text.len() > 5_000 {
        return;
    }
    for rules in [&XRules as &dyn NetworkRules, &PlainText::default()] {
        let source = mask(text, rules);
        assert_eq!(source.restore(&source.text).as_deref(), Ok(text));
        assert_eq!(source.restore_for(&source.text, rules).as_deref(), Ok(text));
        let parts = split(text, rules, LIMITS.text);
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(bare(&parts.concat()), bare(text));
        gate::findings(&gate::Candidate {
            source: &source,
            parts: &parts,
            rules,
            max_weight: Some(LIMITS.text),
            from: Language::english(),
            to: Language::english(),
            others: &[],
        });
        rules.refusal(text);
    }
    weigh(text);
});
