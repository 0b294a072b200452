//! Which pairs of languages a server has, and what it calls them. Servers before version 1.9 call three languages otherwise; later
//! ones still understand that.

use std::collections::{BTreeMap, BTreeSet};

use mynah_domain::{Language, ports::engine::ItemError};
use serde_json::Value;

/// What LibreTranslate may call a language, the most exact first. Any server understands the last.
const NAMES: &[(&str, &[&str])] = &[
    ("pt-BR", &["pt-BR", "pb"]),
    ("zh", &["zh-Hans", "zh"]),
    ("zh-Hans", &["zh-Hans", "zh"]),
    ("zh-Hant", &["zh-Hant", "zt"]),
    ("no", &["no", "nb"]),
    ("fil", &["tl"]),
];

/// The languages of a server: for each source, the targets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Languages(BTreeMap<String, BTreeSet<String>>);

impl Languages {
    /// Reads the answer of `GET /languages`; `None` if it is none. An entry that cannot be read costs only itself.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(body).ok()?;
        let language = |entry: &Value| {
            let targets = entry["targets"].as_array()?.iter();
            let targets = targets.filter_map(|target| Some(target.as_str()?.to_owned())).collect();
            Some((entry["code"].as_str()?.to_owned(), targets))
        };
        let languages: BTreeMap<_, _> = answer.as_array()?.iter().filter_map(language).collect();
        (!languages.is_empty()).then_some(Self(languages))
    }

    /// What the server calls a pair; `None` if it does not have it.
    pub(super) fn pair(&self, from: Language, to: Language) -> Option<(String, String)> {
        if from.base() == to.base() {
            return None;
        }
        names(from).into_iter().find_map(|source| {
            let targets = self.0.get(source)?;
            let target = names(to).into_iter().find(|target| targets.contains(*target))?;
            Some((source.to_owned(), target.to_owned()))
        })
    }
}

/// What a server most likely calls a pair, if it was not asked.
pub(super) fn likely_pair(from: Language, to: Language) -> Option<(String, String)> {
    let likely = |language: Language| {
        let known = NAMES.iter().find(|(code, _)| *code == language.code());
        known.and_then(|(_, names)| names.last()).copied().unwrap_or(language.base()).to_owned()
    };
    (from.base() != to.base()).then(|| (likely(from), likely(to)))
}

/// What a server may call a language. A variant that it does not have is the language itself.
fn names(language: Language) -> Vec<&'static str> {
    let known = NAMES.iter().find(|(code, _)| *code == language.code());
    let mut names = known.map_or_else(|| vec![language.code()], |(_, names)| names.to_vec());
    // Traditional characters are not a kind of simplified ones.
    if language.code() != "zh-Hant" && !names.contains(&language.base()) {
        names.push(language.base());
    }
    names
}

/// What an item for a pair of languages gets that the server does not have.
pub(super) fn unsupported(from: Language, to: Language) -> ItemError {
    ItemError::Refused(format!(
        "this LibreTranslate does not translate from {} to {}; its option --load-only decides which languages it has",
        from.name(),
        to.name()
    ))
}

#[cfg(test)]
mod tests {
    use mynah_domain::fixtures::language;
    use serde_json::json;

    use super::*;

    fn server(languages: &[(&str, &[&str])]) -> Languages {
        let entry =
            |(code, targets): &(&str, &[&str])| json!({"code": code, "name": code, "targets": targets});
        let list: Vec<Value> = languages.iter().map(entry).collect();
        Languages::read(json!(list).to_string().as_bytes()).unwrap()
    }

    fn pair(languages: &Languages, from: &str, to: &str) -> Option<String> {
        languages.pair(language(from), language(to)).map(|(source, target)| format!("{source} {target}"))
    }

    #[test]
    fn new_and_old_servers_call_some_languages_differently() {
        let new = server(&[("en", &["es", "pt", "pt-BR", "zh-Hans", "zh-Hant", "nb"]), ("pt-BR", &["en"])]);
        let old = server(&[("en", &["es", "pt", "pb", "zh", "zt"]), ("pb", &["en"])]);
        for (to, in_new, in_old) in [
            ("es", "en es", "en es"),
            ("es-MX", "en es", "en es"),
            ("pt", "en pt", "en pt"),
            ("pt-BR", "en pt-BR", "en pb"),
            ("zh", "en zh-Hans", "en zh"),
            ("zh-Hans", "en zh-Hans", "en zh"),
            ("zh-Hant", "en zh-Hant", "en zt"),
        ] {
            assert_eq!(pair(&new, "en-GB", to).as_deref(), Some(in_new), "{to}");
            assert_eq!(pair(&old, "en", to).as_deref(), Some(in_old), "{to}");
        }
        assert_eq!(pair(&new, "pt-BR", "en-US").as_deref(), Some("pt-BR en"));
        assert_eq!(pair(&new, "en", "no").as_deref(), Some("en nb"));
    }

    #[test]
    fn a_pair_that_the_server_does_not_have_is_none() {
        let languages = server(&[("en", &["es", "zh-Hans", "en"]), ("es", &["en"])]);
        for (from, to) in
            [("en", "gl"), ("gl", "en"), ("en", "en"), ("en", "en-GB"), ("en", "zh-Hant"), ("es", "zh")]
        {
            assert_eq!(pair(&languages, from, to), None, "{from} {to}");
        }
    }

    #[test]
    fn without_an_answer_old_names_are_used_as_every_server_knows_them() {
        let likely = |from, to| likely_pair(language(from), language(to));
        assert_eq!(likely("en", "pt-BR"), Some(("en".into(), "pb".into())));
        assert_eq!(likely("zh-Hant", "es-AR"), Some(("zt".into(), "es".into())));
        assert_eq!(likely("en", "en-GB"), None);
    }

    #[test]
    fn what_is_no_list_of_languages_is_none() {
        for body in
            ["", "<html>", "{}", "[]", "[null, 7, {}]", "{\"error\": \"Slowdown\"}", "[{\"code\": \"en\"}]"]
        {
            assert_eq!(Languages::read(body.as_bytes()), None, "{body}");
        }
        let odd = json!([null, {"code": 7, "targets": []}, {"code": "en", "targets": ["es", null, 7]}]);
        let odd = Languages::read(odd.to_string().as_bytes()).unwrap();
        assert_eq!(pair(&odd, "en", "es").as_deref(), Some("en es"));
    }
}
