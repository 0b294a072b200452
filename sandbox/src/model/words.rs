//! Fakes translations: replaces each word by a common word of the target's language, always the same one for the same
//! word. The result means nothing, but every check takes it for a translation into that language.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use crate::hash;

/// Common words of some languages.
const LANGUAGES: [(&str, &str); 14] = [
    (
        "es",
        "casa tiempo ciudad mañana nuestra gente todos también pueblo noche mejor calle porque donde cuando trabajo siempre agua escuela niños después gracias puerto nuevo grande hasta ayer fiesta plaza música ahora tierra siguiente abierta llegaron vecinos tenemos quieren muchos lugar",
    ),
    (
        "ca",
        "casa temps ciutat demà nostra gent tothom també poble nit millor carrer perquè quan feina sempre aigua escola nens després gràcies port nou gran fins ahir festa plaça música ara terra següent oberta arribaren veïns tenim volen molts lloc amb",
    ),
    (
        "gl",
        "casa tempo cidade mañá nosa xente todos tamén pobo noite mellor rúa porque onde cando traballo sempre auga escola nenos despois grazas porto novo grande ata onte festa praza música agora terra seguinte aberta chegaron veciños temos queren moitos lugar",
    ),
    (
        "pt",
        "casa tempo cidade amanhã nossa gente todos também povo noite melhor rua porque onde quando trabalho sempre água escola crianças depois obrigado porto novo grande até ontem festa praça música agora terra seguinte aberta chegaram vizinhos temos querem muitos lugar",
    ),
    (
        "fr",
        "maison temps ville demain notre gens tous aussi village nuit mieux rue parce quand travail toujours eau école enfants après merci port nouveau grand jusque hier fête place musique maintenant terre suivante ouverte arrivèrent voisins avons veulent beaucoup lieu avec",
    ),
    (
        "it",
        "casa tempo città domani nostra gente tutti anche paese notte meglio strada perché dove quando lavoro sempre acqua scuola bambini dopo grazie porto nuovo grande fino ieri festa piazza musica adesso terra seguente aperta arrivarono vicini abbiamo vogliono molti luogo",
    ),
    (
        "de",
        "Haus Zeit Stadt morgen unsere Leute alle auch Dorf Nacht besser Straße weil wenn Arbeit immer Wasser Schule Kinder danach danke Hafen neu groß gestern Fest Platz Musik jetzt Erde nächste offen kamen Nachbarn haben wollen viele Ort mit für",
    ),
    (
        "en",
        "house time city tomorrow people everybody village night better street because where when work always water school children after thanks harbour great until yesterday feast square music now earth following open arrived neighbours have want many place with from",
    ),
    (
        "eu",
        "etxea denbora hiria bihar gure jendea denak ere herria gaua hobeto kalea zeren non noiz lana beti ura eskola haurrak gero eskerrik portua berria handia arte atzo festa plaza musika orain lurra hurrengoa irekita iritsi auzokideak dugu nahi asko lekua",
    ),
    (
        "ru",
        "дом время город завтра наша люди все также деревня ночь лучше улица потому когда работа всегда вода школа дети после спасибо порт новый большой вчера праздник площадь музыка сейчас земля следующая открыта пришли соседи имеем хотят много место для",
    ),
    (
        "ja",
        "いえ じかん まち あした わたしたち ひとびと みんな むら よる みち しごと いつも みず がっこう こども ありがとう みなと あたらしい おおきい きのう まつり ひろば おんがく いま つち つぎ ひらく となり ほしい たくさん ばしょ",
    ),
    (
        "zh",
        "房子 时间 城市 明天 我们 人们 大家 也是 村庄 夜晚 更好 街道 因为 什么 工作 总是 学校 孩子 以后 谢谢 港口 新的 大的 昨天 节日 广场 音乐 现在 土地 下一 开放 邻居 想要 很多 地方",
    ),
    (
        "ko",
        "집에 시간 도시 내일 우리 사람들 모두 마을 밤에 거리 때문에 언제 일을 항상 물을 학교 아이들 다음에 감사 항구 새로운 어제 축제 광장 음악 지금 땅을 열린 이웃 원하는 많은 장소",
    ),
    (
        "ar",
        "بيت وقت مدينة غدا ناس جميع أيضا قرية ليل أفضل شارع لأن متى عمل دائما ماء مدرسة أطفال بعد شكرا ميناء جديد كبير أمس عيد ساحة موسيقى الآن أرض مفتوح جيران نريد كثير مكان",
    ),
];

/// The words of a language, if it has any here.
#[derive(Clone, Copy)]
pub(super) struct WordList(Option<&'static [&'static str]>);

impl WordList {
    /// The words for a language code such as `pt-BR`.
    pub(super) fn of(language: &str) -> Self {
        static WORDS: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(|| {
            LANGUAGES.iter().map(|(code, words)| (*code, words.split(' ').collect())).collect()
        });
        let base = language.split('-').next().unwrap_or(language);
        Self(WORDS.get(base).map(Vec::as_slice))
    }

    /// Appends a word in the language to `out`. Its letters change, its punctuation stays.
    pub(super) fn replace(self, word_and_marks: &str, out: &mut String) {
        let mut rest = word_and_marks;
        while let Some(first) = rest.chars().next() {
            let letters = first.is_alphabetic();
            let (head, tail) =
                rest.split_at(rest.find(|c: char| c.is_alphabetic() != letters).unwrap_or(rest.len()));
            if letters {
                self.word(head, out);
            } else {
                out.push_str(head);
            }
            rest = tail;
        }
    }

    fn word(self, word: &str, out: &mut String) {
        let Some(words) = self.0 else {
            // No words for this language: reversed letters differ from the source, too.
            out.extend(word.chars().rev());
            return;
        };
        let plain = word.bytes().all(|byte| byte.is_ascii_lowercase());
        let lower = if plain { Cow::Borrowed(word) } else { Cow::Owned(word.to_lowercase()) };
        // The remainder is less than the number of words, so it fits.
        let which =
            usize::try_from(hash::stable(&[lower.as_bytes()]) % words.len() as u64).unwrap_or_default();
        let mut letters = words[which].chars();
        match letters.next() {
            Some(first) if word.starts_with(char::is_uppercase) => {
                out.extend(first.to_uppercase().chain(letters));
            }
            _ => out.push_str(words[which]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(word: &str, language: &str) -> String {
        let mut out = String::new();
        WordList::of(language).replace(word, &mut out);
        out
    }

    #[test]
    fn letters_change_and_the_rest_stays() {
        let out = replaced("(Hello),", "es");
        assert!(out.starts_with('(') && out.ends_with("),") && !out.contains("Hello"), "{out}");
        assert!(out[1..].starts_with(char::is_uppercase));
        assert_eq!(out, replaced("(Hello),", "es"), "the same word has the same replacement");
        assert_eq!(replaced("12:30", "es"), "12:30");
        assert_eq!(replaced("abc", "sw"), "cba");
    }
}
