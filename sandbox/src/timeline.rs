//! Reads the followed account's posts from a file: one post per line, plain text or JSON.
//!
//! **Escaping:** a text may be written as a person reads it or as X sends it. The sandbox undoes `&amp;`, `&lt;` and
//! `&gt;` once when it loads the post, and escapes once on the wire. To show readers `&amp;`, write `&amp;amp;`.

use std::{
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A post as a line of a `.jsonl` timeline. Only `text` is required.
///
/// ```
/// let post: mynah_sandbox::TimelinePost =
///     serde_json::from_str(r#"{"text": "and another thing", "thread": "launch"}"#).unwrap();
/// assert_eq!(post.thread.as_deref(), Some("launch"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelinePost {
    /// Its text.
    pub text: String,
    /// The language that X assigns to it; default `en`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// Its kind. By default it follows from `reply_to`, `thread`, `quoted` and `reposted`. A kind without them refers
    /// to a post that the sandbox makes up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PostKind>,
    /// The post that it replies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
    /// Posts with the same name form a thread: each replies to the previous post with that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// `true` always sends it as a long post (`note_tweet`), `false` never; by default its weighted length decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long: Option<bool>,
    /// Its media.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<TimelineMedia>,
    /// The options of its poll.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub poll: Vec<String>,
    /// When it was created. By default, loaded posts are a minute apart and end now, and later posts have the time at
    /// which they arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The other account's post that it quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<OtherPost>,
    /// The other account's post that it reposts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reposted: Option<OtherPost>,
}

impl TimelinePost {
    /// A plain post.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A post of the thread `name`.
    #[must_use]
    pub fn in_thread(mut self, name: impl Into<String>) -> Self {
        self.thread = Some(name.into());
        self
    }
}

/// The kind of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostKind {
    /// A post of its own.
    Post,
    /// A reply, to its own account or another.
    Reply,
    /// A repost of another account's post.
    Repost,
    /// A quote of another account's post.
    Quote,
}

/// The post that a reply refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ReplyTo {
    /// A number: the post at that place in the timeline, counted from 1.
    Number(u64),
    /// A string: the post with this id. An id that the sandbox does not know belongs to another account.
    Id(String),
}

/// A photo, a video or a GIF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelineMedia {
    /// Its kind; default `photo`.
    #[serde(default, rename = "type")]
    pub kind: MediaKind,
    /// Its alt text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
    /// Its URL: a path on the sandbox or any address; made up by default. The sandbox serves `/media/*`, except names
    /// that begin with `gone`, which do not exist. Names that begin with `large` are larger than X accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The kinds of media on X.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A still picture.
    #[default]
    Photo,
    /// A video.
    Video,
    /// A moving picture without sound.
    AnimatedGif,
}

impl MediaKind {
    /// X's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Video => "video",
            Self::AnimatedGif => "animated_gif",
        }
    }

    /// The extension of its files.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Photo => "png",
            Self::Video | Self::AnimatedGif => "mp4",
        }
    }

    /// The prefix of its media keys.
    pub(crate) fn key_prefix(self) -> u8 {
        match self {
            Self::Photo => 3,
            Self::Video => 7,
            Self::AnimatedGif => 16,
        }
    }
}

/// A post by another account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherPost {
    /// The account's handle.
    pub author: String,
    /// The post's text.
    pub text: String,
}

/// Why a timeline file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TimelineError {
    /// The file cannot be read.
    #[error("cannot read the timeline {path}: {source}. Name an existing file of UTF-8 text")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A line is not a post.
    #[error("{path}, line {line}: {source}. Each line must be a JSON object such as {{\"text\": \"hello\"}}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// A line has no content.
    #[error("{path}, line {line}: the post has no text, media or repost. Give it a \"text\"")]
    Empty {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

/// Reads a timeline. A `.jsonl` file has a JSON object per line, any other file a text per line. Empty lines are
/// skipped.
pub fn load_timeline(path: impl AsRef<Path>) -> Result<Vec<TimelinePost>, TimelineError> {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path)
        .map_err(|source| TimelineError::Read { path: path.to_owned(), source })?;
    parse_lines(path, &text, 1)
}

/// Parses a piece of a timeline file that begins at line `first`.
pub(crate) fn parse_lines(path: &Path, text: &str, first: usize) -> Result<Vec<TimelinePost>, TimelineError> {
    let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jsonl"));
    let mut posts = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line_text = line.trim();
        if line_text.is_empty() {
            continue;
        }
        let line = first + index;
        let post = if json {
            serde_json::from_str(line_text).map_err(|source| TimelineError::Line {
                path: path.to_owned(),
                line,
                source,
            })?
        } else {
            TimelinePost::new(line_text)
        };
        if post.text.trim().is_empty() && post.media.is_empty() && post.reposted.is_none() {
            return Err(TimelineError::Empty { path: path.to_owned(), line });
        }
        posts.push(post);
    }
    Ok(posts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_file_has_a_post_per_line() {
        let posts = parse_lines(Path::new("t.txt"), "one\n\n  two & three \n", 1).unwrap();
        assert_eq!(posts, [TimelinePost::new("one"), TimelinePost::new("two & three")]);
    }

    #[test]
    fn an_invalid_line_is_reported_with_its_number_and_the_fix() {
        let error = parse_lines(Path::new("t.jsonl"), "{\"text\":\"a\"}\n{\"txet\":\"b\"}\n", 1).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("t.jsonl, line 2: unknown field `txet`"), "{message}");
        assert!(message.ends_with("{\"text\": \"hello\"}"), "{message}");
        let error = parse_lines(Path::new("t.jsonl"), "{\"text\":\" \"}", 1).unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }

    #[test]
    fn every_key_is_read() {
        let line = r#"{"text":"a","lang":"en","kind":"quote","reply_to":3,"thread":"t","long":true,
            "media":[{"type":"photo","alt":"a cat"}],"created_at":"2026-11-23T00:00:00Z",
            "quoted":{"author":"b","text":"c"},"reposted":{"author":"b","text":"c"}}"#;
        let post: TimelinePost = serde_json::from_str(line).unwrap();
        assert_eq!(post.reply_to, Some(ReplyTo::Number(3)));
        assert_eq!(post.media[0].alt.as_deref(), Some("a cat"));
        let by_id: TimelinePost = serde_json::from_str(r#"{"text":"a","reply_to":"123"}"#).unwrap();
        assert_eq!(by_id.reply_to, Some(ReplyTo::Id("123".into())));
    }
}
