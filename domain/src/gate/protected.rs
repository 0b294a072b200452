//! Every link, mention, hashtag and cashtag of the post is in the translation, as often as in the post and no other is.
//!
//! Looked for in the text as the network will read it, so a link that grew together with the word beside it is found.

use std::collections::BTreeMap;

use super::{Finding, seen::Seen};
use crate::text::{EntityKind, Protected, ProtectedKind, entities};

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let mut balance: BTreeMap<(EntityKind, &str), i64> = BTreeMap::new();
    // What is none to the network is none in a translation, either; that it came back is known.
    let of_the_network = |thing: &&Protected| thing.kind != ProtectedKind::Address;
    for thing in seen.candidate.source.protected.iter().filter(of_the_network) {
        // What it becomes may be no entity any more, or hold one.
        for entity in entities(&thing.becomes) {
            *balance.entry((entity.kind, &thing.becomes[entity.range])).or_default() += 1;
        }
    }
    for entity in seen.text.entities() {
        *balance.entry((entity.kind, &seen.text.as_str()[entity.range.clone()])).or_default() -= 1;
    }
    let (&(_, thing), &count) = balance.iter().find(|(_, count)| **count != 0)?;
    let message = if count > 0 {
        format!("the translation lacks “{thing}”")
    } else {
        format!("the translation holds “{thing}”, which the post does not, or holds it too often")
    };
    Some(Finding { rule: "protected", message })
}

#[cfg(test)]
mod tests {
    use crate::gate::tests::codes;

    #[test]
    fn a_lost_doubled_or_new_entity_is_found() {
        assert_eq!(codes("Hi @bob", &["Hola"]), ["protected"]);
        assert_eq!(codes("Hi @bob", &["Hola @bob @bob"]), ["protected"]);
        assert_eq!(codes("Hi there", &["Hola #ahí"]), ["protected"]);
    }

    #[test]
    fn an_entity_that_grew_together_with_a_word_is_found() {
        assert_eq!(codes("Hi @bob now", &["Hola @bobahora"]), ["protected"]);
    }
}
