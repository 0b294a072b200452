//! How X parses and measures a text, and its limits: the crate `twitter-text` with the published weights of version 3.
//! docs/text.md lists the differences and their reasons.
//!
//! # Layout
//!
//! - [`entities`](entities::entities): links, mentions and tags; [`weigh`](weight::weigh): a text's weighted length.
//! - `plain`, `words`: shortcuts for most words, because the parser takes a thousand times as long.
//! - [`language`](language::language): X's language codes.

mod entities;
mod language;
mod plain;
mod weight;
mod words;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod nasty;

use mynah_domain::{
    PostId,
    network::{Limits, NetworkRules, Price, Refusal, Repeat},
    text::{Entity, EntityKind},
};

pub use entities::entities;
pub use language::language;
pub use weight::weigh;

/// X's limits without Premium. An alt text's limit is in characters, none of which weighs less than one (docs.x.com,
/// media best practices).
pub const LIMITS: Limits = Limits { text: 280, alt_text: 1000, media: 4 };

/// X's limits with Premium: 25,000 characters (help.x.com, “About X Premium”), with the same weights.
pub const PREMIUM_LIMITS: Limits = Limits { text: 25_000, ..LIMITS };

/// What X charges for a post, and for a post with a link (price list of August 2026).
const PRICE: Price = Price { message: 15_000, with_link: 200_000 };

/// The maximum number of cashtags in a post.
const CASHTAGS_MOST: usize = 1;

/// X's rules for an account without Premium.
#[derive(Debug, Clone, Copy)]
pub struct XRules;

impl NetworkRules for XRules {
    fn name(&self) -> &'static str {
        "x"
    }

    fn link(&self, handle: &str, message: &PostId) -> Option<String> {
        Some(format!("https://x.com/{handle}/status/{message}"))
    }

    fn profile(&self, handle: &str) -> Option<String> {
        Some(format!("https://x.com/{handle}"))
    }

    fn weigh(&self, text: &str) -> usize {
        weigh(text)
    }

    fn counting(&self) -> &'static str {
        "a letter weighs 1, a Chinese, Japanese or Korean character and an emoji 2, a link 23"
    }

    fn entities(&self, text: &str) -> Vec<Entity> {
        entities(text)
    }

    fn limits(&self) -> &Limits {
        &LIMITS
    }

    fn repeat(&self) -> Repeat {
        // X has no idempotency key: a call whose answer is lost may still have published.
        Repeat::LookUpFirst
    }

    fn refusal(&self, text: &str) -> Option<Refusal> {
        // Most texts have no `$` at all.
        if text.bytes().filter(|byte| *byte == b'$').count() <= CASHTAGS_MOST {
            return None;
        }
        let cashtags = entities(text).iter().filter(|entity| entity.kind == EntityKind::Cashtag).count();
        (cashtags > CASHTAGS_MOST).then(|| Refusal {
            rule: "cashtags",
            message: format!("a publication would have {cashtags} cashtags; X accepts one"),
        })
    }

    fn price(&self) -> Price {
        PRICE
    }
}

/// X's rules for an account with Premium, which may publish long posts. Everything else is the same.
#[derive(Debug, Clone, Copy)]
pub struct XPremiumRules;

impl NetworkRules for XPremiumRules {
    fn name(&self) -> &'static str {
        XRules.name()
    }

    fn weigh(&self, text: &str) -> usize {
        XRules.weigh(text)
    }

    fn counting(&self) -> &'static str {
        XRules.counting()
    }

    fn entities(&self, text: &str) -> Vec<Entity> {
        XRules.entities(text)
    }

    fn limits(&self) -> &Limits {
        &PREMIUM_LIMITS
    }

    fn repeat(&self) -> Repeat {
        XRules.repeat()
    }

    fn refusal(&self, text: &str) -> Option<Refusal> {
        XRules.refusal(text)
    }

    fn price(&self) -> Price {
        XRules.price()
    }
}

#[cfg(test)]
mod tests {
    use mynah_domain::{
        Language, Money,
        gate::{Candidate, findings},
        text::mask,
    };

    use super::*;

    fn codes(source: &str, parts: &[&str]) -> Vec<&'static str> {
        let (source, from) = (mask(source, &XRules), Language::english());
        let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        let candidate = Candidate {
            source: &source,
            parts: &parts,
            rules: &XRules,
            max_weight: Some(LIMITS.text),
            from,
            to: "es".parse().unwrap(),
            others: &[],
        };
        findings(&candidate).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn two_cashtags_in_one_publication_are_refused() {
        assert!(codes("Up: $TSLA and $AAPL", &["Suben: $TSLA y $AAPL"]).contains(&"cashtags"));
        assert!(!codes("Up: $TSLA and $AAPL", &["Suben: $TSLA", "y $AAPL"]).contains(&"cashtags"));
        assert_eq!(XRules.refusal("It costs $5, $6 or $TSLA"), None);
    }

    #[test]
    fn a_text_over_the_limit_does_not_fit() {
        assert_eq!(codes(&"Hi ".repeat(80), &["a".repeat(281).as_str()]), ["fits"]);
        assert!(!codes(&"Hi ".repeat(80), &["a".repeat(280).as_str()]).contains(&"fits"));
    }

    #[test]
    fn premium_changes_the_longest_text_and_nothing_else() {
        let limits = *XPremiumRules.limits();
        assert_eq!((limits.text, Limits { text: LIMITS.text, ..limits }), (25_000, LIMITS));
        for text in ["Hola 日本 👍 https://a.example @bob #a $B", "Up: $TSLA and $AAPL", ""] {
            assert_eq!(XPremiumRules.weigh(text), XRules.weigh(text));
            assert_eq!(XPremiumRules.entities(text), XRules.entities(text));
            assert_eq!(XPremiumRules.refusal(text), XRules.refusal(text));
            assert_eq!(XPremiumRules.price_of(text), XRules.price_of(text));
        }
        assert_eq!((XPremiumRules.name(), XPremiumRules.repeat()), (XRules.name(), XRules.repeat()));
        assert_eq!(XPremiumRules.counting(), XRules.counting());
    }

    #[test]
    fn links_and_tags_that_the_translation_added_are_broken_up() {
        use mynah_domain::text::{MaskedText, Segment};
        for (words, broken) in [
            ("Espera.com ya", "Espera. com ya"),
            ("el #etiqueta", "el etiqueta"),
            ("@nadie es", "nadie es"),
            ("a https://b.example/c", "a https: //b. example/c"),
        ] {
            let text = |words: &str| MaskedText(vec![Segment::Words(words.into())]);
            assert_eq!(text(words).unlinked(&XRules), Some(text(broken)));
            assert_eq!(entities(broken), []);
        }
    }

    #[test]
    fn a_post_with_a_link_costs_more() {
        assert_eq!(XRules.price_of("Hola"), Money::from_micros(15_000));
        assert_eq!(XRules.price_of("Mira example.com"), Money::from_micros(200_000));
    }
}
