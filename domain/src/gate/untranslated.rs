//! A translation does not repeat the post, unless nothing in it was translatable: code, names, a quoted title.

use unicode_segmentation::UnicodeSegmentation as _;

use super::{Finding, rivals, seen::Seen};
use crate::Language;

/// This few words may all be names.
const FEW: usize = 3;

/// From this many words on, a text that keeps nearly all of them was hardly translated.
const MANY: usize = 8;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let (source, text) = (seen.source.words(), seen.text.words());
    if source.len() < FEW || !seen.candidate.source.text.has_words() {
        return None;
    }
    let hardly = || {
        let mut known: Vec<&str> = source.iter().collect();
        known.sort_unstable();
        // For most translations, two new words are enough to know.
        let mut new = text.iter().filter(|word| known.binary_search(word).is_err());
        new.nth(text.len() / 10).is_none()
    };
    let same = source == text || (text.len() >= MANY && hardly());
    (same && !is_the_same_anywhere(seen))
        .then(|| Finding { rule: "untranslated", message: "the translation repeats the post".into() })
}

/// Whether the post reads the same in any language: each of its lines is code, a list of names or a quoted title.
pub(super) fn is_the_same_anywhere(seen: &Seen<'_>) -> bool {
    let lines =
        || seen.source.bare().lines().map(str::trim).filter(|line| line.contains(char::is_alphabetic));
    lines().all(|line| is_code(line) || is_quoted(line) || are_names(line, seen.candidate.from))
}

/// What only code contains, whatever its language.
const OF_CODE: [&str; 24] = [
    "()", "();", "){", ") {", "};", "=>", "->", "::", "==", "!=", "&&", "||", "+=", "</", "/>", "${", "$(",
    "<<", ">>", " = ", "/*", "*/", "#!", ":=",
];

/// Commands that are not words of a sentence.
const COMMANDS: [&str; 39] = [
    "$",
    "apt",
    "apt-get",
    "brew",
    "cargo",
    "cd",
    "chmod",
    "chown",
    "cmake",
    "composer",
    "curl",
    "docker",
    "dotnet",
    "gcc",
    "gem",
    "git",
    "gradle",
    "grep",
    "helm",
    "kubectl",
    "mkdir",
    "mvn",
    "npm",
    "npx",
    "pip",
    "pip3",
    "pnpm",
    "psql",
    "python3",
    "rm",
    "rsync",
    "rustc",
    "rustup",
    "ssh",
    "sudo",
    "systemctl",
    "tar",
    "wget",
    "yarn",
];

/// Statements of SQL, which are in upper case.
const STATEMENTS: [&str; 7] =
    ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE ", "ALTER TABLE ", "DROP TABLE "];

/// Whether a line is code: it is in back quotes, begins with a command, or has signs of code and no end of a sentence.
fn is_code(line: &str) -> bool {
    if line.len() > 2 && line.starts_with('`') && line.ends_with('`') {
        return !line.trim_matches('`').contains("` ");
    }
    let is_sentence = line.ends_with(['.', '!', '?', '…']) && !line.ends_with("...");
    if is_sentence {
        return false;
    }
    let first = line.split_whitespace().next().unwrap_or_default();
    let is_command = COMMANDS.contains(&first);
    let is_statement = STATEMENTS.iter().any(|statement| line.starts_with(statement));
    let has_signs = OF_CODE.iter().any(|sign| line.contains(sign)) || line.ends_with([';', '{', '}']);
    let has_option = || line.split_whitespace().any(|word| word.len() > 2 && word.starts_with("--"));
    let is_identifier = || !line.contains(char::is_whitespace) && is_composed(line);
    is_command || is_statement || has_signs || has_option() || is_identifier()
}

/// Whether a word is composed as programs compose names: `snake_case`, `camelCase`, `src/main.rs`.
fn is_composed(word: &str) -> bool {
    let mut last = ' ';
    word.chars().any(|c| {
        let humps = last.is_lowercase() && c.is_uppercase();
        let joint = matches!(last, '_' | '/' | '\\') && c.is_alphanumeric();
        last = c;
        humps || joint
    })
}

const QUOTATION_MARKS: [(char, char); 8] =
    [('"', '"'), ('“', '”'), ('„', '“'), ('«', '»'), ('‘', '’'), ('「', '」'), ('『', '』'), ('《', '》')];

/// Whether a line is one quoted title: every word of it that is no function word is in upper case.
fn is_quoted(line: &str) -> bool {
    let mut inner = line.chars();
    let (Some(first), Some(last)) = (inner.next(), inner.next_back()) else { return false };
    let inner = inner.as_str();
    QUOTATION_MARKS.contains(&(first, last))
        && !inner.contains([first, last])
        && !inner.ends_with(['.', '!', '?', '…'])
        && inner.unicode_words().filter(|word| word.chars().count() > 4).all(is_upper)
}

/// The most words of one name.
const NAME: usize = 3;

/// Whether a line is a list of names: each of at most a few words, all in upper case, none a function word.
fn are_names(line: &str, language: Language) -> bool {
    // A text of one name and nothing else may just as well be a headline.
    let names = line.split([',', ';', '/', '|', '&', '+', '–', '—', '•', '·', ':', '(', ')', '\t']);
    let names: Vec<Vec<&str>> = names
        .flat_map(|names| names.split(" - "))
        .flat_map(|names| names.split_inclusive(|c: char| c.is_numeric()))
        .flat_map(between)
        .map(|name| name.unicode_words().filter(|word| !word.contains(char::is_numeric)).collect::<Vec<_>>())
        .filter(|name| !name.is_empty())
        .collect();
    let is_name = |name: &Vec<&str>| {
        name.len() <= NAME
            && name
                .iter()
                .all(|word| is_upper(word) && !rivals::is_function_word(&word.to_lowercase(), language))
    };
    names.len() > 1 && names.iter().all(is_name)
}

/// What is between the marks of a match or of artists who work together: `vs`, `x`, `ft`.
fn between(names: &str) -> Vec<&str> {
    let mut all = vec![names];
    for mark in [" vs. ", " vs ", " v ", " x ", " X ", " ft. ", " feat. "] {
        all = all.into_iter().flat_map(|names| names.split(mark)).collect();
    }
    all
}

fn is_upper(word: &str) -> bool {
    word.starts_with(|c: char| c.is_uppercase())
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;

    #[test]
    fn a_repeated_source_is_found_and_names_are_allowed() {
        assert!(codes("The market opens at noon", &["the market opens at NOON"]).contains(&"untranslated"));
        let long = "The market on the old square opens at noon today for all of us";
        assert!(
            codes(long, &["[es] The market on the old square opens at noon today for all of us"])
                .contains(&"untranslated")
        );
        for (source, text) in [
            ("Real Madrid #LaLiga", "Real Madrid #LaLiga"),
            ("OK", "OK"),
            ("See you at no. 4", "Nos vemos en el n.º 4"),
        ] {
            assert!(!codes(source, &[text]).contains(&"untranslated"), "{source}");
        }
    }

    #[test]
    fn code_lists_of_names_and_quoted_titles_are_the_same_anywhere() {
        for text in [
            "`git push --force origin main`",
            "$ cargo build --release",
            "npm install express body-parser cors",
            "if (user.isAdmin()) {\n    return true;\n}",
            "SELECT name, age FROM users WHERE age > 30",
            "let total = prices.iter().sum()",
            "const double = x => x * 2",
            "<div class=\"a\">hello world now</div>",
            "terraform apply --auto-approve now",
            "Real Madrid vs Borussia Dortmund",
            "Taylor Swift, Ed Sheeran, Bad Bunny & Rosalía",
            "Kylian Mbappé (Real Madrid)",
            "Rosalía ft. Travis Scott",
            "“Star Wars Episode Nine”",
            "«Game of Thrones: House of the Dragon»",
            "Sports Ltd. (Madrid)\nrun_all_tests",
        ] {
            let found = codes(text, &[text]);
            assert!(!found.contains(&"untranslated") && !found.contains(&"language"), "{text}: {found:?}");
        }
    }

    #[test]
    fn sentences_are_not_code_names_or_titles() {
        for text in [
            "Git is a tool that everybody should know",
            "Council Votes On New Bridge Tomorrow Morning",
            "Breaking News From London",
            "THE MARKET OPENS AT NOON",
            "“The market opens at noon”",
            "“Wonderful”, said everyone about “Dune”",
            "Happy New Year Everyone",
            "Thanks, everyone, for coming",
            "Use `git push` and tell everyone",
            "npm is down for everyone again.",
            "Look: the market opens -- again",
        ] {
            assert!(codes(text, &[text]).contains(&"untranslated"), "{text}");
        }
    }
}
