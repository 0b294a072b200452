//! Every link, mention, hashtag and cashtag of the post is in the translation, as often as in the post and no other is.
//!
//! Both are read as the target's network will read them: a link that is joined to the word beside it is found, and what is an
//! entity only on the source's network counts in neither.

use std::collections::BTreeMap;

use super::{Finding, seen::Seen};
use crate::text::EntityKind;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let mut balance: BTreeMap<(EntityKind, &str), i64> = BTreeMap::new();
    for (text, one) in [(&seen.source, 1), (&seen.text, -1)] {
        for entity in text.entities() {
            *balance.entry((entity.kind, &text.as_str()[entity.range.clone()])).or_default() += one;
        }
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
