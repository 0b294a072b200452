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
        let address = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let address =
            address.trim_end_matches(['.', ',', ';', ':', '!', '?', '…', '"', '\'', '»', '”', '’', ')', ']']);
        (address.len() > scheme.len() + "://".len())
            .then(|| Entity { kind: EntityKind::Link, range: start..start + address.len() })
    })
}

/// Whether a character is in no address: white space, controls, marks that change the direction of the text, and the
/// punctuation of scripts that have no space after it.
fn ends(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_whitespace() || c.is_ascii_control();
    }
    let direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let punctuation = matches!(
        c,
        '。' | '、'
            | '，'
            | '！'
            | '？'
            | '；'
            | '：'
            | '「'
            | '」'
            | '『'
            | '』'
            | '（'
            | '）'
            | '【'
            | '】'
            | '《'
            | '》'
            | '।'
            | '،'
            | '؛'
            | '؟'
            | '។'
            | '၊'
            | '။'
    );
    c.is_whitespace() || c.is_control() || direction || punctuation
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
        for end in ["。次に", "」と", "、", "！", "\u{2069}です", "\u{200f}", "؟", "।", "\u{3000}あ"]
        {
            let text = format!("「https://a.example/ページ{end}");
            assert_eq!(
                links(&text).map(|link| &text[link.range]).collect::<Vec<_>>(),
                ["https://a.example/ページ"]
            );
        }
        assert!(found("https:// and é://a").is_empty());
    }
}
