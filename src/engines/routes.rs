//! How to get from one language to another with the pairs there are: straight, or through one language in between, as there
//! may be no pair from English to French but there are English to Spanish and Spanish to French.

use std::collections::BTreeMap;

use mynah_domain::Language;

/// From one language to another.
pub(super) type Direction = (Language, Language);

/// The way from `from` to `to`: one pair, or two with the first language in between by code that has both. A language
/// with a region that no pair has (`pt-PT`) is the one without (`pt`); one with a script (`zh-Hant`) is not, because its
/// readers may not be able to read the other script.
pub(super) fn route<P>(
    pairs: &BTreeMap<Direction, P>,
    from: Language,
    to: Language,
) -> Option<Vec<Direction>> {
    let with = |from, to| {
        if pairs.contains_key(&(from, to)) {
            return Some(vec![(from, to)]);
        }
        pairs
            .keys()
            .filter(|(start, _)| *start == from)
            .map(|(_, middle)| *middle)
            .find(|middle| pairs.contains_key(&(*middle, to)))
            .map(|middle| vec![(from, middle), (middle, to)])
    };
    let has_script = |language: Language| language.code().split('-').any(|subtag| subtag.len() == 4);
    let base = |language: Language| match language.base().parse() {
        Ok(base) if !has_script(language) => base,
        _ => language,
    };
    if from == to {
        return None;
    }
    [(from, to), (from, base(to)), (base(from), base(to))]
        .into_iter()
        .filter(|(from, to)| from != to)
        .find_map(|(from, to)| with(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(pairs: &[(&str, &str)], from: &str, to: &str) -> Option<Vec<String>> {
        let language = |code: &str| code.parse::<Language>().unwrap();
        let pairs = pairs.iter().map(|(from, to)| ((language(from), language(to)), ())).collect();
        let way = route(&pairs, language(from), language(to))?;
        Some(way.iter().map(|(from, to)| format!("{from}-{to}")).collect())
    }

    #[test]
    fn the_straight_way_comes_before_one_through_another_language() {
        let all = [("en", "es"), ("en", "ca"), ("es", "fr"), ("ca", "fr"), ("en", "fr")];
        assert_eq!(way(&all, "en", "fr").unwrap(), ["en-fr"]);
        assert_eq!(way(&all[..4], "en", "fr").unwrap(), ["en-ca", "ca-fr"]);
        assert_eq!(way(&all[..3], "en", "fr").unwrap(), ["en-es", "es-fr"]);
        assert_eq!(way(&all[..2], "en", "fr"), None);
        assert_eq!(way(&all, "en", "en"), None);
    }

    #[test]
    fn a_region_that_no_pair_has_is_the_language_without_it() {
        assert_eq!(way(&[("es", "pt")], "es", "pt-PT").unwrap(), ["es-pt"]);
        assert_eq!(way(&[("es", "pt"), ("es", "pt-BR")], "es", "pt-BR").unwrap(), ["es-pt-BR"]);
        assert_eq!(way(&[("pt", "en"), ("en", "pt")], "pt", "pt-BR"), None);
    }

    #[test]
    fn another_script_is_another_language() {
        assert_eq!(way(&[("en", "zh")], "en", "zh-Hant"), None);
        assert_eq!(way(&[("en", "zh-Hant")], "en", "zh-Hant").unwrap(), ["en-zh-Hant"]);
    }
}
