//! What stands for a translation: words of the target's language, as many as the text has, each word always the same one.
//! It means nothing, yet it looks to every check like a text in that language which is not the source.

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

/// A language to say words in.
#[derive(Clone, Copy)]
pub(super) struct Tongue(Option<&'static [&'static str]>);

impl Tongue {
    /// The one of a code such as `pt-BR`.
    pub(super) fn of(language: &str) -> Self {
        static WORDS: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(|| {
            LANGUAGES.iter().map(|(code, words)| (*code, words.split(' ').collect())).collect()
        });
        let base = language.split('-').next().unwrap_or(language);
        Self(WORDS.get(base).map(Vec::as_slice))
    }

    /// Adds a word with the punctuation on it, said in the language: its letters change, all else stays.
    pub(super) fn say(self, word_and_marks: &str, said: &mut String) {
        let mut rest = word_and_marks;
        while let Some(first) = rest.chars().next() {
            let letters = first.is_alphabetic();
            let (head, tail) =
                rest.split_at(rest.find(|c: char| c.is_alphabetic() != letters).unwrap_or(rest.len()));
            if letters {
                self.word(head, said);
            } else {
                said.push_str(head);
            }
            rest = tail;
        }
    }

    fn word(self, word: &str, said: &mut String) {
        let Some(words) = self.0 else {
            // Of a language without words here: the letters the other way round are no source text, either.
            said.extend(word.chars().rev());
            return;
        };
        let plain = word.bytes().all(|byte| byte.is_ascii_lowercase());
        let lower = if plain { Cow::Borrowed(word) } else { Cow::Owned(word.to_lowercase()) };
        // The remainder is below their number, which is small.
        let which =
            usize::try_from(hash::stable(&[lower.as_bytes()]) % words.len() as u64).unwrap_or_default();
        let mut letters = words[which].chars();
        match letters.next() {
            Some(first) if word.starts_with(char::is_uppercase) => {
                said.extend(first.to_uppercase().chain(letters));
            }
            _ => said.push_str(words[which]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(word: &str, language: &str) -> String {
        let mut said = String::new();
        Tongue::of(language).say(word, &mut said);
        said
    }

    #[test]
    fn letters_change_and_the_rest_stays() {
        let said = say("(Hello),", "es");
        assert!(said.starts_with('(') && said.ends_with("),") && !said.contains("Hello"), "{said}");
        assert!(said[1..].starts_with(char::is_uppercase));
        assert_eq!(said, say("(Hello),", "es"), "the same word is always the same");
        assert_eq!(say("12:30", "es"), "12:30");
        assert_eq!(say("abc", "sw"), "cba");
    }
}
