//! A played model answers on X's terms: faithful answers, written as models write placeholders, are all published, and
//! no faulty one is.

use mynah_domain::{
    fixtures::played_model::{Form, answers_to, faithful_answers, faults, faulty_answers},
    text::{MaskedText, Segment, digits::decimal},
};

use super::placeholders::Brackets;
use crate::networks::x::text::XRules;

/// Placeholders as models write them, each answer in another habit.
struct Written;

impl Form for Written {
    fn carry(&self, asked: &MaskedText, answer: &MaskedText, language: &str, nth: usize) -> MaskedText {
        let brackets = Brackets::absent_from(&[asked].into_iter()).expect("no post has all brackets");
        let has = |c: char| asked.words().any(|words| words.contains(c));
        // The last one loses a bracket, unless a digit beside it could then be taken for one of its own.
        let last = answer.0.iter().enumerate().rev().find_map(|(at, segment)| {
            let is_digit = |c: char| decimal(c).is_some();
            let beside = |at: Option<usize>| match at.and_then(|at| answer.0.get(at)) {
                Some(Segment::Words(words)) => Some(words.as_str()),
                Some(Segment::Placeholder(_)) => None,
                None => Some(""),
            };
            let (before, after) = (beside(at.checked_sub(1))?, beside(at.checked_add(1))?);
            let is_clear = !before.ends_with(is_digit) && !after.starts_with(is_digit);
            (matches!(segment, Segment::Placeholder(_)) && is_clear).then_some(at)
        });
        let pieces = answer.0.iter().enumerate().map(|(at, segment)| match segment {
            Segment::Words(words) => words.clone(),
            Segment::Placeholder(number) => {
                let plain = brackets.around(*number);
                let inside = &number.to_string();
                let doubled = |bracket: char| format!("{bracket}{bracket}");
                match nth % 9 {
                    1 => in_digits_of(language, &plain),
                    2 => plain.replace(inside, &format!(" {inside} ")),
                    3 if Some(at) == last => plain.trim_end_matches(brackets.1).to_owned(),
                    4 if !has('[') => format!("[[{inside}]]"),
                    5 if !has('【') => in_digits_of(language, &format!("【{inside}】")),
                    6 => format!("{}{inside}{}", doubled(brackets.0), doubled(brackets.1)),
                    7 => plain.replace(inside, &format!("\u{200e}{inside}\u{200f}")),
                    8 if Some(at) == last => plain.trim_start_matches(brackets.0).to_owned(),
                    _ => plain,
                }
            }
        });
        brackets.read(&pieces.collect::<String>(), asked)
    }
}

/// Digits as a language has them, in place of ASCII ones.
fn in_digits_of(language: &str, text: &str) -> String {
    let zero = match language {
        "ar" => '٠',
        "hi" => '०',
        "th" => '๐',
        "ja" | "zh" => '０',
        _ => '0',
    };
    let local = |c: char| decimal(c).and_then(|value| char::from_u32(u32::from(zero) + value)).unwrap_or(c);
    text.chars().map(local).collect()
}

#[test]
fn no_faithful_answer_is_held() {
    faithful_answers(&XRules, &Written).assert_none();
}

#[test]
fn every_answer_with_leftovers_of_a_machine_is_found() {
    faulty_answers(&XRules, &Written, faults::LEFTOVERS).assert_none();
}

#[test]
fn every_answer_in_another_language_is_found() {
    faulty_answers(&XRules, &Written, faults::LANGUAGES).assert_none();
}

#[test]
fn every_answer_with_something_of_nobodys_is_found() {
    faulty_answers(&XRules, &Written, faults::FOREIGN).assert_none();
}

#[test]
fn every_answer_with_a_placeholder_lost_or_doubled_is_found() {
    faulty_answers(&XRules, &Written, faults::PLACEHOLDERS).assert_none();
}

#[test]
#[ignore = "needs a file with one real post per line: MYNAH_CORPUS=…"]
fn no_answer_to_a_real_post_is_held() {
    let path = std::env::var("MYNAH_CORPUS").expect("MYNAH_CORPUS names a file with one post per line");
    let posts = std::fs::read_to_string(path).expect("the file can be read");
    answers_to(posts.lines(), &XRules, &Written).assert_none();
}
