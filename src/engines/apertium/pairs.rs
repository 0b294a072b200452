//! Which pairs of languages are installed.

use std::{collections::BTreeMap, env, fs, io, path::Path};

use super::{
    super::routes::Direction,
    mode::{self, Stage},
};

/// A pair that is installed.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// The mode's name, `eng-spa`.
    pub(super) name: String,
    pub(super) stages: Vec<Stage>,
}

impl Pair {
    /// A program or a dictionary that it needs and that is not installed, if there is one.
    pub(super) fn missing(&self) -> Option<&str> {
        let folders = env::var_os("PATH").unwrap_or_default();
        let is_there = |program: &str| {
            // With a slash, it is a path of its own.
            program.contains('/') && Path::new(program).exists()
                || !program.contains('/')
                    && env::split_paths(&folders).any(|folder| folder.join(program).exists())
        };
        self.stages.iter().find_map(|stage| {
            let files = stage.arguments.iter().map(String::as_str);
            let missing = files.filter(|file| file.starts_with('/') && !Path::new(file).exists());
            Some(stage.program.as_str())
                .filter(|program| !is_there(program))
                .into_iter()
                .chain(missing)
                .next()
        })
    }
}

/// The ISO 639-3 codes that Apertium's packages use, and the ones of BCP 47 for the same languages. Older packages use
/// the latter already.
#[rustfmt::skip]
const CODES: &[(&str, &str)] = &[
    ("afr", "af"), ("ara", "ar"), ("arg", "an"), ("bel", "be"), ("ben", "bn"), ("bos", "bs"), ("bre", "br"),
    ("bul", "bg"), ("cat", "ca"), ("ces", "cs"), ("cym", "cy"), ("dan", "da"), ("deu", "de"), ("ell", "el"),
    ("eng", "en"), ("epo", "eo"), ("est", "et"), ("eus", "eu"), ("fas", "fa"), ("fin", "fi"), ("fra", "fr"),
    ("gle", "ga"), ("glg", "gl"), ("heb", "he"), ("hin", "hi"), ("hrv", "hr"), ("hun", "hu"), ("ind", "id"),
    ("isl", "is"), ("ita", "it"), ("kaz", "kk"), ("lav", "lv"), ("lit", "lt"), ("mar", "mr"), ("mkd", "mk"),
    ("mlt", "mt"), ("msa", "ms"), ("nld", "nl"), ("nno", "nn"), ("nob", "nb"), ("oci", "oc"), ("pan", "pa"),
    ("pol", "pl"), ("por", "pt"), ("ron", "ro"), ("rus", "ru"), ("slk", "sk"), ("slv", "sl"), ("spa", "es"),
    ("sqi", "sq"), ("srd", "sc"), ("srp", "sr"), ("swe", "sv"), ("tur", "tr"), ("ukr", "uk"), ("urd", "ur"),
    ("uzb", "uz"), ("zlm", "ms"), ("zul", "zu"),
];

/// The languages of a mode's name; `None` for a variant (`eng-cat_valencia`), a tool (`en-eo-bytecode`), or a language
/// that Mynah does not know. `es-pt_BR` is no variant: readers tell the two apart, and so does Mynah.
fn direction(name: &str) -> Option<Direction> {
    let (from, to) = name.split_once('-')?;
    let language = |code: &str| {
        let short = CODES.iter().find(|(long, _)| *long == code);
        short.map_or(code, |(_, short)| short).parse().ok()
    };
    Some((language(from)?, language(to)?))
}

/// Every pair whose mode lies in `modes_dir` and can be run. The rest is passed over, with a word in the log.
pub(super) fn discover(modes_dir: &Path) -> io::Result<BTreeMap<Direction, Pair>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(modes_dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "mode")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
            && let Some(direction) = direction(name)
        {
            names.push((direction, name.to_owned(), path));
        }
    }
    // Where two packages have a pair, the one with the longer codes is the newer, and the last to be taken.
    names.sort_by(|(_, a, _), (_, b, _)| a.len().cmp(&b.len()).then_with(|| b.cmp(a)));
    let mut pairs = BTreeMap::new();
    for (direction, name, path) in names {
        match mode::parse(&fs::read_to_string(&path)?) {
            Ok(stages) => {
                pairs.insert(direction, Pair { name, stages });
            }
            Err(error) => log::warn!(file:% = path.display(), reason:% = error; "Apertium mode skipped"),
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use mynah_domain::Language;

    use super::*;

    fn codes(way: &[Direction]) -> Vec<String> {
        way.iter().map(|(from, to)| format!("{from}-{to}")).collect()
    }

    #[test]
    fn long_and_short_codes_are_the_same_language() {
        assert_eq!(codes(&[direction("eng-spa").unwrap()]), ["en-es"]);
        assert_eq!(codes(&[direction("en-gl").unwrap()]), ["en-gl"]);
        assert_eq!(codes(&[direction("es-pt_BR").unwrap()]), ["es-pt-BR"]);
        assert!(CODES.iter().all(|(_, code)| code.parse::<Language>().is_ok()));
    }

    #[test]
    fn variants_and_tools_are_no_pairs() {
        for name in ["eng-cat_valencia", "spa-eng_US", "en-eo-bytecode", "eco-es-fr", "eng", "xxx-spa"] {
            assert_eq!(direction(name), None, "{name}");
        }
    }

    #[test]
    fn of_two_packages_for_a_pair_the_newer_is_taken_and_what_cannot_be_run_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        for (name, mode) in [
            ("en-es", "lt-proc old"),
            ("eng-spa", "lt-proc new"),
            ("eng-glg", "lt-proc $(x)"),
            ("README", ""),
        ] {
            fs::write(dir.path().join(name).with_extension("mode"), mode).unwrap();
        }
        let pairs = discover(dir.path()).unwrap();
        let names: Vec<_> = pairs.values().map(|pair| pair.name.as_str()).collect();
        assert_eq!(names, ["eng-spa"]);
    }
}
