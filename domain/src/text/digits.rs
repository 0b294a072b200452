//! Decimal digits of every script. Models write a number in the digits of the language, also where they were asked to
//! leave it as it is.

/// The zero of each set of decimal digits; the nine others follow it (Unicode 16, general category `Nd`, which holds
/// nothing else).
#[rustfmt::skip]
const ZEROS: [u32; 75] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6,
    0xd66, 0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80,
    0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0,
    0xff10, 0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650,
    0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0, 0x11c50, 0x11d50, 0x11da0, 0x11f50, 0x16a60,
    0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0,
    0x1e5f1, 0x1e950, 0x1fbf0,
];

/// The value of a decimal digit.
pub fn decimal(c: char) -> Option<u32> {
    if c.is_ascii() {
        return c.to_digit(10);
    }
    let code = u32::from(c);
    let zero = ZEROS[..ZEROS.partition_point(|zero| *zero <= code)].last()?;
    Some(code - zero).filter(|value| *value < 10)
}

/// Parses a number in the digits of one script or of several; `None` if there is anything else, or nothing, in it.
pub fn parse_decimal(text: &str) -> Option<usize> {
    let digits = text.chars().try_fold(0_usize, |number, c| {
        let digit = usize::try_from(decimal(c)?).ok()?;
        number.checked_mul(10)?.checked_add(digit)
    });
    digits.filter(|_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_parsed_in_the_digits_of_every_script() {
        for (text, number) in [
            ("12", Some(12)),
            ("１２", Some(12)),
            ("١٢", Some(12)),
            ("۱۲", Some(12)),
            ("१२", Some(12)),
            ("๑๒", Some(12)),
            ("၁၂", Some(12)),
            ("១២", Some(12)),
            ("໑໒", Some(12)),
            ("𝟏𝟐", Some(12)),
            ("1٢", Some(12)),
            ("", None),
            ("一", None),
            ("½", None),
            ("²", None),
            ("1 2", None),
            ("-1", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(parse_decimal(text), number, "{text}");
        }
    }

    #[test]
    fn every_digit_is_numeric_and_no_letter_is_a_digit() {
        assert!(ZEROS.is_sorted());
        for c in ('\0'..=char::MAX).filter(|c| decimal(*c).is_some()) {
            assert!(!c.is_alphabetic(), "{c:?}");
        }
    }
}
