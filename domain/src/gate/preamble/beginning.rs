//! What a model says before its answer: “Sure! …”, “Here is your translation”, “I cannot …”.
//!
//! In a translation into another language than theirs, such words can only be the model's. In the target's own they may be
//! the author's: “No puedo creerlo” is “I can't believe it”, and “Of course, I'll come” is “Claro, iré”. There it depends on
//! what else the text says, and on the post.

use super::{super::seen::Seen, label};

/// What the words are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// They name the translation, or the model.
    Names,
    /// They agree to a request.
    Agrees,
    /// They hand something over.
    HandsOver,
    /// They refuse.
    Refuses,
}

use Purpose::{Agrees, HandsOver, Names, Refuses};

/// The words in lower case, and the language that they are in.
const BEGINNINGS: [(&str, &str, Purpose); 34] = [
    ("en", "sure!", Agrees),
    ("en", "sure,", Agrees),
    ("en", "sure thing", Agrees),
    ("en", "certainly!", Agrees),
    ("en", "of course!", Agrees),
    ("en", "here is the", HandsOver),
    ("en", "here's the", HandsOver),
    ("en", "here is your", HandsOver),
    ("en", "here's your", HandsOver),
    ("en", "here are the", HandsOver),
    ("en", "translation:", Names),
    ("en", "translated text:", Names),
    ("en", "the translation", Names),
    ("en", "as an ai", Names),
    ("en", "i'm sorry, but", Refuses),
    ("en", "i’m sorry, but", Refuses),
    ("en", "i am sorry, but", Refuses),
    ("en", "i cannot ", Refuses),
    ("en", "i can't ", Refuses),
    ("en", "i can’t ", Refuses),
    ("en", "i'm unable", Refuses),
    ("en", "i am unable", Refuses),
    ("es", "aquí está la traducción", Names),
    ("es", "aquí tienes", HandsOver),
    ("es", "traducción:", Names),
    ("es", "claro,", Agrees),
    ("es", "claro!", Agrees),
    ("es", "¡claro!", Agrees),
    ("es", "como modelo de", Names),
    ("fr", "voici la traduction", Names),
    ("fr", "bien sûr", Agrees),
    ("de", "hier ist die übersetzung", Names),
    ("de", "übersetzung:", Names),
    ("de", "als ki-", Names),
];

/// How a post in English begins that agrees itself.
const AGREEMENTS: [&str; 22] = [
    "sure",
    "certain",
    "of course",
    "right",
    "yes",
    "yeah",
    "yep",
    "yup",
    "clear",
    "obvious",
    "natural",
    "absolute",
    "definite",
    "ok",
    "well",
    "exact",
    "indeed",
    "true",
    "got it",
    "by all means",
    "no problem",
    "totally",
];

/// What models talk about in such words, and hardly anybody else.
const OF_MODELS: [&str; 6] = ["translat", "an ai", "a.i.", "language model", "this request", "this text"];

/// The words before the answer that a text has and the post does not.
pub(super) fn find(seen: &Seen<'_>) -> Option<&'static str> {
    let text = seen.text.lower().trim();
    let first = text.bytes().next();
    let may_begin = BEGINNINGS.iter().filter(|(_, words, _)| words.bytes().next() == first);
    let (language, words, purpose) = *may_begin.into_iter().find(|(_, words, _)| text.starts_with(words))?;
    let source = seen.source.lower().trim();
    if BEGINNINGS.iter().any(|(_, words, _)| source.starts_with(words)) {
        return None;
    }
    let is_models = language != seen.candidate.to.base()
        || match purpose {
            Names => !label::is_about_translations(&seen.source),
            Agrees => {
                seen.candidate.from.base() == "en"
                    && !AGREEMENTS.iter().any(|words| source.starts_with(words))
            }
            HandsOver => {
                let line = text.lines().next().unwrap_or_default();
                line.contains(':') && !source.contains(':')
            }
            Refuses => {
                let has = |text: &str| OF_MODELS.iter().any(|words| text.contains(words));
                has(text) && !has(source) && !label::is_about_translations(&seen.source)
            }
        };
    is_models.then_some(words)
}
