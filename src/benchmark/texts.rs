//! What the posts of a benchmark say: no two the same, as a network refuses repetitions; with links, mentions and tags as
//! often as people have them. The same number of posts is always the same posts.

use fastrand::Rng;

const WORDS: [&str; 40] = [
    "the",
    "harbour",
    "opens",
    "tomorrow",
    "morning",
    "council",
    "votes",
    "on",
    "new",
    "bridge",
    "street",
    "closed",
    "for",
    "repairs",
    "our",
    "team",
    "won",
    "again",
    "tickets",
    "are",
    "available",
    "library",
    "evening",
    "concert",
    "free",
    "entry",
    "weather",
    "warning",
    "strong",
    "wind",
    "expected",
    "thank",
    "you",
    "volunteers",
    "market",
    "every",
    "saturday",
    "school",
    "children",
    "garden",
];

const TEMPLATES: [&str; 5] = [
    "We are live now, join us",
    "The daily report is out",
    "Full time at the stadium",
    "Road works start on Monday",
    "Weather warning for the coast",
];

/// So many posts, of which a share repeats a template with another link.
pub fn texts(posts: usize, repeat: f64) -> Vec<String> {
    let mut random = Rng::with_seed(20_261_123);
    (1..=posts)
        .map(|number| {
            if random.f64() < repeat {
                let template = TEMPLATES[random.usize(..TEMPLATES.len())];
                return format!("{template} https://example.com/{number}");
            }
            let mut words: Vec<&str> =
                (0..random.usize(6..18)).map(|_| WORDS[random.usize(..WORDS.len())]).collect();
            let tag = if random.f64() < 0.2 { " #harbour" } else { "" };
            words.dedup();
            let link =
                if random.f64() < 0.3 { format!(" https://example.com/{number}") } else { String::new() };
            let mention = if random.f64() < 0.1 { " @harbour_city" } else { "" };
            format!("{} {number}{mention}{tag}{link}", words.join(" "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_posts_say_the_same_and_each_fits() {
        let texts = texts(2000, 0.5);
        assert_eq!(texts.iter().collect::<HashSet<_>>().len(), 2000);
        assert!(texts.iter().all(|text| text.chars().count() < 200));
        let repeated =
            texts.iter().filter(|text| TEMPLATES.iter().any(|template| text.starts_with(template)));
        assert!((800..1200).contains(&repeated.count()));
    }
}
