//! Measures what the rule lets through as what: the tables of docs/gate.md. It reads real sentences, which are too many
//! for this repository: a folder with one file per language (`es.txt`), one sentence per line.
//!
//! ```sh
//! MYNAH_SENTENCES=/path/to/sentences cargo test -p mynah-domain --features fixtures measured -- --ignored --nocapture
//! ```
#![allow(clippy::print_stdout, reason = "a measurement prints what it finds")]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use super::check;
use crate::{
    Language,
    fixtures::{language, mask},
    gate::{Candidate, seen::Seen},
    network::PlainText,
};

const TARGETS: [&str; 11] = ["es", "pt", "it", "fr", "ca", "gl", "ro", "de", "nl", "da", "sv"];

/// The number of letters, from and to.
const BANDS: [(usize, usize); 5] = [(8, 20), (20, 40), (40, 80), (80, 160), (160, 400)];

/// The number of sentences; fewer give a first impression.
fn most() -> usize {
    std::env::var("MYNAH_SENTENCES_MOST").map_or(400, |most| most.parse().unwrap())
}

/// The beginning of a sentence, at a word's end, that has a number of letters in this band; which one is decided by its
/// position.
fn beginning(sentence: &str, (least, most): (usize, usize), position: usize) -> Option<String> {
    let wanted = least + 1 + position * 7919 % (most - least);
    let mut letters = 0;
    let mut text = String::new();
    for word in sentence.split_whitespace() {
        letters += word.chars().filter(|c| c.is_alphabetic()).count();
        if letters > wanted {
            letters -= word.chars().filter(|c| c.is_alphabetic()).count();
            break;
        }
        text += word;
        text.push(' ');
    }
    (letters > least).then(|| text.trim_end().to_owned())
}

fn sentences() -> BTreeMap<String, Vec<String>> {
    let folder = PathBuf::from(std::env::var("MYNAH_SENTENCES").expect("set MYNAH_SENTENCES to a folder"));
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let read = |path: PathBuf| {
        let code = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        (code, text.lines().map(str::to_owned).collect())
    };
    files.map(read).collect()
}

/// Of these texts, the share in percent that passes as this language.
fn passing(texts: &[String], posts: &[String], target: &str) -> f64 {
    let mut passed = 0_u32;
    for (text, post) in texts.iter().zip(posts.iter().cycle()) {
        let source = mask(post);
        let candidate = Candidate {
            source: &source,
            parts: std::slice::from_ref(text),
            rules: &PlainText::default(),
            max_weight: None,
            from: Language::english(),
            to: language(target),
            others: &[],
        };
        let found = check(&Seen::new(&candidate));
        if let Some(found) = &found
            && std::env::var("MYNAH_SHOW").is_ok_and(|shown| shown == target)
        {
            println!("{found}: {text}");
        }
        passed += u32::from(found.is_none());
    }
    100.0 * f64::from(passed) / f64::from(u32::try_from(texts.len()).unwrap())
}

#[test]
#[ignore = "needs a folder of sentences"]
fn what_passes_as_what() {
    let all = sentences();
    let in_band = |code: &str, band| -> Vec<String> {
        let lines = all[code].iter().enumerate();
        lines.filter_map(|(at, line)| beginning(line, band, at)).take(most()).collect()
    };
    let mut table: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let mut held_rightly: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for band in BANDS {
        // The posts are other sentences than the English ones that are judged.
        let mut posts = in_band("en", band);
        posts.rotate_left(1);
        for real in all.keys() {
            let texts = in_band(real, band);
            for target in TARGETS {
                if texts.len() < 50 {
                    table.entry((real, target)).or_default().push("–".to_owned());
                    continue;
                }
                table
                    .entry((real, target))
                    .or_default()
                    .push(format!("{:.0}", passing(&texts, &posts, target)));
            }
            if texts.len() >= 50 && real != "en" {
                let held = 100.0 - passing(&texts, &posts, real);
                held_rightly.entry(real).or_default().push(format!("{held:.1}"));
            }
        }
    }
    let mut lines = String::from("| is | ");
    lines += &TARGETS.join(" | ");
    for real in all.keys() {
        write!(lines, " |\n| {real}").unwrap();
        for target in TARGETS {
            write!(lines, " | {}", table[&(real.as_str(), target)].join(" ")).unwrap();
        }
    }
    println!("{lines} |\n\nfalse alarms in percent:");
    for (language, held) in held_rightly {
        println!("{language}: {}", held.join(" "));
    }
}
