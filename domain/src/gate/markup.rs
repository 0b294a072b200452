//! A translation contains no technical remains that the post does not have: no placeholder, code fence, HTML or JSON, no escape
//! such as `\n` or `&nbsp;`, no bold type, and no marks of a heading or a list. Models answer in Markdown inside of JSON, and
//! what one layer leaves of the other would stand under the author's name.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    Finding, numbers,
    seen::{Seen, Text},
};

const MARKS: [&str; 18] = [
    "⟦",
    "⟧",
    "⟪",
    "⟫",
    "⦃",
    "⦄",
    "\u{e000}",
    "\u{e001}",
    "```",
    "&#",
    "</",
    "<br",
    "{\"",
    "\"}",
    "\"text\":",
    "](",
    "~~",
    "\\",
];

/// A character reference of HTML, also with a space that a translator put into it, and the usual ones without their semicolon.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"[&＆] ?(?:# ?[xX]?[0-9a-fA-F]{1,6} ?[;；]|[a-zA-Z][a-zA-Z0-9]{1,30}[;；]|(?:amp|lt|gt|quot|apos|nbsp)(?: ?[;；]|\b))",
    )
    .expect("the pattern is a constant that a test compiles")
});

/// A tag of HTML.
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)< ?/? ?(?:a|b|i|u|s|p|br|hr|em|li|ol|ul|h[1-6]|div|code|font|pre|span|strong|sub|sup|x|g|bpt|ept|ph)(?: [^<>\n]*)?/? ?>")
        .expect("the pattern is a constant that a test compiles")
});

/// A language that numbers with a period: `1. Platz` is the first place, not the first item of a list, if the post has a
/// first of something, too.
/// CLDR's rules for ordinal numbers (`digits-ordinal` in common/rbnf) end in a period for these.
const ORDINAL_PERIOD: [&str; 21] = [
    "bs", "cs", "da", "de", "et", "eu", "fi", "hr", "hu", "is", "lt", "lv", "mk", "nb", "nn", "no", "pl",
    "sk", "sl", "sr", "tr",
];

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let mark = mark(seen).or_else(|| pattern(seen)).or_else(|| emphasis(seen)).or_else(|| list(seen))?;
    Some(Finding {
        rule: "markup",
        message: format!("the translation contains “{mark}”, which the post does not"),
    })
}

/// Whether a text may have one of [`MARKS`]: most have none, and their bytes tell.
fn may_be_marked(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        b'`' | b'&' | b'<' | b'{' | b'"' | b']' | b'~' | b'\\' | 0xee => true,
        // The brackets are among the signs from U+27C0 and U+2980 on, quotation marks are not.
        0xe2 => matches!(bytes.get(at + 1), Some(0x9f | 0xa6)),
        _ => false,
    })
}

fn mark(seen: &Seen<'_>) -> Option<String> {
    if !may_be_marked(seen.text.as_str()) {
        return None;
    }
    let count = |text: &Text<'_>, mark: &str| text.as_str().matches(mark).count();
    let mark = MARKS.iter().find(|mark| count(&seen.text, mark) > count(&seen.source, mark))?;
    Some((*mark).to_owned())
}

fn pattern(seen: &Seen<'_>) -> Option<String> {
    let text = seen.text.as_str();
    let find = |mark: &[char], pattern: &Regex| {
        if !mark.iter().any(|mark| text.contains(*mark)) {
            return None;
        }
        let count = |text: &Text<'_>| pattern.find_iter(text.as_str()).count();
        (count(&seen.text) > count(&seen.source))
            .then(|| pattern.find(text).map(|found| found.as_str().to_owned()))?
    };
    find(&['&', '＆'], &REFERENCE).or_else(|| find(&['<'], &TAG))
}

/// A mark of bold type, italics or code beside a word. Apertium marks a word that it does not know with a star, too.
fn emphasis(seen: &Seen<'_>) -> Option<String> {
    let (text, source) = (seen.text.bare(), seen.source.bare());
    let mark = ['*', '_', '`'].into_iter().filter(|mark| text.contains(*mark)).find(|mark| {
        // A mark inside of a word may be a censored letter, which the post has elsewhere, or a German gender star.
        let (here, there) = (runs(text, *mark), runs(source, *mark));
        here.outside > there.outside && here.all > there.all
    })?;
    Some(mark.into())
}

/// How often one or more of a mark stand in a row.
struct Runs {
    all: usize,
    /// Not between two letters or digits.
    outside: usize,
}

fn runs(text: &str, mark: char) -> Runs {
    let mut runs = Runs { all: 0, outside: 0 };
    let (mut before, mut rest) = (None::<char>, text);
    while let Some(at) = rest.find(mark) {
        let left = rest[..at].chars().next_back().or(before.filter(|_| at == 0));
        let after = rest[at..].trim_start_matches(mark);
        let right = after.chars().next();
        runs.all += 1;
        let inside = [left, right].iter().all(|c| c.is_some_and(char::is_alphanumeric));
        runs.outside += usize::from(!inside);
        (before, rest) = (Some(mark), after);
    }
    runs
}

/// A mark of a heading or of an item of a list, at the beginning of a line.
fn list(seen: &Seen<'_>) -> Option<String> {
    let source = seen.source.as_str();
    let here: Vec<Marker<'_>> = seen.text.as_str().lines().filter_map(Marker::of).collect();
    if here.is_empty() {
        return None;
    }
    let there: Vec<Marker<'_>> = source.lines().filter_map(Marker::of).collect();
    let [here_are, there_are] = [&here, &there].map(|markers| Counts::of(markers));
    if here_are.headings > there_are.headings {
        return Some("#".into());
    }
    // A list keeps its items where its bullets become numbers. A dash may begin what somebody says.
    let speech = || source.trim_start().starts_with(['"', '“', '«', '„', '「', '‘', '\'']);
    if here_are.bullets > there_are.bullets + there_are.numbers && !speech() {
        return Some("-".into());
    }
    let of_post = |marker: &Marker<'_>| match marker {
        Marker::Number(number) => numbers::has(source, number, seen.candidate.from),
        Marker::Heading | Marker::Bullet => false,
    };
    let ordinal = ORDINAL_PERIOD.contains(&seen.candidate.to.base())
        && here_are.numbers == 1
        && here.iter().any(of_post);
    if here_are.numbers > there_are.bullets + there_are.numbers && !ordinal {
        let new = here.iter().find_map(|one| match one {
            Marker::Number(number) if !begins_with(source, number) => Some(number),
            _ => None,
        });
        return new.map(|number| format!("{number}."));
    }
    None
}

/// How many markers of each kind a text has.
#[derive(Default)]
struct Counts {
    headings: usize,
    bullets: usize,
    numbers: usize,
}

impl Counts {
    fn of(markers: &[Marker<'_>]) -> Self {
        let mut counts = Self::default();
        for marker in markers {
            *match marker {
                Marker::Heading => &mut counts.headings,
                Marker::Bullet => &mut counts.bullets,
                Marker::Number(_) => &mut counts.numbers,
            } += 1;
        }
        counts
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Marker<'a> {
    Heading,
    Bullet,
    Number(&'a str),
}

impl<'a> Marker<'a> {
    /// What a line begins with.
    fn of(line: &'a str) -> Option<Self> {
        let line = line.trim_start();
        let first = line.chars().next()?;
        let spaced = |rest: &str| rest.starts_with(char::is_whitespace);
        if first == '#' {
            return spaced(line.trim_start_matches('#')).then_some(Self::Heading);
        }
        if matches!(first, '-' | '–' | '—' | '*' | '+' | '•' | '·' | '▪' | '◦' | '‣' | '・') {
            return spaced(&line[first.len_utf8()..]).then_some(Self::Bullet);
        }
        let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = line.split_at(digits);
        let is_marker = (1..=2).contains(&digits)
            && rest
                .strip_prefix(['.', ')', '。', '、', '．', '）'])
                .is_some_and(|rest| spaced(rest) || !rest.is_ascii());
        is_marker.then_some(Self::Number(number))
    }
}

/// Whether a text begins with this number: “1st: Vigo” is “1. Vigo”.
fn begins_with(text: &str, number: &str) -> bool {
    let text = text.trim_start().strip_prefix(number);
    text.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{codes, codes_for};

    #[test]
    fn technical_remains_are_found() {
        for text in [
            "Hola ⟦3⟧",
            "```Hola```",
            "**Hola**",
            "Hola &amp; adiós",
            "[hola](mundo)",
            "{\"text\": \"hola\"}",
        ] {
            assert!(codes("Hello and bye", &[text]).contains(&"markup"), "{text}");
        }
        assert!(!codes("**Hello** & bye", &["**Hola** & adiós"]).contains(&"markup"));
    }

    #[test]
    fn escapes_and_references_are_found() {
        for text in [
            r"Ma\u00f1ana abre el mercado",
            r"Mañana abre\nel mercado",
            r"Mañana abre \tel mercado",
            r#"Mañana abre \"el mercado\""#,
            r"Mañana abre el mercado\",
            r"Ma\xf1ana abre el mercado",
            r"Ma\u{f1}ana abre el mercado",
            "Mañana&nbsp;abre el mercado",
            "Mañana abre & gt; el mercado",
            "Mañana abre &gt ; el mercado",
            "Mañana abre &#39;el mercado&#39;",
            "Mañana abre &#x27;el mercado",
            "Mañana abre & # 39; el mercado",
            "Ma&ntilde;ana abre el mercado",
            "Mañana abre ＆amp；el mercado",
            "Mañana abre &ldquo;el mercado&rdquo;",
            "Mañana abre &nbsp el mercado",
            "Mañana abre<br>el mercado",
            "Mañana abre< br / >el mercado",
            "Mañana abre <b>el mercado</b>",
            "<p>Mañana abre el mercado",
            "<x id=\"1\"/>Mañana abre el mercado",
        ] {
            assert!(codes("The market opens tomorrow", &[text]).contains(&"markup"), "{text}");
        }
        let german = codes_for("de", "The market opens tomorrow", &["1. Der Markt öffnet morgen"]);
        assert!(german.contains(&"markup"));
        for (source, text) in [
            (r"Use C:\new on Windows", r"Usa C:\new en Windows"),
            (r"\o/ We won", r"\o/ Ganamos"),
            ("Write &nbsp; for a space", "Escribe &nbsp; para un espacio"),
            ("Rock & roll; and more", "Rock & roll; y más"),
            ("Q&A; at noon", "Q&A; a mediodía"),
            ("I <3 you, 2 < 3 > 1", "Te <3, 2 < 3 > 1"),
            ("The <b> tag makes text bold", "La etiqueta <b> pone el texto en negrita"),
        ] {
            assert!(!codes(source, &[text]).contains(&"markup"), "{source}");
        }
    }

    #[test]
    fn emphasis_is_found_unless_the_post_has_the_mark() {
        for text in [
            "*Mañana* abre el mercado",
            "Mañana abre el *mercado*.",
            "_Mañana_ abre el mercado",
            "Mañana abre el `mercado`",
            "***Mañana*** abre el mercado",
            "Mañana abre el *market",
            "Mañana *abre el mercado*",
        ] {
            assert!(codes("The market opens tomorrow", &[text]).contains(&"markup"), "{text}");
        }
        let german = codes_for("de", "The market opens tomorrow", &["1. Der Markt öffnet morgen"]);
        assert!(german.contains(&"markup"));
        for (to, source, text) in [
            ("es", "*Tomorrow* the market opens", "*Mañana* abre el mercado"),
            ("es", "What the f*ck, people", "Qué c*ño, gente"),
            ("es", "What the f**k, people", "Qué **** gente"),
            ("es", "The _real_ market", "El _verdadero_ mercado"),
            ("es", "snake_case is fine here", "snake_case está bien aquí"),
            ("de", "All teachers come today", "Alle Lehrer*innen kommen heute"),
            ("es", "Free* entry for all (*not today)", "Entrada libre* para todos (*hoy no)"),
            ("es", "Thanks @_bob_ for it", "Gracias @_bob_ por eso"),
        ] {
            assert!(!codes_for(to, source, &[text]).contains(&"markup"), "{source}");
        }
    }

    #[test]
    fn marks_of_headings_and_lists_are_found_unless_the_post_has_a_list() {
        for text in [
            "# El mercado abre mañana",
            "## El mercado abre mañana",
            "1. El mercado abre mañana",
            "1) El mercado abre mañana",
            "- El mercado abre mañana",
            "• El mercado abre mañana",
            "* El mercado abre mañana",
            "El mercado abre mañana\n- y cierra tarde",
        ] {
            assert!(codes("The market opens tomorrow", &[text]).contains(&"markup"), "{text}");
        }
        let german = codes_for("de", "The market opens tomorrow", &["1. Der Markt öffnet morgen"]);
        assert!(german.contains(&"markup"));
        for (to, source, text) in [
            ("es", "1. Bread\n2. Milk\n3. Eggs", "1. Pan\n2. Leche\n3. Huevos"),
            ("es", "1) Bread\n2) Milk", "1. Pan\n2. Leche"),
            ("ja", "1. Bread\n2. Milk", "1、パン\n2、牛乳"),
            ("es", "- Bread\n- Milk", "– Pan\n– Leche"),
            ("es", "• Bread\n• Milk", "- Pan\n- Leche"),
            ("de", "First place for our team", "1. Platz für unser Team"),
            ("de", "May 1st is a holiday", "1. Mai ist ein Feiertag"),
            ("es", "“Come in,” she said", "— Pasa —dijo ella"),
            ("es", "1st: Vigo", "1. Vigo"),
            ("es", "#1 in the table again", "#1 de la tabla otra vez"),
        ] {
            assert!(!codes_for(to, source, &[text]).contains(&"markup"), "{source}");
        }
    }
}
