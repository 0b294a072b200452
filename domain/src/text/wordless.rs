//! Tells whether a text has words to translate. A link, a tag, an emoji or a score has none, and neither has a text that
//! is nothing but code or markup: no language changes it, and an engine that tries does damage.

use super::MaskedText;

/// The words with which a line of code begins, beside lines that are surely code.
const KEYWORDS: [&str; 13] = [
    "class", "const", "def", "elif", "else", "for", "from", "if", "import", "let", "return", "while", "with",
];

/// A row of this many plain words makes a line prose, whatever is at its end.
const PROSE: usize = 3;

/// Whether `text` has nothing to translate; `masked` is the same text, masked.
pub fn is_wordless(text: &str, masked: &MaskedText) -> bool {
    !masked.has_words() || is_code_or_markup(text)
}

/// Whether every line is code or markup. In doubt it is not: the engine sees it, and the gate sees what the engine made.
fn is_code_or_markup(text: &str) -> bool {
    // Nearly all posts have none of these.
    if !text.bytes().any(|byte| matches!(byte, b'<' | b'{' | b'}' | b';' | b'(')) {
        return false;
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut is_sure = false;
    let all = lines.all(|line| {
        let is_markup = is_markup(line);
        is_sure |= is_markup || is_statement(line) || is_lone_call(line) || is_definition(line);
        is_markup || ((line.ends_with(is_end_of_code) || begins_with_keyword(line)) && !has_prose(line))
    });
    all && is_sure
}

/// Whether a line consists of tags, comments and character references, as in HTML, with nothing to read between them.
fn is_markup(line: &str) -> bool {
    let mut rest = line;
    let mut found = false;
    while let Some(start) = rest.find(['<', '&']) {
        if rest[..start].chars().any(char::is_alphabetic) {
            return false;
        }
        rest = &rest[start..];
        let Some(length) = length_of_tag(rest).or_else(|| length_of_reference(rest)) else { return false };
        found = true;
        rest = &rest[length..];
    }
    found && !rest.chars().any(char::is_alphabetic)
}

/// The length of the tag or comment at the start of `text`: `<br>`, `</p>`, `<img src="a.png">`, `<!-- … -->`.
fn length_of_tag(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('<')?;
    if inner.starts_with("!--") {
        return text.find("-->").map(|end| end + "-->".len());
    }
    let name = inner.trim_start_matches(['/', '!', '?']);
    let is_named = name.starts_with(|c: char| c.is_ascii_alphabetic());
    text.find('>').filter(|end| is_named && !text[1..*end].contains('<')).map(|end| end + 1)
}

/// The length of the character reference at the start of `text`: `&nbsp;`, `&#241;`.
fn length_of_reference(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('&')?;
    let end = inner.find(';')?;
    let name = inner[..end].trim_start_matches('#');
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| end + 2)
}

/// Whether a line is surely code: it ends as a statement or a block does, and has a call, an assignment, a condition or a
/// key of JSON.
fn is_statement(line: &str) -> bool {
    let called = line.match_indices('(').any(|(at, _)| {
        line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '!' | ']' | '>'))
    });
    let is_sure = called || line.contains('=') || line.contains("\":") || line.ends_with(") {");
    line.ends_with([';', '{', '}']) && is_sure && !has_prose(line)
}

/// Whether a line is a call with a quoted argument or none: `print("Hello")`, `console.log('a', b)`, `start()`.
fn is_lone_call(line: &str) -> bool {
    let Some((name, arguments)) = line.split_once('(') else { return false };
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':'));
    is_name && line.ends_with(')') && arguments.starts_with(['"', '\'', ')']) && !has_prose(line)
}

/// Whether a line begins a function or a class: `def f(x):`.
fn is_definition(line: &str) -> bool {
    ["def ", "class "].iter().any(|keyword| line.starts_with(keyword))
        && line.contains('(')
        && line.ends_with(':')
}

/// Whether a line begins as a line of code may, though words of prose begin so, too.
fn begins_with_keyword(line: &str) -> bool {
    let word = line.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    KEYWORDS.contains(&word)
}

fn is_end_of_code(c: char) -> bool {
    matches!(c, ';' | '{' | '}' | '(' | ')' | '[' | ']' | ',' | '>')
}

/// Whether there are several plain words in a row outside quotation marks, as no programming language writes them.
fn has_prose(line: &str) -> bool {
    let mut row = 0;
    // Every other piece is within quotation marks.
    line.split(['"', '\'']).step_by(2).flat_map(str::split_whitespace).any(|word| {
        row = if word.chars().all(char::is_alphabetic) { row + 1 } else { 0 };
        row >= PROSE
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::mask;

    fn wordless(text: &str) -> bool {
        is_wordless(text, &mask(text).text)
    }

    #[test]
    fn links_tags_emoji_and_numbers_are_no_words() {
        for text in [
            "https://a.example/b",
            "#WorldCup2026 #goal",
            "🎉🎉",
            "1/3",
            "2026",
            "@bob",
            "+3.5%",
            "",
            " \n ",
            "…",
            "👇 https://a.example",
        ] {
            assert!(wordless(text), "{text}");
        }
    }

    #[test]
    fn code_and_markup_are_no_words() {
        for text in [
            "<br>",
            "<p></p>\n<br/>",
            "<div class=\"a\"><img src=\"https://a.example/b.png\"></div>",
            "<!-- to be continued -->",
            "&nbsp;&nbsp;&#241;",
            "let x = 5;",
            "fn main() {\n    println!(\"Hello to all of you\");\n}",
            "for (int i = 0; i < 3; i++) { sum += i; }",
            "if (a) {\n  return 0;\n}",
            "print(\"Hello to all of you\")",
            "console.log('Hello')",
            "start()",
            "import os\n\ndef f(x):\n    if x > 1:\n        return x\n    print(\"Hello\")",
            "{\"id\": 1, \"text\": \"Hello to all of you\"}",
        ] {
            assert!(wordless(text), "{text}");
        }
    }

    #[test]
    fn prose_with_code_or_odd_marks_has_words() {
        for text in [
            "Goal!",
            "I <3 you",
            "Well(ish)",
            "return to sender (please)",
            "if only (sigh)",
            "Goal (finally)!\nprint it",
            "Team (\"Reds\")",
            "Thanks (really);",
            "We won; they lost {again}",
            "Use <br> for a new line",
            "<b>Big news</b>",
            "Tom &amp; Jerry",
            "a < b, they say",
            "Sing along;\nwe are the champions;",
            "let us go on = go on;",
            "start();\nthis is what we all think;",
            "start();\nGoal!",
            "& so on;",
            "日本語 {の} テキスト",
        ] {
            assert!(!wordless(text), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([<>&;{}()=a-zé \n\"']|\\PC){0,40}") {
            wordless(&text);
        }
    }
}
