//! Breaks up links and tags that a translation contains by accident. A translation must not notify an account that the
//! post did not notify, and everything in the post that does is a placeholder. `Wait.No` may be no link where
//! `Espera.No` is one.

use super::{MaskedText, Segment};
use crate::network::NetworkRules;

impl MaskedText {
    /// Returns the text without links, mentions and tags in its words; `None` if there are none.
    pub fn unlinked(&self, network: &dyn NetworkRules) -> Option<Self> {
        let mut changed = false;
        let segments = self.0.iter().map(|segment| {
            let Segment::Words(words) = segment else { return segment.clone() };
            let unlinked = unlinked(words, network);
            changed |= unlinked != *words;
            Segment::Words(unlinked)
        });
        let text = Self::from_segments(segments.collect::<Vec<_>>());
        changed.then_some(text)
    }
}

fn unlinked(words: &str, network: &dyn NetworkRules) -> String {
    let mut words = words.to_owned();
    for entity in network.entities(&words).into_iter().rev() {
        let found = &words[entity.range.clone()];
        let broken = match found.strip_prefix(['@', '＠', '#', '＃', '$']) {
            Some(bare) => bare.to_owned(),
            None => found.replace('.', ". ").replace("://", ": //"),
        };
        words.replace_range(entity.range, &broken);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::PlainText;

    #[test]
    fn links_and_tags_are_broken_up_and_placeholders_stay() {
        let words = |text: &str| Segment::Words(text.into());
        let unlinked = |segments: &[Segment]| MaskedText(segments.to_vec()).unlinked(&PlainText::default());
        for (before, after) in [
            ("el #etiqueta", "el etiqueta"),
            ("@nadie es", "nadie es"),
            ("a https://b.example/c", "a https: //b. example/c"),
        ] {
            let placeholder = Segment::Placeholder(0);
            let expected = MaskedText(vec![words(after), placeholder.clone()]);
            assert_eq!(unlinked(&[words(before), placeholder]), Some(expected), "{before}");
        }
        assert_eq!(unlinked(&[words("5. Nada.")]), None);
    }
}
