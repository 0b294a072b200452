//! Accounts, statuses and media as Mastodon sends them (`REST::StatusSerializer` and its relatives).

use serde_json::{Value, json};

use super::{
    html,
    model::{Account, Attachment, Processing, Server, Status, id},
    wire_time,
};
use crate::{timeline::MediaKind, world::UserState};

pub(super) fn account(server: &Server, account: &Account) -> Value {
    let page = html::profile(server, account);
    let mut body = json!({
        "id": id(account.id),
        "username": account.user,
        "acct": server.acct(account),
        "display_name": account.user,
        "locked": account.state == UserState::Protected,
        "bot": false,
        "discoverable": null,
        "indexable": false,
        "group": false,
        "created_at": "2020-01-01T00:00:00.000Z",
        "note": "",
        "url": page,
        "uri": format!("{}/users/{}", server.base, account.user),
        "avatar": format!("{}/media/avatar.png", server.base),
        "avatar_static": format!("{}/media/avatar.png", server.base),
        "header": format!("{}/media/header.png", server.base),
        "header_static": format!("{}/media/header.png", server.base),
        "followers_count": 0,
        "following_count": 0,
        "statuses_count": account.statuses.len(),
        "last_status_at": null,
        "hide_collections": null,
        "noindex": false,
        "emojis": [],
        "roles": [],
        "fields": [],
    });
    // Only there if it is true.
    if account.state == UserState::Suspended {
        body["suspended"] = json!(true);
    }
    body
}

pub(super) fn status(server: &Server, status: &Status) -> Value {
    let author = &server.accounts[status.author];
    let found = html::found(server, &status.text);
    let page = format!("{}/@{}/{}", server.base, author.user, status.id);
    let parent = status.reply_to.and_then(|id| server.statuses.get(&id));
    let reblog = status.reblog.and_then(|id| server.statuses.get(&id));
    let content = if status.is_broken { json!(7) } else { json!(html::format(server, &status.text)) };
    json!({
        "id": id(status.id),
        "created_at": wire_time(status.created_at),
        "in_reply_to_id": status.reply_to.map(id),
        "in_reply_to_account_id": parent.map(|parent| id(server.accounts[parent.author].id)),
        "sensitive": status.sensitive,
        "spoiler_text": status.warning,
        "visibility": status.visibility.name(),
        "language": status.language,
        "uri": format!("{}/users/{}/statuses/{}", server.base, author.user, status.id),
        "url": page,
        "replies_count": 0,
        "reblogs_count": 0,
        "favourites_count": 0,
        "quotes_count": 0,
        "edited_at": status.edited_at.map(wire_time),
        "content": content,
        "reblog": reblog.map(|reblog| self::status(server, reblog)),
        "application": null,
        "account": account(server, author),
        "media_attachments": status.media.iter().map(|medium| attachment(server, medium)).collect::<Vec<_>>(),
        "mentions": found.mentioned.iter().map(|index| mention(server, &server.accounts[*index])).collect::<Vec<_>>(),
        "tags": found.tags.iter().map(|name| tag(server, name)).collect::<Vec<_>>(),
        "emojis": [],
        "quote": status.quote.and_then(|id| server.statuses.get(&id)).map(|quoted| {
            json!({"state": "accepted", "quoted_status": self::status(server, quoted)})
        }),
        "card": null,
        "poll": poll(status),
    })
}

fn mention(server: &Server, account: &Account) -> Value {
    json!({
        "id": id(account.id),
        "username": account.user,
        "url": html::profile(server, account),
        "acct": server.acct(account),
    })
}

fn tag(server: &Server, name: &str) -> Value {
    let name = name.to_lowercase();
    json!({"name": name, "url": format!("{}/tags/{name}", server.base)})
}

fn poll(status: &Status) -> Value {
    if status.poll.is_empty() {
        return Value::Null;
    }
    let options = status.poll.iter().map(|title| json!({"title": title, "votes_count": 0}));
    json!({
        "id": id(status.id),
        "expires_at": null,
        "expired": false,
        "multiple": false,
        "votes_count": 0,
        "voters_count": 0,
        "options": options.collect::<Vec<_>>(),
        "emojis": [],
    })
}

pub(super) fn attachment(server: &Server, medium: &Attachment) -> Value {
    let url = if medium.url.starts_with('/') {
        format!("{}{}", server.base, medium.url)
    } else {
        medium.url.clone()
    };
    let kind = match medium.kind {
        MediaKind::Photo => "image",
        MediaKind::Video => "video",
        MediaKind::AnimatedGif => "gifv",
    };
    json!({
        "id": id(medium.id),
        "type": kind,
        // There is no address before the medium is done.
        "url": (medium.state == Processing::Done).then_some(&url),
        "preview_url": url,
        "remote_url": null,
        "preview_remote_url": null,
        "text_url": null,
        "meta": {"original": {"width": 1200, "height": 800, "size": "1200x800", "aspect": 1.5}},
        "description": medium.description,
        "blurhash": null,
    })
}
