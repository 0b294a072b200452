//! What the followed account says, as a file: one post a line, plain or JSON.
//!
//! **Escaping, once and for all:** a text, in whatever form it reaches the sandbox, may be written as a
//! person reads it or as X sends it. `&amp;`, `&lt;` and `&gt;` are undone once when the post is taken in,
//! and X's escaping is put on once on the wire. Who wants readers to see `&amp;` writes `&amp;amp;`.

use std::{
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A post to be, as a line of a `.jsonl` timeline states it. Only `text` is needed.
///
/// ```
/// let post: mynah_sandbox::TimelinePost =
///     serde_json::from_str(r#"{"text": "and another thing", "thread": "launch"}"#).unwrap();
/// assert_eq!(post.thread.as_deref(), Some("launch"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelinePost {
    /// What it says.
    pub text: String,
    /// X's idea of its language; `en` unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// What it is. It follows from `reply_to`, `thread`, `quoted` and `reposted`; told without them, it
    /// refers to somebody whom the sandbox makes up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PostKind>,
    /// What it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyTo>,
    /// Posts of one name are a thread: each answers the one of that name before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// `true` sends it as a long post (`note_tweet`) whatever its length, `false` never; otherwise its weight
    /// decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long: Option<bool>,
    /// What is attached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<TimelineMedia>,
    /// When it was said. Loaded posts stand a minute apart and end now; later ones are of the moment they
    /// arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The post of another that it quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<OtherPost>,
    /// The post of another that it repeats.
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

/// What a post is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostKind {
    /// Something said.
    Post,
    /// An answer, to oneself or another.
    Reply,
    /// Another's post, repeated.
    Repost,
    /// Another's post, with a word to it.
    Quote,
}

/// What a reply answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ReplyTo {
    /// A number: that post of the timeline, counted from 1.
    Number(u64),
    /// A string: the post with this id; one that the sandbox does not know is a stranger's.
    Id(String),
}

/// A photo, a video or a GIF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelineMedia {
    /// `photo` unless told.
    #[serde(default, rename = "type")]
    pub kind: MediaKind,
    /// Its alt text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
    /// Where it is, a path of the sandbox's own or any address; made up unless told. Of its own it shows `/media/*` but
    /// for names that begin with `gone`, which are not there, and `large`, which are larger than X takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// What X calls a medium.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A still picture.
    #[default]
    Photo,
    /// A film.
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

    /// What the names of its files end in.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Photo => "png",
            Self::Video | Self::AnimatedGif => "mp4",
        }
    }

    /// What its media keys begin with.
    pub(crate) fn key_prefix(self) -> u8 {
        match self {
            Self::Photo => 3,
            Self::Video => 7,
            Self::AnimatedGif => 16,
        }
    }
}

/// A post by somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherPost {
    /// Their handle.
    pub author: String,
    /// Their words.
    pub text: String,
}

/// Why a timeline file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TimelineError {
    /// It cannot be read.
    #[error("cannot read the timeline {path}: {source}; name a file that exists and is UTF-8 text")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line of it is not a post.
    #[error("{path}, line {line}: {source}; each line must be a JSON object such as {{\"text\": \"hello\"}}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A line of it has nothing to say.
    #[error("{path}, line {line}: the post has neither text nor media nor a repost; give it a \"text\"")]
    Empty {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

/// Reads a timeline: `.jsonl` is JSON a line, anything else a text a line. Empty lines are skipped.
pub fn load_timeline(path: impl AsRef<Path>) -> Result<Vec<TimelinePost>, TimelineError> {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path)
        .map_err(|source| TimelineError::Read { path: path.to_owned(), source })?;
    parse_lines(path, &text, 1)
}

/// The posts in a piece of a timeline file that begins at line `first`.
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
    fn a_plain_file_is_a_post_a_line() {
        let posts = parse_lines(Path::new("t.txt"), "one\n\n  two & three \n", 1).unwrap();
        assert_eq!(posts, [TimelinePost::new("one"), TimelinePost::new("two & three")]);
    }

    #[test]
    fn a_wrong_line_is_named_with_its_mend() {
        let error = parse_lines(Path::new("t.jsonl"), "{\"text\":\"a\"}\n{\"txet\":\"b\"}\n", 1).unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("t.jsonl, line 2: unknown field `txet`"), "{said}");
        assert!(said.ends_with("{\"text\": \"hello\"}"), "{said}");
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
