//! Parses the names of accounts and posts on X.

use config::ValueKind;
use jiff::{SignedDuration, Timestamp};
use mynah_domain::{PostId, ports::ledger::Mark};

use crate::settings::kinds::{Read, quoted, refuse, text_of};

/// An example of a post's id, as people find it at the end of a link.
pub(super) const EXAMPLE_ID: &str = "1849337283618123841";

/// X's API has no posts from before this day, and answers an earlier moment with an error.
pub(super) fn beginning() -> Timestamp {
    Timestamp::constant(1_288_915_200, 0) + SignedDuration::from_hours(24)
}

/// A handle, with or without a leading `@`.
pub(super) fn handle(value: &ValueKind) -> Read<String> {
    let text = text_of(value)?;
    let handle = text.strip_prefix('@').unwrap_or(text);
    let fits = (1..=15).contains(&handle.len())
        && handle.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fits {
        return Ok(handle.to_owned());
    }
    refuse(
        format!("{} is not a handle on X", quoted(value)),
        "write the part after the @: 1 to 15 letters (without accents), digits or _",
    )
}

/// A post's position, which is its id.
pub(super) fn mark(id: &str) -> Option<Mark> {
    let is_id = (1..=19).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    let position = is_id.then(|| id.parse().ok()).flatten()?;
    Some(Mark { id: PostId(id.to_owned()), position })
}

/// A post by its id, or by its link: `https://x.com/example/status/1234`.
pub(super) fn post_named(which: &str) -> Read<PostId> {
    let path = which.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let id = match path.split_once("/status/") {
        Some((_, rest)) => rest.split('/').next().unwrap_or_default(),
        None => path,
    };
    match mark(id) {
        Some(mark) => Ok(mark.id),
        None => refuse(
            format!("{which:?} is not a post"),
            "name it by its id, or by its link: https://x.com/…/status/1234",
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
    fn a_handle_may_have_an_at_sign_and_nothing_else() {
        assert_eq!(handle(&text("@Town_ES")).unwrap(), "Town_ES");
        for wrong in ["", "@", "a b", "sixteen_letters_", "niño", "https://x.com/a"] {
            let refusal = handle(&text(wrong)).unwrap_err();
            assert!(refusal.what.contains("not a handle") && refusal.fix.contains("1 to 15"), "{refusal:?}");
        }
        let refusal = handle(&ValueKind::I64(123)).unwrap_err();
        assert!(refusal.what.contains("123 is not a text") && refusal.fix.contains("\"123\""), "{refusal:?}");
    }

    #[test]
    fn messages_shorten_values_and_escape_control_characters() {
        let refusal = handle(&text(&format!("\u{1b}[31m{}", "x".repeat(500)))).unwrap_err();
        assert!(!refusal.what.contains('\u{1b}') && refusal.what.len() < 150, "{refusal:?}");
    }

    #[test]
    fn a_post_is_named_by_its_id_or_its_link() {
        for which in ["1234", "https://x.com/a/status/1234", "https://x.com/a/status/1234/photo/1?s=20"] {
            assert_eq!(post_named(which).unwrap(), PostId("1234".into()), "{which}");
        }
        for which in ["", "https://x.com/a", "https://x.com/a/status/", "12a4", "../2/users/me"] {
            assert!(post_named(which).is_err(), "{which}");
        }
    }
}
