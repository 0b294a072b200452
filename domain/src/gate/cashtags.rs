//! At most one cashtag in a publication: X refuses a post with two.

use super::{Finding, seen::Seen};
use crate::text::{Entity, EntityKind, entities};

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let count =
        |entities: &[Entity]| entities.iter().filter(|entity| entity.kind == EntityKind::Cashtag).count();
    // Most translations have none at all.
    if count(seen.text.entities()) < 2 {
        return None;
    }
    let most = seen.candidate.parts.iter().map(|part| count(&entities(part))).max().unwrap_or_default();
    (most > 1).then(|| Finding {
        rule: "cashtags",
        message: format!("a publication would hold {most} cashtags, and X takes one"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;

    #[test]
    fn two_in_one_publication_are_found() {
        assert!(codes("Up: $TSLA and $AAPL", &["Suben: $TSLA y $AAPL"]).contains(&"cashtags"));
        assert!(!codes("Up: $TSLA and $AAPL", &["Suben: $TSLA", "y $AAPL"]).contains(&"cashtags"));
    }
}
