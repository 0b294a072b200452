//! Placeholders in a form that a translation service keeps, and what comes back of them.
//!
//! Most services have a way to mark text that they must not translate: an element, `<x id="0">5</x>`. What it stands for is in
//! it where the words around depend on it (5 goals, not 5 goal); a number identifies it. Where a service has no such way for a
//! language, brackets must do. What no markup can hold, such as control characters, is set apart in the same way. Whatever comes
//! back counts only if every mark is in it once.

use std::sync::LazyLock;

use mynah_domain::text::{MaskedText, Segment};
use regex::{Captures, Regex};

use super::super::lines::{ends_line, has_words, margins};
use crate::engines::llm::placeholders::Brackets;

/// How placeholders are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Elements of XML that the service is asked to ignore: `<x id="0">`.
    Xml,
    /// HTML's `<code id="0">`. The service may resolve entities twice, so none that an author wrote is in the text.
    Html,
    /// Plain text, with numbers between brackets that are not in it.
    Brackets,
}

/// What came back is not what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damaged {
    #[error("the translation is empty")]
    Empty,
    #[error("the translation lacks what must not change")]
    Lost,
    #[error("the translation contains more than once what must not change")]
    Doubled,
    #[error("the translation contains marks that were not in the text")]
    Marks,
    #[error("the translation has other lines than the text")]
    Lines,
}

/// A text as a service gets it.
#[derive(Debug)]
pub(crate) struct Marked {
    source: Vec<Segment>,
    /// The same, with a placeholder for everything that is set apart: its number is the place in `kept`.
    sent: MaskedText,
    kept: Vec<Segment>,
    form: Form,
    brackets: Option<Brackets>,
    text: String,
}

impl Marked {
    /// Marks what must not change; `stands_for` is what is known of some placeholders. `None` if the text contains every kind
    /// of mark already.
    pub(crate) fn new(source: &[Segment], stands_for: &[(usize, String)], form: Form) -> Option<Self> {
        let mut kept = Vec::new();
        let mut sent = Vec::new();
        let mut keep = |segment: Segment, sent: &mut Vec<Segment>| {
            sent.push(Segment::Placeholder(kept.len()));
            kept.push(segment);
        };
        for segment in source {
            match segment {
                Segment::Placeholder(_) => keep(segment.clone(), &mut sent),
                Segment::Words(words) => {
                    for (run, is_kept) in runs(words, form) {
                        let run = Segment::Words(run.to_owned());
                        if is_kept { keep(run, &mut sent) } else { sent.push(run) }
                    }
                }
            }
        }
        let sent = MaskedText::from_segments(sent);
        let brackets = match form {
            Form::Brackets => Some(Brackets::absent_from(&[&sent].into_iter())?),
            Form::Xml | Form::Html => None,
        };
        let text = match brackets {
            Some(brackets) => brackets.write(&sent),
            None => sent
                .0
                .iter()
                .map(|segment| match segment {
                    Segment::Words(words) => escaped(words),
                    Segment::Placeholder(number) => element(*number, &kept[*number], stands_for, form),
                })
                .collect(),
        };
        Some(Self { source: source.to_vec(), sent, kept, form, brackets, text })
    }

    /// What to send.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Reads the translation back.
    pub(crate) fn read(&self, translation: &str) -> Result<Vec<Segment>, Damaged> {
        let translated = match self.brackets {
            Some(brackets) => brackets.read(translation, &self.sent),
            None => elements(translation, self.form)?,
        };
        if !translated.words().any(has_words) {
            return Err(Damaged::Empty);
        }
        let mut seen = vec![false; self.kept.len()];
        for number in translated.placeholders() {
            let seen = seen.get_mut(number).ok_or(Damaged::Marks)?;
            if std::mem::replace(seen, true) {
                return Err(Damaged::Doubled);
            }
        }
        if seen.contains(&false) {
            return Err(Damaged::Lost);
        }
        let restored = translated.0.into_iter().map(|segment| match segment {
            // Every number was found among the kept above.
            Segment::Placeholder(number) => self.kept[number].clone(),
            words @ Segment::Words(_) => words,
        });
        let restored = spaced_as(&self.source, trimmed(restored.collect()));
        if line_ends(&restored) != line_ends(&self.source) {
            return Err(Damaged::Lines);
        }
        Ok(restored)
    }
}

/// A piece of words, for a service that loses marks: no mark is in it.
#[derive(Debug)]
pub(crate) struct Plain {
    form: Form,
    before: String,
    after: String,
    text: String,
}

impl Plain {
    /// The pieces of a text: what must not change, and words between that.
    pub(crate) fn pieces(source: &[Segment], form: Form) -> Vec<Result<Self, Segment>> {
        let mut pieces = Vec::new();
        for segment in source {
            let Segment::Words(words) = segment else {
                pieces.push(Err(segment.clone()));
                continue;
            };
            for (run, is_kept) in runs(words, form) {
                let lines = run.split_inclusive(ends_line).map(|line| {
                    if is_kept || !has_words(line) {
                        return Err(Segment::Words(line.to_owned()));
                    }
                    let (before, after) = margins(line);
                    let text =
                        if form == Form::Brackets { line.trim().to_owned() } else { escaped(line.trim()) };
                    Ok(Self { form, before: before.to_owned(), after: after.to_owned(), text })
                });
                pieces.extend(lines);
            }
        }
        pieces
    }

    /// What to send.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Reads the translation back, with the white space of the source around it.
    pub(crate) fn read(&self, translation: &str) -> Result<Segment, Damaged> {
        let words = match self.form {
            Form::Brackets => translation.to_owned(),
            Form::Xml | Form::Html => match &elements(translation, self.form)?.0[..] {
                [Segment::Words(words)] => words.clone(),
                [] => String::new(),
                _ => return Err(Damaged::Marks),
            },
        };
        if !has_words(&words) {
            return Err(Damaged::Empty);
        }
        if words.trim().contains(ends_line) {
            return Err(Damaged::Lines);
        }
        Ok(Segment::Words([&self.before, words.trim(), &self.after].concat()))
    }
}

/// Cuts words into what can be in a marked text and what is set apart.
fn runs(words: &str, form: Form) -> Vec<(&str, bool)> {
    let mut runs = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(c) = words[at..].chars().next() {
        let kept = kept_length(c, &words[at..], form);
        if kept == 0 {
            at += c.len_utf8();
            continue;
        }
        if start < at {
            runs.push((&words[start..at], false));
        }
        runs.push((&words[at..at + kept], true));
        at += kept;
        start = at;
    }
    if start < words.len() {
        runs.push((&words[start..], false));
    }
    runs
}

/// How many bytes at the start of `rest`, which begins with `c`, cannot be in a text in this form: XML has no control
/// characters, and a parser makes one line end of all. Of HTML, whatever may be read as markup after entities were resolved
/// too often.
fn kept_length(c: char, rest: &str, form: Form) -> usize {
    match c {
        '\n' => 0,
        '\t' | '\u{fffe}' | '\u{ffff}' => c.len_utf8(),
        c if c.is_control() || ends_line(c) => c.len_utf8(),
        '<' | '>' | '&' if form == Form::Html => match AUTHORS_MARKUP.find(rest) {
            Some(found) => found.end(),
            None if c == '&' && !rest[1..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '#') => 0,
            None => 1,
        },
        _ => 0,
    }
}

/// An entity or a tag that an author wrote, with its name.
static AUTHORS_MARKUP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:&#?[0-9A-Za-z]{1,31};|</?[A-Za-z][^<>\n]{0,80}>)")
        .expect("the pattern is a constant that a test compiles")
});

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// One mark. Its content is what the words around it depend on, or else looks like a name.
fn element(number: usize, kept: &Segment, stands_for: &[(usize, String)], form: Form) -> String {
    let known = match kept {
        Segment::Placeholder(kept) => stands_for.iter().find(|(known, _)| known == kept),
        Segment::Words(_) => None,
    };
    let content = match known {
        // Of a number that a word is stuck to, the whole is known; here, the word follows.
        Some((_, known)) => escaped(known.split_once(" (of “").map_or(known.as_str(), |(number, _)| number)),
        None => format!("X{number}"),
    };
    // In one line: what it stands for is an author's.
    let content: String = content.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match form {
        Form::Html => format!("<code id=\"{number}\">{content}</code>"),
        Form::Xml | Form::Brackets => format!("<x id=\"{number}\">{content}</x>"),
    }
}

/// One element with its content, or without one; services change quotes and white space.
static XML: LazyLock<Regex> = LazyLock::new(|| one_element("x"));
static HTML: LazyLock<Regex> = LazyLock::new(|| one_element("code"));

fn one_element(name: &str) -> Regex {
    let start = format!(r#"<\s*{name}\s+id\s*=\s*["']\s*([0-9]{{1,9}})\s*["']\s*"#);
    Regex::new(&format!(r"{start}(?:/\s*>|>[^<>]*<\s*/\s*{name}\s*>)"))
        .expect("the pattern is made of constants that a test compiles")
}

/// Anything else that may be a part of an element.
static REMAINS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"<\s*/?\s*(?:x|code)\b").expect("the pattern is a constant that a test compiles")
});

/// Reads elements; what is between them has its entities resolved.
fn elements(translation: &str, form: Form) -> Result<MaskedText, Damaged> {
    let pattern = if form == Form::Html { &HTML } else { &XML };
    let mut segments = Vec::new();
    let mut end = 0;
    for found in pattern.captures_iter(translation) {
        // The whole match and its number are always there.
        let (Some(whole), Some(number)) = (found.get(0), found.get(1)) else { continue };
        segments.push(words(&translation[end..whole.start()])?);
        segments.push(Segment::Placeholder(number.as_str().parse().map_err(|_| Damaged::Marks)?));
        end = whole.end();
    }
    segments.push(words(&translation[end..])?);
    Ok(MaskedText::from_segments(segments))
}

fn words(text: &str) -> Result<Segment, Damaged> {
    if REMAINS.is_match(text) {
        return Err(Damaged::Marks);
    }
    Ok(Segment::Words(unescaped(text)))
}

static ENTITY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"&(?:amp|lt|gt|quot|apos|nbsp|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")
        .expect("the pattern is a constant that a test compiles")
});

/// Resolves the entities that a serializer writes. Any other `&` is one that the service did not escape.
fn unescaped(text: &str) -> String {
    ENTITY
        .replace_all(text, |found: &Captures<'_>| {
            let entity = &found[0];
            match &entity[1..entity.len() - 1] {
                "amp" => "&".to_owned(),
                "lt" => "<".to_owned(),
                "gt" => ">".to_owned(),
                "quot" => "\"".to_owned(),
                "apos" => "'".to_owned(),
                "nbsp" => "\u{a0}".to_owned(),
                number => {
                    let code = match number.strip_prefix("#x").or_else(|| number.strip_prefix("#X")) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok(),
                        None => number.strip_prefix('#').and_then(|number| number.parse().ok()),
                    };
                    let c = code.and_then(char::from_u32).filter(|c| !c.is_control());
                    c.map_or_else(|| entity.to_owned(), String::from)
                }
            }
        })
        .into_owned()
}

/// How many lines end in the words of a text.
fn line_ends(segments: &[Segment]) -> usize {
    let words = segments.iter().filter_map(|segment| match segment {
        Segment::Words(words) => Some(words),
        Segment::Placeholder(_) => None,
    });
    words.flat_map(|words| words.chars()).filter(|c| ends_line(*c)).count()
}

/// Without white space around it: what the source has there stands around it already.
fn trimmed(mut segments: Vec<Segment>) -> Vec<Segment> {
    if let Some(Segment::Words(first)) = segments.first_mut() {
        *first = first.trim_start().to_owned();
    }
    if let Some(Segment::Words(last)) = segments.last_mut() {
        last.truncate(last.trim_end().len());
    }
    segments
}

/// Puts back the spaces beside placeholders. Services treat a mark as a word: `(#tag)` comes back as `( #tag )`, and the space
/// before a name is lost with the word that was there.
fn spaced_as(source: &[Segment], mut translated: Vec<Segment>) -> Vec<Segment> {
    for at in 0..translated.len() {
        let Segment::Placeholder(number) = translated[at] else { continue };
        let Some(place) = source.iter().position(|segment| *segment == Segment::Placeholder(number)) else {
            continue;
        };
        let beside = |at: Option<usize>| match at.and_then(|at| source.get(at)) {
            Some(Segment::Words(words)) => Some(words.as_str()),
            _ => None,
        };
        // The author's own, anywhere beside the placeholder.
        let double = |at: Option<usize>| beside(at).is_some_and(|words| words.contains("  "));
        let before = beside(place.checked_sub(1)).and_then(|words| words.chars().next_back());
        let after = beside(place.checked_add(1)).and_then(|words| words.chars().next());
        if let Some(Segment::Words(words)) = at.checked_sub(1).and_then(|at| translated.get_mut(at)) {
            let core = words.trim_end_matches(' ').len();
            match before {
                Some(c) if is_mark(c) && words[..core].ends_with(c) => words.truncate(core),
                // A mark that was set apart with a space of its own.
                Some(' ') if core + 1 < words.len() && !double(place.checked_sub(1)) => {
                    words.truncate(core + 1);
                }
                Some(c) if c.is_whitespace() && words.ends_with(is_of_words_with_spaces) => words.push(' '),
                _ => {}
            }
        }
        if let Some(Segment::Words(words)) = translated.get_mut(at + 1) {
            let core = words.trim_start_matches(' ');
            match after {
                Some(c) if is_mark(c) && core.starts_with(c) => *words = core.to_owned(),
                Some(' ') if core.len() + 1 < words.len() && !double(place.checked_add(1)) => {
                    *words = format!(" {core}");
                }
                Some(c) if c.is_whitespace() && words.starts_with(is_of_words_with_spaces) => {
                    words.insert(0, ' ');
                }
                _ => {}
            }
        }
    }
    translated
}

/// Whether a character may touch a placeholder and is no part of a word.
fn is_mark(c: char) -> bool {
    !c.is_alphanumeric() && !c.is_whitespace()
}

/// Whether a letter is of a script that has spaces between words, and no particles that are written onto a name: Latin, Greek,
/// Cyrillic, Armenian, Hebrew, Arabic and their neighbors.
fn is_of_words_with_spaces(c: char) -> bool {
    c.is_alphanumeric() && c < '\u{900}'
}

#[cfg(test)]
mod tests {
    use mynah_domain::{
        fixtures::{mask, tricky_text},
        text::Mask,
    };
    use proptest::prelude::*;

    use super::*;

    const FORMS: [Form; 3] = [Form::Xml, Form::Html, Form::Brackets];

    fn marked(mask: &Mask, form: Form) -> Marked {
        Marked::new(&mask.text.0, &mask.stands_for(), form).unwrap()
    }

    /// What is published of the translation of a text.
    fn read(text: &str, form: Form, translation: &str) -> Result<String, Damaged> {
        let mask = mask(text);
        let segments = marked(&mask, form).read(translation)?;
        Ok(mask.restore(&MaskedText::from_segments(segments)).unwrap())
    }

    #[test]
    fn what_must_not_change_is_an_element_that_contains_what_words_depend_on() {
        let text = "Hi @bob, 5 goals & more <3";
        assert_eq!(
            marked(&mask(text), Form::Xml).text(),
            "Hi <x id=\"0\">X0</x>, <x id=\"1\">5</x> goals &amp; more &lt;<x id=\"2\">3</x>"
        );
        assert_eq!(
            marked(&mask("R&D for @bob"), Form::Html).text(),
            "R<code id=\"0\">X0</code>D for <code id=\"1\">X1</code>"
        );
        assert_eq!(
            marked(&mask("so <b>so</b> &amp; a<b & c"), Form::Html).text(),
            "so <code id=\"0\">X0</code>so<code id=\"1\">X1</code> <code id=\"2\">X2</code> a<code \
             id=\"3\">X3</code>b &amp; c"
        );
        assert_eq!(marked(&mask("Hi @bob <x>"), Form::Brackets).text(), "Hi ⟦0⟧ <x>");
    }

    #[test]
    fn marks_are_read_in_any_order_and_in_the_forms_that_services_make_of_them() {
        let text = "@bob and @eve";
        for translation in [
            "<x id=\"1\">X1</x> y <x id=\"0\">X0</x>",
            "<x id='1'/> y <x id=\"0\"></x>",
            "< x id = \"1\" >X1</ x > y <x id=\"0\">otro</x>",
        ] {
            assert_eq!(read(text, Form::Xml, translation).as_deref(), Ok("@eve y @bob"), "{translation}");
        }
    }

    #[test]
    fn a_lost_doubled_or_invented_mark_is_noticed() {
        let (bob, eve) = ("<x id=\"0\">X0</x>", "<x id=\"1\">X1</x>");
        for (translation, expected) in [
            (format!("{bob} y nadie"), Damaged::Lost),
            (format!("{bob} y {bob} y {eve}"), Damaged::Doubled),
            (format!("{bob} y {eve} y <x id=\"2\">X2</x>"), Damaged::Marks),
            (format!("{bob} y {eve} y </x>"), Damaged::Marks),
            (format!("{bob} y <x id=\"1\">X1"), Damaged::Marks),
            (format!("{bob} y <x id=\"999999999999\">X1</x> {eve}"), Damaged::Marks),
            (format!("{bob}\ny {eve}"), Damaged::Lines),
            (format!("{bob} {eve}"), Damaged::Empty),
            (String::new(), Damaged::Empty),
        ] {
            assert_eq!(read("@bob and @eve", Form::Xml, &translation), Err(expected), "{translation}");
        }
        assert_eq!(read("@bob and @eve", Form::Brackets, "⟦0⟧ y nadie"), Err(Damaged::Lost));
    }

    #[test]
    fn an_authors_markup_is_never_a_mark() {
        let text = "Write <x id=\"0\">5</x> or <code id=\"1\">, &amp; or &lt;x&gt;, @bob";
        for form in FORMS {
            let mask = mask(text);
            let marked = marked(&mask, form);
            let segments = marked.read(marked.text()).unwrap();
            assert_eq!(mask.restore(&MaskedText::from_segments(segments)).unwrap(), text, "{form:?}");
            // A service that resolves entities once more, as LibreTranslate does.
            if form == Form::Html {
                let segments = marked.read(&unescaped(marked.text())).unwrap();
                assert_eq!(mask.restore(&MaskedText::from_segments(segments)).unwrap(), text);
            }
        }
    }

    #[test]
    fn spaces_beside_names_are_as_in_the_source() {
        for (text, translation, expected) in [
            ("Look (#tag) here", "Mira ( <x id=\"0\"/> ) aquí", "Mira (#tag) aquí"),
            ("From @bob: hello", "De <x id=\"0\"/> : hola", "De @bob: hola"),
            ("Thanks to @bob for it", "Gracias a<x id=\"0\"/>por eso", "Gracias a @bob por eso"),
            ("This @bob team", "この<x id=\"0\"/>のチーム", "この@bobのチーム"),
            ("Hello @bob", "  Hola <x id=\"0\"/> ", "Hola @bob"),
            ("Hello @bob now", "Hola  <x id=\"0\"/>  ahora", "Hola @bob ahora"),
            ("Hello  @bob", "Hola  <x id=\"0\"/>", "Hola  @bob"),
        ] {
            assert_eq!(read(text, Form::Xml, translation).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn pieces_have_no_marks_and_keep_the_space_around_them() {
        let source = mask(" Hi @bob,\n• so & so ").text.0;
        let pieces = Plain::pieces(&source, Form::Xml);
        let sent: Vec<&str> = pieces.iter().flatten().map(Plain::text).collect();
        assert_eq!(sent, ["Hi", "• so &amp; so"]);
        let read = |text: &str| pieces.iter().flatten().next().unwrap().read(text);
        assert_eq!(read("Hola"), Ok(Segment::Words(" Hola ".into())));
        assert_eq!(read("<x id=\"0\"/>Hola"), Err(Damaged::Marks));
        assert_eq!(read("Ho\nla"), Err(Damaged::Lines));
        assert_eq!(read(" "), Err(Damaged::Empty));
    }

    #[test]
    fn every_entity_of_a_serializer_is_resolved_and_nothing_else() {
        assert_eq!(unescaped("&amp;&lt;&gt;&quot;&apos;&#39;&#xE9;&nbsp;"), "&<>\"''é\u{a0}");
        assert_eq!(unescaped("R&D &copy; &#0; &#x110000; &"), "R&D &copy; &#0; &#x110000; &");
    }

    proptest! {
        #[test]
        fn what_is_sent_reads_back_as_the_text(text in prop_oneof![tricky_text(), any::<String>()]) {
            let mask = mask(text.trim());
            prop_assume!(mask.text.has_words());
            for form in FORMS {
                let Some(marked) = Marked::new(&mask.text.0, &mask.stands_for(), form) else { continue };
                let segments = marked.read(marked.text()).unwrap();
                prop_assert_eq!(MaskedText::from_segments(segments), mask.text.clone(), "{:?}", form);
            }
        }

        #[test]
        fn no_answer_makes_reading_panic(answer in "[<>/x\"'id= 0-2&;#codeañ日\n]{0,30}") {
            for form in FORMS {
                let _ = read("a @bob b 5 c", form, &answer);
            }
        }
    }
}
