//! For any answer from X: no panic, and every post that is read can be masked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mynah::networks::x::{post, text::XRules, wire::Timeline};
use mynah_domain::text::Masking;

fuzz_target!(|body: &[u8]| {
    let Ok(timeline) = serde_json::from_slice::<Timeline>(body) else { return };
    for post in post::posts(&timeline, None).posts {
        Masking::default().mask(&post.text, &post.entities_by(&XRules));
    }
});
