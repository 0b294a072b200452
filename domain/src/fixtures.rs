//! A post, a target and texts for tests, here and in the crates above: a test states only what it is about.

pub mod played_model;
pub mod rules_suite;
pub mod shared_cache;

use std::sync::Arc;

use proptest::prelude::*;

use crate::{
    EngineOrder, Language, MediaPolicy, Post, PostId, PostKind, SourceProfile, Style, Target, TargetId,
    TooLong, Wordless,
    filters::Filters,
    network::{NetworkRules, PlainText},
    schedule::Schedule,
    text::{self, Mask, Masking},
};

/// The rules of a network that has none of its own.
pub fn rules() -> Arc<dyn NetworkRules> {
    Arc::new(PlainText::default())
}

/// A followed account that writes in English.
pub fn source() -> Arc<SourceProfile> {
    Arc::new(SourceProfile { name: "plain:town".into(), language: Language::english(), network: rules() })
}

/// A Spanish target with default settings.
pub fn target() -> Target {
    Target {
        id: TargetId::new("plain", "town_es"),
        source: source(),
        network: rules(),
        language: language("es"),
        account: "town_es".into(),
        style: Style::default(),
        masking: Masking::default(),
        filters: Filters::default(),
        media: MediaPolicy::None,
        too_long: TooLong::Thread,
        wordless: Wordless::Copy,
        review: crate::review::ReviewPolicy::Never,
        link_card: true,
        engines: EngineOrder::All,
        schedule: Schedule::default(),
    }
}

/// A post with this text, as its source's adapter returns it; its position is its id.
pub fn post(id: u64, text: &str) -> Post {
    Post {
        id: PostId(id.to_string()),
        position: id,
        text: text.into(),
        entities: Some(rules().entities(text)),
        language: None,
        kind: PostKind::Original,
        created_at: jiff::Timestamp::UNIX_EPOCH,
        media: Vec::new(),
        has_poll: false,
        warning: None,
        is_sensitive: false,
        card: None,
        versions: Vec::new(),
    }
}

/// The language with this code.
///
/// # Panics
/// If there is no such language.
pub fn language(code: &str) -> Language {
    code.parse().expect("tests use codes that exist")
}

/// Masks a text, as in a post of [`source`].
pub fn mask(text: &str) -> Mask {
    text::mask(text, &PlainText::default())
}

/// Words of posts: of several scripts, links, names, tags and numbers.
pub fn words_of_posts() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof![
        "[a-z]{1,30}[.,!]?",
        "[あ-ん。、]{1,40}",
        "#[a-z]{1,9}",
        "@[a-z]{1,9}",
        "[0-9]{1,4}",
        "https://a\\.es/[a-z]{1,9}",
        "\\PC{1,8}"
    ];
    proptest::collection::vec(word, 0..60)
}

/// Texts with everything that makes words tricky, for checks that reading word by word and as a whole agree.
pub fn tricky_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::string::string_regex("[a-zA-Z0-9áñçß]{1,6}").expect("the expression is valid"),
        3 => Just(" ".to_owned()),
        2 => proptest::sample::select(vec![
            ".", ":", "/", "//", "://", "@", "#", "$", "＠", "＃", "!", "?", "…", "’", "“", "—", "_", "-", "+", "~", "&",
            "=", "%", "(", ")", "\u{a0}", "\u{3000}", "\u{2003}", "\n", "\t", "\r\n", "\u{b}", "\u{200d}", "\u{fe0f}",
            "\u{301}", "\u{20e3}", "\u{202e}", "©", "®", "™", "€", "日本", "👍", "👩‍🚀", "🇪🇸", "1️⃣", "ü",
        ]).prop_map(str::to_owned),
        2 => proptest::sample::select(vec![
            "http://a.com", "https://a.example/abc", "a.org", "пример.рф", "@bob", "@bob/list", "#tag", "$TSLA",
            "a@b.com", "3.5", "e.g.", "U.S.A.", "@a@b.social", "www.a.de/á?b=1#c", "tel:+34", "mailto:a@b.com",
        ]).prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}
