//! What the network does not link and a reader takes for an address all the same: of mail, of the fediverse, of other
//! schemes, and a tag that grew together with the word before it. A letter more or less in one makes it another's.

use std::{cmp::Reverse, ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    entities::EntityKind,
    plain::{Plain, plain},
    words::words,
};

/// `a@b.example`, `@a@b.example`, `mailto:…`, `tel:…`, `scheme://…`.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    let name = r"[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]*[\p{L}\p{N}])+";
    Regex::new(&format!(
        r"(?:mailto:|tel:|[A-Za-z][A-Za-z0-9+.-]*://)[^\s\p{{C}}]*[\p{{L}}\p{{N}}/]|@?{name}"
    ))
    .expect("it is a constant, which a test compiles")
});

/// `word#tag`, which is no tag to the network.
static GROWN_TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[\p{L}\p{N}_]([#＃][\p{N}_]*\p{L}[\p{L}\p{M}\p{N}_]*)")
        .expect("it is a constant, which a test compiles")
});

/// Where `text` holds one, in bytes, in order.
pub fn addresses(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // Most posts have none.
    if !may_hold(text) {
        return found;
    }
    for (at, word) in words(text).filter(|(_, word)| may_hold(word)) {
        match plain(word) {
            Some(Plain { kind: Some(EntityKind::Link), .. }) => {
                // It has a host, whose last character is a letter.
                let last = word.bytes().rposition(|c| c.is_ascii_alphanumeric() || c == b'/');
                found.extend(last.map(|last| at..at + last + 1));
            }
            Some(_) => {}
            None => found.extend(in_text(word).into_iter().map(|range| at + range.start..at + range.end)),
        }
    }
    found
}

/// Whether there may be an address in a text: each has one of these.
fn may_hold(text: &str) -> bool {
    text.bytes().enumerate().any(|(at, byte)| match byte {
        b'@' | b':' | b'#' => true,
        // Its first byte, and of others.
        0xef => text[at..].starts_with('＃'),
        _ => false,
    })
}

/// Where a word, or any text, holds one.
fn in_text(text: &str) -> Vec<Range<usize>> {
    let grown = GROWN_TAG.captures_iter(text).filter_map(|found| found.get(1)).map(|tag| tag.range());
    let mut found: Vec<_> = ADDRESS.find_iter(text).map(|found| found.range()).chain(grown).collect();
    found.sort_by_key(|range| (range.start, Reverse(range.end)));
    let mut end = 0;
    found.retain(|range| {
        let apart = range.start >= end;
        end = if apart { range.end } else { end };
        apart
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn read_word_by_word_a_text_holds_what_it_holds_as_a_whole(
            texts in proptest::collection::vec(
                proptest::prop_oneof![crate::text::tricky(), crate::text::plain::nearly(), "(tel:|mailto:|[a-c]://|@|#|a|é| |1|\\.|\u{0b}|_){0,9}"], 0..4
            )
        ) {
            let text = texts.join(" ");
            proptest::prop_assert_eq!(addresses(&text), in_text(&text), "{:?}", text);
        }
    }

    #[test]
    fn what_a_reader_can_write_to_is_found_whole() {
        let found = |text: &'static str| addresses(text).into_iter().map(|at| &text[at]).collect::<Vec<_>>();
        assert_eq!(found("Mail a.b+c@d-e.example, or @a@b.example."), ["a.b+c@d-e.example", "@a@b.example"]);
        assert_eq!(
            found("mailto:a@b.example (tel:+34600123456)"),
            ["mailto:a@b.example", "tel:+34600123456"]
        );
        assert_eq!(found("At ftp://old.example/file. Or ipfs://x!"), ["ftp://old.example/file", "ipfs://x"]);
        assert_eq!(found("Jesus#crafts and C# or F#4, a://b#c"), ["#crafts", "a://b#c"]);
        assert!(found("Hi @bob: me@home, 10:30 and a: b").is_empty());
    }
}
