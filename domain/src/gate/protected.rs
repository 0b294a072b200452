//! The translation has every link, mention, hashtag and cashtag of the post, as often as in the post, and no others.
//!
//! The target's network rules read both texts: a link that was joined to the word beside it is found, and an entity
//! that exists only on the source's network counts in neither.

use std::collections::BTreeMap;

use super::{Finding, seen::Seen};
use crate::text::{EntityKind, Protected, ProtectedKind};

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let mut balance: BTreeMap<(EntityKind, &str), i64> = BTreeMap::new();
    for (text, one) in [(&seen.source, 1), (&seen.text, -1)] {
        for entity in text.entities() {
            *balance.entry((entity.kind, &text.as_str()[entity.range.clone()])).or_default() += one;
        }
    }
    // A tag that the author joined to a word is linked once there is a space before it. It is the author's all the same.
    let is_authors = |kind: EntityKind, thing: &str| {
        let is_tag = |part: &&Protected| part.kind == ProtectedKind::Address && part.becomes == thing;
        let tags = || seen.candidate.source.protected.iter().filter(is_tag).count();
        if kind == EntityKind::Hashtag { i64::try_from(tags()).unwrap_or_default() } else { 0 }
    };
    let (&(_, thing), &count) = balance
        .iter()
        .find(|((kind, thing), count)| **count > 0 || (**count < 0 && **count < -is_authors(*kind, thing)))?;
    let message = if count > 0 {
        format!("the translation lacks “{thing}”")
    } else {
        format!("the translation contains “{thing}”, which the post does not, or contains it too often")
    };
    Some(Finding { rule: "protected", message })
}

#[cfg(test)]
mod tests {
    use crate::gate::tests::codes;

    #[test]
    fn a_lost_repeated_or_new_entity_is_found() {
        assert_eq!(codes("Hi @bob", &["Hola"]), ["protected"]);
        assert_eq!(codes("Hi @bob", &["Hola @bob @bob"]), ["protected"]);
        assert_eq!(codes("Hi there", &["Hola #ahí"]), ["protected"]);
    }

    #[test]
    fn a_tag_that_the_author_joined_to_a_word_may_stand_apart() {
        for (post, text, found) in [
            ("My crafts#keychain", "Mis cosas #keychain", false),
            ("My crafts#keychain", "Mis cosas#keychain", false),
            ("My crafts#keychain", "#keychain 我的", false),
            ("My crafts#keychain", "Mis cosas #keychain #keychain", true),
            ("My crafts#keychain", "Mis cosas #other", true),
            ("My crafts", "Mis cosas #keychain", true),
        ] {
            assert_eq!(codes(post, &[text]).contains(&"protected"), found, "{text}");
        }
    }

    #[test]
    fn an_entity_that_was_joined_to_a_word_is_found() {
        assert_eq!(codes("Hi @bob now", &["Hola @bobahora"]), ["protected"]);
    }
}
