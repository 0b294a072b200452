//! Turns a post on the wire into the post that its author meant: with the whole text of a long post, shortened links
//! expanded, and the link to its own pictures dropped. HTML is unescaped last, because positions count the escaped
//! text.
//!
//! A reply continues the author's own thread or replies to somebody else. The first of these that is known decides: the
//! user it replies to; the parent post's author, if the parent is on the page or included; the handle at the start of
//! the text, which X adds to replies to others. An author who replies to their own reply under somebody else's post
//! still replies to others: a thread is their own only if its first post is.
//!
//! If the page does not show enough, the post is [`Unclear`]: the caller looks up the parent and the conversation's first
//! post in the ledger, or requests the post by its id, and never publishes a reply as a thread on a guess.
//!
//! A poll cannot be published again as a poll, so its options become lines under the text.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use jiff::Timestamp;
use mynah_domain::{Card, MediaKind, Post, PostId, PostKind, ports::source::Unreadable, post};
use serde_json::value::RawValue;
use url::Url;

use super::{
    fields::is_null,
    notice,
    text::{entities, language},
    wire::{Id, Includes, Link, Media, Timeline, Tweet, Unread},
};

/// X's epoch in milliseconds; a post's id contains its time.
const EPOCH: i64 = 1_288_834_974_657;

/// The maximum number of bytes stored of an unreadable post.
const RAW_MOST: usize = 64 * 1024;

/// The maximum number of oddities logged per page.
const ODDITIES_MOST: usize = 20;

/// How many posts of a page are followed from a reply towards the first post of its thread.
const THREAD_MOST: usize = 100;

/// The account whose posts are read.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its handle, without `@`.
    pub handle: &'a str,
}

/// The content of a page, each list newest first. Every post of the page is in one of the first three lists.
#[derive(Debug, Default)]
pub struct Reading {
    /// The posts.
    pub posts: Vec<Post>,
    /// Replies of which the page does not show whether they continue the author's own thread.
    pub unclear: Vec<Unclear>,
    /// Posts that cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// Oddities, for the log.
    pub oddities: Vec<String>,
}

/// A reply that may or may not continue the author's own thread.
#[derive(Debug)]
pub struct Unclear {
    /// The post, if it continues one.
    pub thread: Post,
    /// The post that it replies to.
    pub parent: PostId,
    /// The first post of its conversation, if X names it.
    pub root: Option<PostId>,
    /// What to do with the post if neither of them is on record.
    pub otherwise: Otherwise,
}

/// What to do with a reply if nothing more can be found out about it.
#[derive(Debug)]
pub enum Otherwise {
    /// Its parent is the author's own, and this is its likely kind.
    Kind(PostKind),
    /// Nobody knows whose its parent is.
    Unreadable(Unreadable),
}

/// Reads a page of the posts of `account`, or posts of any account.
pub fn posts(timeline: &Timeline, account: Option<Account<'_>>) -> Reading {
    let mut reading = Reading::default();
    let includes = Includes::read(timeline.includes.as_deref(), &mut reading.oddities);
    let mut tweets: Vec<(Tweet, &RawValue)> = Vec::with_capacity(timeline.data.len());
    for raw in timeline.data.iter().map(AsRef::as_ref) {
        match Tweet::read(raw) {
            _ if is_null(raw) => reading.oddities.push("a post on the page is null".into()),
            Ok((tweet, oddities)) => {
                reading
                    .oddities
                    .extend(oddities.into_iter().map(|odd| format!("post {}: {odd}", tweet.id.as_str())));
                tweets.push((tweet, raw));
            }
            Err(Unread { id, reason }) => reading.unreadable.push(unreadable(id.as_ref(), reason, raw)),
        }
    }
    let page = Page {
        account,
        authors: authors(&tweets, &includes, account),
        shown: includes
            .tweets
            .iter()
            .chain(tweets.iter().map(|(tweet, _)| tweet))
            .map(|tweet| (&tweet.id, tweet))
            .collect(),
        includes: &includes,
    };
    for (tweet, raw) in &tweets {
        match page.read(tweet, &mut reading.oddities) {
            Ok((post, None)) => reading.posts.push(post),
            Ok((thread, Some(Open { parent, root, likely }))) => {
                let otherwise = likely.map_or_else(
                    || {
                        let reason =
                            format!("it replies to post {parent}, and X does not tell whose that is");
                        Otherwise::Unreadable(unreadable(Some(&tweet.id), reason, raw))
                    },
                    Otherwise::Kind,
                );
                reading.unclear.push(Unclear { thread, parent, root, otherwise });
            }
            Err(reason) => reading.unreadable.push(unreadable(Some(&tweet.id), reason, raw)),
        }
    }
    let more = reading.oddities.len().saturating_sub(ODDITIES_MOST);
    if more > 0 {
        reading.oddities.truncate(ODDITIES_MOST);
        reading.oddities.push(format!("the page has {more} more oddities"));
    }
    reading.in_order()
}

impl Reading {
    /// Sorts by id, which is the source's order. A post that occurs twice counts once, in its readable form.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        let mut seen = HashSet::new();
        self.posts.sort_by_key(|post| Reverse(post.position));
        self.posts.retain(|post| seen.insert(post.id.clone()));
        self.unclear.sort_by_key(|unclear| Reverse(unclear.thread.position));
        self.unclear.retain(|unclear| seen.insert(unclear.thread.id.clone()));
        self.unreadable.sort_by_key(|post| Reverse(post.mark.as_ref().map(|(_, position)| *position)));
        self.unreadable.retain(|post| post.mark.as_ref().is_none_or(|(id, _)| seen.insert(id.clone())));
        self
    }
}

/// An unreadable post, with what is known about it.
fn unreadable(id: Option<&Id>, reason: String, raw: &RawValue) -> Unreadable {
    let raw = raw.get();
    let raw = &raw[..raw.floor_char_boundary(RAW_MOST)];
    Unreadable {
        mark: id.map(|id| (PostId(id.as_str().to_owned()), id.position())),
        reason,
        raw: raw.to_owned(),
    }
}

/// The authors of a page's posts and of included posts, as far as they are known.
fn authors<'a>(
    tweets: &'a [(Tweet, &RawValue)],
    includes: &'a Includes,
    account: Option<Account<'a>>,
) -> HashMap<&'a str, &'a str> {
    let shown = tweets.iter().map(|(tweet, _)| (tweet, account));
    let beside = includes.tweets.iter().map(|tweet| (tweet, None));
    let author = |(tweet, account): (&'a Tweet, Option<Account<'a>>)| {
        let author = tweet.author_id.as_ref().map(Id::as_str).or(account.map(|account| account.id));
        Some((tweet.id.as_str(), author?))
    };
    beside.chain(shown).filter_map(author).collect()
}

/// What the posts of a page share.
struct Page<'a> {
    account: Option<Account<'a>>,
    /// Authors by post.
    authors: HashMap<&'a str, &'a str>,
    /// The posts of the page, and those included.
    shown: HashMap<&'a Id, &'a Tweet>,
    includes: &'a Includes,
}

/// The kind of a post, as far as it is known.
enum Sort {
    Known(PostKind),
    /// A thread, if the conversation is the author's own.
    Unclear(Open),
}

/// What is known about a reply that may continue the author's own thread.
struct Open {
    parent: PostId,
    root: Option<PostId>,
    /// Its likely kind, if its parent is the author's own.
    likely: Option<PostKind>,
}

/// Whose post the parent is.
#[derive(PartialEq, Eq)]
enum Whose {
    Own,
    Others,
    Unknown,
}

impl Page<'_> {
    /// The post, and what is known about it if its kind is not.
    fn read(&self, tweet: &Tweet, oddities: &mut Vec<String>) -> Result<(Post, Option<Open>), String> {
        let mut odd = |what: String| oddities.push(format!("post {}: {what}", tweet.id.as_str()));
        let (kind, open) = match self.sort(tweet)? {
            Sort::Known(kind) => (kind, None),
            Sort::Unclear(open) => (PostKind::Thread { parent: open.parent.clone() }, Some(open)),
        };
        // A repost's own text is cut; the reposted post has the whole text.
        let original = match &kind {
            PostKind::Repost { of } => Id::try_from(&*of.0).ok().and_then(|of| self.shown.get(&of).copied()),
            _ => None,
        };
        let text = match text(original.unwrap_or(tweet)) {
            Ok(text) => text,
            // None of these is ever published.
            Err(_) if matches!(kind, PostKind::Repost { .. } | PostKind::Withheld { .. }) => Text::default(),
            Err(why) => return Err(why),
        };
        text.oddities.into_iter().for_each(&mut odd);
        let card = if original.is_none() { text.card } else { None };
        let is_notice = matches!(kind, PostKind::Original | PostKind::Quote { .. } | PostKind::Thread { .. })
            && notice::is_one(&text.words);
        let (kind, open) = if is_notice {
            (PostKind::Withheld { parent: kind.continues().cloned() }, None)
        } else {
            (kind, open)
        };
        let is_published = !matches!(kind, PostKind::Repost { .. } | PostKind::Withheld { .. });
        let words = if is_published { self.with_poll(text.words, tweet) } else { text.words };
        let created_at = tweet.created_at.as_deref().and_then(|moment| {
            moment.parse().inspect_err(|_| odd("its created_at cannot be read".into())).ok()
        });
        let linked = if original.is_none() { text.media } else { Vec::new() };
        let post = Post {
            id: PostId(tweet.id.as_str().to_owned()),
            position: tweet.id.position(),
            // Posts that are never published need no entities.
            entities: is_published.then(|| entities(&words)),
            text: words,
            language: tweet.lang.as_deref().and_then(language).map(str::to_owned),
            kind,
            created_at: created_at.unwrap_or_else(|| snowflake_time(tweet.id.position())),
            media: media(tweet, linked, self.includes),
            has_poll: !tweet.poll_ids.is_empty(),
            warning: None,
            is_sensitive: false,
            card: card.filter(|_| is_published),
            versions: versions(tweet),
        };
        Ok((post, open))
    }

    /// The text with the options of its poll as lines under it, as far as X includes them.
    fn with_poll(&self, mut text: String, tweet: &Tweet) -> String {
        let polls = self.includes.polls.iter().filter(|poll| tweet.poll_ids.contains(&poll.id));
        for option in polls.flat_map(|poll| &poll.options) {
            if !text.is_empty() {
                text.push('\n');
            }
            // A line break within an option would make two of it.
            text.push_str(&unescape(option).split_whitespace().collect::<Vec<_>>().join(" "));
        }
        text
    }

    fn sort(&self, tweet: &Tweet) -> Result<Sort, String> {
        let reference = |kinds: &[&str]| referenced(tweet, kinds);
        let post = |id: &Id| PostId(id.as_str().to_owned());
        if let Some(of) = reference(&["retweeted", "reposted"]) {
            return Ok(Sort::Known(PostKind::Repost { of: post(of) }));
        }
        if tweet.withheld.as_ref().is_some_and(notice::is_everywhere) {
            // If the parent is somebody else's, it is not in the ledger, and no thread continues through this post.
            return Ok(Sort::Known(PostKind::Withheld { parent: reference(&["replied_to"]).map(post) }));
        }
        let elsewhere = conversation_elsewhere(tweet);
        Ok(match (reference(&["replied_to"]), elsewhere) {
            (Some(to), _) if to.position() >= tweet.id.position() => {
                return Err(format!("it replies to post {}, which is not older", to.as_str()));
            }
            (Some(to), _) => match self.whose(tweet, Some(to)) {
                Whose::Own => self.sort_own(tweet, to),
                Whose::Others => Sort::Known(PostKind::Reply { to: Some(post(to)) }),
                Whose::Unknown => {
                    Sort::Unclear(Open { parent: post(to), root: elsewhere.map(post), likely: None })
                }
            },
            (None, Some(first)) => match self.whose(tweet, None) {
                Whose::Others => Sort::Known(PostKind::Reply { to: Some(post(first)) }),
                Whose::Own | Whose::Unknown => {
                    let first = first.as_str();
                    return Err(format!(
                        "it belongs to the conversation of post {first}, and X does not tell which post it replies to"
                    ));
                }
            },
            (None, None) if self.is_to_others(tweet) => Sort::Known(PostKind::Reply { to: None }),
            (None, None) if tweet.in_reply_to_user_id.is_some() && tweet.conversation_id.is_none() => {
                return Err("it replies to a user, and X does not tell to which post".into());
            }
            (None, None) => Sort::Known(match reference(&["quoted"]) {
                Some(of) => PostKind::Quote { of: post(of) },
                None => PostKind::Original,
            }),
        })
    }

    /// The kind of a reply to the author's own post: it continues a thread, unless that post replies to others.
    fn sort_own(&self, tweet: &Tweet, to: &Id) -> Sort {
        let parent = PostId(to.as_str().to_owned());
        let thread = || PostKind::Thread { parent: parent.clone() };
        let reply = || PostKind::Reply { to: Some(parent.clone()) };
        match self.whose_thread(tweet) {
            Whose::Own => Sort::Known(thread()),
            Whose::Others => Sort::Known(reply()),
            Whose::Unknown => {
                // X puts the handles of a conversation's other authors before a reply.
                let likely = if self.begins_with(tweet) == Whose::Others { reply() } else { thread() };
                let root = conversation_elsewhere(tweet).map(|id| PostId(id.as_str().to_owned()));
                Sort::Unclear(Open { root, likely: Some(likely), parent: parent.clone() })
            }
        }
    }

    /// Whose thread a post continues, as far as the page shows the posts between it and the thread's first.
    fn whose_thread(&self, tweet: &Tweet) -> Whose {
        let mut tweet = tweet;
        for _ in 0..THREAD_MOST {
            let Some(to) = referenced(tweet, &["replied_to"]) else {
                let is_first = conversation_elsewhere(tweet).is_none();
                return match self.is_to_others(tweet) {
                    true => Whose::Others,
                    false if is_first => Whose::Own,
                    false => Whose::Unknown,
                };
            };
            match self.whose(tweet, Some(to)) {
                Whose::Own => {}
                whose => return whose,
            }
            match self.shown.get(to) {
                Some(parent) if parent.id.position() < tweet.id.position() => tweet = parent,
                _ => return self.whose_conversation(tweet, to),
            }
        }
        Whose::Unknown
    }

    /// Whose conversation a reply to the author's own post `to` belongs to.
    fn whose_conversation(&self, tweet: &Tweet, to: &Id) -> Whose {
        let Some(first) = conversation_elsewhere(tweet).filter(|first| *first != to) else {
            return Whose::Own;
        };
        match (self.authors.get(tweet.id.as_str()), self.authors.get(first.as_str())) {
            (Some(author), Some(other)) if author == other => Whose::Own,
            (Some(_), Some(_)) => Whose::Others,
            _ => Whose::Unknown,
        }
    }

    /// Whether X names another user that the post replies to. A post that begins with a mention does, though it replies
    /// to no post and starts its own conversation.
    fn is_to_others(&self, tweet: &Tweet) -> bool {
        tweet.in_reply_to_user_id.is_some() && self.whose(tweet, None) == Whose::Others
    }

    fn whose(&self, tweet: &Tweet, answered: Option<&Id>) -> Whose {
        let author = self.authors.get(tweet.id.as_str());
        let user = tweet.in_reply_to_user_id.as_ref().map(Id::as_str);
        let user = user.or_else(|| self.authors.get(answered?.as_str()).copied());
        if let (Some(author), Some(user)) = (author, user) {
            return if *author == user { Whose::Own } else { Whose::Others };
        }
        self.begins_with(tweet)
    }

    /// Whose handles are at the start of the text.
    fn begins_with(&self, tweet: &Tweet) -> Whose {
        let own =
            |handle: &str| self.account.is_some_and(|account| account.handle.eq_ignore_ascii_case(handle));
        let text = tweet.note.as_ref().map(|note| &note.text).or(tweet.text.as_ref());
        let handles: Vec<&str> = leading_handles(text).collect();
        match handles.iter().all(|handle| own(handle)) {
            _ if handles.is_empty() => Whose::Unknown,
            true => Whose::Own,
            false => Whose::Others,
        }
    }
}

/// The handles at the start of a text.
fn leading_handles(text: Option<&String>) -> impl Iterator<Item = &str> {
    let words = text.map(String::as_str).unwrap_or_default().split_whitespace();
    words.map_while(|word| {
        let handle = word.strip_prefix(['@', '＠'])?;
        let end = handle.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(handle.len());
        (end > 0).then(|| &handle[..end])
    })
}

/// The post that a post references in one of these ways.
fn referenced<'a>(tweet: &'a Tweet, kinds: &[&str]) -> Option<&'a Id> {
    let found = tweet.references.iter().find(|reference| kinds.contains(&&*reference.kind));
    found.map(|reference| &reference.id)
}

/// The first post of a post's conversation, if that is another post.
fn conversation_elsewhere(tweet: &Tweet) -> Option<&Id> {
    tweet.conversation_id.as_ref().filter(|id| !is_version(tweet, id.as_str()))
}

/// Whether an id is the post's own or one of its versions'.
fn is_version(tweet: &Tweet, id: &str) -> bool {
    tweet.id.as_str() == id || tweet.versions.iter().any(|version| version.as_str() == id)
}

/// The ids of all versions, oldest first; empty if there is only one.
fn versions(tweet: &Tweet) -> Vec<PostId> {
    let mut versions: Vec<&Id> = tweet.versions.iter().chain([&tweet.id]).collect();
    versions.sort_unstable_by_key(|id| id.position());
    versions.dedup();
    match &versions[..] {
        [_] => Vec::new(),
        versions => versions.iter().map(|id| PostId(id.as_str().to_owned())).collect(),
    }
}

/// A text as the author meant it.
#[derive(Debug, Default)]
struct Text {
    words: String,
    /// Media that only its links name, not its attachments.
    media: Vec<LinkedMedium>,
    /// The card of its last link that has one.
    card: Option<Card>,
    /// Whether it contains a shortened link that nothing expands.
    is_shortened: bool,
    oddities: Vec<String>,
}

impl Text {
    /// Adds a piece unchanged.
    fn push(&mut self, piece: &str) {
        self.is_shortened |= piece.contains("https://t.co/");
        self.words.push_str(piece);
    }
}

/// A medium that only a link names.
#[derive(Debug)]
struct LinkedMedium {
    key: String,
    kind: MediaKind,
}

/// The whole text as the author meant it, with its oddities.
fn text(tweet: &Tweet) -> Result<Text, String> {
    let (raw, links) = match (&tweet.note, &tweet.text) {
        (Some(note), _) => (&note.text, &note.links),
        (None, Some(text)) => (text, &tweet.links),
        (None, None) => return Err("it has no text".into()),
    };
    let mut text = expand(raw, links, tweet);
    if tweet.note.is_none() && is_cut(&text.words, tweet) {
        return Err("its text is cut, and the whole text is missing".into());
    }
    if text.is_shortened {
        text.oddities.push("it has a shortened link that nothing expands".into());
    }
    let words = unescape(&text.words).trim_end().to_owned();
    Ok(Text { words, ..text })
}

/// Whether X cut the text: it then ends with an ellipsis and a link to the post itself.
fn is_cut(text: &str, tweet: &Tweet) -> bool {
    let Some((head, link)) = text.trim_end().rsplit_once(char::is_whitespace) else { return false };
    let itself = link.split_once("/i/web/status/").is_some_and(|(_, id)| is_version(tweet, id));
    itself && head.trim_end().ends_with('…')
}

/// Replaces every shortened link with its target. The link to several photos is listed once per photo.
fn expand(raw: &str, links: &[Link], tweet: &Tweet) -> Text {
    let mut expanded = Text::default();
    let mut links: Vec<&Link> = links.iter().collect();
    links.sort_by_key(|link| (link.start, link.end));
    links.dedup_by_key(|link| (link.start, link.end));
    if links.is_empty() {
        expanded.push(raw);
        return expanded;
    }
    // X counts characters.
    let offset = |characters: usize| match raw.char_indices().nth(characters) {
        Some((at, _)) => Some(at),
        None => (raw.chars().count() == characters).then_some(raw.len()),
    };
    let mut end = 0;
    for link in links {
        let place = (offset(link.start), offset(link.end));
        let (Some(from), Some(to)) = place else {
            expanded
                .oddities
                .push(format!("a link's position {}–{} is outside its text", link.start, link.end));
            continue;
        };
        let holds_it = |url: &String| url.is_empty() || raw[from..to] == *url;
        if from < end || to <= from || !link.url.as_ref().is_none_or(holds_it) {
            expanded.oddities.push(format!("a link is not at its position {}–{}", link.start, link.end));
            continue;
        }
        expanded.push(&raw[end..from]);
        end = to;
        match own_medium(link, tweet) {
            // X appends a link to the post's pictures; the pictures themselves are its attachments.
            Some(Own::Attached) => {}
            Some(Own::Linked(medium)) => expanded.media.push(medium),
            // Escaped like the text around it, because both are unescaped together.
            None => match &link.expanded_url {
                Some(meant) => {
                    expanded.words.push_str(&escape(meant));
                    expanded.card = card(link, meant).or(expanded.card);
                }
                None => expanded.push(&raw[from..to]),
            },
        }
    }
    expanded.push(&raw[end..]);
    expanded
}

/// The card of a link to `address`, if X knows the page's title.
fn card(link: &Link, address: &str) -> Option<Card> {
    let picture = |url: &String| post::Media {
        key: url.clone(),
        kind: MediaKind::Photo,
        url: Some(url.clone()),
        alt: None,
    };
    let description = link.description.as_deref().unwrap_or_default();
    Card::new(address, link.title.as_deref()?, description, link.picture.as_ref().map(picture))
}

/// A link to the post's own medium.
enum Own {
    /// It is an attachment.
    Attached,
    /// Only the link names it.
    Linked(LinkedMedium),
}

fn own_medium(link: &Link, tweet: &Tweet) -> Option<Own> {
    let attached = |key: &String| tweet.media_keys.contains(key);
    if link.media_key.as_ref().is_some_and(attached) {
        return Some(Own::Attached);
    }
    let (kind, number) = link.expanded_url.as_deref().and_then(|url| own_status_medium(url, tweet))?;
    Some(match &link.media_key {
        Some(key) => Own::Linked(LinkedMedium { key: key.clone(), kind: kind_of(key) }),
        None if tweet.media_keys.is_empty() => {
            Own::Linked(LinkedMedium { key: format!("{kind}/{number}"), kind: kind_named(kind) })
        }
        None => Own::Attached,
    })
}

/// The medium behind an address, if it is this post's own: `https://x.com/example/status/1/photo/1`. Addresses of other
/// posts or sites are normal links.
fn own_status_medium(url: &str, tweet: &Tweet) -> Option<(&'static str, u32)> {
    // Most links lead elsewhere, and parsing an address is expensive.
    if !url.contains("/status") {
        return None;
    }
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    let host = ["www.", "mobile.", "m."].iter().find_map(|prefix| host.strip_prefix(prefix)).unwrap_or(host);
    if !matches!(url.scheme(), "http" | "https") || !matches!(host, "x.com" | "twitter.com") {
        return None;
    }
    let segments: Vec<&str> = url.path_segments()?.filter(|segment| !segment.is_empty()).collect();
    let [.., "status" | "statuses", id, kind, number] = segments[..] else { return None };
    let kind = ["photo", "video"].into_iter().find(|known| *known == kind)?;
    is_version(tweet, id).then_some((kind, number.parse().ok()?))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// X escapes only these three, once.
fn unescape(text: &str) -> String {
    const ESCAPES: [(&str, char); 3] = [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&')];
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, escape) = rest.split_at(at);
        let known = ESCAPES.iter().find_map(|(known, c)| Some((escape.strip_prefix(known)?, *c)));
        let (after, c) = known.unwrap_or((&escape[1..], '&'));
        plain.push_str(before);
        plain.push(c);
        rest = after;
    }
    plain + rest
}

/// The media of a post. A medium that X names but does not include has no address, so that the target's policy for
/// missing media applies.
fn media(tweet: &Tweet, linked: Vec<LinkedMedium>, includes: &Includes) -> Vec<post::Media> {
    let attached = tweet.media_keys.iter().map(|key| (key.clone(), kind_of(key)));
    let mut media: Vec<post::Media> = Vec::new();
    for (key, kind) in attached.chain(linked.into_iter().map(|LinkedMedium { key, kind }| (key, kind))) {
        if media.iter().any(|known| known.key == key) {
            continue;
        }
        let shown = includes.media.iter().find(|medium| medium.media_key == key);
        media.push(post::Media {
            kind: shown.and_then(|medium| medium.kind.as_deref()).map_or(kind, kind_named),
            url: shown.and_then(|medium| medium.url.clone().or_else(|| video_file(medium))),
            alt: shown.and_then(|medium| medium.alt_text.clone()),
            key,
        });
    }
    media
}

/// The kind of a medium by its key, `3_1212092628029698048`.
fn kind_of(key: &str) -> MediaKind {
    match key.split_once('_').map(|(prefix, _)| prefix) {
        Some("3") => MediaKind::Photo,
        Some("7" | "13") => MediaKind::Video,
        Some("16") => MediaKind::Animation,
        _ => MediaKind::Other("unknown".into()),
    }
}

/// The kind of a medium by X's name for it.
fn kind_named(name: &str) -> MediaKind {
    match name {
        "photo" => MediaKind::Photo,
        "video" => MediaKind::Video,
        "animated_gif" => MediaKind::Animation,
        other => MediaKind::Other(other.to_owned()),
    }
}

/// The best form of a video that is a file.
fn video_file(media: &Media) -> Option<String> {
    let is_file = |kind: &String| kind.eq_ignore_ascii_case("video/mp4");
    let files = media.variants.iter().filter(|variant| variant.content_type.as_ref().is_some_and(is_file));
    files.max_by_key(|variant| variant.bit_rate).map(|variant| variant.url.clone())
}

fn snowflake_time(id: u64) -> Timestamp {
    let millis = i64::try_from(id >> 22).unwrap_or(i64::MAX).saturating_add(EPOCH);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
