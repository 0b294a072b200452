//! X's two vocabularies. In August 2026 tweets became posts in the specification while the old names went on
//! working; X answers in the words it is asked in. Inside, the sandbox thinks in the legacy names, and this
//! is the only place that knows the new ones. Names that neither vocabulary has are dropped without a word,
//! as X drops them.

use std::collections::HashSet;

use super::query::Query;

/// Which words to answer in.
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
            .is_some_and(|asked| asked.iter().any(|name| NEW_EXPANSIONS.contains(name)));
        // Who sends old names reads old names; a mixture is the work of somebody half way through moving.
        if query.get("tweet.fields").is_none() && (query.get("post.fields").is_some() || new_expansion) {
            Self::New
        } else {
            Self::Legacy
        }
    }

    /// The key that an answer uses.
    pub(crate) fn key(self, legacy: &'static str) -> &'static str {
        if self == Self::Legacy {
            return legacy;
        }
        let renamed = RENAMED.iter().find(|(old, _)| *old == legacy);
        renamed.map_or(legacy, |(_, new)| new)
    }

    /// The name that a partial error uses for an expansion.
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

/// What a request asks to be told, in legacy names.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) dialect: Dialect,
    post: HashSet<String>,
    user: HashSet<String>,
    media: HashSet<String>,
    expansions: HashSet<String>,
}

impl Wanted {
    pub(crate) fn of(query: &Query) -> Self {
        let dialect = Dialect::of(query);
        let set = |name: &str| -> HashSet<String> {
            let asked = query.list(name).unwrap_or_default();
            asked.into_iter().map(str::to_owned).collect()
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
        // What is expanded is named on the post, or nobody could tell whose it is.
        for (expansion, field) in [
            ("author_id", "author_id"),
            ("in_reply_to_user_id", "in_reply_to_user_id"),
            ("referenced_tweets.id", "referenced_tweets"),
            ("referenced_tweets.id.author_id", "referenced_tweets"),
            ("attachments.media_keys", "attachments"),
        ] {
            if expansions.contains(expansion) {
                post.insert(field.into());
            }
        }
        Self { dialect, post, user: set("user.fields"), media: set("media.fields"), expansions }
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

    fn wanted(query: &str) -> Wanted {
        Wanted::of(&Query::parse(query, &[]).unwrap())
    }

    #[test]
    fn the_answer_is_in_the_words_of_the_request() {
        let old = wanted("tweet.fields=note_tweet,author_id,nonsense&expansions=referenced_tweets.id");
        assert_eq!(old.dialect, Dialect::Legacy);
        assert!(old.post("note_tweet") && old.post("author_id") && old.post("referenced_tweets"));
        let new = wanted("post.fields=note_post,author_id&expansions=referenced_posts");
        assert_eq!(new.dialect, Dialect::New);
        assert!(new.post("note_tweet") && new.expands("referenced_tweets.id"));
        assert!(!new.post("author_id"), "only an expansion in the new vocabulary");
        assert_eq!(new.dialect.key("referenced_tweets"), "referenced_posts");
        assert_eq!(wanted("").dialect, Dialect::Legacy);
    }
}
