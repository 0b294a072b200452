//! Converts hashtags to words and back: `#WorldCup2026` is "World Cup 2026" to a translator, and "Copa del Mundo 2026"
//! is `#CopaDelMundo2026` to a network.

use super::EntityKind;
use crate::network::NetworkRules;

/// The words of a hashtag, as far as its spelling separates them.
pub fn words_of(tag: &str) -> String {
    let mut words = String::with_capacity(tag.len() + 4);
    let mut before: Option<char> = None;
    for c in tag.trim_start_matches(['#', '＃']).chars() {
        if c == '_' {
            words.push(' ');
        } else {
            let begins = before.is_some_and(|before| {
                (before.is_lowercase() && c.is_uppercase())
                    || (before.is_alphabetic() && c.is_numeric())
                    || (before.is_numeric() && c.is_alphabetic())
            });
            if begins {
                words.push(' ');
            }
            words.push(c);
        }
        before = Some(c);
    }
    words
}

/// A hashtag of these words in the style of `like`; `None` if the network would not recognize it as a whole.
pub fn tag_of(words: &str, like: &str, network: &dyn NetworkRules) -> Option<String> {
    let capital = like.chars().any(char::is_uppercase);
    let mut tag = String::from("#");
    for word in words.split(|c: char| !c.is_alphanumeric() && !is_mark(c)).filter(|word| !word.is_empty()) {
        let mut characters = word.chars();
        match characters.next() {
            Some(first) if capital => {
                tag.extend(first.to_uppercase());
                tag.push_str(characters.as_str());
            }
            Some(_) => tag.push_str(&word.to_lowercase()),
            None => {}
        }
    }
    let whole = matches!(&network.entities(&tag)[..], [only] if only.kind == EntityKind::Hashtag && only.range == (0..tag.len()));
    whole.then_some(tag)
}

/// Signs that belong to the letter before them.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::PlainText;

    #[test]
    fn a_tag_is_split_into_words() {
        for (tag, words) in [
            ("#WorldCup2026", "World Cup 2026"),
            ("#city_hall", "city hall"),
            ("#market", "market"),
            ("#NASA", "NASA"),
            ("#日本", "日本"),
        ] {
            assert_eq!(words_of(tag), words);
        }
    }

    #[test]
    fn words_become_a_tag_that_the_network_finds_whole() {
        let tag_of = |words, like| tag_of(words, like, &PlainText::default());
        assert_eq!(tag_of("Copa del Mundo 2026", "#WorldCup2026").as_deref(), Some("#CopaDelMundo2026"));
        assert_eq!(tag_of("mercado nuevo", "#newmarket").as_deref(), Some("#mercadonuevo"));
        assert_eq!(tag_of("l'any nou!", "#NewYear").as_deref(), Some("#LAnyNou"));
        assert_eq!(tag_of("2026", "#Year"), None);
        assert_eq!(tag_of("…", "#Year"), None);
    }
}
