//! Turns the posts of a timeline into statuses, and statuses into what people see of them.

use jiff::{SignedDuration, Timestamp};

use super::model::{Attachment, Processing, Server, Status, Visibility};
use crate::{
    marks::{MarkKind, marks},
    message::{Message, MessageLink, MessageMedium},
    timeline::{OtherPost, PostKind, ReplyTo, TimelineMedia, TimelinePost},
    x::text::unescape,
};

impl Server {
    /// Posts on an account, now. Opens the account if there is none. Returns the status's id.
    pub(crate) fn add(&mut self, handle: &str, post: TimelinePost) -> u64 {
        let at = post.created_at.unwrap_or_else(Timestamp::now);
        self.account_mut(handle);
        // It was opened just now.
        let author = self.find(handle).unwrap_or_default();
        let made_up = |text: &str| OtherPost { author: "somebody".into(), text: text.into() };
        let is = |kind| post.kind == Some(kind);
        let reposted = post.reposted.clone().or_else(|| is(PostKind::Repost).then(|| made_up(&post.text)));
        let quoted = post.quoted.clone().or_else(|| is(PostKind::Quote).then(|| made_up("Who said that?")));
        let own = self.own_parent(author, &post);
        let reply_to = own.or_else(|| {
            let is_reply = is(PostKind::Reply) || post.reply_to.is_some();
            is_reply.then(|| self.add_by_other(&made_up("What do you think?"), at))
        });
        let reblog = reposted.map(|other| self.add_by_other(&other, at));
        let quote = quoted.map(|other| self.add_by_other(&other, at));
        let media = post.media.iter().map(|medium| self.loaded(author, medium, at)).collect();
        let text = if reblog.is_some() { String::new() } else { unescape(&post.text) };
        let status = Status {
            language: Some(post.lang.unwrap_or_else(|| "en".into())),
            reply_to,
            reblog,
            quote,
            media,
            poll: post.poll,
            ..blank(author, text, at)
        };
        let id = self.store(status).id;
        if let Some(thread) = post.thread {
            self.accounts[author].threads.insert(thread, id);
        }
        id
    }

    fn own_parent(&self, author: usize, post: &TimelinePost) -> Option<u64> {
        let account = &self.accounts[author];
        match &post.reply_to {
            Some(ReplyTo::Number(number)) => {
                let place = number.checked_sub(1).and_then(|place| usize::try_from(place).ok())?;
                account.statuses.get(place).copied()
            }
            Some(ReplyTo::Id(id)) => id.parse().ok().filter(|id| self.statuses.contains_key(id)),
            None => account.threads.get(post.thread.as_ref()?).copied(),
        }
    }

    /// Posts on somebody else's account, an hour before `before`.
    fn add_by_other(&mut self, other: &OtherPost, before: Timestamp) -> u64 {
        self.account_mut(&other.author);
        // It was opened just now.
        let author = self.find(&other.author).unwrap_or_default();
        let at = before - SignedDuration::from_hours(1);
        self.store(Status { language: Some("en".into()), ..blank(author, unescape(&other.text), at) }).id
    }

    fn loaded(&mut self, owner: usize, medium: &TimelineMedia, at: Timestamp) -> Attachment {
        let id = self.next_id(at, 0);
        let url = medium.url.clone().unwrap_or_else(|| format!("/media/{id}.{}", medium.kind.extension()));
        Attachment {
            id,
            owner,
            kind: medium.kind,
            description: medium.alt.clone(),
            url,
            state: Processing::Done,
            attached: true,
        }
    }

    /// The messages of an account, oldest first; none if there is no such account.
    pub(crate) fn messages(&self, handle: &str) -> Option<Vec<Message>> {
        let account = &self.accounts[self.find(handle)?];
        let statuses = account.statuses.iter().filter_map(|id| self.statuses.get(id));
        Some(statuses.map(|status| self.message(status)).collect())
    }

    fn message(&self, status: &Status) -> Message {
        let shown = status.reblog.and_then(|id| self.statuses.get(&id)).map_or(status, |reblog| reblog);
        let parent = status.reply_to.and_then(|id| self.statuses.get(&id));
        let parent = parent.filter(|parent| parent.author == status.author);
        let medium =
            |medium: &Attachment| MessageMedium { kind: medium.kind, alt: medium.description.clone() };
        Message {
            id: status.id.to_string(),
            text: shown.text.clone(),
            warning: (!shown.warning.is_empty()).then(|| shown.warning.clone()),
            lang: shown.language.clone(),
            kind: match status {
                Status { reblog: Some(_), .. } => PostKind::Repost,
                Status { quote: Some(_), .. } => PostKind::Quote,
                Status { reply_to: Some(_), .. } => PostKind::Reply,
                _ => PostKind::Post,
            },
            reply_to: parent.map(|parent| parent.id.to_string()),
            parent: parent.map(|parent| parent.id),
            media: shown.media.iter().map(medium).collect(),
            links: self.links(&shown.text),
            created_at: status.created_at,
            number: status.id,
        }
    }

    fn links(&self, text: &str) -> Vec<MessageLink> {
        let link = |mark: crate::marks::Mark| {
            let words = &text[mark.range];
            let to = match mark.kind {
                MarkKind::Link => words.to_owned(),
                MarkKind::Tag => words[1..].to_owned(),
                MarkKind::Mention => self.accounts[self.find(&words[1..])?].handle(),
            };
            Some(MessageLink { words: words.to_owned(), to })
        };
        marks(text).into_iter().filter_map(link).collect()
    }
}

/// A status with only the fields that every status has.
fn blank(author: usize, text: String, at: Timestamp) -> Status {
    Status {
        id: 0,
        author,
        created_at: at,
        edited_at: None,
        text,
        warning: String::new(),
        sensitive: false,
        visibility: Visibility::Public,
        language: None,
        reply_to: None,
        reblog: None,
        quote: None,
        media: Vec::new(),
        poll: Vec::new(),
        is_broken: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_listed_with_what_people_see() {
        let mut server = Server::default();
        let posts = r#"[{"text": "One &amp; only", "thread": "t", "media": [{"alt": "A dog"}]},
            {"text": "Two", "thread": "t"}, {"text": "", "reposted": {"author": "team", "text": "Kick-off"}},
            {"text": "Yes", "kind": "reply"}]"#;
        let posts: Vec<TimelinePost> = serde_json::from_str(posts).unwrap();
        for post in posts {
            server.add("town@a.example", post);
        }
        let messages = server.messages("town@a.example").unwrap();
        let texts: Vec<&str> = messages.iter().map(|message| &*message.text).collect();
        assert_eq!(texts, ["One & only", "Two", "Kick-off", "Yes"]);
        assert_eq!(messages[0].media[0].alt.as_deref(), Some("A dog"));
        assert_eq!(messages[1].reply_to.as_ref(), Some(&messages[0].id));
        assert_eq!((messages[2].kind, messages[3].kind), (PostKind::Repost, PostKind::Reply));
        assert_eq!(messages[3].reply_to, None, "the parent is somebody else's");
        assert!(messages.is_sorted_by_key(|message| message.number));
        assert_eq!(server.messages("nobody@a.example"), None);
    }
}
