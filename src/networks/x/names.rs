//! How accounts and posts are named on X.

use config::ValueKind;
use jiff::{SignedDuration, Timestamp};
use mynah_domain::{PostId, ports::ledger::Mark};

use crate::settings::kinds::{Read, quoted, refuse, text_of};

/// A number as X's ids are, as people find it at the end of a link.
pub(super) const EXAMPLE_ID: &str = "1849337283618123841";

/// X's API knows no post from before this day, and calls an earlier moment an error.
pub(super) fn beginning() -> Timestamp {
    Timestamp::constant(1_288_915_200, 0) + SignedDuration::from_hours(24)
}

/// A handle; a leading `@` is how people write it.
pub(super) fn handle(value: &ValueKind) -> Read<String> {
    let text = text_of(value)?;
    let handle = text.strip_prefix('@').unwrap_or(text);
    let fits = (1..=15).contains(&handle.len())
        && handle.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fits {
        return Ok(handle.to_owned());
    }
    refuse(
        format!("{} is no handle of an account on X", quoted(value)),
        "write what stands after the @: 1 to 15 letters without accents, digits or _",
    )
}

/// The place of a post, which is its id.
pub(super) fn mark(id: &str) -> Option<Mark> {
    let is_id = (1..=19).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    let position = is_id.then(|| id.parse().ok()).flatten()?;
    Some(Mark { id: PostId(id.to_owned()), position })
}

/// A post by its number, or by a link that ends in it: `https://x.com/example/status/1234`.
pub(super) fn post_named(which: &str) -> Read<PostId> {
    let path = which.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let id = match path.split_once("/status/") {
        Some((_, rest)) => rest.split('/').next().unwrap_or_default(),
        None => path,
    };
    match mark(id) {
        Some(mark) => Ok(mark.id),
        None => refuse(
            format!("{which:?} is no post"),
            "name it by its number, or by its link, https://x.com/…/status/1234",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> ValueKind {
        ValueKind::from(text)
    }

    #[test]
    fn a_handle_may_have_its_at_and_nothing_else_around_it() {
        assert_eq!(handle(&text("@Town_ES")).unwrap(), "Town_ES");
        for wrong in ["", "@", "a b", "sixteen_letters_", "niño", "https://x.com/a"] {
            let refusal = handle(&text(wrong)).unwrap_err();
            assert!(refusal.what.contains("no handle") && refusal.fix.contains("1 to 15"), "{refusal:?}");
        }
        let refusal = handle(&ValueKind::I64(123)).unwrap_err();
        assert!(refusal.what.contains("123 is no text") && refusal.fix.contains("\"123\""), "{refusal:?}");
    }

    #[test]
    fn what_a_message_shows_is_short_and_obeyed_by_no_terminal() {
        let refusal = handle(&text(&format!("\u{1b}[31m{}", "x".repeat(500)))).unwrap_err();
        assert!(!refusal.what.contains('\u{1b}') && refusal.what.len() < 150, "{refusal:?}");
    }

    #[test]
    fn a_post_is_known_by_its_number_and_by_its_link() {
        for which in ["1234", "https://x.com/a/status/1234", "https://x.com/a/status/1234/photo/1?s=20"] {
            assert_eq!(post_named(which).unwrap(), PostId("1234".into()), "{which}");
        }
        for which in ["", "https://x.com/a", "https://x.com/a/status/", "12a4", "../2/users/me"] {
            assert!(post_named(which).is_err(), "{which}");
        }
    }
}
