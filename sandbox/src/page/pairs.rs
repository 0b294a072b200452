//! No network records which post a message translates, but a reader wants to see both side by side. This module finds
//! out, as a person would: messages come in the source's order, and links, names, numbers and emoji survive
//! translation. A filter or a hold leaves gaps, so the order alone would drift.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::card::Card;
use crate::{
    timeline::PostKind,
    world::{PostId, StoredPost},
};

/// How far from its place in the order a post is searched.
const REACH: usize = 40;

/// The length in characters above which a translation may need several messages.
const SPLIT_ABOVE: usize = 220;

/// What speaks against a post that was passed over before: a hold that was resolved late.
const LATE: f64 = 0.6;

/// The most that a gap in the order speaks against a post.
const GAP_MOST: f64 = 1.2;

/// The post that each message of one account translates, in the order of the messages; none for a message that nobody
/// translated.
pub(super) fn pair(posts: &[Arc<StoredPost>], messages: &[Card]) -> Vec<Option<PostId>> {
    let mut pairing = Pairing::new(posts);
    messages.iter().map(|message| pairing.add(message)).collect()
}

/// The posts of a timeline, and which of them have a message so far.
struct Pairing<'a> {
    posts: &'a [Arc<StoredPost>],
    traits: Vec<Traits>,
    /// The length of all messages of a post, in characters.
    covered: Vec<usize>,
    /// The place after the newest post that has a message.
    next: usize,
    /// The place of the post of each message.
    placed: HashMap<u64, usize>,
}

impl<'a> Pairing<'a> {
    fn new(posts: &'a [Arc<StoredPost>]) -> Self {
        let usual = usual_language(posts);
        Self {
            posts,
            traits: posts.iter().map(|post| Traits::of_post(post, usual)).collect(),
            covered: vec![0; posts.len()],
            next: 0,
            placed: HashMap::new(),
        }
    }

    fn add(&mut self, message: &Card) -> Option<PostId> {
        let traits = Traits::of_message(message);
        let parent = message.reply_to().and_then(|parent| self.placed.get(&parent)).copied();
        let at = match parent {
            Some(parent) => self.thread(&traits, parent),
            None => self.best(message, &traits)?,
        };
        self.covered[at] += traits.length;
        self.next = self.next.max(at + 1);
        self.placed.insert(message.id(), at);
        Some(self.posts[at].id)
    }

    /// A message that replies to a message of the post at `parent` is its next part, or the next post of its thread.
    fn thread(&self, message: &Traits, parent: usize) -> usize {
        let reply = (parent + 1..self.posts.len())
            .find(|at| self.covered[*at] == 0 && self.posts[*at].reply_to == Some(self.posts[parent].id));
        let Some(reply) = reply else { return parent };
        let (of_parent, of_reply) =
            (message.likeness(&self.traits[parent]), message.likeness(&self.traits[reply]));
        let unfinished = self.covered[parent] * 10 < self.traits[parent].length * 7;
        if of_parent > of_reply || (unfinished && of_parent >= of_reply) { parent } else { reply }
    }

    fn best(&self, message: &Card, traits: &Traits) -> Option<usize> {
        let late = (self.next.saturating_sub(REACH)..self.next).map(|at| (at, LATE));
        let mut gap = 0.0;
        let ahead = (self.next..self.posts.len().min(self.next + REACH)).map(|at| {
            let before = gap;
            gap = GAP_MOST.min(gap + if self.traits[at].unusual { 0.02 } else { 0.1 });
            (at, before)
        });
        let possible = ahead
            .chain(late)
            .filter(|(at, _)| self.covered[*at] == 0 && self.posts[*at].created_at() <= message.created_at());
        possible
            .map(|(at, against)| (at, traits.likeness(&self.traits[at]) - against))
            // Of equals, the first: the order decides.
            .reduce(|best, other| if other.1 > best.1 { other } else { best })
            .map(|(at, _)| at)
    }
}

/// What a text and its translation have in common.
struct Traits {
    marks: BTreeSet<String>,
    length: usize,
    has_media: bool,
    /// Whether most settings skip it: a repost, a reply to somebody else, or another language.
    unusual: bool,
}

impl Traits {
    fn of_message(message: &Card) -> Self {
        Self {
            marks: marks(message.text()),
            length: message.text().chars().count(),
            has_media: !message.media().is_empty(),
            unusual: false,
        }
    }

    fn of_post(post: &StoredPost, usual_language: &str) -> Self {
        let to_others = post.kind == PostKind::Reply && post.in_reply_to_user_id != Some(post.author_id);
        Self {
            marks: marks(&post.text),
            length: post.text.chars().count(),
            has_media: !post.media.is_empty(),
            unusual: post.kind == PostKind::Repost || to_others || post.lang != usual_language,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "no text has 2^53 characters")]
    fn likeness(&self, post: &Self) -> f64 {
        let shared = self.marks.intersection(&post.marks).count();
        // A part of a long post has only some of its marks and some of its length.
        let is_part = post.length > SPLIT_ABOVE;
        let all = self.marks.len() + if is_part { 0 } else { post.marks.len() - shared };
        let marks = if all == 0 { 0.5 } else { 2.0 * shared as f64 / all as f64 };
        let (short, long) = (self.length.min(post.length), self.length.max(post.length).max(1));
        let length = if is_part { 0.4 } else { 0.5 * short as f64 / long as f64 };
        let media = if self.has_media && post.has_media { 0.2 } else { 0.0 };
        let unusual = if post.unusual { 0.15 } else { 0.0 };
        marks + length + media - unusual
    }
}

/// The language of most posts.
fn usual_language(posts: &[Arc<StoredPost>]) -> &str {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for post in posts {
        *counts.entry(&post.lang).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(lang, count)| (*count, *lang)).map_or("en", |(lang, _)| lang)
}

/// The links, names, tags, numbers and emoji of a text.
fn marks(text: &str) -> BTreeSet<String> {
    let mut marks = BTreeSet::new();
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '@' | '#' | '/' | '_'));
        let address = bare.split_once("://").map_or(bare, |(_, rest)| rest);
        let is_address = address
            .split_once('.')
            .is_some_and(|(host, rest)| host.contains(char::is_alphabetic) && rest.len() > 1);
        if is_address || bare.starts_with(['@', '#']) {
            marks.insert(address.to_lowercase());
        } else {
            let numbers = word.split(|c: char| !c.is_numeric()).filter(|number| !number.is_empty());
            marks.extend(numbers.map(str::to_owned));
        }
        marks.extend(word.chars().filter(|c| is_symbol(*c)).map(String::from));
    }
    marks
}

/// Arrows, symbols and emoji, but no punctuation, which translations change.
fn is_symbol(c: char) -> bool {
    c >= '\u{2190}'
        && !c.is_alphanumeric()
        && !matches!(c, '\u{2e00}'..='\u{303f}' | '\u{fe00}'..='\u{fe6f}' | '\u{ff00}'..='\u{ffef}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::TargetAccount,
        timeline::{OtherPost, TimelinePost},
        world::{AuthKind, Draft, FOLLOWED, World},
    };

    /// The numbers of the posts, from 1, that the messages are paired with; a message with `true` replies to the one
    /// before.
    fn numbers(posts: Vec<TimelinePost>, messages: &[(&str, bool)]) -> Vec<usize> {
        let target = TargetAccount { handle: "town_es".into(), language: "es".into(), premium: false };
        let mut world = World::new("town", &[target], posts);
        let account = world.find("town_es").unwrap();
        let mut last = None;
        for (text, replies) in messages {
            let reply_to = last.filter(|_| *replies);
            let draft = Draft {
                text: (*text).into(),
                reply_to,
                quoted: None,
                media: Vec::new(),
                auth: AuthKind::OAuth1,
            };
            last = Some(world.publish(account, draft).unwrap().id.0);
        }
        let posts = &world.account(FOLLOWED).posts;
        let messages: Vec<Card> = world.account(account).posts.iter().cloned().map(Card::X).collect();
        let paired = pair(posts, &messages);
        let place = |id: Option<PostId>| posts.iter().position(|post| Some(post.id) == id).unwrap() + 1;
        paired.into_iter().map(place).collect()
    }

    fn plain(texts: &[&str]) -> Vec<TimelinePost> {
        texts.iter().copied().map(TimelinePost::new).collect()
    }

    #[test]
    fn messages_follow_the_order_and_skipped_posts_leave_gaps() {
        let repost = TimelinePost {
            reposted: Some(OtherPost { author: "team".into(), text: "Kick-off soon".into() }),
            ..TimelinePost::new("")
        };
        let mut posts = plain(&["Good morning", "Buses 4 and 7 are late"]);
        posts.push(repost);
        posts.extend(plain(&["Thank you, everybody", "Read example.com/speech", "Good night"]));
        let messages = [
            ("Buenos días", false),
            ("Los autobuses 4 y 7 llegan tarde", false),
            ("Gracias a todos", false),
            ("Lean http://example.com/speech", false),
            ("Buenas noches", false),
        ];
        assert_eq!(numbers(posts, &messages), [1, 2, 4, 5, 6]);
    }

    #[test]
    fn a_held_post_leaves_a_gap_and_a_late_one_fills_it() {
        let posts =
            plain(&["Buses 4 and 7", "Open at 22:00 #library", "Well done, @HarbourFC ⚽", "Bridge 12"]);
        let messages = [
            ("Autobuses 4 y 7", false),
            ("Bien hecho, @HarbourFC ⚽", false),
            ("Puente 12", false),
            ("Abierta a las 22:00 #library", false),
        ];
        assert_eq!(numbers(posts, &messages), [1, 3, 4, 2]);
    }

    #[test]
    fn parts_of_a_long_post_stay_with_it_and_parts_of_a_thread_do_not() {
        let long = "The museum has a new room about the port, and ".repeat(7);
        let mut posts = vec![
            TimelinePost::new("We planted 350 trees").in_thread("trees"),
            TimelinePost::new("This is an oak").in_thread("trees"),
            TimelinePost::new(format!("{long}https://example.com/museum")),
        ];
        posts.extend(plain(&["Good night"]));
        let first = "El museo tiene una sala nueva sobre el puerto, y ".repeat(4);
        let messages = [
            ("Plantamos 350 árboles", false),
            ("Esto es un roble", true),
            (&*first, false),
            ("y la entrada es libre https://example.com/museum", true),
            ("Buenas noches", false),
        ];
        assert_eq!(numbers(posts, &messages), [1, 2, 3, 3, 4]);
    }

    #[test]
    fn a_message_is_no_translation_of_a_later_post() {
        let mut world = World::new("town", &[], Vec::new());
        let message = world.add(TimelinePost::new("Hola"));
        let message = Arc::clone(world.post(message.0).unwrap());
        let later = TimelinePost {
            created_at: Some("2999-01-01T00:00:00Z".parse().unwrap()),
            ..TimelinePost::new("Hello")
        };
        let later = world.add(later);
        let posts = [Arc::clone(world.post(later.0).unwrap())];
        assert_eq!(pair(&posts, &[Card::X(message)]), [None]);
    }
}
