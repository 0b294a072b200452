//! Compares what Mynah finds and counts in a text with twitter-text's conformance data. The lengths are those of
//! version 3 (`validate.yml`, `WeightedTweetsWithDiscountedEmojiCounterTest`); the entities come from its own file,
//! which `make conformance` fetches. docs/text.md lists and explains every difference.

use std::{collections::BTreeSet, fs};

use mynah_domain::text::EntityKind;
use serde_json::Value;

use super::{entities, weigh};

#[test]
fn lengths_match_the_published_ones_of_version_3() {
    let xs = |times: usize| "xxxxxxxxxx-".repeat(times);
    let poem = "故人西辞黄鹤楼，烟花三月下扬州。".repeat(10);
    let long = format!("https://{}.com/foo", "somesuperlongurl".repeat(100));
    let hiragana = "あいうえおかきくけこ".repeat(12);
    let host = "あいうえおかきくけこ".repeat(5);
    for (text, length) in [
        ("Hi http://test.co".to_owned(), 26),
        ("http://test.co".into(), 23),
        (format!("285 chars-{}", xs(25)), 285),
        (format!("285 chars- http://www.twitter.com/jack {}", xs(24)), 299),
        (format!("{} http://www.twitter.com/jack ", xs(24)), 289),
        ("https://www.twitter.com/aloha ".repeat(10), 240),
        (poem.clone(), 320),
        ("😷".repeat(160), 320),
        (format!("the{poem}"), 323),
        ("A\u{301}B".into(), 2),
        (format!("282 chars-{}xxxxxA\u{301}x", xs(24)), 281),
        ("H🐱☺👨‍👩‍👧‍👦".into(), 7),
        ("😷👾😡🔥💩".into(), 10),
        ("🙋🏽👨‍🎤".into(), 4),
        (
            format!(
                "Spaces: {}\u{200b} ‐ ‑ ‒ – — ― ‖  ‗ ‘ ’ ‚ ‛ “ ” „ ‟ ′ ″ ‴ ‵ ‶ ‷",
                ('\u{2000}'..='\u{200a}').collect::<String>()
            ),
            8 + 11 + 1 + (110 - 53 - 12),
        ),
        // A host label of more than 63 characters is not a link.
        (format!("{long} https://validurl.com"), 16 * 100 + 16 + 1 + 23),
        ("randomurlrandomurlrandomurlrandomurlrandomurlrandomurlrandomurls.com".into(), 68),
        (format!("{hiragana} http://{host}あいう.com"), 358),
        (format!("{hiragana} http://{host}あい.com"), 264),
        ("👨‍👩‍👧‍👦".repeat(140), 280),
        (
            "Unicode 10.0 emoji: 🤪; 🧕; 🧕🏾; 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}".into(),
            34,
        ),
        ("Unicode 9.0 emoji: 🤠; 💃; 💃🏾".into(), 29),
    ] {
        assert_eq!(weigh(&text), length, "{text}");
    }
}

/// Twitter-text's cases where Mynah differs; docs/text.md has them, too.
const DIFFERENT: [&str; 19] = [
    // Readers see text with a scheme as an address, so it must not be translated, even if X does not link it.
    "urls: DO NOT extract URL if preceded by $",
    "urls: DO NOT extract URLs containing leading dashes in the domain name",
    "urls: DO NOT extract URLs containing leading dashes in the subdomain",
    "urls: DO NOT extract URLs containing leading underscores in the subdomain",
    "urls: DO NOT extract URLs containing trailing dashes in the domain name",
    "urls: DO NOT extract URLs containing trailing dashes in the subdomain",
    "urls: DO NOT extract URLs containing trailing underscores in the subdomain",
    "urls: DO NOT extract URLs containing underscores in the domain name",
    "urls: DO NOT extract URLs containing underscores in the tld",
    "urls: DO NOT extract URLs in hashtag or @mention",
    "urls: DO NOT extract invalid URL: http://-begin_dash_2314352345_dfasd.foo-cow_4352.com",
    "urls: DO NOT extract invalid URL: http://domain-begin_dash_2314352345_dfasd.foo-cow_4352.com",
    "urls: DO NOT extract invalid URL: http://no-tld",
    "urls: DO NOT extract invalid URL: http://tld-too-short.x",
    "urls: Extract a hyphenated TLD (usually a typo)",
    // Version 3 links bare names of every domain; the file is from an older version, which did not.
    "urls: DO NOT extract short URLs without protocol on ccTLD domains without path",
    "urls: Extract URL before newline",
    "urls: Extract URLs without protocol not on (com|org|edu|gov|net) domains",
    // The crate does not treat 〃 as a letter.
    "hashtags: Hashtag with ideographic iteration mark",
];

#[test]
#[ignore = "needs twitter-text's own data: make conformance"]
fn entities_match_those_of_twitter_text() {
    let file = std::env::var("TWITTER_TEXT_EXTRACT").unwrap();
    let data: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let mut different = BTreeSet::new();
    let mut count = 0;
    for (section, kind) in [
        ("mentions", EntityKind::Mention),
        ("urls", EntityKind::Link),
        ("hashtags", EntityKind::Hashtag),
        ("cashtags", EntityKind::Cashtag),
    ] {
        for case in data["tests"][section].as_array().unwrap() {
            count += 1;
            let (text, name) = (case["text"].as_str().unwrap(), case["description"].as_str().unwrap());
            let expected: Vec<&str> =
                case["expected"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let found = entities(text);
            let found: Vec<&str> = found
                .iter()
                .filter(|entity| entity.kind == kind)
                .map(|entity| match kind {
                    EntityKind::Link => &text[entity.range.clone()],
                    _ => text[entity.range.clone()].trim_start_matches(['@', '＠', '#', '＃', '$']),
                })
                .collect();
            if found != expected {
                println!("{section}: {name}\n  {text:?}\n  published {expected:?}\n  found     {found:?}");
                different.insert(format!("{section}: {name}"));
            }
        }
    }
    println!("{count} cases, {} different", different.len());
    let expected: BTreeSet<String> = DIFFERENT.iter().map(ToString::to_string).collect();
    assert_eq!(different, expected);
}
