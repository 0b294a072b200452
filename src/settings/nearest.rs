//! Finds the word that a person most likely meant, so that an error about a typo can suggest it.

/// The similarity (0 to 1) from which a word counts as a typo of another: `ballanced` does for `balanced`, `fast` does
/// not.
const ALIKE: f64 = 0.6;

/// The candidate that `word` was most likely meant to be, if any is similar.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    best(candidates.into_iter().map(|candidate| (likeness(word, candidate), candidate)))
}

/// Like [`nearest`], but for whole keys: also finds a correct name in the wrong section.
pub(super) fn nearest_key<'a>(key: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    best(candidates.into_iter().map(|candidate| {
        // Slightly less, to prefer a key in the same section.
        let by_name = likeness(&name(key), &name(candidate)) * 0.9;
        let by_key = likeness(key, candidate);
        let same_section = section(key) == section(candidate);
        (by_name.max(by_key) + if same_section { 0.05 } else { 0.0 }, candidate)
    }))
}

/// The part before a key's last dot; empty at the top level.
pub(super) fn section(key: &str) -> &str {
    key.rsplit_once('.').map_or("", |(section, _)| section)
}

fn likeness(a: &str, b: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&a.to_lowercase(), &b.to_lowercase())
}

fn best<'a>(scored: impl Iterator<Item = (f64, &'a str)>) -> Option<&'a str> {
    scored.filter(|(score, _)| *score >= ALIKE).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_word_finds_the_one_that_was_meant() {
        assert_eq!(nearest("Infromal", ["neutral", "formal", "informal"]), Some("informal"));
        assert_eq!(nearest("rude", ["neutral", "formal", "informal"]), None);
    }

    #[test]
    fn a_key_is_found_in_its_own_section_first_and_in_another_if_not() {
        let keys =
            ["source.account", "targets[].account", "translator.pool_size", "engine.timeout", "x.timeout"];
        assert_eq!(nearest_key("targets[].acount", keys), Some("targets[].account"));
        assert_eq!(nearest_key("source.pool_size", keys), Some("translator.pool_size"));
        assert_eq!(nearest_key("x.timout", keys), Some("x.timeout"));
        assert_eq!(nearest_key("colour", keys), None);
    }
}
