//! Links, mentions, hashtags and cashtags in a text. A translation must not change them. Which parts of a text they are, the
//! network decides ([`NetworkRules::entities`](crate::network::NetworkRules::entities)).

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// What an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// `https://…`, or whatever else the network links.
    Link,
    /// `@name`; it may notify that account.
    Mention,
    /// `#word`.
    Hashtag,
    /// `$TICKER`.
    Cashtag,
}

/// A part of a text that the network treats as one thing. Recorded as `["link", 5, 24]`, as a post may have many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Recorded", into = "Recorded")]
pub struct Entity {
    /// What it is.
    pub kind: EntityKind,
    /// Where it stands, in bytes.
    pub range: Range<usize>,
}

/// Kind, start and end.
#[derive(Serialize, Deserialize)]
struct Recorded(EntityKind, usize, usize);

impl From<Recorded> for Entity {
    fn from(Recorded(kind, start, end): Recorded) -> Self {
        Self { kind, range: start..end }
    }
}

impl From<Entity> for Recorded {
    fn from(Entity { kind, range }: Entity) -> Self {
        Self(kind, range.start, range.end)
    }
}

/// Whether each of `entities` is a part of `text` that begins where the one before ended, or later. Offsets that were
/// counted by others, or for another text, would cut a character in two.
pub(crate) fn stand_in(entities: &[Entity], text: &str) -> bool {
    let mut end = 0;
    entities.iter().all(|Entity { range, .. }| {
        let stands = range.start >= end && range.start < range.end && text.get(range.clone()).is_some();
        end = range.end;
        stands
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_recorded_in_short_and_read_back() {
        let entity = Entity { kind: EntityKind::Hashtag, range: 3..7 };
        let recorded = serde_json::to_string(&entity).unwrap();
        assert_eq!(recorded, r#"["hashtag",3,7]"#);
        assert_eq!(serde_json::from_str::<Entity>(&recorded).unwrap(), entity);
    }

    #[test]
    fn entities_that_overlap_or_cut_a_character_do_not_stand_in_a_text() {
        let stand = |ranges: &[(usize, usize)], text| {
            let entity =
                |(start, end): &(usize, usize)| Entity { kind: EntityKind::Link, range: *start..*end };
            stand_in(&ranges.iter().map(entity).collect::<Vec<_>>(), text)
        };
        assert!(stand(&[(0, 2), (2, 3)], "éab"));
        for wrong in [&[(1, 2)][..], &[(0, 3), (2, 4)], &[(2, 3), (0, 2)], &[(2, 2)], &[(3, 5)]] {
            assert!(!stand(wrong, "éab"), "{wrong:?}");
        }
    }
}
