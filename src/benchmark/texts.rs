//! Generates the posts of a benchmark. No two are the same, because a network refuses duplicates; links, mentions and
//! tags are as frequent as in real posts. The same arguments always give the same posts.

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

/// Posts of random words, of which the share `repeat` uses a template with a new link.
pub fn texts(posts: usize, repeat: f64) -> impl Iterator<Item = String> {
    let mut random = Rng::with_seed(20_261_123);
    (1..=posts).map(move |number| {
        if random.f64() < repeat {
            let template = TEMPLATES[random.usize(..TEMPLATES.len())];
            return format!("{template} https://example.com/{number}");
        }
        let mut words: Vec<&str> =
            (0..random.usize(6..18)).map(|_| WORDS[random.usize(..WORDS.len())]).collect();
        let tag = if random.f64() < 0.2 { " #harbour" } else { "" };
        words.dedup();
        let link = if random.f64() < 0.3 { format!(" https://example.com/{number}") } else { String::new() };
        let mention = if random.f64() < 0.1 { " @harbour_city" } else { "" };
        format!("{} {number}{mention}{tag}{link}", words.join(" "))
    })
}

/// Posts of an account that often uses the same words: a club's scores, the weather, live events, with the day's
/// numbers, names and links. Each `stream` is a different day.
pub fn templated(posts: usize, stream: u64) -> impl Iterator<Item = String> {
    const NAMES: [&str; 6] = ["rovers", "united_fc", "the_wanderers", "athletic", "city_fc", "olympic"];
    let mut random = Rng::with_seed(20_261_125 + stream);
    (1..=posts).map(move |number| {
        let other = NAMES[random.usize(..NAMES.len())];
        let (ours, theirs) = (random.u32(..6).min(random.u32(..6)), random.u32(..6).min(random.u32(..6)));
        let minute = random.u32(1..=90);
        let (low, warmer) = (random.u32(3..18), random.u32(2..12));
        let high = low + warmer;
        let (hour, quarter) = (random.u32(8..22), random.u32(..4) * 15);
        let text = match random.u32(..12) {
            0 => format!("Full time: #Harbour {ours}-{theirs} @{other}"),
            1 => format!("Half time: #Harbour {ours}-{theirs} @{other}"),
            2 => format!("Goal! #Harbour {ours}-{theirs} @{other} in minute {minute}"),
            3 => format!("Substitution in minute {minute} against @{other}"),
            4 => format!("Weather today: between {low}°C and {high}°C"),
            5 => format!("Strong wind tonight, up to {} km/h on the coast", random.u32(30..120)),
            6 => format!("The sea has {}.{}°C this morning", random.u32(9..24), random.u32(..10)),
            7 => "We are live, join us".to_owned(),
            8 => format!("We are live at {hour}:{quarter:02}, join us"),
            9 => format!("Tickets against @{other} from {} €", random.u32(2..12) * 5),
            10 => format!("{} people came to the market today", random.u32(100..1000)),
            _ => format!("Thank you @{other}, see you on Saturday 🎉"),
        };
        format!("{text} https://example.com/{stream}/{number}")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn templated_posts_differ_within_and_between_streams() {
        let all: Vec<String> = templated(2000, 1).chain(templated(2000, 2)).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 4000);
        assert!(templated(2000, 1).eq(all[..2000].iter().cloned()));
        assert!(all.iter().all(|text| text.chars().count() < 200));
    }

    #[test]
    fn no_two_posts_are_the_same_and_each_fits() {
        let texts: Vec<String> = texts(2000, 0.5).collect();
        assert_eq!(texts.iter().collect::<HashSet<_>>().len(), 2000);
        assert!(texts.iter().all(|text| text.chars().count() < 200));
        let repeated =
            texts.iter().filter(|text| TEMPLATES.iter().any(|template| text.starts_with(template)));
        assert!((800..1200).contains(&repeated.count()));
    }
}
