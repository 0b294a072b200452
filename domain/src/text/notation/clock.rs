//! Times of day with *am* or *pm*, as the target's readers write them: `7:30pm` is `19:30` in Spain and `7:30 p. m.` in
//! Argentina. A time without either is unambiguous or in doubt, and remains.
//!
//! In *5 to 7pm* and *5-7pm* the first time has the half of the day of the second, or the other one if it would come
//! after it: *11-1pm*.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{cldr::Clock, quantity};

/// A time of day, in minutes since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Time {
    minutes: u16,
    /// Whether the author wrote minutes.
    exact: bool,
}

/// Half a day, in minutes.
const HALF: u16 = 12 * 60;

/// What may be between two times of one token.
const BETWEEN: [char; 3] = ['-', '–', '/'];

/// Words between a time without a half and the one whose half it shares.
const RANGES: [&str; 9] = ["to", "-", "–", "—", "till", "until", "til", "through", "thru"];
const LISTS: [&str; 3] = ["and", "or", "&"];

/// Words before the first of two times.
const AT: [&str; 12] =
    ["at", "between", "from", "@", "around", "about", "either", "by", "before", "after", "until", "both"];

/// What each of `numbers` becomes, if it is a time with *am* or *pm*.
pub(super) fn rewrite(
    text: &str,
    numbers: &[Range<usize>],
    clock: Clock,
    has_halves: bool,
) -> Vec<Option<String>> {
    let mut written = vec![None; numbers.len()];
    // The time after the number at hand, if there is one.
    let mut next: Option<Time> = None;
    for (index, range) in numbers.iter().enumerate().rev() {
        let token = &text[range.clone()];
        let times = match (Times::of(token, has_halves), next, numbers.get(index + 1)) {
            (Some(times), _, _) => Some(times),
            (None, Some(next), Some(after)) if share_a_half(text, range, after) => {
                bare(token).and_then(|(hour, minutes)| Some(Times::one(before(hour, minutes, next)?)))
            }
            _ => None,
        };
        next = times.as_ref().and_then(|times| times.0.first()).map(|(time, _)| *time);
        written[index] = times.map(|times| times.write(clock, text[range.end..].starts_with('.')));
    }
    written
}

/// Times of one token, each with the mark after it.
#[derive(Debug, PartialEq, Eq)]
struct Times(Vec<(Time, Option<char>)>);

impl Times {
    fn one(time: Time) -> Self {
        Self(vec![(time, None)])
    }

    /// The times of a token whose last one has a half of the day.
    fn of(token: &str, has_halves: bool) -> Option<Self> {
        let ends_like_one = token.ends_with(['m', 'M']) || token.ends_with("m.") || token.ends_with("M.");
        let is_word = !has_halves && !token.ends_with('.') && token.contains([' ', '\u{a0}', '\u{202f}']);
        if !ends_like_one || is_word {
            return None;
        }
        let mut times: Vec<(Time, Option<char>)> = Vec::new();
        let mut rest = Some(token);
        let mut mark_after = None;
        while let Some(pieces) = rest {
            let mark = pieces.rfind(BETWEEN);
            let mark_before = mark.and_then(|at| pieces[at..].chars().next());
            let start = mark.map_or(0, |at| at + mark_before.map_or(0, char::len_utf8));
            let piece = &pieces[start..];
            let time = match (with_half(piece), times.last()) {
                (Some(time), _) => time,
                (None, Some((next, _))) => {
                    bare(piece).and_then(|(hour, minutes)| before(hour, minutes, *next))?
                }
                (None, None) => return None,
            };
            times.push((time, mark_after));
            (rest, mark_after) = (mark.map(|at| &pieces[..at]), mark_before);
        }
        times.reverse();
        Some(Self(times))
    }

    fn write(&self, clock: Clock, at_full_stop: bool) -> String {
        let mut text = String::new();
        for (time, mark) in &self.0 {
            text.push_str(&time.write(clock));
            text.extend(mark);
        }
        // The sentence's full stop is also that of the abbreviation.
        if at_full_stop && text.ends_with('.') {
            text.pop();
        }
        text
    }
}

impl Time {
    fn of(hour: u16, minutes: Option<u16>, is_afternoon: bool) -> Option<Self> {
        if !(1..=12).contains(&hour) || minutes.is_some_and(|minutes| minutes > 59) {
            return None;
        }
        let half = if is_afternoon { HALF } else { 0 };
        Some(Self { minutes: hour % 12 * 60 + minutes.unwrap_or(0) + half, exact: minutes.is_some() })
    }

    fn write(self, clock: Clock) -> String {
        let (hour, minutes) = (self.minutes / 60, self.minutes % 60);
        let (pattern, half) = match clock {
            Clock::Day(pattern) => (pattern, ""),
            Clock::Halves(whole, exact, am, pm) => {
                (if self.exact { exact } else { whole }, if self.minutes < HALF { am } else { pm })
            }
        };
        let mut text = String::with_capacity(12);
        let mut rest = pattern;
        let mut quoted = false;
        while let Some(c) = rest.chars().next() {
            let run = rest.len() - rest.trim_start_matches(c).len();
            let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
            match c {
                '\'' => quoted = !quoted,
                _ if quoted => text.push_str(&rest[..run]),
                'H' if run == 2 => push_two(&mut text, hour),
                'H' => text.push_str(&hour.to_string()),
                'h' => text.push_str(&twelve.to_string()),
                'm' => push_two(&mut text, minutes),
                'a' => text.push_str(half),
                _ => text.push_str(&rest[..run]),
            }
            rest = &rest[run..];
        }
        text
    }
}

/// Writes a number of one or two digits with two.
fn push_two(text: &mut String, number: u16) {
    if number < 10 {
        text.push('0');
    }
    text.push_str(&number.to_string());
}

/// `7pm`, `7:30 p.m.`, `7.30pm`, `730pm`; `710 AM` is a radio station.
fn with_half(piece: &str) -> Option<Time> {
    static TIME: LazyLock<Regex> = LazyLock::new(|| {
        let space = "[ \u{a0}\u{202f}]?";
        let half = format!(r"([aApP])\.?{space}[mM]\.?");
        let time = format!(r"^(?:(\d{{1,2}})(?:[:.]([0-5]\d))?{space}|(\d{{1,2}})([0-5]\d)){half}$");
        Regex::new(&time).expect("the expression is valid")
    });
    let found = TIME.captures(piece)?;
    let hour = found.get(1).or_else(|| found.get(3))?.as_str().parse().ok()?;
    let minutes = found.get(2).or_else(|| found.get(4));
    let minutes = minutes.map(|minutes| minutes.as_str().parse()).transpose().ok()?;
    Time::of(hour, minutes, found[5].eq_ignore_ascii_case("p"))
}

/// `7`, `7:30` and `7.30`: hour and minutes.
fn bare(piece: &str) -> Option<(u16, Option<u16>)> {
    let (hour, minutes) = match piece.split_once([':', '.']) {
        Some((hour, minutes)) if minutes.len() == 2 => (hour, Some(minutes.parse().ok()?)),
        Some(_) => return None,
        None => (piece, None),
    };
    let is_hour = (1..=2).contains(&hour.len()) && hour.bytes().all(|c| c.is_ascii_digit());
    is_hour.then(|| hour.parse().ok())?.map(|hour| (hour, minutes))
}

/// The time with this hour that is before `next`, in the same half of the day if possible.
fn before(hour: u16, minutes: Option<u16>, next: Time) -> Option<Time> {
    let same = Time::of(hour, minutes, next.minutes >= HALF)?;
    if same.minutes < next.minutes { Some(same) } else { Time::of(hour, minutes, next.minutes < HALF) }
}

/// Whether the number at `range` is a time in the half of the day of the one at `after`.
fn share_a_half(text: &str, range: &Range<usize>, after: &Range<usize>) -> bool {
    let between = text[range.end..after.start].trim();
    let before = quantity::word_before(text, range.start);
    if RANGES.iter().any(|word| between.eq_ignore_ascii_case(word)) {
        return !quantity::is_name(before);
    }
    let at = || AT.iter().any(|word| before.eq_ignore_ascii_case(word)) || text[..range.start].ends_with('@');
    LISTS.iter().any(|word| between.eq_ignore_ascii_case(word)) && at()
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;

    #[test]
    fn a_time_with_am_or_pm_is_written_as_the_language_does() {
        for (to, expected) in [
            ("es", "17:00"),
            ("ca", "17:00"),
            ("gl", "17:00"),
            ("fr", "17:00"),
            ("da", "17.00"),
            ("fi", "17.00"),
            ("fr-CA", "17 h 00"),
            ("es-MX", "5\u{202f}p.m."),
            ("es-AR", "5\u{202f}p.\u{202f}m."),
            ("hi", "5\u{202f}pm"),
            ("ko", "오후 5시"),
            ("zh-Hant", "下午5時"),
            ("ja", "17:00"),
        ] {
            assert_eq!(written("en", to, "See you at 5pm"), format!("See you at {expected}"), "{to}");
        }
        assert_eq!(written("en", "ko", "at 7:30 PM"), "at 오후 7:30");
        assert_eq!(written("en", "de", "at 7:05am"), "at 07:05");
    }

    #[test]
    fn times_are_read_in_all_their_forms() {
        for (text, expected) in [
            ("7:30 p.m. sharp", "19:30 sharp"),
            ("from 7.30pm", "from 19:30"),
            ("930pm tonight", "21:30 tonight"),
            ("12am, 12pm, 12:30am", "0:00, 12:00, 0:30"),
            ("5AM and 11 PM", "5:00 and 23:00"),
            ("open 9am-5pm", "open 9:00-17:00"),
            ("5–7pm, 11-1pm", "17:00–19:00, 11:00-13:00"),
            ("from 5 to 7pm", "from 17:00 to 19:00"),
            ("between 10:30 and 1 pm", "between 10:30 and 13:00"),
            ("7pm/8pm", "19:00/20:00"),
            ("Doors at 6pm.", "Doors at 18:00."),
            ("until 11:59pm", "until 23:59"),
            ("from 5:30 to 7pm, 5.30-7pm", "from 17:30 to 19:00, 17:30-19:00"),
        ] {
            assert_eq!(written("en", "es", text), expected, "{text}");
        }
        assert_eq!(written("en", "es-MX", "Doors at 6pm."), "Doors at 6\u{202f}p.m.");
    }

    #[test]
    fn what_is_no_time_of_day_remains() {
        for text in ["710 AM", "13pm", "0am", "at 5:75pm", "17:30", "Room 3 and 7", "5 to 7", "5 mm", "3m"] {
            assert_eq!(written("en", "es", text), text);
        }
        assert_eq!(written("de", "es", "Platz 5 am Montag"), "Platz 5 am Montag");
        assert_eq!(written("en", "es", "Game 5 and 7pm"), "Game 5 and 19:00");
    }
}
