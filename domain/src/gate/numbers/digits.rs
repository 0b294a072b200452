//! Finds the numbers that a text has in digits, of whatever script, with what makes another value of them: *million*,
//! *pm*, the *s* of a decade.

use super::{
    scale::{self, Certainty},
    value::{Mention, Value},
};

/// Numbers up to this one may be written as words.
const IN_WORDS: &str = "12";

/// Marks after an hour.
const HOURS: [&str; 12] = ["h", "H", "時", "时", "点", "點", "시", "uhr", "ч", "год", "น.", "ωρα"];

/// What stands before or after an hour of the morning.
#[rustfmt::skip]
const MORNINGS: [&str; 19] = [
    "午前", "上午", "早上", "凌晨", "오전", "am", "a.m", "a. m", "a.\u{202f}m", "π.μ", "ص", "de la mañana", "da manhã",
    "du matin", "morgens", "del mattino", "утра", "ранку", "del matí",
];

/// What stands before or after an hour of the afternoon or evening.
#[rustfmt::skip]
const AFTERNOONS: [&str; 34] = [
    "午後", "下午", "晚上", "傍晚", "中午", "夜", "오후", "pm", "p.m", "p. m", "p.\u{202f}m", "μ.μ", "م", "de la tarde",
    "de la noche", "da tarde", "da noite", "del pomeriggio", "di sera", "du soir", "de l'après-midi",
    "de l’après-midi", "nachmittags", "abends", "uhr abends", "uhr nachmittags", "вечера", "дня", "вечора",
    "de la vesprada", "del vespre", "de la nit", "da noitiña", "da noute",
];

/// What follows a decade.
const DECADES: [&str; 14] =
    ["s", "'s", "’s", "er", "ers", "-е", "-х", "-ых", "-ті", "-тих", "年代", "년대", "-luku", "-talet"];

/// What stands before a decade.
const YEARS: [&str; 12] =
    ["años", "anos", "anys", "années", "anni", "anii", "lata", "lat", "jaren", "года", "aastad", "léta"];

/// How a text is read.
pub(super) struct Reader<'a> {
    /// The base of its language's code.
    pub(super) language: &'a str,
    /// Whether the words for large numbers are known on both sides.
    pub(super) scales: bool,
    /// Whether a plain space may separate thousands.
    pub(super) spaces: bool,
}

/// Every number in digits, in order.
pub(super) fn mentions(text: &str, reader: &Reader<'_>) -> Vec<Mention> {
    let mut mentions = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(|c| digit(c).is_some()).map(|at| from + at) {
        let run = Run::of(&text[start..], reader.spaces);
        let mut end = start + run.length;
        let mut mention = plain(&run.digits);
        if let Some((scaled, length)) = scaled(&text[start..], &run, reader) {
            (mention, end) = (scaled, start + length);
        } else {
            add_time(&mut mention, &run.digits, &text[..start], &text[end..]);
            add_decade(&mut mention, &run.digits, &text[..start], &text[end..]);
        }
        mentions.push(mention);
        from = end;
    }
    mentions
}

/// Digits at the start of a text, with marks between thousands.
struct Run {
    /// As ASCII.
    digits: String,
    length: usize,
    /// Whether it is one group of thousands behind a mark that may be a decimal one.
    is_ambiguous: bool,
}

impl Run {
    /// A thousands separator joins digits, everything else separates them, so that the order of a date and the decimal
    /// mark do not matter.
    fn of(text: &str, spaces: bool) -> Self {
        let mut digits = String::new();
        let mut length = 0;
        let mut groups = 0;
        let mut is_point = false;
        loop {
            let rest = &text[length..];
            let taken = leading_digits(rest);
            digits.extend(taken.chars().filter_map(digit));
            length += taken.len();
            let rest = &rest[taken.len()..];
            let mark = rest.chars().next();
            let Some(mark) = mark.filter(|mark| is_thousands_mark(*mark) || (spaces && *mark == ' ')) else {
                break;
            };
            let next = leading_digits(&rest[mark.len_utf8()..]);
            let count = next.chars().count();
            // Indian groups are twos before the last three.
            let indian = mark == ',' && count == 2 && digits.len() <= 2 + 2 * groups && is_indian(&rest[1..]);
            let plain_space = mark != ' ' || digits.len() <= 3 + 3 * groups;
            if !((count == 3 && plain_space) || indian) {
                break;
            }
            is_point = matches!(mark, '.' | ',');
            groups += 1;
            length += mark.len_utf8();
        }
        Self { digits, length, is_ambiguous: groups == 1 && is_point }
    }
}

/// Whether a text begins with the rest of a number in Indian groups: `50,000`.
fn is_indian(text: &str) -> bool {
    let mut rest = text;
    loop {
        let group = leading_digits(rest).len();
        let next = &rest[group..];
        match (group, next.strip_prefix(',')) {
            (2, Some(after)) => rest = after,
            (3, after) => return after.is_none_or(|after| leading_digits(after).is_empty()),
            _ => return false,
        }
    }
}

fn leading_digits(text: &str) -> &str {
    let end = text.find(|c| digit(c).is_none()).unwrap_or(text.len());
    &text[..end]
}

fn is_thousands_mark(c: char) -> bool {
    matches!(c, ',' | '.' | '\'' | '’' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '٬')
}

fn is_small(number: &str) -> bool {
    number.len() < IN_WORDS.len() || (number.len() == IN_WORDS.len() && number <= IN_WORDS)
}

fn plain(digits: &str) -> Mention {
    // A time may gain or lose its zeros: 7 pm, 7:00 pm.
    let is_required = !digits.trim_start_matches('0').is_empty() && !is_small(digits);
    Mention {
        written: digits.to_owned(),
        is: vec![Value::new(digits, 0)],
        may_be: Vec::new(),
        is_required,
        is_digits: true,
        is_morning: false,
    }
}

/// A number with a word such as *million*, and how long both are; `None` without such a word.
fn scaled(text: &str, run: &Run, reader: &Reader<'_>) -> Option<(Mention, usize)> {
    let rest = &text[run.length..];
    let fraction = rest.strip_prefix(['.', ',', '٫']).map(leading_digits).unwrap_or_default();
    let mark = if fraction.is_empty() { 0 } else { rest.chars().next().map_or(0, char::len_utf8) };
    let places = i32::try_from(fraction.chars().count()).unwrap_or(i32::MAX);
    let digits: String = run.digits.chars().chain(fraction.chars().filter_map(digit)).collect();
    let mut length = run.length + mark + fraction.len();
    let scale = scale::after(&text[length..], reader.language)?;
    length += scale.length;
    let mut is = vec![Value::new(&digits, scale.exponent.saturating_sub(places))];
    if run.is_ambiguous && fraction.is_empty() {
        is.push(Value::new(&digits, scale.exponent - 3));
    }
    if let Some((whole, more)) = compound(&digits, places, scale.exponent, &text[length..], reader) {
        is = vec![Value::from(whole)];
        length += more;
    }
    let plain = plain(&run.digits);
    let known = reader.scales || scale.certainty == Certainty::Letter;
    let (is_required, may_be) = match scale.certainty {
        _ if !known => (plain.is_required, plain.is),
        Certainty::Ambiguous => {
            is.extend(plain.is);
            (plain.is_required, Vec::new())
        }
        Certainty::Letter | Certainty::Word => (true, Vec::new()),
    };
    let written = text[..length].to_owned();
    Some((Mention { written, is, may_be, is_required, is_digits: true, is_morning: false }, length))
}

/// The rest of a number in ideographs, `5000` of `12万5000`: the whole value, and how long the rest is.
fn compound(
    digits: &str,
    places: i32,
    exponent: i32,
    text: &str,
    reader: &Reader<'_>,
) -> Option<(u128, usize)> {
    let power = |exponent: i32| 10_u128.checked_pow(u32::try_from(exponent).ok()?);
    if !scale::is_in_ideographs(reader.language) || leading_digits(text).is_empty() {
        return None;
    }
    let mut whole = digits.parse::<u128>().ok()?.checked_mul(power(exponent - places)?)?;
    let mut limit = exponent;
    let mut length = 0;
    while !leading_digits(&text[length..]).is_empty() {
        let run = Run::of(&text[length..], false);
        let after = length + run.length;
        let scale =
            scale::after(&text[after..], reader.language).filter(|scale| scale.certainty == Certainty::Word);
        let exponent = scale.as_ref().map_or(0, |scale| scale.exponent);
        let part = run.digits.parse::<u128>().ok()?.checked_mul(power(exponent)?)?;
        if exponent >= limit || part >= power(limit)? {
            break;
        }
        whole = whole.checked_add(part)?;
        length = after + scale.map_or(0, |scale| scale.length);
        limit = exponent;
    }
    (length > 0).then_some((whole, length))
}

/// A time of day is another number in twelve hours than in 24.
fn add_time(mention: &mut Mention, digits: &str, before: &str, after: &str) {
    if digits.len() > 2 {
        // `730pm`
        let (hour, minutes) = digits.split_at(digits.len().saturating_sub(2));
        if digits.len() <= 4 && half_of_day(before, after) == Some(true) && minutes < "60" {
            let later = hour.parse::<u128>().ok().filter(|hour| *hour < 12).map(|hour| hour + 12);
            mention.may_be.extend(later.map(Value::from));
            mention.may_be.push(Value::new(hour, 0));
        }
        return;
    }
    let Ok(hour) = digits.parse::<u128>() else { return };
    let minutes = after.strip_prefix([':', '.', 'h']).map(leading_digits).filter(|digits| digits.len() == 2);
    let (minutes_length, end) =
        minutes.map_or((0, after), |digits| (digits.len(), &after[1 + digits.len()..]));
    match half_of_day(before, end) {
        Some(true) if (1..=11).contains(&hour) => {
            mention.may_be = std::mem::replace(&mut mention.is, vec![Value::from(hour + 12)]);
        }
        Some(false) if (1..=12).contains(&hour) => {
            if hour == 12 {
                mention.is = vec![Value::from(0)];
                mention.may_be = vec![Value::from(12), Value::from(24)];
            }
            mention.is_morning = true;
        }
        _ => {
            let is_named = || {
                let named = after.trim_start_matches([' ', '\u{a0}', '\u{202f}']).to_lowercase();
                HOURS.iter().any(|hours| named.starts_with(hours))
            };
            if (13..=23).contains(&hour) && (minutes_length > 0 || is_named()) {
                mention.may_be.push(Value::from(hour - 12));
            }
        }
    }
}

/// Whether an hour is one of the afternoon; `None` if that is not written.
fn half_of_day(before: &str, after: &str) -> Option<bool> {
    let before = before.trim_end();
    let after = after.trim_start_matches([' ', '\u{a0}', '\u{202f}', '時', '时', '点', '點', '시', 'h', ':']);
    // What follows most numbers begins no name of a half, and names with other letters stand before none.
    let is_letter =
        after.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || !first.is_ascii());
    let is_behind = before.bytes().next_back().is_some_and(|last| !last.is_ascii());
    if !is_letter && !is_behind {
        return None;
    }
    let longest = after.char_indices().nth(20).map_or(after.len(), |(at, _)| at);
    let after = after[..longest].to_lowercase();
    let first = after.bytes().next();
    let named = |name: &str| {
        let ends_before = || is_behind && !name.is_ascii() && before.ends_with(name);
        let follows = || {
            name.bytes().next() == first
                && after.strip_prefix(name).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        };
        follows() || ends_before()
    };
    if AFTERNOONS.iter().any(|name| named(name)) {
        Some(true)
    } else {
        MORNINGS.iter().any(|name| named(name)).then_some(false)
    }
}

/// A decade may be written with its century or without.
fn add_decade(mention: &mut Mention, digits: &str, before: &str, after: &str) {
    if !digits.ends_with('0') {
        return;
    }
    let follows = || {
        let ends = |ending: &str| {
            after
                .strip_prefix(ending)
                .is_some_and(|rest| !ending.is_ascii() || !rest.starts_with(char::is_alphanumeric))
        };
        DECADES.iter().any(|ending| ends(ending))
    };
    let precedes =
        || before.trim_end().rsplit(char::is_whitespace).next().is_some_and(|word| YEARS.contains(&word));
    match digits.len() {
        2 if follows() || precedes() => {
            mention.may_be.extend(["19", "20"].map(|century| Value::new(&format!("{century}{digits}"), 0)));
        }
        4 if follows() => mention.may_be.push(Value::new(&digits[2..], 0)),
        _ => {}
    }
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
