//! Decides which posts become jobs. The ledger has a reason for each post that is skipped, so that “Why was this not
//! published?” always has an answer.

use crate::{
    Language, MediaPolicy, Post, PostKind, Skip, Target, Wordless,
    catch_up::CatchUpPolicy,
    filters::{Filter, Filters},
    gate,
    network::NetworkRules,
    text::{Entity, EntityKind, Hashtags, MaskedText, Masking, is_wordless, mask, tags},
};

/// A text with fewer letters is short: networks guess its language, and guess wrong (“Live now!” as Spanish).
const SHORT: usize = 40;

/// Which posts of a source are republished.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate setting")]
pub struct Eligibility {
    /// Whether a short post counts as in the source's language, whatever language the network reports for it.
    pub trust_language: bool,
    /// Whether replies to others are republished, too.
    pub replies: bool,
    /// Whether quotes are republished. The quoted post is shown with them only if it was republished, too.
    pub quotes: bool,
    /// Whether posts with a poll are republished. A poll cannot be: its options become lines of the text.
    pub polls: bool,
    /// Marks a post that its author does not want republished.
    pub opt_out: Option<Filter>,
    /// The filters that apply to every target.
    pub filters: Filters,
    /// Which posts are republished that came while the source was not read.
    pub catch_up: CatchUpPolicy,
}

impl Default for Eligibility {
    /// Republishes all of a source's own posts.
    fn default() -> Self {
        Self {
            trust_language: true,
            replies: false,
            quotes: true,
            polls: true,
            opt_out: None,
            filters: Filters::default(),
            catch_up: CatchUpPolicy::default(),
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
            _ if post.has_poll && !self.polls => return Some(Skip::Poll),
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
        if is_wordless(&post.text, &masked) {
            return wordless_skip_reason(post, &entities, target);
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

/// Why a post whose text has no words is not published on `target`; `None` if it is published.
fn wordless_skip_reason(post: &Post, entities: &[Entity], target: &Target) -> Option<Skip> {
    let source = &*target.source.network;
    let has_media = target.media != MediaPolicy::None && !post.media.is_empty();
    let has_words = |tag: &Entity| {
        let words = || tags::words_of(&post.text[tag.range.clone()]);
        tag.kind == EntityKind::Hashtag && words().chars().any(char::is_alphabetic)
    };
    let is_translated = target.masking.hashtags == Hashtags::Translate && entities.iter().any(has_words)
        || has_media
            && post.media.iter().filter_map(|medium| medium.alt.as_deref()).any(|alt| is_prose(alt, source));
    if is_translated {
        return None;
    }
    let is_left = || {
        let mask = target.masking.mask(&post.text, entities);
        has_media
            || !mask.untranslated().trim().is_empty()
            || !mask.links_of_reply(target.masking.links).is_empty()
    };
    (target.wordless == Wordless::Skip || !is_left()).then_some(Skip::Wordless)
}

/// Whether an alt text has words to translate.
fn is_prose(alt: &str, source: &dyn NetworkRules) -> bool {
    !is_wordless(alt, &mask(alt, source).text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Media, MediaKind, MediaMissing, PostId, fixtures,
        text::{Links, Mentions},
    };

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
        assert_eq!(why(&post("Thanks!", Some("en"), PostKind::Reply { to: Some(id()) })), Some(Skip::Reply));
        assert_eq!(why(&post("RT", Some("en"), PostKind::Repost { of: id() })), Some(Skip::Repost));
        assert_eq!(why(&post("Hola a todos", Some("es"), PostKind::Original)), Some(Skip::AlreadyInLanguage));
        let german = "Guten Morgen zusammen, heute öffnet endlich das neue Rathaus";
        assert_eq!(why(&post(german, Some("de"), PostKind::Original)), Some(Skip::OtherLanguage));
    }

    /// Posts without words, and what the network may report as their language.
    const WORDLESS: [(&str, Option<&str>); 8] = [
        ("https://a.example", None),
        ("#goal", Some("es")),
        ("🎉", Some("ja")),
        ("1/3", Some("en")),
        ("2026", Some("fr")),
        ("@bob", None),
        ("<br>", Some("en")),
        ("let x = 5;", Some("en")),
    ];

    #[test]
    fn a_post_without_words_is_published_or_skipped_as_the_target_wants_whatever_its_language() {
        for (text, language) in WORDLESS {
            let post = post(text, language, PostKind::Original);
            assert_eq!(why(&post), None, "{text}");
            let skipping = Target { wordless: Wordless::Skip, ..fixtures::target() };
            assert_eq!(Eligibility::default().skip_reason(&post, &skipping), Some(Skip::Wordless), "{text}");
        }
    }

    #[test]
    fn a_post_of_which_the_target_leaves_nothing_is_skipped() {
        let with_links = |links| {
            let target = Target { masking: Masking { links, ..Masking::default() }, ..fixtures::target() };
            Eligibility::default().skip_reason(&post("https://a.example", None, PostKind::Original), &target)
        };
        assert_eq!(with_links(Links::First), None);
        assert_eq!(with_links(Links::Reply), None);
        assert_eq!(with_links(Links::Drop), Some(Skip::Wordless));
        let masking = Masking { mentions: Mentions::Drop, hashtags: Hashtags::Drop, ..Masking::default() };
        let target = Target { masking, media: MediaPolicy::None, ..fixtures::target() };
        let copying = MediaPolicy::Copy { missing: MediaMissing::default() };
        for text in ["@bob @eve", "#goal", " #goal @bob\n", ""] {
            let mut post = post(text, None, PostKind::Original);
            let why = |post: &Post, media| {
                Eligibility::default().skip_reason(post, &Target { media, ..target.clone() })
            };
            assert_eq!(why(&post, copying), Some(Skip::Wordless), "{text}");
            post.media.push(photo(None));
            assert_eq!(why(&post, copying), None, "{text}");
            assert_eq!(why(&post, MediaPolicy::None), Some(Skip::Wordless), "{text}");
        }
    }

    #[test]
    fn the_words_of_an_alt_text_or_of_a_translated_hashtag_are_words() {
        let mut target = Target { wordless: Wordless::Skip, ..fixtures::target() };
        target.media = MediaPolicy::Copy { missing: MediaMissing::default() };
        let why = |target: &Target, text: &str, alt: Option<&str>| {
            let media = alt.map(|alt| photo(Some(alt))).into_iter().collect();
            let post = Post { media, ..post(text, None, PostKind::Original) };
            Eligibility::default().skip_reason(&post, target)
        };
        assert_eq!(why(&target, "", Some("The old bridge")), None);
        assert_eq!(why(&target, "🎉", Some("🎉")), Some(Skip::Wordless));
        assert_eq!(why(&target, "#goal", None), Some(Skip::Wordless));
        target.masking.hashtags = Hashtags::Translate;
        assert_eq!(why(&target, "#goal", None), None);
        assert_eq!(why(&target, "#2026 🎉", None), Some(Skip::Wordless));
    }

    #[test]
    fn polls_are_published_unless_the_settings_exclude_them() {
        let poll =
            Post { has_poll: true, ..post("Tea or coffee?\nTea\nCoffee", Some("en"), PostKind::Original) };
        assert_eq!(why(&poll), None);
        let other = Eligibility { polls: false, ..Eligibility::default() };
        assert_eq!(why_of(&other, &Filters::default(), &poll), Some(Skip::Poll));
    }

    fn photo(alt: Option<&str>) -> Media {
        Media { key: "1".into(), kind: MediaKind::Photo, url: None, alt: alt.map(Into::into) }
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
        let reply = post("Thanks!", Some("en"), PostKind::Reply { to: Some(id()) });
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
