//! Which posts become jobs at all. What is left out is left out with a reason in the ledger, so that "why was this not
//! said?" always has an answer.

use crate::{Language, Post, PostKind, Skip, Target, text};

/// Codes with which X says "this has no language": undefined, no text, only media, hashtags, mentions, cashtags, or
/// too short to tell.
const NO_LANGUAGE: [&str; 7] = ["und", "zxx", "qme", "qht", "qam", "qct", "qst"];

/// Why `post`, from an account that speaks `source`, is not said on `target`; `None` where it is.
///
/// # Examples
///
/// A repost is somebody else's words, so it is skipped with [`Skip::Repost`].
pub fn skip_reason(post: &Post, source: Language, target: &Target) -> Option<Skip> {
    match post.kind {
        PostKind::Reply { .. } => return Some(Skip::Reply),
        PostKind::Repost { .. } => return Some(Skip::Repost),
        PostKind::Original | PostKind::Thread { .. } | PostKind::Quote { .. } => {}
    }
    if !text::mask::mask(&post.text).text.has_words() {
        return Some(Skip::Wordless);
    }
    let said_in = post.language.as_deref().filter(|code| !NO_LANGUAGE.contains(code))?;
    match said_in.parse::<Language>() {
        Ok(said_in) if said_in.base() == target.language.base() => Some(Skip::AlreadyInLanguage),
        Ok(said_in) if said_in.base() == source.base() => None,
        // A code that Mynah does not know is no proof that the post is in another language.
        Err(_) => None,
        Ok(_) => Some(Skip::OtherLanguage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PostId, TargetId, TooLong};

    fn post(text: &str, language: Option<&str>, kind: PostKind) -> Post {
        Post {
            id: PostId("1".into()),
            position: 1,
            text: text.into(),
            language: language.map(Into::into),
            kind,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            media: vec![],
        }
    }

    fn why(post: &Post) -> Option<Skip> {
        let [en, es] = ["en", "es"].map(|code| code.parse().unwrap());
        let target = Target {
            id: TargetId::new("x", "a_es"),
            language: es,
            account: "a_es".into(),
            style: crate::Style::default(),
            masking: crate::text::Masking::default(),
            too_long: TooLong::Thread,
            max_weighted_length: 280,
        };
        skip_reason(post, en, &target)
    }

    #[test]
    fn an_own_post_and_a_thread_are_said() {
        let parent = PostId("0".into());
        assert_eq!(why(&post("Good morning", Some("en"), PostKind::Original)), None);
        assert_eq!(why(&post("and more", None, PostKind::Thread { parent })), None);
    }

    #[test]
    fn what_is_left_out_has_a_reason() {
        let id = || PostId("0".into());
        assert_eq!(why(&post("Thanks!", Some("en"), PostKind::Reply { to: id() })), Some(Skip::Reply));
        assert_eq!(why(&post("RT", Some("en"), PostKind::Repost { of: id() })), Some(Skip::Repost));
        assert_eq!(why(&post("https://x.test/a #goal 🎉", None, PostKind::Original)), Some(Skip::Wordless));
        assert_eq!(why(&post("Hola a todos", Some("es"), PostKind::Original)), Some(Skip::AlreadyInLanguage));
        assert_eq!(why(&post("Guten Tag", Some("de"), PostKind::Original)), Some(Skip::OtherLanguage));
    }

    #[test]
    fn a_code_that_says_nothing_keeps_nobody_silent() {
        for code in ["und", "qst", "zxx", "xx-unheard-of"] {
            assert_eq!(why(&post("Good morning", Some(code), PostKind::Original)), None, "{code}");
        }
    }
}
