//! A translation has the lines of the post: a list stays a list, and nothing stands on a line of its own that did not before.
//! Models join the lines of a list into a sentence, and write a second translation below the first.
//!
//! Only lines with words count: a tag or link may move to another line. A post that breaks its sentences in the middle, as some
//! apps do, may be joined.

use super::{Finding, seen::Seen};

/// A post with fewer lines than this has no list.
const LIST: usize = 3;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let source = seen.source.as_str();
    // Most posts are one line, and so are their translations.
    if !source.contains('\n') && !seen.candidate.parts.iter().any(|part| part.trim().contains('\n')) {
        return None;
    }
    let there = lines(seen.source.bare());
    let breaks = lines(seen.text.bare()).len().saturating_sub(1);
    // Where a publication of a thread begins, there may have been a space.
    let beginnings = seen.candidate.parts.len().saturating_sub(1);
    let finding = |message: &str| Some(Finding { rule: "layout", message: message.into() });
    if !there.is_empty() && breaks > there.len() - 1 + beginnings {
        return finding("the translation has line breaks that the post does not");
    }
    if there.len() < LIST {
        return None;
    }
    let firm = there.windows(2).filter(|pair| !continues(pair[0], pair[1])).count();
    let items = there.iter().filter(|line| is_item(line)).count();
    let lost = if items >= LIST { breaks < firm.min(items - 1) } else { breaks * 2 < firm };
    if firm >= LIST - 1 && lost {
        return finding("the translation joins lines that are separate in the post");
    }
    None
}

/// The lines with words.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| line.contains(char::is_alphabetic)).collect()
}

/// Whether a line goes on in the next one.
fn continues(line: &str, next: &str) -> bool {
    let ends = line.ends_with(['.', '!', '?', '…', ':', ';', '。', '！', '？', '：', ')', '"', '”', '»']);
    !ends && next.starts_with(char::is_lowercase)
}

/// Whether a line begins as an item of a list does: with a mark, an emoji or a number.
fn is_item(line: &str) -> bool {
    !line.starts_with(|c: char| {
        c.is_alphabetic() || matches!(c, '"' | '“' | '«' | '\'' | '(' | '¿' | '¡' | '@' | '「')
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;

    #[test]
    fn lost_lines_of_a_list_are_found() {
        for (source, text) in [
            ("Today:\n- bread\n- milk\n- eggs", "Hoy: pan, leche, huevos"),
            ("Today:\n• bread\n• milk\n• eggs", "Hoy:\n• pan • leche • huevos"),
            ("1. Bread\n2. Milk\n3. Eggs", "1. Pan 2. Leche 3. Huevos"),
            ("🍞 Bread\n🥛 Milk\n🥚 Eggs", "🍞 Pan 🥛 Leche\n🥚 Huevos"),
            ("We came.\nWe saw.\nWe won.", "Llegamos. Vimos. Vencimos."),
            ("We came.\n\nWe saw.\n\nWe won.", "Llegamos. Vimos. Vencimos."),
            ("Bread\nMilk\nEggs", "Pan, leche y huevos"),
        ] {
            assert!(codes(source, &[text]).contains(&"layout"), "{source}");
        }
    }

    #[test]
    fn invented_lines_are_found() {
        for (source, text) in [
            ("Good morning to all", "Buenos días a todos\nBuen día a todo el mundo"),
            ("Good morning to all", "Buenos días\n\na todos"),
            ("Good morning\nto all", "Buenos días\na todos\nBuen día a todos"),
        ] {
            assert!(codes(source, &[text]).contains(&"layout"), "{text}");
        }
    }

    #[test]
    fn the_same_lines_and_joined_sentences_pass() {
        for (source, parts) in [
            ("Today:\n- bread\n- milk\n- eggs", &["Hoy:\n- pan\n- leche\n- huevos"][..]),
            ("We came.\n\nWe saw.\nWe won.", &["Llegamos.\nVimos.\n\nVencimos."]),
            (
                "We came to see\nthe new bridge\nover the river",
                &["Fuimos a ver el puente nuevo sobre el río"],
            ),
            ("Good morning\nto all", &["Buenos días a todos"]),
            ("Good morning #port", &["Buenos días\n#port"]),
            ("Good morning\n#port\n@bob\n#sea", &["Buenos días #port @bob #sea"]),
            ("We came. We saw. We won.", &["Llegamos. Vimos.", "Vencimos."]),
            ("We came.\nWe saw.\nWe won.", &["Llegamos.\nVimos.", "Vencimos."]),
            ("One.\nTwo.\nThree.\nFour.", &["Uno.\nDos. Tres.\nCuatro."]),
        ] {
            assert!(!codes(source, parts).contains(&"layout"), "{source}");
        }
    }
}
