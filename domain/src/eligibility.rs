//! Decides which posts become jobs. The ledger has a reason for each post that is skipped, so that “Why was this not
//! published?” always has an answer.

use crate::{
    Language, Post, PostKind, Skip, Target,
    filters::{Filter, Filters},
    gate,
    text::{MaskedText, Masking},
};

/// A text with fewer letters is short: networks guess its language, and guess wrong (“Live now!” as Spanish).
const SHORT: usize = 40;

/// Which posts of a source are republished.
#[derive(Debug, Clone)]
pub struct Eligibility {
    /// Whether a short post counts as in the source's language, whatever language the network reports for it.
    pub trust_language: bool,
    /// Whether replies to others are republished, too.
    pub replies: bool,
    /// Whether quotes are republished. The quoted post is not shown with them.
    pub quotes: bool,
    /// Marks a post that its author does not want republished.
    pub opt_out: Option<Filter>,
    /// The filters that apply to every target.
    pub filters: Filters,
}

impl Default for Eligibility {
    /// Republishes all of a source's own posts.
    fn default() -> Self {
        Self {
            trust_language: true,
            replies: false,
            quotes: true,
            opt_out: None,
            filters: Filters::default(),
        }
    }
}

impl Eligibility {
    /// Why `post` is not published on `target`; `None` if it is published.
    ///
    /// # Examples
    ///
    /// A repost contains another author's words, so it is skipped with [`Skip::Repost`].
    pub fn skip_reason(&self, post: &Post, target: &Target) -> Option<Skip> {
        match post.kind {
            PostKind::Reply { .. } if !self.replies => return Some(Skip::Reply),
            PostKind::Repost { .. } => return Some(Skip::Repost),
            PostKind::Withheld { .. } => return Some(Skip::Withheld),
            PostKind::Quote { .. } if !self.quotes => return Some(Skip::Quote),
            _ => {}
        }
        let source = &*target.source;
        let entities = post.entities_by(&*source.network);
        let holds = |filter: &Filter| filter.is_in(&post.text, &entities);
        if self.opt_out.as_ref().is_some_and(holds) {
            return Some(Skip::OptedOut);
        }
        let filters = [&self.filters, &target.filters];
        if filters.iter().any(|filters| filters.exclude.iter().any(holds)) {
            return Some(Skip::Excluded);
        }
        if filters.iter().any(|filters| !filters.include.is_empty() && !filters.include.iter().any(holds)) {
            return Some(Skip::NotIncluded);
        }
        let masked = Masking::default().mask(&post.text, &entities).text;
        if !masked.has_words() {
            return Some(Skip::Wordless);
        }
        // A code that Mynah does not know does not prove that the post is in another language.
        let reported = post.language.as_deref()?.parse::<Language>().ok()?;
        if reported.base() == source.language.base() || self.doubts(reported, source.language, &masked) {
            return None;
        }
        Some(if reported.base() == target.language.base() {
            Skip::AlreadyInLanguage
        } else {
            Skip::OtherLanguage
        })
    }

    /// Whether to doubt that `text` is in `reported` and not in the source's `own` language: it is too short for the
    /// network to know, and does not clearly show it.
    fn doubts(&self, reported: Language, own: Language, text: &MaskedText) -> bool {
        let letters = || text.words().flat_map(str::chars).filter(|c| c.is_alphabetic());
        self.trust_language
            && letters().nth(SHORT - 1).is_none()
            && !gate::is_rather_in(&text.words().collect::<Vec<_>>().join(" "), reported, own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PostId, fixtures};

    fn post(text: &str, language: Option<&str>, kind: PostKind) -> Post {
        Post { language: language.map(Into::into), kind, ..fixtures::post(1, text) }
    }

    fn why(post: &Post) -> Option<Skip> {
        why_of(&Eligibility::default(), &Filters::default(), post)
    }

    fn filters(include: &[&str], exclude: &[&str]) -> Filters {
        let all = |written: &[&str]| written.iter().map(|filter| filter.parse().unwrap()).collect();
        Filters { include: all(include), exclude: all(exclude) }
    }

    fn why_of(eligibility: &Eligibility, filters: &Filters, post: &Post) -> Option<Skip> {
        let target = Target { filters: filters.clone(), ..fixtures::target() };
        eligibility.skip_reason(post, &target)
    }

    #[test]
    fn an_original_post_and_a_thread_are_published() {
        let parent = PostId("0".into());
        assert_eq!(why(&post("Good morning", Some("en"), PostKind::Original)), None);
        assert_eq!(why(&post("and more", None, PostKind::Thread { parent })), None);
    }

    #[test]
    fn every_skipped_post_has_a_reason() {
        let id = || PostId("0".into());
        assert_eq!(why(&post("Thanks!", Some("en"), PostKind::Reply { to: id() })), Some(Skip::Reply));
        assert_eq!(why(&post("RT", Some("en"), PostKind::Repost { of: id() })), Some(Skip::Repost));
        assert_eq!(why(&post("https://a.example #goal 🎉", None, PostKind::Original)), Some(Skip::Wordless));
        assert_eq!(why(&post("Hola a todos", Some("es"), PostKind::Original)), Some(Skip::AlreadyInLanguage));
        let german = "Guten Morgen zusammen, heute öffnet endlich das neue Rathaus";
        assert_eq!(why(&post(german, Some("de"), PostKind::Original)), Some(Skip::OtherLanguage));
    }

    #[test]
    fn an_unknown_language_code_does_not_skip_a_post() {
        for code in ["und", "qst", "zxx", "xx-unheard-of"] {
            assert_eq!(why(&post("Good morning", Some(code), PostKind::Original)), None, "{code}");
        }
    }

    #[test]
    fn a_short_post_counts_as_in_the_language_of_its_source() {
        for (text, reported) in [
            ("Live now!", "es"),
            ("Live now!", "ca"),
            ("Goal!!! #GOAL", "es"),
            ("No comment", "fr"),
            ("Come on!", "it"),
            ("Update", "de"),
            ("Full time: 2-1", "tl"),
            ("Big news soon", "nl"),
            ("@somebody @other LIVE https://example.com/live", "ro"),
            ("Good luck 🍀", "in"),
        ] {
            let post = post(text, Some(reported), PostKind::Original);
            assert_eq!(why(&post), None, "{text} as {reported}");
            let untrusting = Eligibility { trust_language: false, ..Eligibility::default() };
            let skip = if reported == "es" { Skip::AlreadyInLanguage } else { Skip::OtherLanguage };
            assert_eq!(why_of(&untrusting, &Filters::default(), &post), Some(skip), "{text} as {reported}");
        }
    }

    #[test]
    fn a_short_post_that_is_clearly_in_the_reported_language_is_skipped() {
        for (text, reported, skip) in [
            ("Hola a todos", "es", Skip::AlreadyInLanguage),
            ("Buenos días a todos", "es", Skip::AlreadyInLanguage),
            ("おはようございます", "ja", Skip::OtherLanguage),
            ("Доброе утро", "ru", Skip::OtherLanguage),
            ("صباح الخير", "ar", Skip::OtherLanguage),
            ("좋은 아침", "ko", Skip::OtherLanguage),
        ] {
            assert_eq!(why(&post(text, Some(reported), PostKind::Original)), Some(skip), "{text}");
        }
    }

    #[test]
    fn the_network_decides_about_a_long_post() {
        let long = "The town hall opens tomorrow and everybody is welcome to come and see it";
        let of = |reported| why(&post(long, Some(reported), PostKind::Original));
        assert_eq!(of("es"), Some(Skip::AlreadyInLanguage));
        assert_eq!(of("de"), Some(Skip::OtherLanguage));
        assert_eq!(of("en"), None);
    }

    #[test]
    fn a_withheld_post_is_skipped_whatever_its_text() {
        for text in ["This post is withheld", "Good morning", ""] {
            assert_eq!(
                why(&post(text, Some("en"), PostKind::Withheld { parent: None })),
                Some(Skip::Withheld),
                "{text}"
            );
        }
    }

    #[test]
    fn replies_and_quotes_are_published_if_the_settings_want_them() {
        let id = || PostId("0".into());
        let reply = post("Thanks!", Some("en"), PostKind::Reply { to: id() });
        let quote = post("Well said", Some("en"), PostKind::Quote { of: id() });
        assert_eq!(why(&quote), None);
        let other = Eligibility { replies: true, quotes: false, ..Eligibility::default() };
        assert_eq!(why_of(&other, &Filters::default(), &reply), None);
        assert_eq!(why_of(&other, &Filters::default(), &quote), Some(Skip::Quote));
    }

    #[test]
    fn filters_of_the_source_and_of_the_target_both_count_and_an_author_can_opt_out() {
        let source = Eligibility {
            opt_out: Some("#notranslate".parse().unwrap()),
            filters: filters(&[], &["giveaway"]),
            ..Eligibility::default()
        };
        let target = filters(&["#match", "/^LIVE/"], &["friendly"]);
        let why = |text| why_of(&source, &target, &post(text, Some("en"), PostKind::Original));
        assert_eq!(why("We win the #match"), None);
        assert_eq!(why("LIVE: kick-off"), None);
        assert_eq!(why("We win the cup"), Some(Skip::NotIncluded));
        assert_eq!(why("A friendly #match"), Some(Skip::Excluded));
        assert_eq!(why("Giveaway at the #match"), Some(Skip::Excluded));
        assert_eq!(why("LIVE #NoTranslate"), Some(Skip::OptedOut));
    }
}
