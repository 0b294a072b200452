//! Recognizes words that are plainly a link, a name, a tag or a number, without the parser of `twitter-text`, which
//! takes ten microseconds or more for a new word. The parser handles all others.
//!
//! The tests show that the parser reads plain words in the same way.

use mynah_domain::text::EntityKind;
use twitter_text::tlds::is_valid_tld_case_insensitive;

/// The start of a plain word, which may be followed only by marks that end a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plain {
    /// `None` for a number, which is not an entity.
    pub(super) kind: Option<EntityKind>,
    /// Where it ends, in bytes.
    pub(super) end: usize,
}

/// Longer words go to the parser, which has its own limits.
const LONGEST: usize = 256;

/// The longest name that the parser accepts.
const LONGEST_NAME: usize = 20;

/// The longest label of a link's host, and the longest path of X's own short links.
const LONGEST_LABEL: usize = 63;
const LONGEST_SHORT: usize = 40;

/// What `word` is, if it is plain.
pub(super) fn plain(word: &str) -> Option<Plain> {
    let whole = word.trim_end_matches(['.', ',', ':', ';', '!', '?']);
    let bytes = whole.as_bytes();
    let rest = bytes.get(1..)?;
    let kind = match bytes[0] {
        _ if bytes.len() > LONGEST => return None,
        b'@' if rest.len() <= LONGEST_NAME && !rest.is_empty() && rest.iter().copied().all(is_of_name) => {
            Some(EntityKind::Mention)
        }
        b'#' if rest.iter().copied().all(is_of_name) && rest.iter().any(u8::is_ascii_alphabetic) => {
            Some(EntityKind::Hashtag)
        }
        b'h' if is_link(whole) => Some(EntityKind::Link),
        b'0'..=b'9' if rest.iter().all(|c| matches!(c, b'0'..=b'9' | b'.' | b',' | b':' | b'-' | b'%')) => {
            None
        }
        _ => return None,
    };
    Some(Plain { kind, end: bytes.len() })
}

fn is_of_name(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_'
}

/// `https://host.tld/path?query` of letters, digits and little else.
fn is_link(word: &str) -> bool {
    let Some(rest) = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://")) else {
        return false;
    };
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    if host == "t.co" {
        let is_short = |path: &str| {
            (1..=LONGEST_SHORT).contains(&path.len()) && path.bytes().all(|c| c.is_ascii_alphanumeric())
        };
        return path.is_some_and(is_short);
    }
    is_host(host) && path.is_none_or(is_path)
}

fn is_host(host: &str) -> bool {
    // The parser treats hosts that begin like X's short links as such.
    let Some((labels, tld)) = host.rsplit_once('.').filter(|_| !host.starts_with("t.co")) else {
        return false;
    };
    let is_label = |label: &str| {
        let label = label.as_bytes();
        // Hyphens only between other characters, and never two in a row.
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.iter().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && label.split(|c| *c == b'-').all(|part| !part.is_empty())
    };
    labels.split('.').all(is_label)
        && tld.bytes().all(|c| c.is_ascii_lowercase())
        && is_valid_tld_case_insensitive(tld)
}

/// The path without its leading slash, and the query.
fn is_path(rest: &str) -> bool {
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let is_of_path = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'/');
    let is_of_query = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'=' | b'&');
    path.bytes().all(is_of_path)
        && !path.starts_with('/')
        && !path.contains("//")
        && query.is_none_or(|query| !query.is_empty() && query.bytes().all(is_of_query))
}

/// Plain words, and words that are nearly plain.
#[cfg(test)]
pub(super) fn nearly() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let tld = proptest::sample::select(vec![
        "com", "org", "es", "co", "uk", "host", "app", "example", "comx", "c", "travel", "cat", "museum",
        "io", "jp", "9", "co-m", "COM", "рф", "invalid", "web", "xyz", "t",
    ]);
    let label = prop_oneof![
        3 => "[a-z0-9]{1,8}",
        2 => "[a-z0-9-]{1,6}",
        1 => "[a-zA-Z_é]{1,4}",
        2 => proptest::sample::select(vec!["t", "co", "com", "es", "www", "xn--a", "org", "a-b", "t-co", "uk"]).prop_map(str::to_owned),
    ];
    let host = (proptest::collection::vec(label, 0..4), tld).prop_map(|(labels, tld)| {
        let mut labels = labels;
        labels.push(tld.to_owned());
        labels.join(".")
    });
    let host = prop_oneof![5 => host, 1 => Just("t.co".to_owned()), 1 => Just("127.0.0.1".to_owned())];
    let path = prop_oneof![
        3 => "(/[a-zA-Z0-9_-]{0,6}){0,4}",
        1 => "/[a-zA-Z0-9]{38,42}",
        2 => "(/[a-zA-Z0-9_-]{1,4}){0,2}/?\\?[a-z0-9_=&-]{0,8}",
        1 => "[/a-z0-9_?=&#:.%~@(),;!+é-]{0,10}",
    ];
    let scheme =
        proptest::sample::select(vec!["https://", "http://", "https://", "HTTPS://", "ftp://", "h", ""]);
    let link = (scheme, host, path).prop_map(|(scheme, host, path)| format!("{scheme}{host}{path}"));
    let name = prop_oneof!["@[a-zA-Z0-9_]{0,22}", "#[a-zA-Z0-9_]{0,10}", "[#@$][a-z0-9_@#./-]{0,8}"];
    let number = "[0-9][0-9.,:%-]{0,8}[a-z]{0,1}[0-9.]{0,3}";
    let marks = "[.,:;!?]{0,3}[)/\"'…a]{0,1}";
    (prop_oneof![4 => link, 2 => name, 2 => number], prop_oneof![2 => Just(String::new()), 1 => marks])
        .prop_map(|(word, marks)| word + &marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_words_are_plain() {
        use EntityKind::{Hashtag, Link, Mention};
        for (word, kind, rest) in [
            ("https://ascii.host/path", Some(Link), ""),
            ("https://example.com,", Some(Link), ","),
            ("https://t.co/AbC123xyz9.", Some(Link), "."),
            ("https://www.example.co.uk/a/b-c_d/?id=1&x=y", Some(Link), ""),
            ("@city_hall", Some(Mention), ""),
            ("@bob!!", Some(Mention), "!!"),
            ("#Harbour2026:", Some(Hashtag), ":"),
            ("9:30", None, ""),
            ("1,000.50.", None, "."),
        ] {
            assert_eq!(plain(word), Some(Plain { kind, end: word.len() - rest.len() }), "{word}");
        }
    }

    #[test]
    fn other_words_go_to_the_parser() {
        for word in [
            "",
            "@",
            "#",
            "#1",
            "@bob/list",
            "@a@b.example",
            "@bob's",
            "#a#b",
            "a.com",
            "https://",
            "https://a",
            "https://a.example/x",
            "https://t.com/x",
            "https://t.co",
            "https://a.com//x",
            "https://a.com/x#y",
            "7pm",
            "https://a.com:80/",
            "https://a.com/?",
            "https://xn--a.com/",
            "https://a.com/(x)",
            "@aaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(plain(word).is_none() || word.ends_with('?'), "{word}");
        }
    }
}
