//! Recognizes the notices that X shows in place of a post that it withholds. Such a text is X's own; published under
//! the author's name, it would put words into their mouth. A post that is withheld only in some countries and readable
//! here is a normal post.

use super::wire::Withheld;

/// X's own codes among the country codes: everywhere, and everywhere because of a copyright claim.
const EVERYWHERE: [&str; 2] = ["XX", "XY"];

/// The reasons that X gives.
const REASONS: [&str; 5] = ["in response to", "legal demand", "copyright", "local law", "court order"];

/// The maximum length of a notice's subject, in bytes.
const SUBJECT_MOST: usize = 60;

/// Whether a post is withheld everywhere, so that its text can only be a notice.
pub fn is_everywhere(withheld: &Withheld) -> bool {
    let everywhere = |code: &String| EVERYWHERE.iter().any(|known| known.eq_ignore_ascii_case(code));
    withheld.copyright || withheld.country_codes.iter().any(everywhere)
}

/// Whether a text is a notice: “This Post from @example has been withheld in response to a legal demand.”
pub fn is_one(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let Some((subject, rest)) = text.split_once(" withheld") else { return false };
    let subject = subject.replace('’', "'");
    let Some(subject) =
        ["has been", "have been", "is", "was"].iter().find_map(|verb| subject.strip_suffix(verb))
    else {
        return false;
    };
    let subject = subject.trim_end();
    let post = ["this tweet", "this post"].iter().find_map(|start| subject.strip_prefix(start));
    let account = subject.strip_prefix("the account ").or_else(|| subject.strip_suffix("'s account"));
    let is_handle = |word: &str| word.starts_with('@') && !word.contains(char::is_whitespace);
    let is_subject = match (post, account) {
        (Some(""), _) => return gives_reason(rest),
        (Some(of), _) => of.strip_prefix(" from ").is_some_and(is_handle),
        (None, Some(account)) => is_handle(account),
        (None, None) => false,
    };
    is_subject && subject.len() <= SUBJECT_MOST && (rest.starts_with(" in") || gives_reason(rest))
}

fn gives_reason(rest: &str) -> bool {
    REASONS.iter().any(|reason| rest.contains(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_distinguished_from_authors_texts() {
        for text in [
            "This Tweet from @example has been withheld in response to a legal demand.",
            "This Tweet from @example has been withheld in response to a report from the copyright holder. Learn more: https://t.co/abcdefghij",
            "This Post from @example has been withheld in Germany based on local law(s).",
            "This tweet from @example has been withheld in: Turkey",
            "This post has been withheld in response to a legal demand",
            "@example’s account has been withheld in Turkey in response to a legal demand.",
            "@example's account is withheld in response to a court order",
            "The account @example has been withheld in: Germany",
            "  THIS POST FROM @EXAMPLE HAS BEEN WITHHELD IN RESPONSE TO A LEGAL DEMAND  ",
        ] {
            assert!(is_one(text), "{text}");
        }
        for text in [
            "",
            "Good morning",
            "withheld",
            "The minister has withheld the report in response to a legal demand",
            "Our payment was withheld in response to a legal demand",
            "This post will not be withheld",
            "This post has been withheld for long enough. Here it is!",
            "Why has this post from @example been withheld in Turkey?",
            "Breaking: this post from @example has been withheld in response to a legal demand",
        ] {
            assert!(!is_one(text), "{text}");
        }
    }

    #[test]
    fn withheld_everywhere_differs_from_withheld_in_some_countries() {
        let withheld = |copyright, codes: &[&str]| Withheld {
            copyright,
            country_codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        };
        for everywhere in [
            withheld(true, &["XY"]),
            withheld(true, &[]),
            withheld(false, &["XX"]),
            withheld(false, &["de", "xx"]),
        ] {
            assert!(is_everywhere(&everywhere), "{everywhere:?}");
        }
        for somewhere in
            [withheld(false, &[]), withheld(false, &["DE"]), withheld(false, &["TR", "IN", "RU"])]
        {
            assert!(!is_everywhere(&somewhere), "{somewhere:?}");
        }
    }
}
