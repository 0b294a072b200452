//! What a model adds behind the translation: another translation (“… O bien: …”), a literal one, a note. Each kind has phrases
//! that begin a sentence, a line or a bracket, and words by which a post shows that it says such a thing itself: “Note: the
//! bridge is closed” is rightly “Nota: el puente está cerrado”.

mod phrases;

use std::sync::LazyLock;

use phrases::{ALTERNATIVE, Kind, LITERAL, NOTE};
use regex::Regex;

use super::super::seen::Text;

/// Where something begins that is not the sentence before: behind its end, in a bracket, on a line.
const BEGINS: &str = r"(?:^|[.!?…。！？;；)\]»”」\n(\[（【/|*–—-])[\s*_]*";

struct Compiled {
    pattern: Regex,
    own: Regex,
}

const KINDS: [&Kind; 3] = [&ALTERNATIVE, &LITERAL, &NOTE];

/// Matches an addition of any kind. Most texts have none, and need neither of the patterns below.
static ANY: LazyLock<Regex> = LazyLock::new(|| {
    let kinds: Vec<String> = KINDS.iter().map(|kind| kind.pattern()).collect();
    compiled(&kinds.join("|"))
});

static COMPILED: LazyLock<[Compiled; 3]> = LazyLock::new(|| {
    KINDS.map(|kind| Compiled { pattern: compiled(&kind.pattern()), own: compiled(&kind.of_post()) })
});

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is made of constants that a test compiles")
}

/// Matches any of the phrases.
fn any(phrases: &[&str]) -> String {
    let mut phrases: Vec<String> = phrases.iter().map(|phrase| regex::escape(phrase)).collect();
    // A phrase that cannot match stands for a list that is empty.
    phrases.push(r"[^\s\S]".to_owned());
    phrases.join("|")
}

impl Kind {
    /// Matches an addition; its one group that took part is the phrase.
    fn pattern(&self) -> String {
        format!("{BEGINS}({})|({})", self.phrases(), any(self.anywhere))
    }

    /// Matches what shows that a post says such a thing itself.
    fn of_post(&self) -> String {
        let [own, anywhere] = [self.own, self.anywhere].map(any);
        format!(r"{BEGINS}{}|(?:^|[^\pL])(?:{own})|{anywhere}", self.phrases())
    }

    /// Matches the phrases that stand at a beginning.
    fn phrases(&self) -> String {
        let [colon, words_colon, alone] = [self.colon, self.words_colon, self.alone].map(any);
        format!(
            r"(?:(?:{colon}) ?[:：]|(?:{words_colon})(?: ?\d|[ ,(（][^.!?。！？\n:：]{{0,30}})?[)）]? ?[:：]|(?:{alone})(?:[^\pL]|$))"
        )
    }
}

/// The addition that a text, in lower case, has and the post does not.
pub(super) fn find<'a>(text: &'a str, source: &Text<'_>) -> Option<&'a str> {
    if !ANY.is_match(text) {
        return None;
    }
    COMPILED.iter().find_map(|Compiled { pattern, own }| {
        let found = pattern.captures(text)?;
        let phrase = found.iter().skip(1).flatten().next()?;
        (!own.is_match(source.bare_lower())).then(|| phrase.as_str().trim())
    })
}
