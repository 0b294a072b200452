//! The translation is in the target's language. Three things show another one: its script, its function words
//! ([`rivals`]), which tell even related languages apart in a sentence, and for long texts a detector. Words that stand
//! in the post too (names, brands, quoted titles), protected parts and the glossary's terms are in no language.

use unicode_segmentation::UnicodeSegmentation as _;
use whatlang::{Detector, Lang, Script};

use super::{
    Finding, latin,
    rivals::{self, Evidence},
    script::{self, Weights, scripts},
    seen::{Seen, Text},
    untranslated,
};
use crate::Language;

/// With fewer letters than this, the detector guesses.
const ENOUGH: usize = 40;

/// With less weight than this, no script counts: it may be a single name.
const ENOUGH_FOR_SCRIPT: usize = 12;

/// How many letters of names from the post need one letter of the translation around them.
const NAMES: usize = 5;

/// With so many more trigrams of the post's language than of the target's, a few words are in the former, even if none of
/// them is a function word. (Measured as in docs/gate.md, and on translated messages of programs.)
const MORE_TRIGRAMS: isize = 5;

/// With so many of the post's function words, a text repeats its sentences.
const REPEATED: usize = 2;

/// Languages that the detector does not distinguish in a few words.
const KIN: [&[&str]; 9] = [
    &["es", "ca", "gl", "pt", "it", "oc", "ast", "an", "sc", "ro", "fr", "eo"],
    &["no", "nb", "nn", "da", "sv", "is"],
    &["cs", "sk", "pl", "sl"],
    &["hr", "sr", "bs", "sl", "mk", "bg"],
    &["ru", "uk", "be", "bg", "mk"],
    &["id", "ms", "fil"],
    &["hi", "mr", "ne"],
    &["nl", "af", "de"],
    &["tr", "az", "uz", "kk"],
];

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let target = seen.candidate.to;
    let other = by_script(seen, target)
        .or_else(|| by_words(seen, target))
        .or_else(|| repeats_sentences(seen).then(|| seen.candidate.from.name().to_owned()))?;
    let message = format!("the translation is in {other}, not in {}", target.name());
    Some(Finding { rule: "language", message })
}

/// The letters that a text is in, if its target's language does not have them.
fn by_script(seen: &Seen<'_>, target: Language) -> Option<String> {
    let own = scripts(target)?;
    // Most texts have only Latin letters, and then nothing needs weighing.
    if own == [Script::Latin] && !has_others(seen.text.bare()) {
        return None;
    }
    let (mut new, mut of_post) = (Weights::default(), Weights::default());
    for word in seen.text.words().iter() {
        let weights = if is_of_post(seen, word) { &mut of_post } else { &mut new };
        weights.add(word);
    }
    let is_own = |script: Script| own.contains(&script);
    let is_foreign = |script: Script| !is_own(script);
    let (here, foreign) = (new.sum(is_own), new.sum(is_foreign) + new.unknown());
    let names = of_post.sum(is_foreign);
    if here + of_post.sum(is_own) + foreign + names < ENOUGH_FOR_SCRIPT {
        return None;
    }
    if foreign + names / NAMES > here + of_post.sum(is_own) {
        if foreign == 0 && untranslated::is_the_same_anywhere(seen) {
            return None;
        }
        let script = new.heaviest(is_foreign).or_else(|| of_post.heaviest(is_foreign));
        return Some(script.map_or_else(|| "foreign letters".into(), |script| format!("{script} letters")));
    }
    script::shows_other(&new, target).map(str::to_owned)
}

/// Whether a text has letters of another script than Latin.
fn has_others(text: &str) -> bool {
    text.chars().any(|c| c > 'ɏ' && script::of(c).is_some_and(|script| script != Script::Latin))
}

/// Whether a word of the translation, in lower case, stands in the post too, or in another form there: `Bootstrap's`,
/// `FlightAwareのデータ`.
fn is_of_post(seen: &Seen<'_>, word: &str) -> bool {
    /// A shorter piece of a word may be in any other.
    const PIECE: usize = 4;
    let source = seen.source.words();
    source.has(word)
        || (word.len() >= PIECE
            && source
                .iter()
                .any(|of_post| of_post.contains(word) || (of_post.len() >= PIECE && word.contains(of_post))))
}

/// The language that a text is in by its words, or by the detector if it is long.
fn by_words(seen: &Seen<'_>, target: Language) -> Option<String> {
    let text = seen.text.words();
    let source = seen.source.words();
    // In a language of another script, Latin words are names, code, or what the script's rule finds.
    let own = scripts(target);
    let of_target = |word: &str| {
        own.is_none_or(|own| word.chars().any(|c| script::of(c).is_some_and(|c| own.contains(&c))))
    };
    let is_new = |word: &&str| !source.has(word);
    let new = || text.iter().filter(|word| is_new(word) && of_target(word));
    let evidence = Evidence::of(new(), target);
    let named =
        |code: &str| code.parse::<Language>().map_or(code.to_owned(), |other| other.name().to_owned());
    if let Some(other) = evidence.other(seen.candidate.from) {
        return Some(named(other));
    }
    let from = seen.candidate.from;
    if let Some(words) = evidence.alone(from) {
        // A few words without any of the target's language: they are in the post's if they look like it.
        let needed = if words > 0 { 1 } else { MORE_TRIGRAMS };
        let lead = match (known(from), known(target)) {
            (Some(one), Some(other)) => latin::lead(&new().collect::<Vec<_>>().join(" "), one, other),
            _ => None,
        };
        // Some languages have no trigrams.
        if lead.map_or(words > 0, |lead| lead >= needed) {
            return Some(from.name().to_owned());
        }
    }
    // Words decide against the detector, which needs half of the rule's time.
    if evidence.is_clear() {
        return None;
    }
    seen.text.bare().chars().filter(|c| c.is_alphabetic()).nth(ENOUGH - 1)?;
    let found = surely(&seen.text)?;
    let known_target = known(target);
    let is_written_so = own.is_none_or(|own| own.iter().any(|script| script.langs().contains(&found)));
    if Some(found) == known_target || !is_written_so {
        return None;
    }
    // If the detector does not know the target's language, trust it only when it finds the source's.
    let believed = known_target.is_some() || known(seen.candidate.from) == Some(found);
    // Words decide between related languages, and against the detector.
    let lead = Language::all()
        .find(|language| known(*language) == Some(found))
        .and_then(|found| evidence.lead(found));
    let is_other = if are_kin(target, found) {
        lead.is_some_and(|lead| lead > 0)
    } else {
        lead.is_none_or(|lead| lead >= 0)
    };
    (is_other && believed).then(|| found.eng_name().to_owned())
}

/// Whether a text repeats sentences of the post, with other words between them: it was not translated, only changed.
/// Titles do not count: their words are in upper case or in quotation marks.
fn repeats_sentences(seen: &Seen<'_>) -> bool {
    let (from, to) = (seen.candidate.from, seen.candidate.to);
    let text = seen.text.words();
    let source = seen.source.words();
    // Most translations have a function word of their language, and need no closer look.
    let is_own = |word: &str| rivals::is_of(word, to, from);
    if text == source || !rivals::knows(to) || text.iter().any(is_own) {
        return false;
    }
    // And most others do not have enough words of the post.
    let is_of_post = |word: &&str| rivals::is_of(word, from, to) && source.has(word);
    if text.iter().filter(is_of_post).nth(REPEATED - 1).is_none() {
        return false;
    }
    let plain = |word: &str| word.chars().next().is_some_and(char::is_lowercase);
    let mut quoted = false;
    let mut repeated = 0;
    let mut last: Option<&str> = None;
    for piece in seen.text.bare().split_word_bounds() {
        match piece {
            "\"" => quoted = !quoted,
            "“" | "«" | "„" | "‘" | "「" | "『" => quoted = true,
            "”" | "»" | "」" | "』" => quoted = false,
            word if word.chars().any(char::is_alphanumeric) => {
                let of_sentence = last.take().is_some_and(|before| {
                    plain(word) && rivals::is_of(before, from, to) && source.has(before)
                });
                repeated += usize::from(of_sentence);
                last = (!quoted && plain(word)).then_some(word);
            }
            _ => {}
        }
    }
    repeated >= REPEATED
}

/// Whether a text is in `one` rather than in `other`: by its script, otherwise by a detector that knows only these two
/// and is sure. A short text may be in neither.
pub(crate) fn is_rather_in(text: &str, one: Language, other: Language) -> bool {
    let Some(script) = whatlang::detect_script(text) else { return false };
    let in_script = |language| scripts(language).map(|scripts| scripts.contains(&script));
    match (in_script(one), in_script(other)) {
        (Some(true), Some(false)) => return true,
        (Some(false), _) => return false,
        _ => {}
    }
    let (Some(one), Some(other)) = (known(one), known(other)) else { return false };
    let found = Detector::with_allowlist(vec![one, other]).detect(text);
    found.is_some_and(|found| found.lang() == one && found.is_reliable())
}

/// The language of a text, if the detector is sure.
fn surely(text: &Text<'_>) -> Option<Lang> {
    if !has_others(text.bare()) {
        return latin::surely(text.bare_lower());
    }
    let found = Detector::new().detect(text.bare()).filter(whatlang::Info::is_reliable);
    found.map(|found| found.lang())
}

fn are_kin(target: Language, found: Lang) -> bool {
    KIN.iter().any(|kin| {
        kin.contains(&target.base())
            && kin.iter().any(|code| code.parse().ok().and_then(known) == Some(found))
    })
}

/// The detector's name for the language, if it knows it.
fn known(language: Language) -> Option<Lang> {
    let code = match language.base() {
        "af" => "afr",
        "am" => "amh",
        "ar" => "ara",
        "az" => "aze",
        "be" => "bel",
        "bg" => "bul",
        "bn" => "ben",
        "ca" => "cat",
        "cs" => "ces",
        "da" => "dan",
        "de" => "deu",
        "el" => "ell",
        "en" => "eng",
        "eo" => "epo",
        "es" => "spa",
        "et" => "est",
        "fa" => "pes",
        "fi" => "fin",
        "fil" => "tgl",
        "fr" => "fra",
        "gu" => "guj",
        "he" => "heb",
        "hi" => "hin",
        "hr" => "hrv",
        "hu" => "hun",
        "hy" => "hye",
        "id" => "ind",
        "it" => "ita",
        "ja" => "jpn",
        "ka" => "kat",
        "km" => "khm",
        "kn" => "kan",
        "ko" => "kor",
        "lt" => "lit",
        "lv" => "lav",
        "mk" => "mkd",
        "ml" => "mal",
        "mr" => "mar",
        "my" => "mya",
        "nb" | "no" | "nn" => "nob",
        "ne" => "nep",
        "nl" => "nld",
        "pa" => "pan",
        "pl" => "pol",
        "pt" => "por",
        "ro" => "ron",
        "ru" => "rus",
        "si" => "sin",
        "sk" => "slk",
        "sl" => "slv",
        "sr" => "srp",
        "sv" => "swe",
        "ta" => "tam",
        "te" => "tel",
        "th" => "tha",
        "tr" => "tur",
        "uk" => "ukr",
        "ur" => "urd",
        "uz" => "uzb",
        "vi" => "vie",
        "zh" => "cmn",
        "zu" => "zul",
        "cy" => "cym",
        _ => return None,
    };
    Lang::from_code(code)
}

#[cfg(test)]
mod measured;

#[cfg(test)]
mod tests {
    use super::{super::tests::codes_for, *};

    #[test]
    fn every_language_of_the_detector_is_known_but_those_that_mynah_does_not_translate() {
        let known: Vec<Lang> = Language::all().filter_map(known).collect();
        let unknown: Vec<&str> =
            Lang::all().iter().filter(|lang| !known.contains(lang)).map(Lang::code).collect();
        assert_eq!(unknown, ["yid", "jav", "ori", "tuk", "aka", "sna", "lat"]);
    }

    #[test]
    fn a_language_is_kin_to_those_of_its_own_family_alone() {
        let language = |code: &str| code.parse::<Language>().unwrap();
        assert!(are_kin(language("nb"), Lang::Dan) && are_kin(language("nn"), Lang::Dan));
        assert!(!are_kin(language("nb"), Lang::Deu) && !are_kin(language("ja"), Lang::Dan));
    }

    fn is_found(to: &str, source: &str, text: &str) -> bool {
        codes_for(to, source, &[text]).contains(&"language")
    }

    #[test]
    fn names_of_the_post_are_in_no_language_and_a_character_weighs_what_it_says() {
        for (to, source, text) in [
            ("ja", "Tracking data by FlightAware", "FlightAwareのデータを追跡"),
            ("ja", "Taylor Swift – The Eras Tour: the trailer", "Taylor Swift – The Eras Tour：予告編公開"),
            ("ja", "iPhone 18 Pro Max is out", "iPhone 18 Pro Max発売"),
            (
                "ja",
                "The first song is called \"Blue River\". Tracking the data with FlightAware is surprisingly easy",
                "最初の曲は「Blue River」です。FlightAwareでデータを追跡するのは驚くほど簡単です",
            ),
            ("ja", "The new film of Studio Ghibli", "スタジオジブリの新作Ghibliの映画"),
            ("ru", "What is it, like Bootstrap?!", "Что это, как Bootstrap?!"),
            ("uk", "Kubernetes' new release", "Новий Kubernetes вже тут"),
            ("zh", "OpenAI and Microsoft agree", "OpenAI和Microsoft达成协议"),
            ("ko", "The GitHub Copilot is here", "GitHub Copilot 출시"),
            ("th", "Microsoft Teams is down", "Microsoft Teams ล่มแล้ว"),
            ("ar", "WhatsApp Business is down", "تعطل WhatsApp Business"),
            ("hi", "Google Chrome is new", "नया Google Chrome आया"),
            ("es", "We saw Мастер и Маргарита", "Vimos Мастер и Маргарита"),
            (
                "es",
                "It is not the load, it is the way you lift it",
                "No es la carga, es la forma de llevarla",
            ),
            (
                "es",
                "All we have is a baby @ In-N-Out - Fort Worth",
                "Lo que hay es un bebé @ In-N-Out - Fort Worth",
            ),
            ("es", "Watch “The Lord of the Rings” with us", "Mira “The Lord of the Rings” con nosotros"),
            ("de", "We listen to Never Gonna Give You Up", "Wir hören Never Gonna Give You Up"),
            (
                "es",
                "The new film of the Coens: No Country for Old Men",
                "Nuevo filme: No Country for Old Men",
            ),
        ] {
            assert!(!is_found(to, source, text), "{to}: {text}");
        }
    }

    #[test]
    fn a_text_in_another_script_is_found_although_it_has_some_of_the_targets() {
        let source = "The town hall opens tomorrow and everybody is welcome";
        for (to, source, text) in [
            ("ja", source, "The town hall opens tomorrow and everybody is welcome の"),
            ("ja", "The town hall opens tomorrow", "The town hall opens tomorrow の"),
            ("ja", source, "The council opens its doors to all people あ"),
            ("ja", source, "市政厅明天开放欢迎所有市民前来参观市政厅明天开放"),
            ("zh", source, "市役所は明日開きます。みなさんどうぞ"),
            ("ko", source, "市政厅明天开放欢迎所有市民"),
            ("ru", source, "Мэрия opens tomorrow and we all are invited"),
            ("es", source, "Мэрия откроется завтра"),
            ("hi", source, "The town hall कल opens"),
            ("te", source, "The town hall opens"),
        ] {
            assert!(is_found(to, source, text), "{to}: {text}");
        }
        assert!(!is_found("ja", source, "明日開庁"));
        assert!(!is_found("zh", source, "优の良品明天开放"));
        assert!(!is_found("ko", source, "시청이 내일 개방 大歡迎"));
    }

    #[test]
    fn a_text_in_a_related_language_or_in_the_posts_is_found_in_a_few_words() {
        let source = "Our museum shows pictures by children this week, free of charge";
        for (to, text) in [
            (
                "es",
                "Notre musée montre cette semaine des dessins d'enfants, et l'entrée est gratuite pour tous",
            ),
            ("es", "Il nostro museo mostra questa settimana i disegni dei bambini, e l'ingresso è gratuito"),
            ("es", "O nosso museu mostra esta semana desenhos de crianças, e a entrada não custa nada"),
            ("es", "Muzeul nostru arată săptămâna aceasta desene de copii, iar intrarea este gratuită"),
            ("es", "The gallery has the works of kids"),
            ("gl", "Come and see it, it is free"),
            ("pt", "El museo muestra los dibujos de los niños y es gratis"),
            ("da", "Vårt museum visar den här veckan bilder av barn, och det är gratis"),
            ("sk", "Naše muzeum ukazuje obrázky dětí, které jsou teď k vidění, a vstup je zdarma"),
            ("uk", "Наш музей показывает рисунки детей, и это бесплатно для всех, кто придёт"),
            ("bg", "Наш музей показывает рисунки детей, и это бесплатно для всех, кто придёт"),
            ("mr", "हमारा संग्रहालय इस सप्ताह बच्चों के चित्र दिखाता है और यह मुफ़्त है"),
            ("fa", "يعرض متحفنا هذا الأسبوع رسوم الأطفال في القاعة التي كانت مغلقة"),
        ] {
            assert!(is_found(to, source, text), "{to}: {text}");
        }
        for (to, text) in [
            ("es", "El museo muestra esta semana dibujos de niños"),
            ("es", "Museo: dibujos infantiles gratis"),
            ("pt", "O museu mostra esta semana desenhos de crianças"),
            ("gl", "O noso museo amosa esta semana debuxos de nenos"),
            ("nb", "Museet vårt viser bilder av barn denne uken"),
            ("mr", "आमचे संग्रहालय या आठवड्यात मुलांची चित्रे दाखवत आहे"),
        ] {
            assert!(!is_found(to, source, text), "{to}: {text}");
        }
    }

    #[test]
    fn a_post_that_was_changed_but_not_translated_is_found() {
        let source = "The market opens at noon on the square and it is free";
        assert!(is_found("es", source, "The market is open at noon on the square"));
        // Short, and with words of the post alone but for a few.
        assert!(is_found("de", source, "Market opens at noon on the square gratis"));
        assert!(!is_found(
            "es",
            "We saw “the market opens at noon” on the big screen",
            "Vimos “the market opens at noon”"
        ));
    }

    #[test]
    fn a_text_in_another_language_is_found_if_it_is_long_enough() {
        let source = "The town hall opens tomorrow and everybody is welcome to come and see it";
        for (to, text, expected) in [
            ("es", "El ayuntamiento abre mañana y todo el mundo está invitado a venir a verlo", false),
            ("ca", "L'ajuntament obre demà i tothom està convidat a venir a veure'l com sempre", false),
            ("es", "Das Rathaus öffnet morgen und alle sind herzlich eingeladen, es zu sehen", true),
            ("es", "Это предложение написано не на том языке, о котором просили.", true),
            ("ja", "El ayuntamiento abre mañana", true),
            ("gl", "O concello abre mañá e todo o mundo está convidado a vir a velo", false),
            ("gl", "The town hall opens tomorrow and everybody is welcome to come and see it", true),
            ("es", "¡Hola, Joe Biden!", false),
        ] {
            assert_eq!(codes_for(to, source, &[text]).contains(&"language"), expected, "{to}: {text}");
        }
    }
}
