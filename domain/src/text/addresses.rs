//! Addresses that the network does not link and that a reader can use all the same: of mail, of the fediverse, of other
//! schemes. A letter more or less in one makes it another's.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

/// `a@b.example`, `@a@b.example`, `mailto:…`, `tel:…`, `scheme://…`.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    let name = r"[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]*[\p{L}\p{N}])+";
    Regex::new(&format!(
        r"(?:mailto:|tel:|[A-Za-z][A-Za-z0-9+.-]*://)[^\s\p{{C}}]*[\p{{L}}\p{{N}}/]|@?{name}"
    ))
    .expect("it is a constant, which a test compiles")
});

/// Where `text` holds one, in bytes, in order.
pub fn addresses(text: &str) -> Vec<Range<usize>> {
    // Most posts have none.
    if !text.contains('@') && !text.contains(':') {
        return Vec::new();
    }
    ADDRESS.find_iter(text).map(|found| found.range()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_can_write_to_is_found_whole() {
        let found = |text: &'static str| addresses(text).into_iter().map(|at| &text[at]).collect::<Vec<_>>();
        assert_eq!(found("Mail a.b+c@d-e.example, or @a@b.example."), ["a.b+c@d-e.example", "@a@b.example"]);
        assert_eq!(
            found("mailto:a@b.example (tel:+34600123456)"),
            ["mailto:a@b.example", "tel:+34600123456"]
        );
        assert_eq!(found("At ftp://old.example/file. Or ipfs://x!"), ["ftp://old.example/file", "ipfs://x"]);
        assert!(found("Hi @bob: me@home, 10:30 and a: b").is_empty());
    }
}
