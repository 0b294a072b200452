//! No word of a translation is a forgery: a Cyrillic `а` in a Latin word looks right, and is another word for search,
//! for screen readers and in an address. Nor does any letter carry a pile of marks. The author's own words stay.
//!
//! Which letters look alike is from Unicode's confusables.txt (UTS #39), for the three alphabets that do.

use unicode_normalization::char::is_combining_mark;

use super::{Finding, seen::Seen};

/// More marks than this on one letter are a pile. Hebrew, Vietnamese, Thai and the scripts of India need up to four.
const MARKS: usize = 4;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let text = seen.text.as_str();
    if !may_be_forged(text) {
        return None;
    }
    let found = mixed(seen).or_else(|| piled(text).filter(|_| piled(seen.source.as_str()).is_none()))?;
    Some(Finding {
        rule: "look_alikes",
        message: format!(
            "the word “{found}” mixes letters of different alphabets that look alike, or piles up marks"
        ),
    })
}

/// Whether a text has a letter of the other alphabets or a mark: all are beyond Latin, and most texts have nothing there
/// but punctuation and emoji.
fn may_be_forged(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        0..0xcc => false,
        // Among the signs of U+2000 to U+2FFF, only those from U+20C0 on are marks.
        0xe2 => bytes.get(at + 1) == Some(&0x83),
        // The emoji from U+1F000 on.
        0xf0 => bytes.get(at + 1) != Some(&0x9f),
        _ => true,
    })
}

/// An alphabet with letters that look like those of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    Latin,
    Cyrillic,
    Greek,
}

fn alphabet(c: char) -> Option<Alphabet> {
    match c {
        'a'..='z' | 'A'..='Z' | 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ɏ' | 'Ḁ'..='ỿ' => {
            Some(Alphabet::Latin)
        }
        'Ͱ'..='Ͽ' | 'ἀ'..='῿' => Some(Alphabet::Greek),
        'Ѐ'..='ԯ' => Some(Alphabet::Cyrillic),
        _ => None,
    }
}

/// Letters of Cyrillic and Greek that look like a Latin letter. Of Greek, without those of formulas and units (α, μ, Ω).
const LIKE_LATIN: &str = "АВЕЅІЈКМНОРСТУХЬаеѕіїјкорсуухһԁԛԝЁё\
    ΑΒΕΖΗΙΚΜΝΟΡΤΥΧικνορυχόίύ";

/// Letters of Latin that look like a Cyrillic or Greek letter.
const LIKE_OTHERS: &str = "ABCEHIJKMNOPSTXYZaceijkopsuvxy";

/// A word that mixes alphabets with letters that look alike, and that the post does not have.
fn mixed(seen: &Seen<'_>) -> Option<String> {
    let source = seen.source.as_str();
    let mut words = seen.text.as_str().split(|c: char| !c.is_alphabetic() && !is_combining_mark(c));
    words.find(|word| is_forged(word, source) && !source.contains(*word)).map(str::to_owned)
}

/// Whether the letters of the rarer alphabet in a word all look like letters of the other. A name of the post may have an
/// ending of the target's language: `PDFка`.
fn is_forged(word: &str, source: &str) -> bool {
    if word.is_ascii() {
        return false;
    }
    let count = |wanted| word.chars().filter(|c| alphabet(*c) == Some(wanted)).count();
    let (latin, cyrillic, greek) =
        (count(Alphabet::Latin), count(Alphabet::Cyrillic), count(Alphabet::Greek));
    let (other, others) =
        if cyrillic > greek { (Alphabet::Cyrillic, cyrillic) } else { (Alphabet::Greek, greek) };
    if latin == 0 || others == 0 {
        return cyrillic > 0 && greek > 0;
    }
    // One Greek letter beside one or two Latin ones is a formula.
    if other == Alphabet::Greek && latin < 3 && others < 3 {
        return false;
    }
    let all_of =
        |rare, like: &str| word.chars().filter(|c| alphabet(*c) == Some(rare)).all(|c| like.contains(c));
    let all_alike = (latin >= others && all_of(other, LIKE_LATIN))
        || (others >= latin && all_of(Alphabet::Latin, LIKE_OTHERS));
    all_alike && !is_inflected(word, source)
}

/// Whether a word is one of the post with letters of one other alphabet behind it.
fn is_inflected(word: &str, source: &str) -> bool {
    let first = word.chars().next().and_then(alphabet);
    let end = word.find(|c| alphabet(c) != first).unwrap_or(word.len());
    let (stem, ending) = word.split_at(end);
    stem.chars().nth(1).is_some() && source.contains(stem) && ending.chars().all(|c| alphabet(c) != first)
}

/// A letter with a pile of marks.
fn piled(text: &str) -> Option<String> {
    let mut marks = 0;
    let at = text.char_indices().find(|(_, c)| {
        marks = if is_combining_mark(*c) { marks + 1 } else { 0 };
        marks > MARKS
    });
    let (end, c) = at?;
    let until = &text[..end + c.len_utf8()];
    let start =
        until.char_indices().rev().find(|(_, c)| !is_combining_mark(*c)).map_or(0, |(start, _)| start);
    Some(until[start..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes_for;

    fn is_found(to: &str, source: &str, text: &str) -> bool {
        codes_for(to, source, &[text]).contains(&"look_alikes")
    }

    #[test]
    fn a_letter_of_another_alphabet_within_a_word_is_found() {
        for (to, text) in [
            ("es", "Entra en pаypal ahora"),
            ("es", "Еl mercado abre"),
            ("es", "El mercadο abre"),
            ("es", "Abre Αmazon"),
            ("es", "Abre Gооgle y Fасebook"),
            ("ru", "Pынок открывается"),
            ("uk", "Ринок вiдкривається"),
            ("el", "Η αγoρά ανοίγει"),
            ("ru", "Ροсcия"),
        ] {
            assert!(is_found(to, "The market opens", text), "{to}: {text}");
            assert!(!is_found(to, text, text), "{to}: {text}");
        }
    }

    #[test]
    fn words_of_one_alphabet_formulas_and_inflected_names_are_no_forgery() {
        for (to, source, text) in [
            ("ru", "Ask GPT for help", "Спросите GPT о помощи"),
            ("ru", "Save the PDF now", "Сохраните PDFка сейчас"),
            ("sr", "The market opens", "Пијаца se otvara"),
            ("es", "The limit of Δx is 5 μm at 3 kΩ", "El límite de Δx es 5 μm con 3 kΩ"),
            ("es", "Photons have hν", "Los fotones tienen hν"),
            ("es", "The station Мир", "La estación Мир"),
            ("el", "The market opens", "Η αγορά ανοίγει"),
            ("ru", "The company sells IT services", "IT-компания продаёт услуги"),
            ("ru", "The googleable", "гуглится, погуglили"),
            ("uk", "It is", "Це її ім’я і є"),
        ] {
            assert!(!is_found(to, source, text), "{to}: {text}");
        }
    }

    #[test]
    fn a_pile_of_marks_is_found_if_the_post_has_none() {
        let pile = |marks: usize| {
            format!("Ho{}la", "\u{301}\u{316}".chars().cycle().take(marks).collect::<String>())
        };
        assert!(is_found("es", "Hello", &pile(5)));
        assert!(!is_found("es", "Hello", &pile(4)));
        assert!(!is_found("es", &pile(9), &pile(5)));
        for text in ["Tiê\u{302}\u{301}ng", "בְּרֵאשִׁ֖ית", "ที่นี่", "र्द्ध्र्य"]
        {
            assert!(!is_found("es", "Hello", text), "{text}");
        }
    }
}
