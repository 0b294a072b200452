//! Caches what is known about words. Nothing that X links contains a space or a line break, so a text can be read word
//! by word; and most words do not need the parser of `twitter-text`, which takes a millisecond for a post.

use std::{cell::RefCell, collections::HashMap};

/// A cache per thread: a link is parsed once, not once per target account.
pub(super) struct Memo<T>(RefCell<HashMap<Box<str>, T>>);

/// The maximum number of cached words, some hundred kilobytes.
const MOST: usize = 1024;

/// Longer words are not names, and are not cached.
const LONGEST: usize = 256;

impl<T: Clone> Memo<T> {
    pub(super) fn new() -> Self {
        Self(RefCell::default())
    }

    /// The cached value of a word, or the result of `look`, which must not use the memo itself.
    pub(super) fn of(&self, word: &str, look: impl FnOnce(&str) -> T) -> T {
        if let Some(known) = self.0.borrow().get(word) {
            return known.clone();
        }
        let found = look(word);
        if word.len() <= LONGEST {
            let mut known = self.0.borrow_mut();
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(word.into(), found.clone());
        }
        found
    }
}

/// Whether X might find a link: a dot followed by a name, as in `x.com`, `пример.рф` and `a.b`, but not at the end of a
/// sentence.
pub(super) fn may_link(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| *byte == b'.' && links_on(&bytes[at + 1..]))
}

/// Whether a name may follow a dot.
pub(super) fn links_on(after: &[u8]) -> bool {
    after.first().is_some_and(|next| next.is_ascii_alphanumeric() || !next.is_ascii())
}

/// Texts of tricky words, for tests that compare reading word by word with reading as a whole.
#[cfg(test)]
pub(super) fn tricky() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let piece = prop_oneof![
        4 => proptest::string::string_regex("[a-zA-Z0-9áñçß]{1,6}").expect("the pattern is valid"),
        3 => Just(" ".to_owned()),
        2 => proptest::sample::select(vec![
            ".", ":", "/", "//", "://", "@", "#", "$", "＠", "＃", "!", "?", "…", "’", "“", "—", "_", "-", "+", "~", "&",
            "=", "%", "(", ")", "\u{a0}", "\u{3000}", "\u{2003}", "\n", "\t", "\r\n", "\u{b}", "\u{200d}", "\u{fe0f}",
            "\u{301}", "\u{20e3}", "\u{202e}", "©", "®", "™", "€", "日本", "👍", "👩‍🚀", "🇪🇸", "1️⃣", "ü",
        ]).prop_map(str::to_owned),
        2 => proptest::sample::select(vec![
            "http://x.com", "https://t.co/abc", "x.org", "пример.рф", "RT", "rt:", "@bob", "@bob/list", "#tag", "$TSLA",
            "a@b.com", "3.5", "e.g.", "U.S.A.", "@a@b.social", "www.x.de/á?b=1#c",
        ]).prop_map(str::to_owned),
    ];
    // X finds the mention in `RT@name` after a space, too; the parser only at the start of a text.
    let quirk = |text: &String| {
        let small = text.to_lowercase();
        !["rt@", "rt:@", "rt＠", "rt:＠"].iter().any(|rt| small.contains(rt))
    };
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat()).prop_filter("a quirk", quirk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_parsed_once_and_the_cache_is_bounded() {
        let (memo, mut looks) = (Memo::new(), 0);
        for _ in 0..2 {
            assert_eq!(
                memo.of("x.com", |word| {
                    looks += 1;
                    word.len()
                }),
                5
            );
        }
        assert_eq!(looks, 1);
        for number in 0..MOST * 3 {
            memo.of(&number.to_string(), str::len);
        }
        memo.of(&"long".repeat(LONGEST), str::len);
        assert!(memo.0.borrow().len() <= MOST);
    }

    #[test]
    fn a_dot_at_the_end_is_not_a_link() {
        for word in ["x.com", "http://x.com", "a.b", "пример.рф", "3.5", "(x.org)"] {
            assert!(may_link(word), "{word}");
        }
        for word in ["end.", "wait...", "(end.)", "e.", "...", "plain", "end.\""] {
            assert!(!may_link(word), "{word}");
        }
    }
}
