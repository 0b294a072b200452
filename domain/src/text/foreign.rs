//! Mentions on another network than their own. `@alice` is somebody else on each network, and where names have no
//! server, `@alice@town.example` would notify an `@alice` whom the author does not know. Such a mention looks as the author wrote
//! it, but nobody is notified, and nothing is linked, which would cost more on some networks.

use super::{Mask, ProtectedKind};
use crate::network::NetworkRules;

/// It has no width, and no network links across it.
const WORD_JOINER: char = '\u{2060}';

/// Takes the effect out of mentions that mean somebody on another network than that of `rules`.
pub(crate) fn neutralize_mentions(mask: &mut Mask, rules: &dyn NetworkRules) {
    for thing in mask.protected.iter_mut().filter(|thing| thing.kind == ProtectedKind::Mention) {
        // Without the `@`, if that is what the target wants, it may be linked as an address all the same.
        if !rules.entities(&thing.becomes).is_empty() {
            thing.becomes = without_effect(&thing.becomes);
        }
    }
}

/// The name, with a joiner behind everything that a network reads it by.
fn without_effect(mention: &str) -> String {
    let mut text = String::with_capacity(mention.len() + 12);
    for c in mention.chars() {
        text.push(c);
        if matches!(c, '@' | '＠' | '.') {
            text.push(WORD_JOINER);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_mention_of_another_network_looks_the_same_and_has_no_effect() {
        let text = "Ask @alice and @bob.example@town.example, see https://a.example";
        let mut mask = fixtures::mask(text);
        neutralize_mentions(&mut mask, &*fixtures::rules());
        let shown = mask.untranslated();
        assert_eq!(shown.replace(WORD_JOINER, ""), text);
        let entities: Vec<_> = fixtures::rules()
            .entities(&shown)
            .into_iter()
            .map(|entity| shown[entity.range].to_owned())
            .collect();
        assert_eq!(entities, ["https://a.example"]);
    }

    #[test]
    fn what_is_no_mention_there_stays() {
        let mut mask = fixtures::mask("Mail a@b.example #tag");
        let before = mask.untranslated();
        neutralize_mentions(&mut mask, &*fixtures::rules());
        assert_eq!(mask.untranslated(), before);
    }
}
