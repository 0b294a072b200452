//! A label before the translation, which says what it is and not what the author wrote: “Spanish: …”, “Traducción: …”,
//! “[es] …”, “Translation (French): …”, “以下は日本語訳です：…”.
//!
//! A label is what stands before the first colon of a line, or a first line of its own, and holds a word for *translation* or
//! nothing but the name of the target's language. A post about translations or languages may have such words itself, so a word
//! for *translation* counts only where the post has none, and a language's name where the post does not name that language.

use super::{
    super::seen::Text,
    words::{any_in, is_in},
};
use crate::Language;

/// *Translation*, with the words made from it where they do not contain it. In languages whose word also means a bank transfer,
/// the post's own words ([`ABOUT`]) tell.
const TRANSLATION: &[&str] = &[
    "translation",
    "translated",
    "traducción",
    "traduccion",
    "traducido",
    "traducida",
    "tradução",
    "traducao",
    "traduzido",
    "traduction",
    "traduit",
    "traduzione",
    "tradotto",
    "übersetzung",
    "übersetzt",
    "uebersetzung",
    "vertaling",
    "vertaald",
    "tłumaczenie",
    "przekład",
    "перевод",
    "переклад",
    "пераклад",
    "превод",
    "prevod",
    "prijevod",
    "преклад",
    "traducció",
    "tradución",
    "traducere",
    "traducerea",
    "översättning",
    "översättningen",
    "oversættelse",
    "oversættelsen",
    "oversettelse",
    "oversettelsen",
    "oversetting",
    "omsetjing",
    "překlad",
    "preklad",
    "fordítás",
    "fordítása",
    "käännös",
    "käännökseni",
    "μετάφραση",
    "çeviri",
    "çevirisi",
    "tercüme",
    "terjemahan",
    "terjemahannya",
    "bản dịch",
    "คำแปล",
    "תרגום",
    "התרגום",
    "ترجمة",
    "الترجمة",
    "ترجمه",
    "ترجمہ",
    "अनुवाद",
    "অনুবাদ",
    "vertimas",
    "tulkojums",
    "tõlge",
    "itzulpena",
    "þýðing",
    "vertaalde",
    "përkthim",
    "përkthimi",
    "pagsasalin",
    "tafsiri",
    "cyfieithiad",
    "aistriúchán",
    "revirada",
    "თარგმანი",
    "թարգմանություն",
    "tərcümə",
    "tarjima",
    "аударма",
    "орчуулга",
];

/// The same in scripts without spaces, where it is found inside of a word.
const TRANSLATION_INSIDE: &[&str] = &[
    "翻訳",
    "和訳",
    "訳文",
    "対訳",
    "語訳",
    "翻译",
    "译文",
    "翻譯",
    "譯文",
    "번역",
    "แปล",
    "ការបកប្រែ",
    "ဘာသာပြန်",
];

/// What a post that is about translations, or about a bank transfer, has.
const ABOUT: &[&str] =
    &["translat", "interpret", "transfer", "remit", "subtitl", "dub", "version", "convert", "convers"];

/// What the languages call themselves, by their code without a region.
const NAMES: &[(&str, &[&str])] = &[
    ("af", &["afrikaans"]),
    ("ar", &["العربية", "عربي", "عربية"]),
    ("ast", &["asturianu"]),
    ("be", &["беларуская", "беларускай"]),
    ("bg", &["български"]),
    ("bn", &["বাংলা"]),
    ("bs", &["bosanski"]),
    ("ca", &["català", "catala"]),
    ("cs", &["česky", "čeština", "češtině"]),
    ("cy", &["cymraeg"]),
    ("da", &["dansk"]),
    ("de", &["deutsch", "deutschen"]),
    ("el", &["ελληνικά"]),
    ("en", &["english"]),
    ("es", &["español", "espanol", "castellano"]),
    ("et", &["eesti"]),
    ("eu", &["euskara", "euskaraz"]),
    ("fa", &["فارسی"]),
    ("fi", &["suomi", "suomeksi"]),
    ("fr", &["français", "francais"]),
    ("ga", &["gaeilge"]),
    ("gl", &["galego"]),
    ("he", &["עברית", "בעברית"]),
    ("hi", &["हिन्दी", "हिंदी"]),
    ("hr", &["hrvatski"]),
    ("hu", &["magyar", "magyarul"]),
    ("hy", &["հայերեն"]),
    ("id", &["indonesia", "bahasa"]),
    ("is", &["íslenska"]),
    ("it", &["italiano"]),
    ("ja", &["日本語", "日本語で", "日本語版"]),
    ("ka", &["ქართული"]),
    ("ko", &["한국어", "한국어로"]),
    ("lt", &["lietuvių", "lietuviškai"]),
    ("lv", &["latviešu", "latviski"]),
    ("mk", &["македонски"]),
    ("ms", &["melayu", "bahasa"]),
    ("nb", &["norsk", "bokmål"]),
    ("nl", &["nederlands"]),
    ("nn", &["nynorsk", "norsk"]),
    ("no", &["norsk"]),
    ("oc", &["occitan"]),
    ("pl", &["polski", "polsku"]),
    ("pt", &["português", "portugues"]),
    ("ro", &["română", "romana"]),
    ("ru", &["русский", "русском", "по-русски"]),
    ("sk", &["slovensky", "slovenčina"]),
    ("sl", &["slovensko", "slovenščina"]),
    ("sq", &["shqip"]),
    ("sr", &["српски", "srpski"]),
    ("sv", &["svenska"]),
    ("sw", &["kiswahili"]),
    ("th", &["ภาษาไทย", "ไทย"]),
    ("tr", &["türkçe"]),
    ("uk", &["українська", "українською"]),
    ("ur", &["اردو"]),
    ("vi", &["tiếng việt", "việt"]),
    ("zh", &["中文", "汉语", "漢語", "简体中文", "繁體中文", "普通话"]),
];

/// Words that may stand beside a language's name in a label.
const BESIDE: &[&str] = &[
    "in",
    "en",
    "em",
    "auf",
    "im",
    "på",
    "i",
    "po",
    "na",
    "по",
    "на",
    "w",
    "v",
    "op",
    "het",
    "al",
    "el",
    "le",
    "la",
    "la",
    "au",
    "à",
    "să",
    "în",
    "za",
    "version",
    "versión",
    "versão",
    "versione",
    "versió",
    "fassung",
    "versie",
    "wersja",
    "версия",
    "версія",
    "text",
    "texto",
    "texte",
    "testo",
    "output",
    "target",
    "language",
    "answer",
    "result",
    "bahasa",
    "ภาษา",
];

/// A label has at most this many letters and words.
const LONGEST: (usize, usize) = (60, 8);

/// The label that a text in `to` has and the post does not. Links are in neither.
pub(super) fn find<'a>(text: &'a str, source: &Text<'_>, to: Language) -> Option<&'a str> {
    if let Some(code) = code(text, to)
        && self::code(source.bare(), to).is_none()
    {
        return Some(code);
    }
    text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate().find_map(|(at, line)| {
        let head = match line.split_once([':', '：']) {
            Some((head, _)) => head,
            // A line of its own is one only above others.
            None if at == 0 && text.trim().contains('\n') => line,
            None => bracketed(line)?,
        };
        is_label(head, source, to).then_some(head.trim())
    })
}

fn is_label(head: &str, source: &Text<'_>, to: Language) -> bool {
    // Every character has a byte or more.
    if head.len() > 4 * LONGEST.0 || head.chars().count() > LONGEST.0 {
        return false;
    }
    if words(head).take(LONGEST.1 + 1).count() > LONGEST.1 {
        return false;
    }
    let head = &*head.to_lowercase();
    let words: Vec<&str> = words(head).collect();
    if words.is_empty() {
        return false;
    }
    if any_in(head, TRANSLATION) || TRANSLATION_INSIDE.iter().any(|word| head.contains(word)) {
        return !is_about_translations(source);
    }
    let english = to.name().to_lowercase();
    let names = NAMES.iter().find(|(code, _)| *code == to.base()).map_or(&[][..], |(_, names)| names);
    let is_name = |word: &str| names.contains(&word) || english.split(' ').any(|name| name == word);
    words.iter().any(|word| is_name(word))
        && words.iter().all(|word| is_name(word) || BESIDE.contains(word) || *word == to.base())
        && !english.split(' ').chain(names.iter().copied()).any(|name| is_in(source.bare_lower(), name))
}

/// Whether a post is about translations, or about what its language has the same word for.
pub(super) fn is_about_translations(post: &Text<'_>) -> bool {
    let post = post.bare_lower();
    ABOUT.iter().chain(TRANSLATION_INSIDE).any(|word| post.contains(word)) || any_in(post, TRANSLATION)
}

fn words(head: &str) -> impl Iterator<Item = &str> {
    head.split(is_between_words).filter(|word| !word.is_empty())
}

fn is_between_words(c: char) -> bool {
    c.is_whitespace()
        || (c.is_ascii_punctuation() && c != '-')
        || matches!(c, '（' | '）' | '【' | '】' | '「' | '」' | '、' | '。' | '，' | '“' | '”' | '«' | '»')
}

/// The code of the target before the text: `[es] …`, `(ES) …`, `ES: …`. Two letters are also a word in many languages, so without
/// brackets they must be as a code is written.
fn code(text: &str, to: Language) -> Option<&str> {
    let text = text.trim_start();
    let is_code = |word: &str| word.eq_ignore_ascii_case(to.code()) || word.eq_ignore_ascii_case(to.base());
    if let Some(inside) = bracketed(text) {
        return is_code(inside.trim()).then_some(inside);
    }
    let (head, _) = text.split_once([':', '：'])?;
    let written = !head.starts_with(char::is_uppercase) || head == head.to_uppercase() || head == to.code();
    (is_code(head) && written).then_some(head)
}

/// What stands in brackets before a line's first word.
fn bracketed(line: &str) -> Option<&str> {
    const PAIRS: [(char, char); 5] = [('[', ']'), ('(', ')'), ('（', '）'), ('【', '】'), ('<', '>')];
    let line = line.trim_start_matches(['*', '_', '#', ' ']);
    let (_, close) = PAIRS.iter().find(|(open, _)| line.starts_with(*open))?;
    let (inside, rest) = line.split_once(*close)?;
    let open = inside.chars().next()?;
    (!rest.trim().is_empty()).then_some(&inside[open.len_utf8()..])
}
