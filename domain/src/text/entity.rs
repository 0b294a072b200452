//! Links, mentions, hashtags, cashtags and named emoji in a text, which a translation must not change. The network decides which
//! parts of a text they are ([`NetworkRules::entities`](crate::network::NetworkRules::entities)).

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The kind of an entity.
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
    /// `:name:`, which the network shows as a picture. Only a source knows which names it has pictures for.
    Emoji,
}

/// A part of a text that the network treats as a unit. Recorded as `["link", 5, 24]`, because a post may have many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Recorded", into = "Recorded")]
pub struct Entity {
    /// Its kind.
    pub kind: EntityKind,
    /// Where it is, in bytes.
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

/// Whether each of `entities` is a part of `text` and begins at or after the end of the one before. Offsets from
/// elsewhere, or for another text, could cut a character in two.
pub(crate) fn fit_into(entities: &[Entity], text: &str) -> bool {
    let mut end = 0;
    entities.iter().all(|Entity { range, .. }| {
        let fits = range.start >= end && range.start < range.end && text.get(range.clone()).is_some();
        end = range.end;
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_recorded_in_short_form_and_read_back() {
        let entity = Entity { kind: EntityKind::Hashtag, range: 3..7 };
        let recorded = serde_json::to_string(&entity).unwrap();
        assert_eq!(recorded, r#"["hashtag",3,7]"#);
        assert_eq!(serde_json::from_str::<Entity>(&recorded).unwrap(), entity);
    }

    #[test]
    fn entities_that_overlap_or_cut_a_character_do_not_fit_into_a_text() {
        let fit = |ranges: &[(usize, usize)], text| {
            let entity =
                |(start, end): &(usize, usize)| Entity { kind: EntityKind::Link, range: *start..*end };
            fit_into(&ranges.iter().map(entity).collect::<Vec<_>>(), text)
        };
        assert!(fit(&[(0, 2), (2, 3)], "éab"));
        for wrong in [&[(1, 2)][..], &[(0, 3), (2, 4)], &[(2, 3), (0, 2)], &[(2, 2)], &[(3, 5)]] {
            assert!(!fit(wrong, "éab"), "{wrong:?}");
        }
    }
}
