//! A translation is not enclosed in quotation marks unless the post is. Models like to hand one over in quotes. A post
//! that quotes a title may become nothing but that quotation, and a text may begin with one quotation and end with
//! another.

use super::{Finding, seen::Seen};

/// Opening marks, each with those that close it. Finnish and Swedish open with a closing one, German and Czech close
/// with an English opening one, Danish turns the angles around.
const PAIRS: [(char, &str); 15] = [
    ('"', "\""),
    ('\'', "'"),
    ('“', "”"),
    ('”', "”"),
    ('„', "“”"),
    ('‟', "”"),
    ('‘', "’'"),
    ('’', "’"),
    ('‚', "‘’"),
    ('«', "»"),
    ('»', "«»"),
    ('‹', "›"),
    ('›', "‹›"),
    ('「', "」"),
    ('『', "』"),
];

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let text = seen.text.as_str().trim();
    (is_enclosed(text) && quotations(text) > quotations(seen.source.as_str())).then(|| Finding {
        rule: "quoted",
        message: "the translation is enclosed in quotation marks, and the post is not".into(),
    })
}

/// Whether the quotation that the text begins with ends where the text ends, but for a full stop.
fn is_enclosed(text: &str) -> bool {
    let text = text.trim_end_matches(['.', '!', '?', '…', '。', '！', '？', '।']);
    // Most texts begin with a letter, and then nothing needs to be read.
    let Some((_, closing)) =
        text.chars().next().and_then(|first| PAIRS.iter().find(|(open, _)| *open == first))
    else {
        return false;
    };
    let mut marks = marks(text);
    let Some(Mark { at: 0, role: Role::Opens | Role::Either, sign: mark }) = marks.next() else {
        return false;
    };
    let mut depth = 1;
    for Mark { at, role, sign: found } in marks {
        // Quotations of other kinds within this one do not matter.
        let opens = found == mark && role == Role::Opens;
        if opens {
            depth += 1;
        } else if closing.contains(found) {
            depth -= 1;
            if depth == 0 {
                return at + found.len_utf8() == text.len() && at > mark.len_utf8();
            }
        }
    }
    false
}

/// How many quotations are in a text.
fn quotations(text: &str) -> usize {
    let mut open: Vec<&str> = Vec::new();
    let mut count = 0;
    for Mark { role, sign: mark, .. } in marks(text) {
        if let Some(at) =
            open.iter().rposition(|closing| closing.contains(mark)).filter(|_| role != Role::Opens)
        {
            open.truncate(at);
            count += 1;
        } else if let Some((_, closing)) = PAIRS.iter().find(|(opening, _)| *opening == mark) {
            open.push(closing);
        }
    }
    count
}

/// A quotation mark in a text.
struct Mark {
    at: usize,
    sign: char,
    role: Role,
}

/// What a mark may do, by what is beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Opens,
    Closes,
    Either,
}

/// The quotation marks of a text. Apostrophes are none: between two letters, or after one without any to close.
fn marks(text: &str) -> impl Iterator<Item = Mark> {
    // None is in the text of most posts.
    let is_mark = |c: char| PAIRS.iter().any(|(open, closing)| *open == c || closing.contains(c));
    text.match_indices(is_mark).filter_map(move |(at, mark)| {
        let before = text[..at].chars().next_back();
        let after = text[at + mark.len()..].chars().next();
        let mark = mark.chars().next()?;
        let (left, right) =
            (before.is_some_and(char::is_alphanumeric), after.is_some_and(char::is_alphanumeric));
        if matches!(mark, '\'' | '’') && left && right {
            return None;
        }
        let ends =
            |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || c.is_ascii_punctuation() && !is_mark(c));
        let role = match (ends(before), ends(after)) {
            (true, false) => Role::Opens,
            (false, true) => Role::Closes,
            _ => Role::Either,
        };
        Some(Mark { at, sign: mark, role })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;

    fn is_found(post: &str, text: &str) -> bool {
        codes(post, &[text]).contains(&"quoted")
    }

    const STYLES: [(&str, &str); 16] = [
        ("\"", "\""),
        ("'", "'"),
        ("“", "”"),
        ("”", "”"),
        ("„", "“"),
        ("„", "”"),
        ("‘", "’"),
        ("‚", "‘"),
        ("’", "’"),
        ("«", "»"),
        ("»", "«"),
        ("‹", "›"),
        ("「", "」"),
        ("『", "』"),
        ("« ", " »"),
        ("‘", "'"),
    ];

    #[test]
    fn quotation_marks_around_all_are_found_if_the_post_has_none() {
        for (open, close) in STYLES {
            for text in ["Hola a todos", "Hola, l'Ana i d’altres", "Hola «ahora» a todos", "Hola: (sí)!"]
            {
                if !text.contains(open.trim()) {
                    assert!(
                        is_found("Hello to everybody", &format!("{open}{text}{close}")),
                        "{open}{text}{close}"
                    );
                    assert!(
                        is_found("Hello to everybody", &format!("{open}{text}{close}.")),
                        "{open}{text}{close}."
                    );
                }
            }
            assert!(!is_found(&format!("{open}Hello{close}"), "«Hola»"), "{open}");
            assert!(!is_found("“Hello”", &format!("{open}Hola{close}")), "{open}");
        }
        assert!(is_found("He said “hi” to us", "«Nos dijo “hola”»"));
        assert!(is_found("Hello there", "\"Dijo \"hola\" a todos\""));
        assert!(is_found("It’s the dogs’ day", "“Es el día de los perros”"));
    }

    #[test]
    fn a_quotation_at_the_beginning_or_the_end_does_not_enclose_all() {
        for (open, close) in STYLES {
            for text in [
                format!("{open}Hola{close} dijo Ana"),
                format!("Ana dijo {open}Hola{close}"),
                format!("{open}Hola{close}, dijo, y {open}adiós{close}"),
                format!("{open}El padrino{close} y {open}Tiburón{close}"),
            ] {
                assert!(!is_found("Hello there, The Godfather", &text), "{text}");
            }
        }
        assert!(!is_found("Hello there", "\"Hola"));
        assert!(!is_found("Hello there", "Hola\""));
    }

    #[test]
    fn a_quoted_title_may_become_the_whole_translation() {
        for (open, close) in STYLES {
            let post = format!("Watching {open}The Godfather{close} now");
            assert!(!is_found(&post, "«El padrino, ahora»"), "{post}");
            assert!(!is_found("Watching “Jaws” now", &format!("{open}Tiburón{close}")), "{open}");
        }
    }
}
