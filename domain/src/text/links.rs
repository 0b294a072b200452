//! Finds links by their scheme. Even if a network does not link one of these, readers see an address that must not be
//! translated.

use super::{Entity, EntityKind};

/// Everything that begins with `http://` or `https://`, up to white space or punctuation that ends a sentence, in
/// order.
pub fn links(text: &str) -> impl Iterator<Item = Entity> {
    text.match_indices("://").filter_map(|(at, _)| {
        let scheme = ["https", "http"].into_iter().find(|scheme| {
            let head = &text.as_bytes()[..at];
            head.len() >= scheme.len() && head[at - scheme.len()..].eq_ignore_ascii_case(scheme.as_bytes())
        })?;
        let start = at - scheme.len();
        let rest = &text[start..];
        let address = &rest[..rest.find(|c: char| c.is_whitespace() || c.is_control()).unwrap_or(rest.len())];
        let address =
            address.trim_end_matches(['.', ',', ';', ':', '!', '?', '…', '"', '\'', '»', '”', '’', ')', ']']);
        (address.len() > scheme.len() + "://".len())
            .then(|| Entity { kind: EntityKind::Link, range: start..start + address.len() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_link_whatever_its_domain() {
        let found = |text: &'static str| links(text).map(|link| &text[link.range]).collect::<Vec<_>>();
        assert_eq!(
            found("(see https://a.example/b?c=1, or http://localhost:8080/d)."),
            ["https://a.example/b?c=1", "http://localhost:8080/d"]
        );
        assert!(found("https:// and é://a").is_empty());
    }
}
