//! Text that the network does not link although readers see an address: of mail, of the fediverse, of other schemes,
//! and a tag joined to the word before it. A single changed letter makes it another address.

use std::{cmp::Reverse, ops::Range, sync::LazyLock};

use regex::Regex;

use super::words::words;

/// `a@b.example`, `@a@b.example`, `mailto:…`, `tel:…`, `scheme://…`.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    let name = r"[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]*[\p{L}\p{N}])+";
    Regex::new(&format!(
        r"(?:mailto:|tel:|[A-Za-z][A-Za-z0-9+.-]*://)[^\s\p{{C}}]*[\p{{L}}\p{{N}}/]|@?{name}"
    ))
    .expect("the pattern is a constant that a test compiles")
});

/// `word#tag`, which the network does not treat as a tag.
static GROWN_TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[\p{L}\p{N}_]([#＃][\p{N}_]*\p{L}[\p{L}\p{M}\p{N}_]*)")
        .expect("the pattern is a constant that a test compiles")
});

/// Where `text` contains addresses, in bytes, in order.
pub fn addresses(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // Most posts have none.
    if !may_contain(text) {
        return found;
    }
    for (at, word) in words(text).filter(|(_, word)| may_contain(word)) {
        match plainly(word) {
            Plainly::Address(end) => found.push(at..at + end),
            Plainly::None => {}
            Plainly::Unclear => {
                found.extend(in_text(word).into_iter().map(|range| at + range.start..at + range.end));
            }
        }
    }
    found
}

/// Whether a text may contain an address: each address has one of these.
fn may_contain(text: &str) -> bool {
    text.bytes().enumerate().any(|(at, byte)| match byte {
        b'@' | b':' | b'#' => true,
        // Its first byte, which other characters share.
        0xef => text[at..].starts_with('＃'),
        _ => false,
    })
}

/// The quick verdict on a word that might contain an address. Most are clear; the patterns take a microsecond each.
enum Plainly {
    /// An address from the beginning up to there.
    Address(usize),
    /// No address: a name, a tag or a number, with at most punctuation after it.
    None,
    /// Anything else.
    Unclear,
}

fn plainly(word: &str) -> Plainly {
    let bytes = word.as_bytes();
    let is_of_name = |c: &u8| c.is_ascii_alphanumeric() || *c == b'_';
    if let Some(rest) = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://"))
        && bytes.iter().all(u8::is_ascii_graphic)
        && let Some(last) = rest.bytes().rposition(|c| c.is_ascii_alphanumeric() || c == b'/')
    {
        return Plainly::Address(bytes.len() - rest.len() + last + 1);
    }
    let plain = match bytes {
        [b'@' | b'#', rest @ ..] => {
            let name = rest.iter().take_while(|c| is_of_name(c)).count();
            rest[name..].iter().all(|c| matches!(c, b'.' | b',' | b':' | b';' | b'!' | b'?'))
        }
        [b'0'..=b'9', rest @ ..] => rest
            .iter()
            .all(|c| matches!(c, b'0'..=b'9' | b'.' | b',' | b':' | b';' | b'-' | b'%' | b'!' | b'?')),
        _ => false,
    };
    if plain { Plainly::None } else { Plainly::Unclear }
}

/// Where a word, or any text, contains addresses.
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
        fn a_text_has_the_same_addresses_word_by_word_and_as_a_whole(
            texts in proptest::collection::vec(
                proptest::prop_oneof![
                    crate::fixtures::tricky_text(),
                    "(https?|HTTP|ftp)://[a-z0-9/_?=&#:.%~@(),;!+é-]{0,12}",
                    "(@|#|[0-9])[a-z0-9_.,:;!?@%#-]{0,8}",
                    "(tel:|mailto:|[a-c]://|@|#|a|é| |1|\\.|\u{0b}|_){0,9}",
                ],
                0..4
            )
        ) {
            let text = texts.join(" ");
            proptest::prop_assert_eq!(addresses(&text), in_text(&text), "{:?}", text);
        }
    }

    #[test]
    fn an_address_that_a_reader_can_write_to_is_found_whole() {
        let found = |text: &'static str| addresses(text).into_iter().map(|at| &text[at]).collect::<Vec<_>>();
        assert_eq!(found("Mail a.b+c@d-e.example, or @a@b.example."), ["a.b+c@d-e.example", "@a@b.example"]);
        assert_eq!(
            found("mailto:a@b.example (tel:+34600123456)"),
            ["mailto:a@b.example", "tel:+34600123456"]
        );
        assert_eq!(found("At ftp://old.example/file. Or ipfs://b!"), ["ftp://old.example/file", "ipfs://b"]);
        assert_eq!(found("Jesus#crafts and C# or F#4, a://b#c"), ["#crafts", "a://b#c"]);
        assert!(found("Hi @bob: me@home, 10:30 and a: b").is_empty());
    }
}
