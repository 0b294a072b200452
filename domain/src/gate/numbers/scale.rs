//! Words, letters and signs that multiply a number: *million*, `k`, 万. They are those of CLDR's compact numbers (*3
//! Mio.*, *3 млн*) and of its spelled-out ones, with the endings that cases and plurals give them.

/// How sure it is that something multiplies the number before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    /// A word or a sign.
    Word,
    /// The `k` of `20k`.
    Letter,
    /// `5m` is five millions or five metres.
    Ambiguous,
}

/// What multiplies a number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scale {
    /// The power of ten.
    pub(super) exponent: i32,
    /// How long it is, with the space before it.
    pub(super) length: usize,
    pub(super) certainty: Certainty,
}

/// Words of each language with their power of ten; `*` stands for any ending.
#[rustfmt::skip]
const WORDS: [(&[&str], &str); 44] = [
    (&["en"], "hundred*=2 thousand*=3 grand=3 million*=6 mn=6 mln=6 mil=6 billion*=9 bn=9 trillion*=12 tn=12 lakh*=5 lac=5 crore*=7 cr=7"),
    (&["es"], "mil=3 miles=3 millar*=3 millón=6 millon=6 millones=6 mill=6 mm=6 millardo*=9 billón=12 billon=12 billones=12 trillón=18 trillones=18"),
    (&["ca"], "mil=3 miler*=3 milió=6 milio=6 milions=6 miliard=9 bilió=12 bilions=12"),
    (&["gl"], "mil=3 miles=3 millón=6 millons=6 millóns=6 billón=12 billóns=12"),
    (&["pt"], "mil=3 milhar*=3 milhão=6 milhao=6 milhões=6 milhoes=6 mi=6 bilhão=9 bilhões=9 bilhoes=9 bi=9 bilião=12 biliões=12 trilhão=12 trilhões=12 tri=12"),
    (&["fr"], "cent=2 cents=2 mille=3 millier*=3 million*=6 mio=6 milliard*=9 md=9 mds=9 mrd=9 billion*=12"),
    (&["it"], "mila=3 mille=3 migliai*=3 milion*=6 mln=6 mio=6 miliard*=9 mld=9 mrd=9 bilion*=12"),
    (&["ro"], "sute=2 mie=3 mii=3 milion*=6 milioane=6 mil=6 mln=6 miliard*=9 mld=9 mrd=9 trilio*=12"),
    (&["de"], "hundert*=2 tausend*=3 tsd=3 million*=6 mio=6 milliard*=9 mrd=9 mia=9 billion*=12 bio=12"),
    (&["nl", "af"], "honderd*=2 duizend*=3 duisend=3 miljoen*=6 mln=6 mjn=6 miljard*=9 mld=9 mrd=9 mjd=9 biljoen*=12 biljard*=15"),
    (&["sv"], "hundra=2 tusen*=3 tkr=3 miljon*=6 mn=6 milj=6 miljard*=9 md=9 mdr=9 biljon*=12"),
    (&["da"], "hundrede*=2 tusind*=3 million*=6 mio=6 milliard*=9 mia=9 mrd=9 billion*=12"),
    (&["nb", "no", "nn"], "hundre*=2 tusen*=3 million*=6 mill=6 mio=6 milliard*=9 mrd=9 billion*=12"),
    (&["is"], "hundruð=2 þúsund*=3 þús=3 milljón*=6 millj=6 milljarð*=9 ma=9 billjón*=12"),
    (&["pl"], "set=2 tysi*=3 tys=3 milion*=6 mln=6 miliard*=9 mld=9 bilion*=12"),
    (&["cs", "sk"], "set=2 sto=2 tisíc*=3 tis=3 milion*=6 milión*=6 mil=6 mio=6 mln=6 miliard*=9 mld=9 mrd=9 bilion*=12 bilión*=12"),
    (&["sl"], "sto=2 tisoč*=3 tis=3 milijon*=6 mio=6 milijard*=9 mrd=9 bilijon*=12"),
    (&["sr", "hr", "bs"], "sto=2 stotin*=2 hiljad*=3 tisuć*=3 milion*=6 milijun*=6 mil=6 mln=6 mio=6 milijard*=9 mlrd=9 mrd=9 bilion*=12 bilijun*=12 хиљад*=3 милион*=6 мил=6 милијард*=9 млрд=9"),
    (&["mk"], "илјад*=3 милион*=6 мил=6 милијард*=9 млрд=9"),
    (&["bg"], "хиляд*=3 хил=3 милион*=6 млн=6 милиард*=9 млрд=9 трилион*=12"),
    (&["ru", "be"], "сот*=2 тысяч*=3 тыс=3 миллион*=6 мільён*=6 млн=6 миллиард*=9 мільярд*=9 млрд=9 триллион*=12 трлн=12"),
    (&["uk"], "сот*=2 тисяч*=3 тис=3 мільйон*=6 млн=6 мільярд*=9 млрд=9 трильйон*=12 трлн=12"),
    (&["lt"], "šimt*=2 tūkst*=3 milijon*=6 mln=6 milijard*=9 mlrd=9 trilijon*=12"),
    (&["lv"], "simt*=2 tūkst*=3 miljon*=6 milj=6 mlj=6 miljard*=9 mljrd=9 mlrd=9"),
    (&["et"], "sada=2 tuhat=3 tuhan*=3 tuh=3 miljon*=6 mln=6 milj=6 miljard*=9 mld=9 mrd=9"),
    (&["fi"], "sata*=2 tuhat*=3 tuhan*=3 tuh=3 t=3 miljoon*=6 milj=6 milj=6 miljard*=9 mrd=9 biljoon*=12"),
    (&["hu"], "száz=2 ezer*=3 e=3 millió*=6 m=6 milliárd*=9 mrd=9 billió*=12"),
    (&["tr"], "yüz=2 bin=3 bini=3 binin=3 milyon*=6 mn=6 milyar*=9 mr=9 mlr=9 trilyon*=12"),
    (&["az"], "min=3 milyon*=6 mln=6 milyard*=9 mlrd=9"),
    (&["kk", "uz"], "мың=3 миллион*=6 млн=6 миллиард*=9 млрд=9 ming=3 million*=6 mln=6 milliard*=9 mlrd=9"),
    (&["el"], "χιλιάδ*=3 χιλ=3 χίλια=3 εκατομμύρι*=6 εκατομμυρί*=6 εκατ=6 εκ=6 δισεκατομμύρι*=9 δισεκατομμυρί*=9 δισ=9 τρισεκατομμύρι*=12 τρισ=12"),
    (&["sq"], "mijë*=3 milion*=6 mln=6 miliard*=9 mld=9"),
    (&["eu"], "ehun=2 mila=3 milioi*=6 milaka=3"),
    (&["ar"], "مئة=2 مائة=2 ألف=3 الف=3 ألفا=3 ألفًا=3 آلاف=3 مليون*=6 ملايين=6 مليار*=9 بليون=9 تريليون*=12"),
    (&["fa"], "هزار=3 میلیون=6 میلیارد=9 تریلیون=12"),
    (&["he"], "מאות=2 אלף=3 אלפים=3 אלפי=3 מיליון=6 מיליוני=6 מיליארד=9 מיליארדי=9 טריליון=12"),
    (&["ur"], "سو=2 ہزار=3 لاکھ=5 کروڑ=7 ملین=6 بلین=9 ارب=9 کھرب=11"),
    (&["hi", "mr", "ne"], "सौ=2 हज़ार=3 हज़ार=3 हजार=3 लाख=5 करोड़=7 करोड़=7 करोड=7 कोटी=7 मिलियन=6 बिलियन=9 अरब=9 अब्ज=9 खरब=11"),
    (&["bn"], "শত=2 হাজার=3 লাখ=5 লক্ষ=5 কোটি=7 মিলিয়ন=6 মিলিয়ন=6 বিলিয়ন=9 বিলিয়ন=9"),
    (&["gu", "pa"], "હજાર=3 લાખ=5 કરોડ=7 મિલિયન=6 ਹਜ਼ਾਰ=3 ਲੱਖ=5 ਕਰੋੜ=7"),
    (&["ta", "te"], "ஆயிரம்=3 லட்சம்=5 கோடி=7 மில்லியன்=6 வேలు=3 వేల=3 లక్షల=5 లక్ష=5 కోట్ల=7 కోట్లు=7 మిలియన్*=6"),
    (&["id", "ms"], "ratus=2 ribu=3 rb=3 juta=6 jt=6 miliar=9 milyar=9 bilion=9 triliun=12 trilion=12"),
    (&["vi"], "trăm=2 nghìn=3 ngàn=3 triệu=6 tr=6 tỷ=9 tỉ=9"),
    (&["fil", "sw"], "libo=3 milyon=6 bilyon=9 milioni=6 bilioni=9 elfu=3"),
];

/// Signs with their power of ten.
type Signs = &'static [(&'static str, i32)];

/// Signs of languages that are written without spaces, or whose numbers are.
const SIGNS: [(&[&str], Signs); 2] = [
    (
        &["ja", "zh", "ko"],
        &[
            ("十", 1),
            ("百", 2),
            ("千", 3),
            ("万", 4),
            ("萬", 4),
            ("億", 8),
            ("亿", 8),
            ("兆", 12),
            ("십", 1),
            ("백", 2),
            ("천", 3),
            ("만", 4),
            ("억", 8),
            ("조", 12),
        ],
    ),
    (&["th"], &[("สิบ", 1), ("ร้อย", 2), ("พัน", 3), ("หมื่น", 4), ("แสน", 5), ("ล้าน", 6)]),
];

/// *More than*, between a number and a sign: 30多万.
const MORE: [char; 6] = ['多', '余', '餘', '几', '数', '數'];

/// Whether the words of a language are known.
pub(super) fn are_known(language: &str) -> bool {
    words_of(language).is_some() || signs_of(language).is_some()
}

/// Whether a language adds up digits with signs: 12万5000.
pub(super) fn is_in_ideographs(language: &str) -> bool {
    SIGNS[0].0.contains(&language)
}

fn words_of(language: &str) -> Option<&'static str> {
    WORDS.iter().find(|(languages, _)| languages.contains(&language)).map(|(_, words)| *words)
}

fn signs_of(language: &str) -> Option<Signs> {
    SIGNS.iter().find(|(languages, _)| languages.contains(&language)).map(|(_, signs)| *signs)
}

/// The power of ten of a word in lower case.
pub(super) fn of_word(word: &str, language: &str) -> Option<i32> {
    words_of(language)?.split(' ').find_map(|entry| {
        let (known, exponent) = entry.split_once('=')?;
        let is_it = match known.strip_suffix('*') {
            Some(stem) => word.starts_with(stem),
            None => word == known,
        };
        is_it.then(|| exponent.parse().ok())?
    })
}

/// What multiplies the number before `text`.
pub(super) fn after(text: &str, language: &str) -> Option<Scale> {
    // Few numbers have a word after them at once or after one space.
    let first = text.chars().next().filter(|c| !c.is_ascii_punctuation() || *c == '-')?;
    if let Some(scale) = signs_of(language).and_then(|signs| signs_after(text, signs)) {
        return Some(scale);
    }
    let mut length = 0;
    let mut exponent = 0;
    loop {
        let rest = &text[length..];
        let space = rest
            .chars()
            .next()
            .filter(|c| matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '-'))
            .map_or(0, char::len_utf8);
        let word = word_at(&rest[space..]);
        let Some(power) = (!word.is_empty()).then(|| of_word(&word.to_lowercase(), language)).flatten()
        else {
            break;
        };
        exponent += power;
        length += space + word.len();
    }
    if exponent > 0 {
        return Some(Scale { exponent, length, certainty: Certainty::Word });
    }
    let space = if first.is_whitespace() { first.len_utf8() } else { 0 };
    let word = word_at(&text[space..]);
    let (exponent, certainty) = match word {
        "k" | "K" if space == 0 => (3, Certainty::Letter),
        "bn" | "BN" => (9, Certainty::Letter),
        "m" | "M" => (6, Certainty::Ambiguous),
        "b" | "B" if space == 0 => (9, Certainty::Ambiguous),
        "T" if space == 0 => (12, Certainty::Ambiguous),
        // Ten kilometres are a run of 10k.
        "km" => (3, Certainty::Ambiguous),
        _ => return None,
    };
    Some(Scale { exponent, length: space + word.len(), certainty })
}

fn signs_after(text: &str, signs: &[(&str, i32)]) -> Option<Scale> {
    let (mut length, mut exponent) = (text.len() - text.trim_start_matches(MORE).len(), 0);
    let spaced = text.strip_prefix(' ').map_or(0, |_| 1);
    length += spaced;
    while let Some((sign, power)) = signs.iter().find(|(sign, _)| text[length..].starts_with(sign)) {
        exponent += power;
        length += sign.len();
    }
    (exponent > 0).then_some(Scale { exponent, length, certainty: Certainty::Word })
}

/// The word at the start of a text, whatever its script: vowel signs and accents belong to it.
fn word_at(text: &str) -> &str {
    let ends = |c: char| {
        c.is_whitespace() || c.is_ascii_punctuation() || c.is_numeric() || "…“”«»،。、，！？€£¥₹".contains(c)
    };
    &text[..text.find(ends).unwrap_or(text.len())]
}
