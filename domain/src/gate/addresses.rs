//! A translation leads nowhere that the post does not. Networks do not link a mail address, an address of the fediverse
//! or a domain with other dots (`evil。com`, which browsers open as evil.com), so no entity shows them.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    Finding,
    seen::{Seen, Text},
};
use crate::text::{EntityKind, addresses::addresses};

/// Two labels, and what browsers take for a dot (UTS #46): a domain if the second is a known ending.
static DOMAIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"([\p{L}\p{N}][\p{L}\p{M}\p{N}-]*)([.。．｡])([\p{L}][\p{L}\p{M}\p{N}-]*)")
        .expect("the pattern is a constant that a test compiles")
});

/// Endings that are no words of any sentence.
const ENDINGS: [&str; 24] = [
    "com", "net", "org", "io", "co", "app", "dev", "info", "biz", "xyz", "shop", "online", "site", "tv",
    "gg", "ly", "cc", "ru", "cn", "jp", "kr", "рф", "中国", "中國",
];

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let mut known = unlinked(&seen.source);
    let here = unlinked(&seen.text).into_iter();
    // A tag that is joined to a word is not an address: the network decides about tags.
    let address = here.filter(|address| !address.starts_with(['#', '＃'])).find(|address| {
        let at = known.iter().position(|known| known == address);
        at.map(|at| known.swap_remove(at)).is_none()
    });
    let address = address.or_else(|| domain(seen))?;
    let message =
        format!("the translation contains “{address}”, which the post does not, or contains it too often");
    Some(Finding { rule: "protected", message })
}

/// The addresses that are no link of the network: it knows where its links end, also where words follow without a space.
fn unlinked<'a>(text: &'a Text<'_>) -> Vec<&'a str> {
    let is_linked = |range: &Range<usize>| {
        let mut links = text.entities().iter().filter(|entity| entity.kind == EntityKind::Link);
        links.any(|link| link.range.start < range.end && range.start < link.range.end)
    };
    let all = addresses(text.as_str()).into_iter().filter(|range| !is_linked(range));
    all.map(|range| core(&text.as_str()[range])).collect()
}

/// An address without the words around it, in languages that put no space there: `bob@a.exampleに`.
fn core(address: &str) -> &str {
    let core = address.trim_matches(|c: char| !c.is_ascii());
    // An address may have such letters itself.
    let is_whole = core.contains('@')
        && core.rsplit('@').next().is_some_and(|domain| domain.contains('.') && !domain.ends_with('.'));
    if is_whole { core } else { address }
}

/// A domain that neither the network nor the post has.
fn domain<'a>(seen: &'a Seen<'_>) -> Option<&'a str> {
    let (source, text) = (seen.source.as_str(), seen.text.bare());
    // A dot between two letters is rare, and one of the others even in languages that end sentences with it.
    if !may_contain(text) {
        return None;
    }
    let source = source.to_lowercase();
    DOMAIN.captures_iter(text).find_map(|found| {
        let part = |at| found.get(at).map_or("", |part| part.as_str());
        let (name, dot, ending) = (part(1), part(2), ending(part(1), part(3)));
        let start = found.get_match().start();
        let domain = &text[start..start + name.len() + dot.len() + ending.len()];
        (is_domain(name, dot, ending) && !source.contains(&domain.to_lowercase())).then_some(domain)
    })
}

fn may_contain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_between = |at: usize| {
        at > 0 && bytes[at - 1] > b' ' && bytes.get(at + 1).is_some_and(|next| !next.is_ascii_whitespace())
    };
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        b'.' => is_between(at) && (bytes[at + 1].is_ascii_alphabetic() || !bytes[at + 1].is_ascii()),
        // The first bytes of the other dots, which they share with others.
        0xe3 => text[at..].starts_with('。'),
        0xef => text[at..].starts_with(['．', '｡']),
        _ => false,
    })
}

/// The last label of a domain: in languages without spaces, the next word follows at once.
fn ending<'a>(name: &str, label: &'a str) -> &'a str {
    let latin = label.find(|c: char| !c.is_ascii()).map_or(label, |end| &label[..end]);
    if latin.is_empty() || !name.is_ascii() { label } else { latin }
}

/// Whether two labels and a dot between them are a domain, and not two sentences without a space.
fn is_domain(name: &str, dot: &str, ending: &str) -> bool {
    let is_known = ENDINGS.contains(&ending) || ending.starts_with("xn--");
    // Abbreviations and files have ASCII dots: of those, only names that a reader could type.
    is_known && (dot != "." || name.chars().nth(2).is_some())
}

#[cfg(test)]
mod tests {
    use crate::gate::tests::{codes, codes_for};

    #[test]
    fn a_new_address_is_found_and_the_authors_own_stay() {
        for address in [
            "bob@evil.example",
            "@evil@mastodon.social",
            "mailto:bob@evil.example",
            "tel:+34600123456",
            "evil。com",
            "evil．com",
            "evil｡com",
            "пример。рф",
            "例え。jp",
            "evil.com",
            "bücher.net",
            "evil.xn--p1ai",
            "evil。comで買う",
        ] {
            let text = format!("Hola a todos, {address}");
            assert!(codes("Hello to everyone", &[&text]).contains(&"protected"), "{address}");
            let source = format!("Hello to everyone, {address}");
            assert!(!codes(&source, &[&text]).contains(&"protected"), "{address}");
        }
        for (to, text) in [
            ("ja", "連絡はbob@a.exampleに"),
            ("ko", "bob@a.example에 문의하세요"),
            ("ko", "bob@gnu.org에 문의하세요"),
            ("ja", "PKCS#12のパスフレーズ"),
        ] {
            let found = codes_for(to, "PKCS#12: ask bob@a.example or bob@gnu.org", &[text]);
            assert!(!found.contains(&"protected"), "{text}: {found:?}");
        }
        let twice = "Hola: bob@a.example y bob@a.example";
        assert!(codes("Hello: bob@a.example", &[twice]).contains(&"protected"));
    }

    #[test]
    fn a_new_address_after_a_link_of_the_post_is_found() {
        let text = "Mira https://a.example y escribe a bob@evil.example";
        assert_eq!(codes("See https://a.example and write to me", &[text]), ["protected"]);
    }

    #[test]
    fn a_text_may_begin_with_a_full_stop() {
        assert!(codes("... and it opens at noon", &["... y abre al mediodía"]).is_empty());
    }

    #[test]
    fn a_full_stop_between_sentences_is_no_dot_of_a_domain() {
        for (to, text) in [
            ("ja", "終わり。Yes"),
            ("ja", "新しいiPhone。Androidより速い"),
            ("zh", "今天开放。com端口"),
            ("es", "Fin.Hola a todos, p.ej.esto"),
            ("es", "Node.js y ASP.NET"),
            ("es", "EE.UU. abre"),
        ] {
            let found = codes_for(to, "It ends. Yes, hello to everyone", &[text]);
            assert!(!found.contains(&"protected"), "{text}: {found:?}");
        }
    }
}
