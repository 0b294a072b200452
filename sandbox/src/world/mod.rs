//! A small model of X: accounts, posts and media. It knows nothing about HTTP. All posts are created here, so ids
//! always increase and threads stay consistent, whoever posts.

mod account;
mod edits;
mod post;

use std::{collections::HashMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use self::{account::ByText, edits::Edits};
pub use self::{
    account::UserState,
    post::{AuthKind, PostId, StoredMedia, StoredPoll, StoredPost},
};
pub(crate) use self::{
    account::{Account, Role},
    post::{Upload, UploadState},
};
use crate::{
    config::TargetAccount,
    credentials::Credentials,
    hash,
    snowflake::Snowflakes,
    timeline::{OtherPost, PostKind, ReplyTo, TimelineMedia, TimelinePost},
    x::text,
};

/// An account may not publish the same text twice within this time.
const DUPLICATE_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// The index of the followed account.
pub(crate) const FOLLOWED: usize = 0;

#[derive(Debug)]
pub(crate) struct World {
    accounts: Vec<Account>,
    by_handle: HashMap<String, usize>,
    by_id: HashMap<u64, usize>,
    posts: HashMap<u64, Arc<StoredPost>>,
    uploads: HashMap<u64, Upload>,
    edits: Edits,
    flakes: Snowflakes,
    /// The sandbox's address: `http://127.0.0.1:…`.
    pub(crate) base: String,
}

/// A post to publish, already validated against the schema.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) text: String,
    pub(crate) reply_to: Option<u64>,
    pub(crate) quoted: Option<u64>,
    pub(crate) media: Vec<u64>,
    pub(crate) auth: AuthKind,
}

/// Why X refuses a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the account published the same text within a day")]
    Duplicate,
    #[error("the post that it replies to does not exist")]
    ReplyToMissing,
    #[error("the post that it quotes does not exist")]
    QuotedMissing,
    #[error("medium {0} does not exist, is not ready or belongs to another account")]
    MediaMissing(u64),
    #[error("the account may not post")]
    NotPermitted,
}

impl World {
    pub(crate) fn new(followed: &str, targets: &[TargetAccount], timeline: Vec<TimelinePost>) -> Self {
        let mut world = Self {
            accounts: Vec::new(),
            by_handle: HashMap::new(),
            by_id: HashMap::new(),
            posts: HashMap::new(),
            uploads: HashMap::new(),
            edits: Edits::default(),
            flakes: Snowflakes::default(),
            base: String::new(),
        };
        world.open_account(followed, Role::Followed);
        for target in targets {
            let role = Role::Target { language: target.language.clone() };
            let index = world.open_account(&target.handle, role);
            world.accounts[index].premium = target.premium;
        }
        world.load(timeline);
        world
    }

    /// Loads a timeline. Posts without a time are a minute apart and end now.
    pub(crate) fn load(&mut self, timeline: Vec<TimelinePost>) {
        let now = Timestamp::now();
        let count = i64::try_from(timeline.len()).unwrap_or(i64::MAX);
        for (minutes, post) in (1..=count).rev().zip(timeline) {
            let at = now - SignedDuration::from_mins(minutes.min(1_000_000));
            self.add_at(FOLLOWED, post, at);
        }
    }

    // Accounts

    pub(crate) fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    pub(crate) fn account(&self, index: usize) -> &Account {
        &self.accounts[index]
    }

    /// The id of the newest post of all accounts; 0 if there is none.
    pub(crate) fn newest_id(&self) -> u64 {
        let newest = |account: &Account| account.posts.last().map(|post| post.id.0);
        self.accounts.iter().filter_map(newest).max().unwrap_or_default()
    }

    pub(crate) fn find(&self, handle: &str) -> Option<usize> {
        self.by_handle.get(&handle.to_ascii_lowercase()).copied()
    }

    pub(crate) fn find_id(&self, id: u64) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// The account with this handle, for changes from outside. Creates it if needed, so that any name can be suspended.
    pub(crate) fn account_mut(&mut self, handle: &str) -> &mut Account {
        let index = self.find_or_open(handle);
        &mut self.accounts[index]
    }

    /// The index of the account whose credentials match, unless they were revoked.
    pub(crate) fn authenticate(&self, matches: impl Fn(&Credentials) -> bool) -> Option<usize> {
        self.accounts.iter().position(|account| account.has_token() && matches(&account.credentials))
    }

    fn find_or_open(&mut self, handle: &str) -> usize {
        self.find(handle).unwrap_or_else(|| self.open_account(handle, Role::Other))
    }

    fn open_account(&mut self, handle: &str, role: Role) -> usize {
        if let Some(known) = self.find(handle) {
            return known;
        }
        let index = self.accounts.len();
        let account = Account::new(handle, role);
        self.by_handle.insert(handle.to_ascii_lowercase(), index);
        self.by_id.insert(account.id, index);
        self.accounts.push(account);
        index
    }

    // Posts

    pub(crate) fn post(&self, id: u64) -> Option<&Arc<StoredPost>> {
        self.posts.get(&id)
    }

    /// Posts on the followed account, now.
    pub(crate) fn add(&mut self, post: TimelinePost) -> PostId {
        self.add_at(FOLLOWED, post, Timestamp::now())
    }

    /// Posts on another account that can be followed, now.
    pub(crate) fn add_on(&mut self, handle: &str, post: TimelinePost) -> PostId {
        let author = self.find_or_open(handle);
        self.add_at(author, post, Timestamp::now())
    }

    /// The account that a call's path names, by its handle or its id.
    pub(crate) fn account_in(&self, path: &str) -> Option<&Account> {
        let index = path
            .split('/')
            .find_map(|part| self.find(part).or_else(|| part.parse().ok().and_then(|id| self.find_id(id))));
        index.map(|index| &self.accounts[index])
    }

    fn add_at(&mut self, author: usize, post: TimelinePost, at: Timestamp) -> PostId {
        let at = post.created_at.unwrap_or(at);
        // The order of the file wins over its dates, or a date out of order would break the timeline.
        let floor = self.accounts[author].posts.last().map_or(0, |last| last.id.0);
        let id = self.flakes.next(at, floor);
        let made_up = |text: &str| OtherPost { author: "somebody".into(), text: text.into() };
        // If a post has only a kind, the sandbox makes up the post that it refers to.
        let missing = |kind, given: bool| post.kind == Some(kind) && !given;
        let quoted = post
            .quoted
            .clone()
            .or_else(|| missing(PostKind::Quote, post.quoted.is_some()).then(|| made_up("Who said that?")));
        let reposted = post
            .reposted
            .clone()
            .or_else(|| missing(PostKind::Repost, post.reposted.is_some()).then(|| made_up(&post.text)));
        let text = match &reposted {
            Some(other) => format!("RT @{}: {}", other.author, text::unescape(&other.text)),
            None => text::unescape(&post.text),
        };
        let quoted = quoted.map(|other| self.add_by_other(&other, at));
        let reposted = reposted.map(|other| self.add_by_other(&other, at));
        let in_thread =
            post.thread.as_ref().and_then(|name| self.accounts[author].threads.get(name).copied());
        let reply_to = match &post.reply_to {
            Some(ReplyTo::Number(number)) => number
                .checked_sub(1)
                .and_then(|index| self.accounts[author].posts.get(usize::try_from(index).ok()?))
                .map(|parent| parent.id.0),
            Some(ReplyTo::Id(id)) => id.parse().ok(),
            None => in_thread,
        };
        let reply_to = reply_to.or_else(|| {
            let is_reply = post.kind == Some(PostKind::Reply) || post.reply_to.is_some();
            is_reply.then(|| self.add_by_other(&made_up("What do you think?"), at))
        });
        if let Some(name) = post.thread {
            self.accounts[author].threads.insert(name, id);
        }
        let kind = match (reposted, quoted, reply_to) {
            (Some(_), _, _) => PostKind::Repost,
            (_, Some(_), _) => PostKind::Quote,
            (_, _, Some(_)) => PostKind::Reply,
            _ => PostKind::Post,
        };
        let media = post.media.iter().map(|medium| self.loaded_medium(medium, at)).collect();
        let poll = (!post.poll.is_empty())
            .then(|| StoredPoll { id: PostId(self.flakes.next(at, 0)), options: post.poll.clone() });
        let stored = StoredPost {
            kind,
            lang: post.lang.unwrap_or_else(|| "en".into()),
            quoted: quoted.map(PostId),
            reposted: reposted.map(PostId),
            media,
            long: post.long,
            poll,
            ..self.blank(author, id, text, reply_to)
        };
        self.store(stored).id
    }

    fn add_by_other(&mut self, other: &OtherPost, before: Timestamp) -> u64 {
        let author = self.find_or_open(&other.author);
        let floor = self.accounts[author].posts.last().map_or(0, |last| last.id.0);
        let id = self.flakes.next(before - SignedDuration::from_hours(1), floor);
        let stored =
            StoredPost { lang: "en".into(), ..self.blank(author, id, text::unescape(&other.text), None) };
        self.store(stored).id.0
    }

    fn loaded_medium(&mut self, medium: &TimelineMedia, at: Timestamp) -> StoredMedia {
        let id = self.flakes.next(at, 0);
        let key = format!("{}_{id}", medium.kind.key_prefix());
        let url = medium.url.clone();
        StoredMedia {
            url: url.unwrap_or_else(|| format!("/media/{key}.{}", medium.kind.extension())),
            key,
            kind: medium.kind,
            alt: medium.alt.clone(),
            width: 1200,
            height: 800,
        }
    }

    /// A post with only the fields that every post has.
    fn blank(&self, author: usize, id: u64, text: String, reply_to: Option<u64>) -> StoredPost {
        let parent = reply_to.and_then(|id| self.posts.get(&id));
        StoredPost {
            id: PostId(id),
            author: self.accounts[author].handle.clone(),
            author_id: self.accounts[author].id,
            text,
            kind: if reply_to.is_some() { PostKind::Reply } else { PostKind::Post },
            lang: "und".into(),
            reply_to: reply_to.map(PostId),
            // A post that the sandbox does not know still has an author.
            in_reply_to_user_id: reply_to
                .map(|id| parent.map_or_else(|| account::fake_id(&id.to_string()), |post| post.author_id)),
            conversation_id: PostId(match (reply_to, parent) {
                (_, Some(post)) => post.conversation_id.0,
                (Some(root), None) => root,
                (None, None) => id,
            }),
            quoted: None,
            reposted: None,
            media: Vec::new(),
            long: None,
            poll: None,
            auth: None,
            number: self.accounts[author].made + 1,
        }
    }

    fn store(&mut self, post: StoredPost) -> Arc<StoredPost> {
        let id = post.id;
        let post = Arc::new(post);
        if let Some(author) = self.find_id(post.author_id) {
            self.accounts[author].made += 1;
            self.accounts[author].posts.push(Arc::clone(&post));
        }
        self.posts.insert(id.0, Arc::clone(&post));
        post
    }

    /// Publishes a draft for the account at `author`, unless X would refuse it.
    pub(crate) fn publish(&mut self, author: usize, draft: Draft) -> Result<Arc<StoredPost>, Refusal> {
        let now = Timestamp::now();
        let account = &self.accounts[author];
        if account.state != UserState::Active && account.state != UserState::Protected {
            return Err(Refusal::NotPermitted);
        }
        if draft.reply_to.is_some_and(|id| !self.posts.contains_key(&id)) {
            return Err(Refusal::ReplyToMissing);
        }
        if draft.quoted.is_some_and(|id| !self.posts.contains_key(&id)) {
            return Err(Refusal::QuotedMissing);
        }
        let same_text = account.by_text.get(&*draft.text);
        if !draft.text.is_empty()
            && same_text
                .is_some_and(|ByText(before)| now.duration_since(before.created_at()) < DUPLICATE_WINDOW)
        {
            return Err(Refusal::Duplicate);
        }
        let media = draft
            .media
            .iter()
            .map(|id| {
                let upload = self.uploads.get(id).filter(|upload| upload.owner == author);
                upload.and_then(Upload::attach).ok_or(Refusal::MediaMissing(*id))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let floor = account.posts.last().map_or(0, |last| last.id.0);
        let id = self.flakes.next(now, floor);
        let mut post = StoredPost {
            quoted: draft.quoted.map(PostId),
            media,
            auth: Some(draft.auth),
            ..self.blank(author, id, draft.text, draft.reply_to)
        };
        if let Role::Target { language } = &self.accounts[author].role {
            post.lang.clone_from(language);
        }
        if post.quoted.is_some() {
            post.kind = PostKind::Quote;
        }
        let post = self.store(post);
        self.accounts[author].by_text.replace(ByText(Arc::clone(&post)));
        Ok(post)
    }

    /// Deletes a post of the account at `author`. Returns false if the account has no such post.
    pub(crate) fn delete(&mut self, author: usize, id: u64) -> bool {
        let account = &mut self.accounts[author];
        let Ok(at) = account.posts.binary_search_by_key(&id, |post| post.id.0) else {
            return false;
        };
        let post = account.posts.remove(at);
        account.by_text.remove(&*post.text);
        self.posts.remove(&id);
        true
    }

    // Media

    /// Begins an upload and returns its id.
    pub(crate) fn begin_upload(&mut self, upload: impl FnOnce(u64) -> Upload) -> u64 {
        let id = self.flakes.next(Timestamp::now(), 0);
        self.uploads.insert(id, upload(id));
        id
    }

    pub(crate) fn upload(&mut self, owner: usize, id: u64) -> Option<&mut Upload> {
        self.uploads.get_mut(&id).filter(|upload| upload.owner == owner)
    }
}

/// The id of a handle, even one without an account: X has an id for every handle that it links.
pub(crate) fn user_id(handle: &str) -> u64 {
    account::fake_id(handle)
}

/// A count that looks real but never changes for the same post.
pub(crate) fn fake_count(id: u64, what: &str, most: u64) -> u64 {
    hash::stable(&[&id.to_le_bytes(), what.as_bytes()]) % most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(posts: Vec<TimelinePost>) -> World {
        let target = TargetAccount { handle: "mynah_es".into(), language: "es".into(), premium: false };
        World::new("mynah_source", &[target], posts)
    }

    fn draft(text: &str) -> Draft {
        Draft { text: text.into(), reply_to: None, quoted: None, media: Vec::new(), auth: AuthKind::OAuth1 }
    }

    #[test]
    fn each_post_of_a_thread_replies_to_the_one_before() {
        let world = world(vec![
            TimelinePost::new("1").in_thread("t"),
            TimelinePost::new("aside"),
            TimelinePost::new("2").in_thread("t"),
            TimelinePost::new("3").in_thread("t"),
        ]);
        let posts = &world.account(FOLLOWED).posts;
        assert_eq!(posts[2].reply_to, Some(posts[0].id));
        assert_eq!(posts[3].reply_to, Some(posts[2].id));
        assert_eq!(posts[3].conversation_id, posts[0].id);
        assert_eq!(posts[3].in_reply_to_user_id, Some(posts[0].author_id));
        assert_eq!(posts[1].kind, PostKind::Post);
        assert!(posts.is_sorted_by_key(|post| post.id));
    }

    #[test]
    fn dates_out_of_order_do_not_break_the_timeline() {
        let dated =
            |date: &str| TimelinePost { created_at: Some(date.parse().unwrap()), ..TimelinePost::new(date) };
        let world = world(vec![dated("2026-01-02T00:00:00Z"), dated("2026-01-01T00:00:00Z")]);
        assert!(world.account(FOLLOWED).posts.is_sorted_by_key(|post| post.id));
    }

    #[test]
    fn the_same_text_is_refused_until_the_first_is_deleted() {
        let mut world = world(Vec::new());
        let target = world.find("MYNAH_ES").unwrap();
        let first = world.publish(target, draft("hola")).unwrap();
        assert_eq!(world.publish(target, draft("hola")).unwrap_err(), Refusal::Duplicate);
        assert!(world.delete(target, first.id.0));
        assert!(world.publish(target, draft("hola")).is_ok());
    }

    #[test]
    fn a_post_with_only_a_kind_refers_to_a_made_up_post() {
        let kinds = [PostKind::Post, PostKind::Reply, PostKind::Repost, PostKind::Quote];
        let timeline = kinds.map(|kind| TimelinePost { kind: Some(kind), ..TimelinePost::new("words") });
        let world = world(timeline.into());
        let posts = &world.account(FOLLOWED).posts;
        assert!(posts.iter().map(|post| post.kind).eq(kinds));
        assert!(posts[1].reply_to.is_some() && posts[2].reposted.is_some() && posts[3].quoted.is_some());
        assert_eq!(posts[2].text, "RT @somebody: words");
    }

    #[test]
    fn a_reply_to_a_missing_post_is_refused() {
        let mut world = world(Vec::new());
        let target = world.find("mynah_es").unwrap();
        let reply = Draft { reply_to: Some(1), ..draft("hola") };
        assert_eq!(world.publish(target, reply).unwrap_err(), Refusal::ReplyToMissing);
    }

    #[test]
    fn text_is_unescaped_once_in_either_form() {
        let world = world(vec![TimelinePost::new("a &amp; b"), TimelinePost::new("a & b")]);
        let posts = &world.account(FOLLOWED).posts;
        assert_eq!(posts[0].text, "a & b");
        assert_eq!(posts[1].text, "a & b");
    }
}
