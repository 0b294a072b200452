//! A translation does not contain a model's own words: “Sure! …”, “I cannot …” (`beginning`), a label before the translation
//! (`label`), another translation or a note behind it (`aside`).

mod aside;
mod beginning;
mod label;
mod words;

use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, seen::Seen};

/// What marks such comments anywhere in a text.
const WITHIN: [&str; 7] = [
    "(note:",
    "[note:",
    "translator's note",
    "translator’s note",
    "(nota:",
    "nota del traductor",
    "as a language model",
];

/// Matches any of [`WITHIN`].
static ANY_WITHIN: LazyLock<Regex> = LazyLock::new(|| {
    let words: Vec<_> = WITHIN.iter().map(|words| regex::escape(words)).collect();
    Regex::new(&words.join("|")).expect("the pattern is a constant that a test compiles")
});

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let text = seen.text.lower();
    let bracketed = || seen.source.as_str().contains(['(', '[']);
    let within = || {
        let suspect = ANY_WITHIN.is_match(text) && !bracketed();
        suspect.then(|| WITHIN.into_iter().find(|words| text.contains(words)))?
    };
    let words = beginning::find(seen)
        .or_else(within)
        .or_else(|| added(seen, label::find(seen.text.bare(), &seen.source, seen.candidate.to)))
        .or_else(|| added(seen, aside::find(seen.text.bare_lower(), &seen.source)))?;
    let message = format!("the translation contains the engine's own words: “{words}”");
    Some(Finding { rule: "preamble", message })
}

/// Leaves out words before a colon that stand in for the author's, which are only known in English: “Ojo: …” is “Note: …”.
fn added<'a>(seen: &Seen<'_>, words: Option<&'a str>) -> Option<&'a str> {
    let is_readable = seen.candidate.from.base() == "en";
    words.filter(|_| is_readable || colons(seen.text.bare()) > colons(seen.source.bare()))
}

/// How many colons a text has, but for those of times and scores.
fn colons(text: &str) -> usize {
    let is_of_time = |at: usize| text[..at].ends_with(|c: char| c.is_ascii_digit());
    text.match_indices([':', '：']).filter(|(at, _)| !is_of_time(*at)).count()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{codes, codes_between, codes_for};

    fn is_found(from: &str, to: &str, source: &str, text: &str) -> bool {
        codes_between(from, to, source, &[text]).contains(&"preamble")
    }

    #[test]
    fn the_engines_own_words_are_found_but_not_the_authors() {
        for text in [
            "Sure! Here is the translation: Hola",
            "Aquí está la traducción: hola",
            "I'm sorry, but I can't translate that",
            "Hola (Note: informal)",
        ] {
            assert!(codes("Hello there", &[text]).contains(&"preamble"), "{text}");
        }
        assert!(!codes("Sure! Here is the plan", &["¡Claro! Este es el plan"]).contains(&"preamble"));
        for (from, to, source, text) in [
            ("es", "en", "No puedo creerlo", "I can't believe it"),
            ("es", "en", "No puedo esperar más", "I cannot wait any longer"),
            ("es", "en", "Lo siento, pero no iré", "I'm sorry, but I will not come"),
            ("es", "en", "Aquí está el nuevo puente", "Here is the new bridge"),
            ("es", "en", "Por supuesto: mañana abrimos", "Sure, we open tomorrow"),
            ("es", "en", "Ojo: a las 10:30 cierra el puente", "Note: at 10:30 the bridge closes"),
            ("es", "en", "En inglés: hello", "In English: hello"),
            ("ca", "en", "I tant! Fins demà", "Of course! Until tomorrow"),
            ("es", "en", "La traducción sale hoy", "The translation is out today, and it is in English"),
            ("en", "es", "Of course, I'll come", "Claro, iré"),
            ("en", "es", "Yeah, the market opens", "Claro, abre el mercado"),
            ("en", "es", "Here you go, five tips", "Aquí tienes cinco consejos"),
            ("en", "fr", "Right! See you tomorrow", "Bien sûr ! À demain"),
        ] {
            assert!(!is_found(from, to, source, text), "{text}");
        }
        for (from, to, source, text) in [
            ("es", "en", "El mercado abre mañana", "I'm sorry, but I can't translate this"),
            ("es", "en", "El mercado abre mañana", "Here is your translation: The market opens tomorrow"),
            ("es", "en", "El mercado abre mañana", "As an AI, I do not know when the market opens"),
            ("es", "en", "El mercado abre mañana", "The market opens tomorrow. Note: informal tone"),
            ("es", "en", "Ojo: el mercado abre", "Note: the market opens. Or: The market is opening"),
            ("es", "en", "El mercado abre mañana", "In English: The market opens tomorrow"),
            ("en", "es", "The market opens tomorrow", "Claro, mañana abre el mercado"),
            ("en", "es", "The market opens tomorrow", "Aquí tienes: mañana abre el mercado"),
            ("en", "ca", "The market opens tomorrow", "I can't translate that"),
        ] {
            assert!(is_found(from, to, source, text), "{text}");
        }
        assert!(!codes("Hello (note: bring water)", &["Hola (nota: traed agua)"]).contains(&"preamble"));
    }
    #[test]
    fn a_label_is_found_in_the_words_of_any_language() {
        for (to, text) in [
            ("es", "Spanish: El mercado abre mañana"),
            ("es", "Traducción: El mercado abre mañana"),
            ("es", "Traducción al español: El mercado abre mañana"),
            ("es", "**Traducción:** El mercado abre mañana"),
            ("es", "ES: El mercado abre mañana"),
            ("es", "[es] El mercado abre mañana"),
            ("es", "(Español) El mercado abre mañana"),
            ("es", "En español: El mercado abre mañana"),
            ("es", "Translation (Spanish): El mercado abre mañana"),
            ("es", "Spanish translation:\nEl mercado abre mañana"),
            ("es", "Traducción\n\nEl mercado abre mañana"),
            ("pt-BR", "Brazilian Portuguese: O mercado abre amanhã"),
            ("pt-BR", "Tradução: O mercado abre amanhã"),
            ("pt-BR", "pt-BR: O mercado abre amanhã"),
            ("fr", "Traduction : Le marché ouvre demain"),
            ("fr", "En français : le marché ouvre demain"),
            ("it", "Traduzione in italiano: il mercato apre domani"),
            ("de", "Übersetzung: Der Markt öffnet morgen"),
            ("de", "Auf Deutsch: Der Markt öffnet morgen"),
            ("nl", "Vertaling: De markt gaat morgen open"),
            ("pl", "Tłumaczenie: Targ otwiera się jutro"),
            ("ru", "Перевод: Рынок откроется завтра"),
            ("uk", "Українською: ринок відкриється завтра"),
            ("ja", "日本語訳：市場は明日開きます"),
            ("ja", "日本語：市場は明日開きます"),
            ("ja", "以下は翻訳です：\n市場は明日開きます"),
            ("zh", "翻译：市场明天开放"),
            ("zh", "中文翻译: 市场明天开放"),
            ("ko", "번역: 시장은 내일 문을 엽니다"),
            ("ar", "الترجمة: السوق يفتح غدا"),
            ("tr", "Çeviri: Pazar yarın açılıyor"),
            ("hi", "अनुवाद: बाज़ार कल खुलेगा"),
            ("ca", "Traducció: El mercat obre demà"),
            ("gl", "Tradución: O mercado abre mañá"),
            ("ro", "Traducere: Piața se deschide mâine"),
            ("sv", "Översättning: Marknaden öppnar i morgon"),
            ("da", "Oversættelse: Markedet åbner i morgen"),
            ("cs", "Překlad: Trh se zítra otevře"),
        ] {
            assert!(codes_for(to, "The market opens tomorrow", &[text]).contains(&"preamble"), "{text}");
        }
    }

    #[test]
    fn the_posts_own_labels_stay() {
        for (to, source, text) in [
            ("es", "Spanish: hola means hello", "Español: hola significa hola"),
            ("es", "Translation of the Quixote: a new edition", "Traducción del Quijote: una nueva edición"),
            ("es", "Breaking: the market opens", "Última hora: el mercado abre"),
            ("ru", "Transfer: 500 rubles today", "Перевод: 500 рублей сегодня"),
            ("it", "IT: five new jobs", "IT: cinque nuovi posti di lavoro"),
            ("es", "It is: fun", "Es: divertido"),
            ("es", "(Spanish) cinema tonight", "(Español) cine esta noche"),
            ("es", "Our rule: be kind", "Nuestra regla: sé amable"),
            ("ja", "Apologies: we are late", "申し訳ない：遅れます"),
            ("en", "In the new house: a cat", "In the new house: a cat"),
            ("es", "Time 10:30", "Hora: 10:30"),
        ] {
            assert!(!codes_for(to, source, &[text]).contains(&"preamble"), "{source}");
        }
    }

    #[test]
    fn what_stands_behind_a_translation_is_found_in_any_language() {
        for (to, text) in [
            ("es", "El mercado abre mañana. O bien: Mañana abre el mercado."),
            ("es", "El mercado abre mañana.\nAlternativa: Mañana abre el mercado."),
            ("es", "El mercado abre mañana (literalmente: el mercado se abre mañana)"),
            ("es", "El mercado abre mañana. Alternativamente, mañana abre el mercado."),
            ("es", "El mercado abre mañana. Otra opción más informal: Mañana abre."),
            ("es", "Opción 1: El mercado abre mañana"),
            ("es", "El mercado abre mañana. Nota: he usado un tono informal."),
            ("es", "El mercado abre mañana\n\nNote: informal tone"),
            ("es", "El mercado abre mañana [N. del T.: abre a las nueve]"),
            ("es", "El mercado abre mañana / Or: Mañana abre el mercado"),
            ("en", "The market opens. Alternatively: The market will open."),
            ("pt", "O mercado abre amanhã. Ou então: Amanhã abre o mercado."),
            ("fr", "Le marché ouvre demain. Ou bien : demain ouvre le marché."),
            ("fr", "Le marché ouvre demain. Remarque : ton informel."),
            ("it", "Il mercato apre domani. Oppure: domani apre il mercato."),
            ("de", "Der Markt öffnet morgen. Oder: Morgen öffnet der Markt."),
            ("de", "Der Markt öffnet morgen. (wörtlich: Der Markt geht auf)"),
            ("de", "Der Markt öffnet morgen. Hinweis: informell."),
            ("nl", "De markt gaat morgen open. Of: Morgen opent de markt."),
            ("pl", "Targ otwiera się jutro. Lub: Jutro otwiera się targ."),
            ("ru", "Рынок откроется завтра. Или: завтра откроется рынок."),
            ("ru", "Рынок откроется завтра. Примечание: разговорный стиль."),
            ("uk", "Ринок відкриється завтра. Або: завтра відкриється ринок."),
            ("ja", "市場は明日開きます。以下、より自然な日本語訳です。明日、市場が開きます。"),
            ("ja", "市場は明日開きます。または：明日、市場が開きます。"),
            ("ja", "市場は明日開きます。（注：くだけた表現）"),
            ("zh", "市场明天开放。或者：明天市场开放。"),
            ("zh", "市场明天开放。注：口语化。"),
            ("ko", "시장은 내일 문을 엽니다. 또는: 내일 시장이 열립니다."),
            ("ar", "السوق يفتح غدا. أو: غدا يفتح السوق."),
            ("tr", "Pazar yarın açılıyor. Veya: Yarın pazar açılıyor."),
            ("hi", "बाज़ार कल खुलेगा। (या: कल बाज़ार खुलेगा)"),
            ("ca", "El mercat obre demà. O bé: Demà obre el mercat."),
            ("gl", "O mercado abre mañá. Ou ben: Mañá abre o mercado."),
            ("ro", "Piața se deschide mâine. Sau: Mâine se deschide piața."),
            ("sv", "Marknaden öppnar i morgon. Eller: I morgon öppnar marknaden."),
            ("da", "Markedet åbner i morgen. Eller: I morgen åbner markedet."),
            ("cs", "Trh se zítra otevře. Nebo: Zítra se trh otevře."),
        ] {
            assert!(codes_for(to, "The market opens tomorrow", &[text]).contains(&"preamble"), "{text}");
        }
    }

    #[test]
    fn the_posts_own_notes_and_alternatives_stay() {
        for (to, source, text) in [
            ("es", "Note: the bridge is closed", "Nota: el puente está cerrado"),
            ("es", "Heads up: the bridge is closed", "Nota: el puente está cerrado"),
            (
                "es",
                "The bridge is closed. Please note: use the ferry",
                "El puente está cerrado. Nota: usen el ferri",
            ),
            ("es", "Take the bus. Or: walk.", "Toma el autobús. O bien: camina."),
            ("es", "Or try this: walk", "O prueba esto: camina"),
            ("es", "Alternatively, take the bus", "Alternativamente, toma el autobús"),
            ("es", "Option 2: walk", "Opción 2: caminar"),
            ("es", "Literally the best day", "Literalmente el mejor día"),
            ("es", "Tea or coffee? Both", "¿Té o café? Los dos"),
            ("fr", "Another win: 3-0", "Une autre victoire : 3-0"),
            ("de", "Tip: bring water", "Hinweis: Bringt Wasser mit"),
            ("ja", "More natural light", "より自然な光"),
            ("ja", "Warning: ice on the road", "注意：路面が凍結しています"),
            ("ru", "An option for tonight: tea", "Вариант на вечер: чай"),
            ("tr", "Other news: rain", "Diğer haberler: yağmur"),
        ] {
            assert!(!codes_for(to, source, &[text]).contains(&"preamble"), "{source}");
        }
    }
}
