//! From a post on the wire to a post as its author meant it: the whole text of a long one, shortened links expanded, the
//! link to its own pictures dropped, HTML escapes undone, and last, because places count the escaped text.

use std::collections::HashMap;

use jiff::Timestamp;
use mynah_domain::{Post, PostId, PostKind, post};
use serde::Deserialize as _;
use serde_json::Value;

use super::wire::{Includes, Link, Media, Timeline, Tweet};

/// The milliseconds of X's epoch; a post's id holds its time.
const EPOCH: i64 = 1_288_834_974_657;

/// The posts of a page, newest first, and what could not be read, for the log.
pub fn posts(timeline: &Timeline) -> (Vec<Post>, Vec<String>) {
    let references: HashMap<String, Tweet> = timeline
        .includes
        .tweets
        .iter()
        .filter_map(|value| Tweet::deserialize(value).ok())
        .map(|tweet| (tweet.id.clone(), tweet))
        .collect();
    let (mut posts, mut oddities) = (Vec::new(), Vec::new());
    for value in &timeline.data {
        match read(value, &references, &timeline.includes) {
            Ok((post, odd)) => {
                posts.push(post);
                oddities.extend(odd);
            }
            Err(why) => {
                let id = value.get("id").and_then(Value::as_str).unwrap_or("unknown");
                oddities.push(format!(
                    "post {id} came in a form that cannot be read and is asked for again: {why}"
                ));
            }
        }
    }
    // The order of the page is the source's; ids say it beyond doubt.
    posts.sort_by_key(|post| std::cmp::Reverse(post.position));
    (posts, oddities)
}

fn read(
    value: &Value,
    references: &HashMap<String, Tweet>,
    includes: &Includes,
) -> Result<(Post, Option<String>), String> {
    let tweet = Tweet::deserialize(value).map_err(|error| error.to_string())?;
    let position: u64 = tweet.id.parse().map_err(|_| format!("its id is no number: {:?}", tweet.id))?;
    let kind = kind(&tweet);
    // A repost's own text is cut; what was reposted has the whole.
    let said = match &kind {
        PostKind::Repost { of } => references.get(&of.0).unwrap_or(&tweet),
        _ => &tweet,
    };
    let (text, odd) = text(said);
    let created_at = tweet
        .created_at
        .as_deref()
        .and_then(|moment| moment.parse().ok())
        .unwrap_or_else(|| snowflake_time(position));
    let post = Post {
        id: PostId(tweet.id.clone()),
        position,
        text,
        language: tweet.lang.clone(),
        kind,
        created_at,
        media: media(&tweet, includes),
        versions: Vec::new(),
    };
    Ok((post, odd.map(|odd| format!("post {}: {odd}", tweet.id))))
}

fn kind(tweet: &Tweet) -> PostKind {
    let reference = |kind: &str| {
        let found = tweet.referenced_tweets.iter().find(|reference| reference.kind == kind);
        found.map(|reference| PostId(reference.id.clone()))
    };
    if let Some(of) = reference("retweeted").or_else(|| reference("reposted")) {
        return PostKind::Repost { of };
    }
    if let Some(to) = reference("replied_to") {
        let own = tweet.author_id.is_some() && tweet.author_id == tweet.in_reply_to_user_id;
        return if own { PostKind::Thread { parent: to } } else { PostKind::Reply { to } };
    }
    match reference("quoted") {
        Some(of) => PostKind::Quote { of },
        None => PostKind::Original,
    }
}

/// The whole text as it was meant, and what was odd about it.
fn text(tweet: &Tweet) -> (String, Option<String>) {
    let (raw, links) = match &tweet.note_tweet {
        Some(note) => (&note.text, &note.entities.urls),
        None => (&tweet.text, &tweet.entities.urls),
    };
    let (expanded, odd) = expand(raw, links);
    (unescape(&expanded).trim_end().to_owned(), odd)
}

/// Puts what was meant in the place of every shortened link. Photos repeat the same place once for each.
pub fn expand(raw: &str, links: &[Link]) -> (String, Option<String>) {
    let offsets: Vec<usize> =
        raw.char_indices().map(|(index, _)| index).chain(std::iter::once(raw.len())).collect();
    let mut links: Vec<&Link> = links.iter().collect();
    links.sort_by_key(|link| (link.start, link.end));
    links.dedup_by_key(|link| (link.start, link.end));
    let (mut text, mut end, mut odd) = (String::with_capacity(raw.len()), 0, None);
    for link in links {
        let place = (offsets.get(link.start), offsets.get(link.end));
        let (Some(&from), Some(&to)) = place else {
            odd = Some(format!("a link's place {}–{} is outside its text", link.start, link.end));
            continue;
        };
        if from < end || to <= from || (!link.url.is_empty() && raw[from..to] != *link.url) {
            odd = Some(format!("a link's place {}–{} does not hold it", link.start, link.end));
            continue;
        }
        text.push_str(&raw[end..from]);
        end = to;
        if is_own_media(link) {
            continue;
        }
        // Escaped like the text around it, and unescaped with it.
        let meant = link.expanded_url.as_deref().unwrap_or(&raw[from..to]);
        text.push_str(&escape(meant));
    }
    text.push_str(&raw[end..]);
    (text, odd)
}

/// X ends a post that has pictures with a link to them; the pictures themselves are in its attachments.
fn is_own_media(link: &Link) -> bool {
    let to_media = |url: &str| {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let mut segments = path.rsplit('/');
        let (number, kind) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
        path.contains("/status/")
            && matches!(kind, "photo" | "video")
            && number.bytes().all(|b| b.is_ascii_digit())
    };
    link.media_key.is_some() || link.expanded_url.as_deref().is_some_and(to_media)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// X escapes these three and nothing else; each once.
pub fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn media(tweet: &Tweet, includes: &Includes) -> Vec<post::Media> {
    let find =
        |key: &String| -> Option<&Media> { includes.media.iter().find(|media| media.media_key == *key) };
    tweet
        .attachments
        .media_keys
        .iter()
        .filter_map(find)
        .map(|media| post::Media {
            key: media.media_key.clone(),
            kind: media.kind.clone(),
            url: media.url.clone().or_else(|| film(media)),
            alt: media.alt_text.clone(),
        })
        .collect()
}

/// The best form of a film that is a file.
fn film(media: &Media) -> Option<String> {
    let files = media.variants.iter().filter(|variant| variant.content_type == "video/mp4");
    files.max_by_key(|variant| variant.bit_rate).map(|variant| variant.url.clone())
}

fn snowflake_time(id: u64) -> Timestamp {
    let millis = i64::try_from(id >> 22).unwrap_or(i64::MAX).saturating_add(EPOCH);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(body: Value) -> (Vec<Post>, Vec<String>) {
        posts(&serde_json::from_value(body).unwrap())
    }

    fn one(tweet: impl Into<Value>) -> Post {
        let tweet: Value = tweet.into();
        let (mut posts, oddities) = page(json!({ "data": [tweet] }));
        assert!(oddities.is_empty(), "{oddities:?}");
        posts.pop().unwrap()
    }

    #[test]
    fn places_count_code_points_of_the_escaped_text() {
        let post = one(json!({
            "id": "10", "text": "𝕏 &amp; 🔥 https://t.co/abcdefghij ok",
            "entities": {"urls": [{"start": 10, "end": 33, "url": "https://t.co/abcdefghij",
                                   "expanded_url": "https://example.com/?a=1&b=2"}]}
        }));
        assert_eq!(post.text, "𝕏 & 🔥 https://example.com/?a=1&b=2 ok");
    }

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(one(json!({"id": "1", "text": "&amp;lt; &lt;b&gt;"})).text, "&lt; <b>");
    }

    #[test]
    fn the_link_to_its_own_photos_is_dropped_however_often_it_is_told() {
        let link = json!({"start": 4, "end": 27, "url": "https://t.co/abcdefghij",
                          "expanded_url": "https://x.com/a/status/10/photo/1", "media_key": "3_1"});
        let post = one(json!({"id": "10", "text": "Sun https://t.co/abcdefghij",
                              "entities": {"urls": [link, link]}}));
        assert_eq!(post.text, "Sun");
    }

    #[test]
    fn a_long_post_is_read_whole() {
        let post = one(json!({"id": "1", "text": "Short… https://t.co/aaaaaaaaaa",
                              "note_tweet": {"text": "The whole of it &amp; more"}}));
        assert_eq!(post.text, "The whole of it & more");
    }

    #[test]
    fn both_vocabularies_are_read() {
        for (references, note, included) in
            [("referenced_tweets", "note_tweet", "tweets"), ("referenced_posts", "note_post", "posts")]
        {
            let (posts, oddities) = page(json!({
                "data": [{"id": "9", "text": "RT @a: cut…", references: [{"type": "retweeted", "id": "5"}]},
                         {"id": "8", "text": "cut…", note: {"text": "whole"}}],
                "includes": {included: [{"id": "5", "text": "the whole repost"}]},
            }));
            assert!(oddities.is_empty(), "{oddities:?}");
            assert_eq!(posts[0].kind, PostKind::Repost { of: PostId("5".into()) });
            assert_eq!(posts[0].text, "the whole repost");
            assert_eq!(posts[1].text, "whole");
        }
    }

    #[test]
    fn threads_replies_and_quotes_are_told_apart() {
        let with = |kind: &str, to_user: &str| {
            one(json!({"id": "2", "text": "x", "author_id": "7", "in_reply_to_user_id": to_user,
                       "referenced_tweets": [{"type": kind, "id": "1"}]}))
            .kind
        };
        let first = || PostId("1".into());
        assert_eq!(with("replied_to", "7"), PostKind::Thread { parent: first() });
        assert_eq!(with("replied_to", "8"), PostKind::Reply { to: first() });
        assert_eq!(with("quoted", ""), PostKind::Quote { of: first() });
    }

    #[test]
    fn one_unreadable_post_is_named_and_spoils_nothing() {
        let (posts, oddities) =
            page(json!({"data": [{"id": "3", "text": "a"}, {"id": 4}, {"text": "no id"}]}));
        assert_eq!(posts.len(), 1);
        assert_eq!(oddities.len(), 2);
    }

    #[test]
    fn a_place_that_is_wrong_leaves_the_text_as_it_is() {
        let places = [(0, 500), (5, 2), (1, 3), (usize::MAX, usize::MAX)];
        for (start, end) in places {
            let link = json!({"start": start, "end": end, "url": "https://t.co/abcdefghij", "expanded_url": "https://e.com"});
            let (posts, oddities) =
                page(json!({"data": [{"id": "1", "text": "Hi 🔥 there", "entities": {"urls": [link]}}]}));
            assert_eq!(posts[0].text, "Hi 🔥 there");
            assert_eq!(oddities.len(), 1, "{start} {end}");
        }
    }

    #[test]
    fn an_empty_page_has_neither_posts_nor_oddities() {
        assert_eq!(page(json!({"meta": {"result_count": 0}})), (vec![], vec![]));
    }

    #[test]
    fn a_post_without_a_moment_takes_that_of_its_id() {
        let post = one(json!({"id": "1212092628029698048", "text": "x"}));
        assert_eq!(post.created_at.to_string()[..19], *"2019-12-31T19:26:16");
    }
}
