//! X's two vocabularies. In August 2026 tweets became posts in the specification, while the old names continued to
//! work; X answers in the vocabulary of the request. The sandbox uses the legacy names internally, and only this
//! module knows the new ones. Like X, it silently ignores names that are in neither vocabulary.

use std::collections::HashSet;

use super::query::Query;

/// The vocabulary of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `tweet.fields`, `referenced_tweets`, …
    Legacy,
    /// `post.fields`, `referenced_posts`, …
    New,
}

/// Legacy key, new key.
const RENAMED: [(&str, &str); 6] = [
    ("note_tweet", "note_post"),
    ("referenced_tweets", "referenced_posts"),
    ("edit_history_tweet_ids", "edit_history_post_ids"),
    ("retweet_count", "repost_count"),
    ("pinned_tweet_id", "pinned_post_id"),
    ("tweets", "posts"),
];

impl Dialect {
    fn of(query: &Query) -> Self {
        let new_expansion = query
            .list("expansions")
            .is_some_and(|list| list.iter().any(|name| NEW_EXPANSIONS.contains(name)));
        // A client that sends old names reads old names. A mixture is a client in the middle of a migration.
        if query.get("tweet.fields").is_none() && (query.get("post.fields").is_some() || new_expansion) {
            Self::New
        } else {
            Self::Legacy
        }
    }

    /// The key in an answer.
    pub(crate) fn key(self, legacy: &'static str) -> &'static str {
        if self == Self::Legacy {
            return legacy;
        }
        let renamed = RENAMED.iter().find(|(old, _)| *old == legacy);
        renamed.map_or(legacy, |(_, new)| new)
    }

    /// The name of an expansion in a partial error.
    pub(crate) fn reference_parameter(self) -> &'static str {
        match self {
            Self::Legacy => "referenced_tweets.id",
            Self::New => "referenced_posts",
        }
    }
}

/// Expansions that only the new vocabulary has.
const NEW_EXPANSIONS: [&str; 2] = ["referenced_posts", "edit_history_post_ids"];
/// Fields that the new vocabulary has only as expansions.
const ONLY_EXPANSIONS: [&str; 3] = ["author_id", "in_reply_to_user_id", "referenced_posts"];

/// The fields and expansions that a request asks for, in legacy names.
#[derive(Debug)]
pub(crate) struct RequestedFields {
    pub(crate) dialect: Dialect,
    post: HashSet<String>,
    user: HashSet<String>,
    media: HashSet<String>,
    poll: HashSet<String>,
    expansions: HashSet<String>,
}

impl RequestedFields {
    pub(crate) fn of(query: &Query) -> Self {
        let dialect = Dialect::of(query);
        let set = |name: &str| -> HashSet<String> {
            let list = query.list(name).unwrap_or_default();
            list.into_iter().map(str::to_owned).collect()
        };
        let mut expansions = set("expansions");
        let mut post = match dialect {
            Dialect::Legacy => set("tweet.fields"),
            Dialect::New => set("post.fields")
                .into_iter()
                .filter(|name| !ONLY_EXPANSIONS.contains(&&**name))
                .map(legacy)
                .collect(),
        };
        if dialect == Dialect::New && expansions.contains("referenced_posts") {
            expansions.insert("referenced_tweets.id".into());
        }
        // An expanded object is also named in the post, or nobody could tell which post it belongs to.
        for (expansion, field) in [
            ("author_id", "author_id"),
            ("in_reply_to_user_id", "in_reply_to_user_id"),
            ("referenced_tweets.id", "referenced_tweets"),
            ("referenced_tweets.id.author_id", "referenced_tweets"),
            ("attachments.media_keys", "attachments"),
            ("attachments.poll_ids", "attachments"),
        ] {
            if expansions.contains(expansion) {
                post.insert(field.into());
            }
        }
        Self {
            dialect,
            post,
            user: set("user.fields"),
            media: set("media.fields"),
            poll: set("poll.fields"),
            expansions,
        }
    }

    pub(crate) fn post(&self, field: &str) -> bool {
        self.post.contains(field)
    }

    pub(crate) fn user(&self, field: &str) -> bool {
        self.user.contains(field)
    }

    pub(crate) fn media(&self, field: &str) -> bool {
        self.media.contains(field)
    }

    pub(crate) fn poll(&self, field: &str) -> bool {
        self.poll.contains(field)
    }

    pub(crate) fn expands(&self, expansion: &str) -> bool {
        self.expansions.contains(expansion)
    }
}

fn legacy(new: String) -> String {
    let renamed = RENAMED.iter().find(|(_, name)| *name == new);
    renamed.map_or(new, |(old, _)| (*old).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(query: &str) -> RequestedFields {
        RequestedFields::of(&Query::parse(query, &[]).unwrap())
    }

    #[test]
    fn the_answer_has_the_vocabulary_of_the_request() {
        let old = requested("tweet.fields=note_tweet,author_id,nonsense&expansions=referenced_tweets.id");
        assert_eq!(old.dialect, Dialect::Legacy);
        assert!(old.post("note_tweet") && old.post("author_id") && old.post("referenced_tweets"));
        let new = requested("post.fields=note_post,author_id&expansions=referenced_posts");
        assert_eq!(new.dialect, Dialect::New);
        assert!(new.post("note_tweet") && new.expands("referenced_tweets.id"));
        assert!(!new.post("author_id"), "only an expansion in the new vocabulary");
        assert_eq!(new.dialect.key("referenced_tweets"), "referenced_posts");
        assert_eq!(requested("").dialect, Dialect::Legacy);
    }
}
