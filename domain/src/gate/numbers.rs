//! The translation has the same numbers as the post, in whatever local form: `1,000.50` is `1.000,50`, and `10:30` is
//! `10h30`. Small numbers may be words on either side.

use super::{
    Finding,
    seen::{Seen, balance},
};

/// Numbers up to this one may be written as words.
const IN_WORDS: &str = "12";

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let (there, here) = (numbers(seen.source.bare()), numbers(seen.text.bare()));
    // A time may gain or lose its zeros: 7 pm, 7:00 pm.
    let is_significant = |number: &String| !number.trim_start_matches('0').is_empty() && !is_small(number);
    let differing = balance(there, here);
    let (number, count) = differing.iter().find(|(number, _)| is_significant(number))?;
    let message = if *count > 0 {
        format!("the number {number} of the post is not in the translation")
    } else {
        format!("the translation has the number {number}, which the post does not")
    };
    Some(Finding { rule: "numbers", message })
}

fn is_small(number: &str) -> bool {
    number.len() < IN_WORDS.len() || (number.len() == IN_WORDS.len() && number <= IN_WORDS)
}

/// Groups of digits as ASCII. A thousands separator joins them, everything else separates them, so that the order of a
/// date and the decimal mark do not matter.
fn numbers(text: &str) -> Vec<String> {
    if !text.contains(|c| digit(c).is_some()) {
        return Vec::new();
    }
    let characters: Vec<char> = text.chars().collect();
    let mut numbers: Vec<String> = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let mut number = String::new();
        while let Some(digit) = characters.get(at).copied().and_then(digit) {
            number.push(digit);
            at += 1;
            let thousands = characters.get(at).is_some_and(|c| is_thousands_mark(*c));
            if thousands && three_digits(&characters[at + 1..]) {
                at += 1;
            }
        }
        if number.is_empty() {
            at += 1;
        } else {
            numbers.push(number);
        }
    }
    numbers
}

fn is_thousands_mark(c: char) -> bool {
    matches!(c, ',' | '.' | '\'' | '’' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '٬')
}

/// Whether exactly three digits follow.
fn three_digits(rest: &[char]) -> bool {
    rest.len() >= 3
        && rest[..3].iter().all(|c| digit(*c).is_some())
        && rest.get(3).is_none_or(|c| digit(*c).is_none())
}

/// A decimal digit of any script, as ASCII.
fn digit(c: char) -> Option<char> {
    const ZEROS: [u32; 20] = [
        0x30, 0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50,
        0xed0, 0xf20, 0x1040, 0x17e0, 0x1810, 0xff10,
    ];
    // Most characters are below the second one.
    if c < '\u{660}' {
        return c.is_ascii_digit().then_some(c);
    }
    let value = ZEROS.iter().find_map(|zero| u32::from(c).checked_sub(*zero).filter(|value| *value < 10))?;
    char::from_digit(value, 10)
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;

    #[test]
    fn local_forms_of_a_number_are_equal() {
        for (source, text) in [
            ("It costs 1,000.50 dollars", "Cuesta 1.000,50 dólares"),
            ("About 12\u{202f}000 people", "Unas 12.000 personas"),
            ("At 10:30 on 11/23/2026", "A las 10h30 del 23/11/2026"),
            ("The 21st of May", "El 21 de mayo"),
            ("25 trees", "٢٥ شجرة"),
            ("Two of 3 are done", "Dos de tres están"),
            ("See https://a.example/2026", "Mira https://a.example/2026"),
        ] {
            assert!(!codes(source, &[text]).contains(&"numbers"), "{source} / {text}");
        }
    }

    #[test]
    fn a_different_number_is_found() {
        for (source, text) in [
            ("The 31st of May", "El 13 de mayo"),
            ("In the 1990s", "En los años"),
            ("Many trees", "350 árboles"),
            ("The 100th visitor", "El visitante 1.000"),
        ] {
            assert!(codes(source, &[text]).contains(&"numbers"), "{source} / {text}");
        }
    }
}
