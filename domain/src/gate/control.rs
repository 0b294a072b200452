//! No character in a translation has an effect that readers do not see, unless the post has it too: control characters,
//! marks that change the direction of the text after them, invisible and private-use characters, hidden messages in tag
//! characters. Scripts need some of them: Persian its non-joiner, Hebrew its direction marks, Japanese names their
//! variation selectors.
//!
//! Sources: Unicode's general categories, UAX #9 for direction, UTS #51 for emoji, UTS #37 for ideographs, and the
//! joiners of the core specification, chapters 9, 12, 13 and 16.

use unicode_properties::{GeneralCategory, UnicodeEmoji as _, UnicodeGeneralCategory as _};

use super::{Finding, seen::Seen};
use crate::Language;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let text = seen.text.as_str();
    // Most translations have nothing else.
    if text.chars().all(is_plain) {
        return None;
    }
    let hidden = first_hidden(text, seen.source.as_str(), seen.candidate.to).or_else(|| undirected(seen))?;
    let message = format!("the translation contains the invisible character U+{:04X}", u32::from(hidden));
    Some(Finding { rule: "control", message })
}

/// The first character that is hidden, not needed where it is, and not the author's.
fn first_hidden(text: &str, source: &str, target: Language) -> Option<char> {
    let mut found = strays(text, target).peekable();
    found.peek()?;
    let own: Vec<char> = strays(source, target).collect();
    found.find(|c| !own.contains(c))
}

/// The hidden characters of a text that have no purpose where they are.
fn strays(text: &str, target: Language) -> impl Iterator<Item = char> {
    // The beginning of most texts needs no look at its characters, only at the last of them.
    let plain = text.bytes().position(|byte| !is_plain_ascii(byte)).unwrap_or(text.len());
    let start = plain.saturating_sub(1);
    let mut before = Before::default();
    text[start..].char_indices().filter_map(move |(at, c)| {
        let at = start + at;
        let stray = is_hidden(c) && !before.needs(c, &text[at + c.len_utf8()..], target);
        before.push(c);
        stray.then_some(c)
    })
}

/// Whether readers do not see a character, or see something else on every device. White space is seen, and the marks of
/// direction are judged in pairs.
fn is_hidden(c: char) -> bool {
    match c {
        c if is_plain(c) || is_paired(c) => false,
        // Of category letter, mark or symbol, but without a shape. From Default_Ignorable_Code_Point, and the blank of Braille.
        '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}'
        | '\u{fffc}'
        | '\u{e0100}'..='\u{e01ef}' => true,
        // Signs before numbers and verses of Arabic and Syriac, and shorthand: they have a shape.
        '\u{600}'..='\u{605}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{890}'
        | '\u{891}'
        | '\u{8e2}'
        | '\u{110bd}'
        | '\u{110cd}' => false,
        c => matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::PrivateUse
                | GeneralCategory::Unassigned
        ),
    }
}

fn is_plain_ascii(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n')
}

/// What most texts consist of, known without a look at the table of categories.
fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~' | '\n' | '\u{a0}'..='\u{ac}' | '\u{ae}'..='\u{34e}' | 'Ѐ'..='ԯ' | '\u{2010}'..='\u{2027}' | '、'..='〟'
        | 'ぁ'..='ゖ' | 'ァ'..='ヿ' | '一'..='鿿' | '가'..='힣')
}

/// What is before a character.
#[derive(Default)]
struct Before {
    last: Option<char>,
    /// Within the tags after a black flag.
    in_flag: bool,
}

/// The flags that have tags: of England, Scotland and Wales, the only ones in Unicode's list.
const FLAGS: [&str; 3] = ["gbeng", "gbsct", "gbwls"];

impl Before {
    fn push(&mut self, c: char) {
        self.in_flag = self.in_flag && is_tag(c);
        self.last = Some(c);
    }

    /// Whether a hidden character has a purpose here that readers do see.
    fn needs(&mut self, c: char, rest: &str, target: Language) -> bool {
        let Some(last) = self.last else { return is_rtl(target) && is_mark_of_direction(c) };
        match c {
            // Emoji and the letters of many scripts are joined, or kept apart.
            '\u{200c}' | '\u{200d}' => {
                let next = rest.chars().next();
                joins(last)
                    || (c == '\u{200d}'
                        && (last.is_emoji_char() || last == '\u{fe0f}')
                        && next.is_some_and(char::is_emoji_char))
            }
            '\u{fe0e}' | '\u{fe0f}' => last.is_emoji_char(),
            // Forms of a character in Japanese names.
            '\u{fe00}'..='\u{fe02}' | '\u{e0100}'..='\u{e01ef}' => {
                target.base() == "ja" && is_ideograph(last)
            }
            '\u{180b}'..='\u{180f}' => matches!(last, '\u{1820}'..='\u{18aa}'),
            // Thai, Lao, Khmer and Burmese may be broken there.
            '\u{200b}' => matches!(target.base(), "th" | "lo" | "km" | "my"),
            c if is_mark_of_direction(c) => is_rtl(target),
            c if is_tag(c) => {
                if last == '\u{1f3f4}' {
                    let tags: String = std::iter::once(c)
                        .chain(rest.chars())
                        .take_while(|c| is_tag(*c))
                        .map(untagged)
                        .collect();
                    self.in_flag = FLAGS.iter().any(|flag| tags.strip_suffix('\u{7f}') == Some(flag));
                }
                self.in_flag
            }
            _ => false,
        }
    }
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..='\u{e007f}')
}

/// The ASCII character that a tag stands for.
fn untagged(tag: char) -> char {
    char::from_u32(u32::from(tag) - 0xe_0000).unwrap_or(tag)
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '〆' | '㐀'..='䶿' | '一'..='鿿' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3fffd}')
}

/// Whether a letter or mark is of a script that joins letters: Arabic and its kin, Mongolian, those of India and
/// South-East Asia.
fn joins(c: char) -> bool {
    matches!(
        c,
        '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{e00}'..='\u{eff}' | '\u{f00}'..='\u{109f}' | '\u{1780}'..='\u{18af}'
            | '\u{1cd0}'..='\u{1cff}' | '\u{a8e0}'..='\u{a8ff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
            | '\u{10d00}'..='\u{10d3f}' | '\u{11000}'..='\u{11fff}' | '\u{1e900}'..='\u{1e95f}'
    )
}

/// Languages that are written from right to left.
fn is_rtl(language: Language) -> bool {
    matches!(language.base(), "ar" | "fa" | "he" | "ur")
}

/// Marks that have a direction and change none: LRM, RLM, ALM.
fn is_mark_of_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}')
}

/// Characters that change the direction of what follows, up to another one.
fn is_paired(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A character that changes the direction of what follows, and is neither the author's nor harmless: in a language from
/// right to left, and around what the author has put between such, a closed pair changes nothing after it.
fn undirected(seen: &Seen<'_>) -> Option<char> {
    let (text, source) = (seen.text.as_str(), seen.source.as_str());
    // Their first byte, which they share with other signs.
    if !text.as_bytes().contains(&0xe2) {
        return None;
    }
    let paired = |text: &str| text.chars().filter(|c| is_paired(*c)).collect::<Vec<_>>();
    let here = paired(text);
    let first = *here.first()?;
    let there = paired(source);
    let new = |c: &&char| {
        let count = |all: &[char]| all.iter().filter(|other| other == c).count();
        count(&here) > count(&there)
    };
    let added = here.iter().find(new).copied();
    let is_override = |c: &char| matches!(c, '\u{202d}' | '\u{202e}');
    if let Some(c) = here.iter().filter(|c| is_override(c)).find(new) {
        return Some(*c);
    }
    let balanced = text.lines().all(is_balanced);
    match added {
        // As the author has it: all of them, or only closed pairs of them.
        None => (!balanced && here.len() != there.len()).then_some(first),
        Some(_) if balanced && is_rtl(seen.candidate.to) => None,
        added => added,
    }
}

/// Whether every isolate and every embedding in a line is closed, in order.
fn is_balanced(line: &str) -> bool {
    let mut open = Vec::new();
    let ordered = line.chars().filter(|c| is_paired(*c)).all(|c| match c {
        '\u{2069}' => open.pop() == Some(true),
        '\u{202c}' => open.pop() == Some(false),
        c => {
            open.push(matches!(c, '\u{2066}'..='\u{2068}'));
            true
        }
    });
    ordered && open.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{codes, codes_for};

    fn is_found(to: &str, source: &str, text: &str) -> bool {
        codes_for(to, source, &[text]).contains(&"control")
    }

    #[test]
    fn only_ideographs_of_japanese_have_selectors_of_their_form() {
        let source = "Mr. Watanabe opens the town hall";
        for (to, text, is_found) in [
            ("ja", "渡邉\u{e0100}さんが市役所を開く", false),
            ("ja", "辻\u{fe00}さんが市役所を開く", false),
            ("ja", "渡邉さんが\u{e0100}市役所を開く", true),
            ("zh", "渡邉\u{e0100}先生打开市政厅", true),
            ("es", "El señor W\u{fe00}atanabe abre", true),
        ] {
            assert_eq!(codes_for(to, source, &[text]).contains(&"control"), is_found, "{to}: {text:?}");
        }
    }

    #[test]
    fn invisible_characters_are_found() {
        for text in ["Hola\u{202e}", "Ho\u{0}la", "Hola\u{200b}", "\u{feff}Hola", "Hola\r"] {
            assert!(codes("Hello there", &[text]).contains(&"control"), "{text:?}");
        }
        assert!(codes("Hello\n\nthere 👩‍💻", &["Hola\n\nahí 👩‍💻"]).is_empty());
    }

    #[test]
    fn every_kind_of_hidden_character_is_found_and_the_authors_own_stay() {
        for c in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{2028}',
            '\u{2029}',
            '\u{2060}',
            '\u{2063}',
            '\u{206a}',
            '\u{2800}',
            '\u{3164}',
            '\u{fe00}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{fffc}',
            '\u{ffff}',
            '\u{e000}',
            '\u{f8ff}',
            '\u{378}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e007f}',
            '\u{e0100}',
            '\u{f0000}',
            '\u{10fffd}',
            '\t',
            '\u{85}',
            '\u{1b}',
        ] {
            let text = format!("Ho{c}la a todos");
            assert!(is_found("es", "Hello to everyone", &text), "{c:?}");
            assert!(!is_found("es", &format!("Hel{c}lo to everyone"), &text), "{c:?}");
        }
        for c in ['\u{a0}', '\u{202f}', '\u{2009}', '\u{3000}', 'ª', '￼'] {
            let found = is_found("es", "Hello to everyone", &format!("Hola{c}a todos"));
            assert_eq!(found, c == '\u{fffc}', "{c:?}");
        }
    }

    #[test]
    fn the_shortcuts_agree_with_the_categories() {
        use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};
        for c in
            ('\u{400}'..='\u{ffff}').filter(|c| c.general_category_group() == GeneralCategoryGroup::Other)
        {
            let is_judged_elsewhere = super::is_paired(c);
            let has_a_shape = matches!(
                c,
                '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
            );
            assert_eq!(super::is_hidden(c), !is_judged_elsewhere && !has_a_shape, "{c:?}");
        }
    }

    #[test]
    fn what_a_script_needs_is_no_finding() {
        for (to, source, text) in [
            ("fa", "I want books", "کتاب\u{200c}ها را می\u{200c}خواهم"),
            ("hi", "Power of the state", "राज्य की शक्\u{200d}ति क्\u{200c}ष"),
            ("si", "Sri Lanka today", "ශ්\u{200d}රී ලංකාව අද"),
            ("ml", "Power", "അവൻ അവന്\u{200d}"),
            ("ja", "Mr. Watanabe came", "渡邉\u{e0101}さんが来ました"),
            ("ja", "Love ❤", "愛 ❤\u{fe0f}"),
            ("th", "Good morning friends", "สวัสดี\u{200b}ตอนเช้า"),
            ("he", "The market opens", "\u{200f}השוק נפתח"),
            ("ar", "Open the app now", "افتح \u{2068}Bootstrap\u{2069} الآن\u{200f}!"),
            ("ur", "Open the app now", "\u{202b}ابھی کھولیں\u{202c}"),
            (
                "es",
                "From 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
                "De 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            ),
        ] {
            assert!(!is_found(to, source, text), "{to}: {text:?}");
        }
        assert!(!super::is_hidden('\u{600}'));
    }

    #[test]
    fn a_message_in_tags_is_found_behind_a_flag_too() {
        let tagged = |text: &str| {
            text.chars().map(|c| char::from_u32(u32::from(c) + 0xe_0000).unwrap()).collect::<String>()
        };
        for (tags, hidden) in [
            ("gbeng\u{7f}", false),
            ("gbsct\u{7f}", false),
            ("gbwls\u{7f}", false),
            ("ignore me\u{7f}", true),
            ("gbeng", true),
        ] {
            let text = format!("Hola 🏴{} a todos", tagged(tags));
            let found = super::first_hidden(&text, "Hello", "es".parse().unwrap());
            assert_eq!(found.is_some(), hidden, "{tags:?}");
        }
    }

    #[test]
    fn pairs_that_change_direction_are_allowed_where_they_are_closed_and_needed() {
        let around = "\u{2068}@bob\u{2069} opens the market";
        for (to, source, text, found) in [
            // The author's own, kept, dropped, or kept without its end.
            ("es", around, "\u{2068}@bob\u{2069} abre el mercado", false),
            ("es", around, "@bob abre el mercado", false),
            ("es", around, "\u{2068}@bob abre el mercado", true),
            ("es", around, "\u{2068}@bob\u{2069} abre \u{2068}el\u{2069} mercado", true),
            ("es", around, "\u{2066}@bob\u{2069} abre el mercado", true),
            ("es", "@bob opens the market", "\u{2068}@bob\u{2069} abre el mercado", true),
            ("es", "\u{202e}The market", "\u{202e}El mercado", false),
            ("es", "The market", "\u{202a}El mercado\u{202c}", true),
            // A language from right to left may have new ones.
            ("he", "@bob opens the market", "\u{2068}@bob\u{2069} פותח את השוק", false),
            ("he", "@bob opens the market", "\u{2068}@bob פותח את השוק", true),
            ("he", "@bob opens the market", "@bob פותח \u{2069}את השוק", true),
            ("he", "@bob opens the market", "\u{2067}@bob\n\u{2069}פותח את השוק", true),
            ("he", "@bob opens the market", "\u{202b}@bob\u{2069} פותח את השוק", true),
            ("he", "@bob opens the market", "\u{202e}@bob\u{202c} פותח את השוק", true),
            ("ar", "@bob opens the market", "\u{202a}@bob\u{202c} يفتح السوق", false),
        ] {
            assert_eq!(is_found(to, source, text), found, "{to}: {text:?}");
        }
    }
}
