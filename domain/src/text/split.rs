//! Splitting a translation that one publication cannot hold into a thread: at the end of a sentence where one is near,
//! else between words, never inside a link, a mention or a hashtag.

use super::{entities, weighted_length};

/// Splits `text` into parts that each weigh at most `max`, in order. Words are never split, unless a single one is too
/// long by itself; white space at the cuts is dropped. One part where it fits as it is.
///
/// # Panics
/// Never; a `max` of 0 counts as 1.
pub fn split(text: &str, max: usize) -> Vec<String> {
    let max = max.max(1);
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if weighted_length(rest) <= max {
            parts.push(rest.to_owned());
            break;
        }
        let cut = cut_at(rest, max);
        parts.push(rest[..cut].trim_end().to_owned());
        rest = rest[cut..].trim_start();
    }
    parts
}

/// Where the next part ends, in bytes: always more than 0, always at most `max` in weight where that is possible.
fn cut_at(text: &str, max: usize) -> usize {
    let protected = entities(text);
    let inside = |at: usize| protected.iter().any(|entity| entity.range.start < at && at < entity.range.end);
    let fits = |at: usize| weighted_length(text[..at].trim_end()) <= max;

    let spaces = || text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at);
    let candidates: Vec<usize> = spaces().filter(|at| *at > 0 && !inside(*at)).collect();
    // Weight grows with the text, so the places that fit come before those that do not.
    let fitting = &candidates[..candidates.partition_point(|at| fits(*at))];
    if let Some(last) = fitting.last() {
        // A sentence's end is worth a shorter part, but not one of half the length.
        let sentence = fitting.iter().rev().find(|at| ends_sentence(&text[..**at]));
        return *sentence.filter(|at| **at * 2 >= *last).unwrap_or(last);
    }
    // One word, longer than a publication: there is no good place.
    let characters: Vec<usize> = text.char_indices().skip(1).map(|(at, _)| at).collect();
    let fitting = characters.partition_point(|at| fits(*at));
    characters.get(fitting.saturating_sub(1)).copied().unwrap_or(text.len())
}

fn ends_sentence(text: &str) -> bool {
    text.trim_end_matches(['"', '»', '”', ')', '\'']).ends_with(['.', '!', '?', '…', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_whole() {
        assert_eq!(split("Hola a todos", 280), ["Hola a todos"]);
        assert!(split("  ", 280).is_empty());
    }

    #[test]
    fn a_cut_falls_after_a_sentence_where_one_is_near() {
        assert_eq!(
            split("One two three. Four five six seven", 24),
            ["One two three.", "Four five six seven"]
        );
    }

    #[test]
    fn else_between_words() {
        assert_eq!(split("aaaa bbbb cccc dddd", 9), ["aaaa bbbb", "cccc dddd"]);
    }

    #[test]
    fn links_and_tags_stay_whole() {
        let text =
            format!("{} #hashtag https://example.com/a/very/long/path {}", "a".repeat(250), "b".repeat(200));
        let parts = split(&text, 280);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts.join(" "), text);
        assert!(parts.iter().all(|part| weighted_length(part) <= 280));
    }

    #[test]
    fn even_one_endless_word_is_cut() {
        let parts = split(&"日".repeat(300), 280);
        assert!(parts.iter().all(|part| weighted_length(part) <= 280));
        assert_eq!(parts.concat(), "日".repeat(300));
    }
}
