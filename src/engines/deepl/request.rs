//! The body of a call.

use mynah_domain::{Tone, ports::engine::Item};
use serde::Serialize;

use super::{DeeplSettings, Formality, languages::Pair};
use crate::engines::marked::markup::Form;

/// How much of a thread's earlier posts is sent, in bytes. DeepL asks for a few sentences.
const MAX_CONTEXT: usize = 4096;

/// The element that marks what must not change.
const MARK: [&str; 1] = ["x"];

/// The body of a request.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    text: &'a [&'a str],
    source_lang: &'a str,
    target_lang: &'a str,
    /// Not translated, and not billed.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    formality: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    glossary_id: Option<&'a str>,
    /// Posts begin in lower case and end without a period if their authors want it so.
    preserve_formatting: bool,
    show_billed_characters: bool,
    #[serde(flatten)]
    marks: Option<Marks>,
}

/// How marks are treated: their content is not translated, and no sentence ends at them.
#[derive(Debug, Serialize)]
struct Marks {
    tag_handling: &'static str,
    /// The other version is to go, and loses more tags.
    tag_handling_version: &'static str,
    ignore_tags: [&'static str; 1],
    non_splitting_tags: [&'static str; 1],
}

pub(super) fn body<'a>(
    texts: &'a [&'a str],
    form: Form,
    like: &Item,
    pair: &'a Pair,
    settings: &'a DeeplSettings,
) -> Body<'a> {
    let marks = Marks {
        tag_handling: "xml",
        tag_handling_version: "v2",
        ignore_tags: MARK,
        non_splitting_tags: MARK,
    };
    Body {
        text: texts,
        source_lang: &pair.source,
        target_lang: &pair.target,
        context: context(&like.context),
        formality: formality(like.style.tone, settings.formality).as_parameter(),
        glossary_id: settings.glossary_id.as_deref(),
        preserve_formatting: true,
        show_billed_characters: true,
        marks: (form == Form::Xml).then_some(marks),
    }
}

/// A target's tone comes before the setting for all. It is a wish, because DeepL refuses `more` and `less` for languages
/// without forms of address.
fn formality(tone: Tone, otherwise: Formality) -> Formality {
    match tone {
        Tone::Formal => Formality::PreferMore,
        Tone::Informal => Formality::PreferLess,
        Tone::Neutral => otherwise,
    }
}

/// The end of what the author said before in the same thread.
fn context(earlier: &[String]) -> Option<String> {
    let mut context = earlier.join("\n");
    if context.len() > MAX_CONTEXT {
        let mut from = context.len() - MAX_CONTEXT;
        while !context.is_char_boundary(from) {
            from += 1;
        }
        context.drain(..from);
    }
    (!context.trim().is_empty()).then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_targets_tone_is_a_wish_and_the_setting_applies_without_one() {
        for (tone, setting, expected) in [
            (Tone::Neutral, Formality::Default, None),
            (Tone::Neutral, Formality::More, Some("more")),
            (Tone::Formal, Formality::Less, Some("prefer_more")),
            (Tone::Informal, Formality::Default, Some("prefer_less")),
        ] {
            assert_eq!(formality(tone, setting).as_parameter(), expected);
        }
    }

    #[test]
    fn the_context_is_the_end_of_the_thread() {
        assert_eq!(context(&[]), None);
        assert_eq!(context(&[" ".into()]), None);
        assert_eq!(context(&["One".into(), "two".into()]).as_deref(), Some("One\ntwo"));
        let long = context(&["é".repeat(5000), "end".into()]).unwrap();
        assert!(long.len() <= MAX_CONTEXT && long.ends_with("é\nend"), "{}", long.len());
    }
}
