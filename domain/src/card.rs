//! A link's card: the title, description and picture of the page that a link leads to, as the source shows them. Some
//! networks make cards themselves; on others, a message has the card that its publisher adds.

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::Media;

/// The longest title and description, in characters as readers count them. Apps show less.
const TITLE: usize = 300;
const DESCRIPTION: usize = 1_000;

/// A link's card. Pages belong to strangers, and so do the words of their cards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The address that the card leads to.
    pub url: String,
    /// Its words.
    #[serde(flatten)]
    pub words: CardWords,
    /// Its picture, which has no alt text of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<Media>,
}

/// The words of a card.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CardWords {
    /// The title; never empty.
    pub title: String,
    /// The description; empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

impl Card {
    /// Creates a card with its words on one line each, and cut if they are long. `None` without a title: apps show a
    /// card without one as an empty box.
    pub fn new(url: &str, title: &str, description: &str, picture: Option<Media>) -> Option<Self> {
        let title = line(title, TITLE);
        let words = CardWords { title, description: line(description, DESCRIPTION) };
        (!words.title.is_empty()).then(|| Self { url: url.to_owned(), words, picture })
    }

    /// Which part of a text that was split into several messages has the card: the one with its link, otherwise the
    /// first.
    pub fn part_of(&self, parts: &[String]) -> usize {
        parts.iter().position(|part| part.contains(&self.url)).unwrap_or_default()
    }
}

/// A text on one line, without characters that control a terminal, and at most this long.
fn line(text: &str, most: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.grapheme_indices(true).nth(most).is_none() {
        return text;
    }
    let (last, _) = text.grapheme_indices(true).nth(most - 1).unwrap_or_default();
    format!("{}…", text[..last].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(title: &str, description: &str) -> Option<Card> {
        Card::new("https://town.example/bridge", title, description, None)
    }

    #[test]
    fn a_card_has_a_title_on_one_line() {
        let words = card(" The bridge\n is\u{1b}[2J open ", "\t").unwrap().words;
        assert_eq!((&*words.title, &*words.description), ("The bridge is [2J open", ""));
        assert_eq!(card(" \n", "It is open."), None);
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let family = "👨‍👩‍👧‍👦";
        let words = card(&family.repeat(301), &"a ".repeat(1_001)).unwrap().words;
        assert_eq!(words.title, format!("{}…", family.repeat(299)));
        assert!(words.description.graphemes(true).count() <= 1_000 && words.description.ends_with("a…"));
        assert_eq!(card(&family.repeat(300), "").unwrap().words.title, family.repeat(300));
    }

    #[test]
    fn the_message_with_the_link_has_the_card() {
        let card = card("Open", "").unwrap();
        let parts = |parts: [&str; 2]| parts.map(str::to_owned);
        assert_eq!(card.part_of(&parts(["One", "Two https://town.example/bridge"])), 1);
        assert_eq!(card.part_of(&parts(["One", "Two"])), 0);
    }

    #[test]
    fn a_card_is_stored_with_its_words() {
        let card = card("Open", "Since today").unwrap();
        let stored = serde_json::to_value(&card).unwrap();
        let expected = serde_json::json!({
            "url": "https://town.example/bridge", "title": "Open", "description": "Since today",
        });
        assert_eq!(stored, expected);
        assert_eq!(serde_json::from_value::<Card>(stored).unwrap(), card);
    }
}
