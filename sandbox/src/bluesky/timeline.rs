//! Turns the posts of a timeline into records, as Bluesky's own app would write them: with facets for what can be
//! followed, pictures as blobs, and references to the posts that they reply to, quote or repost.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    pds::{POSTS, Pds, REPOSTS, did},
    tid,
};
use crate::{
    marks::{MarkKind, marks},
    media,
    timeline::{MediaKind, OtherPost, PostKind, ReplyTo, TimelineMedia, TimelinePost},
    x::text::unescape,
};

impl Pds {
    /// Posts on an account, now. Opens the account if there is none. Returns the record's key.
    pub(crate) fn add(&mut self, handle: &str, post: TimelinePost) -> String {
        let at = post.created_at.unwrap_or_else(Timestamp::now);
        self.repo_mut(handle);
        // It was opened just now.
        let index = self.find(handle).unwrap_or_default();
        let key = tid::at(at, self.repos[index].newest_key());
        let (collection, record) = match self.reposted(&post, at) {
            Some(subject) => {
                (REPOSTS, json!({"$type": REPOSTS, "subject": subject, "createdAt": wire_time(at)}))
            }
            None => (POSTS, self.record_of(index, &post, at)),
        };
        if let Some(thread) = post.thread {
            self.repos[index].threads.insert(thread, key.clone());
        }
        self.put(index, (collection, &key), record, at);
        key
    }

    /// A reference to the post that a post reposts.
    fn reposted(&mut self, post: &TimelinePost, at: Timestamp) -> Option<Value> {
        let made_up = || OtherPost { author: "somebody".into(), text: post.text.clone() };
        let other = post.reposted.clone().or_else(|| (post.kind == Some(PostKind::Repost)).then(made_up))?;
        Some(self.add_by_other(&other, at))
    }

    fn record_of(&mut self, index: usize, post: &TimelinePost, at: Timestamp) -> Value {
        let mut record = self.plain(&post.text, post.lang.as_deref(), at);
        if let Some(reply) = self.reply(index, post, at) {
            record["reply"] = reply;
        }
        let made_up = || OtherPost { author: "somebody".into(), text: "Who said that?".into() };
        let quoted = post.quoted.clone().or_else(|| (post.kind == Some(PostKind::Quote)).then(made_up));
        let quoted = quoted.map(|other| self.add_by_other(&other, at));
        let media = self.media(index, &post.media);
        let embed = match (quoted, media) {
            (None, None) => return record,
            (None, Some(media)) => media,
            (Some(quoted), None) => json!({"$type": "app.bsky.embed.record", "record": quoted}),
            (Some(quoted), Some(media)) => json!({
                "$type": "app.bsky.embed.recordWithMedia",
                "record": {"$type": "app.bsky.embed.record", "record": quoted},
                "media": media,
            }),
        };
        record["embed"] = embed;
        record
    }

    /// A post with a text and nothing else.
    fn plain(&self, text: &str, lang: Option<&str>, at: Timestamp) -> Value {
        let text = unescape(text);
        let mut record = json!({
            "$type": POSTS, "text": text, "langs": [lang.unwrap_or("en")], "createdAt": wire_time(at),
        });
        let facets = self.facets(&text);
        if !facets.is_empty() {
            record["facets"] = facets.into();
        }
        record
    }

    fn facets(&self, text: &str) -> Vec<Value> {
        let facet = |mark: crate::marks::Mark| {
            let words = &text[mark.range.clone()];
            let feature = match mark.kind {
                MarkKind::Link => json!({"$type": "app.bsky.richtext.facet#link", "uri": words}),
                MarkKind::Tag => json!({"$type": "app.bsky.richtext.facet#tag", "tag": words[1..]}),
                // The app links only accounts that exist.
                MarkKind::Mention => {
                    json!({"$type": "app.bsky.richtext.facet#mention", "did": self.did_of(&words[1..])?})
                }
            };
            let index = json!({"byteStart": mark.range.start, "byteEnd": mark.range.end});
            Some(json!({"index": index, "features": [feature]}))
        };
        marks(text).into_iter().filter_map(facet).collect()
    }

    fn reply(&mut self, index: usize, post: &TimelinePost, at: Timestamp) -> Option<Value> {
        let repo = &self.repos[index];
        let posts = repo.collections.get(POSTS);
        let own = match &post.reply_to {
            Some(ReplyTo::Number(number)) => {
                let place = number.checked_sub(1).and_then(|place| usize::try_from(place).ok())?;
                posts.and_then(|posts| posts.keys().nth(place)).cloned()
            }
            Some(ReplyTo::Id(key)) => Some(key.clone()),
            None => post.thread.as_ref().and_then(|thread| repo.threads.get(thread)).cloned(),
        };
        let parent = own.and_then(|key| {
            let root = repo.record(POSTS, &key)?.value.pointer("/reply/root").cloned();
            Some((root, repo.reference(POSTS, &key)?))
        });
        let (root, parent) = match parent {
            Some(found) => found,
            None if post.kind == Some(PostKind::Reply) || post.reply_to.is_some() => {
                let other = OtherPost { author: "somebody".into(), text: "What do you think?".into() };
                (None, self.add_by_other(&other, at))
            }
            None => return None,
        };
        Some(json!({"root": root.unwrap_or_else(|| parent.clone()), "parent": parent}))
    }

    /// Posts on somebody else's account, an hour before `before`. Returns a reference to the post.
    fn add_by_other(&mut self, other: &OtherPost, before: Timestamp) -> Value {
        let handle = if other.author.contains('.') {
            other.author.clone()
        } else {
            format!("{}.example", other.author)
        };
        let at = before - SignedDuration::from_hours(1);
        self.repo_mut(&handle);
        // It was opened just now.
        let index = self.find(&handle).unwrap_or_default();
        let key = tid::at(at, self.repos[index].newest_key());
        let record = self.plain(&other.text, None, at);
        let (cid, _) = self.put(index, (POSTS, &key), record, at);
        json!({"uri": format!("at://{}/{POSTS}/{key}", did(&handle)), "cid": cid})
    }

    /// An embed with up to four pictures, or with one video.
    fn media(&mut self, index: usize, media: &[TimelineMedia]) -> Option<Value> {
        let repo = &mut self.repos[index];
        let aspect_ratio = json!({"width": 1200, "height": 800});
        let first = media.first()?;
        if first.kind != MediaKind::Photo {
            let video = repo.upload("video/mp4", media::video());
            let alt = first.alt.as_deref().unwrap_or_default();
            return Some(json!({
                "$type": "app.bsky.embed.video", "video": video, "alt": alt, "aspectRatio": aspect_ratio,
            }));
        }
        let mut image = |medium: &TimelineMedia| {
            let blob = repo.upload("image/png", media::PNG.to_vec());
            json!({"image": blob, "alt": medium.alt.as_deref().unwrap_or_default(), "aspectRatio": aspect_ratio})
        };
        let photos = media.iter().filter(|medium| medium.kind == MediaKind::Photo).take(4);
        let images: Vec<Value> = photos.map(&mut image).collect();
        Some(json!({"$type": "app.bsky.embed.images", "images": images}))
    }
}

/// A time as the app writes it.
fn wire_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bluesky::validate::{Validity, validate};

    const TOWN: &str = "town.example";

    fn value<'a>(pds: &'a Pds, key: &str) -> &'a Value {
        let repo = pds.shown(TOWN).unwrap();
        let record = repo.record(POSTS, key).or_else(|| repo.record(REPOSTS, key));
        &record.unwrap().value
    }

    #[test]
    fn every_kind_of_post_is_a_valid_record() {
        let mut pds = Pds::default();
        pds.repo_mut(TOWN);
        let photo = TimelineMedia { kind: MediaKind::Photo, alt: Some("A dog".into()), url: None };
        let video = TimelineMedia { kind: MediaKind::Video, ..photo.clone() };
        let other = Some(OtherPost { author: "team".into(), text: "Kick-off".into() });
        let posts = [
            TimelinePost::new("Café &amp; bar https://example.com/a, @town.example and @nobody #Port"),
            TimelinePost::new("1").in_thread("t"),
            TimelinePost::new("2").in_thread("t"),
            TimelinePost::new("3").in_thread("t"),
            TimelinePost { kind: Some(PostKind::Reply), ..TimelinePost::new("Yes") },
            TimelinePost { media: vec![photo.clone(), photo.clone()], ..TimelinePost::new("Photos") },
            TimelinePost {
                media: vec![video],
                quoted: other.clone(),
                ..TimelinePost::new("Video and quote")
            },
            TimelinePost { reposted: other, ..TimelinePost::new("") },
        ];
        let keys: Vec<String> = posts.map(|post| pds.add(TOWN, post)).into();
        assert!(keys.is_sorted(), "{keys:?}");
        for key in &keys {
            let record = value(&pds, key);
            let collection = record["$type"].as_str().unwrap();
            assert_eq!(validate(collection, key, record), Ok(Validity::Valid), "{record}");
        }
        let first = value(&pds, &keys[0]);
        assert_eq!(first["text"], "Café & bar https://example.com/a, @town.example and @nobody #Port");
        // Bytes of UTF-8: the é counts twice.
        assert_eq!(first["facets"][0]["index"], json!({"byteStart": 12, "byteEnd": 33}));
        assert_eq!(first["facets"][1]["features"][0]["did"], did(TOWN));
        assert_eq!(first["facets"].as_array().unwrap().len(), 3, "nobody has the name @nobody");
        let third = value(&pds, &keys[3]);
        assert_eq!(third["reply"]["root"]["uri"], format!("at://{}/{POSTS}/{}", did(TOWN), keys[1]));
        assert_eq!(third["reply"]["parent"]["uri"], format!("at://{}/{POSTS}/{}", did(TOWN), keys[2]));
    }
}
