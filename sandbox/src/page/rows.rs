//! The rows of the page: a post, and beside it the messages that translate it, one cell for each account. On a phone, the
//! cells stand under each other.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    ops::Range,
    sync::Arc,
};

use jiff::Timestamp;

use super::{card::Card, escape, pairs};
use crate::{
    control::MAX_SHOWN,
    timeline::PostKind,
    world::{PostId, StoredPost},
};

/// How many posts without a message are shown; a long backlog must not hide what is published.
const WAITING_SHOWN: usize = 20;

/// The followed account's posts and the messages of each target.
pub(super) struct Timelines {
    pub(super) posts: Vec<Arc<StoredPost>>,
    pub(super) messages: Vec<Vec<Card>>,
}

/// Writes the rows. `handles` are those of the followed account and of the targets.
pub(super) fn write(out: &mut String, timelines: &Timelines, handles: &[&str]) {
    let table = Table::new(timelines);
    let on_page: HashSet<u64> = table.ids().collect();
    for row in &table.rows {
        out.push_str("<section class=\"row\">");
        for (handle, cell) in handles.iter().zip(std::iter::once(&row.post).chain(&row.cells)) {
            write_cell(out, handle, cell, &on_page);
        }
        out.push_str("</section>");
    }
    if table.rows.is_empty() {
        out.push_str("<p class=\"empty\">No posts yet.</p>");
    }
    if table.not_shown > 0 {
        let _ = write!(out, "<p class=\"empty\">and {} more posts</p>", table.not_shown);
    }
}

struct Table {
    /// The newest first.
    rows: Vec<Row>,
    not_shown: usize,
}

struct Row {
    /// The post alone; empty for messages that translate none.
    post: Vec<Card>,
    /// The messages of each target.
    cells: Vec<Vec<Card>>,
}

impl Table {
    fn new(Timelines { posts, messages }: &Timelines) -> Self {
        let mut by_post: Vec<HashMap<PostId, Vec<Card>>> = Vec::new();
        let mut unpaired = Vec::new();
        for messages in messages {
            let mut of = HashMap::new();
            let mut rest = Vec::new();
            for (message, post) in messages.iter().zip(pairs::pair(posts, messages)) {
                let cell = match post {
                    Some(post) => of.entry(post).or_insert_with(Vec::new),
                    None => &mut rest,
                };
                cell.push(message.clone());
            }
            by_post.push(of);
            rest.drain(..rest.len().saturating_sub(MAX_SHOWN));
            unpaired.push(rest);
        }
        let mut rows = Vec::new();
        if unpaired.iter().any(|cell| !cell.is_empty()) {
            rows.push(Row { post: Vec::new(), cells: unpaired });
        }
        let mut waiting = 0;
        let mut shown = 0;
        for post in posts.iter().rev() {
            let cells: Vec<_> =
                by_post.iter_mut().map(|of| of.remove(&post.id).unwrap_or_default()).collect();
            if cells.iter().all(Vec::is_empty) {
                waiting += 1;
                if waiting > WAITING_SHOWN {
                    continue;
                }
            }
            rows.push(Row { post: vec![Card::X(Arc::clone(post))], cells });
            shown += 1;
            if shown == MAX_SHOWN {
                break;
            }
        }
        Self { rows, not_shown: posts.len() - shown }
    }

    fn ids(&self) -> impl Iterator<Item = u64> {
        self.rows.iter().flat_map(|row| row.post.iter().chain(row.cells.iter().flatten())).map(Card::id)
    }
}

fn write_cell(out: &mut String, handle: &str, cell: &[Card], on_page: &HashSet<u64>) {
    let _ = write!(out, "<div class=\"cell\"><h3 class=\"who\">{}</h3>", super::handle(handle));
    if cell.is_empty() {
        out.push_str("<p class=\"empty\">no publication</p>");
    }
    for post in cell {
        card(out, post, on_page);
    }
    out.push_str("</div>");
}

fn card(out: &mut String, post: &Card, on_page: &HashSet<u64>) {
    let class = if post.is_reply() { " class=\"reply\"" } else { "" };
    let lang = escape(post.lang());
    let _ = write!(out, "<article id=\"p{}\"{class}>", post.id());
    if let Some(warning) = post.warning() {
        let _ = write!(out, "<p class=\"notice\" lang=\"{lang}\" dir=\"auto\">{}</p>", escape(warning));
    }
    let _ = write!(out, "<p lang=\"{lang}\" dir=\"auto\">");
    linked(out, post.text(), post.addresses());
    out.push_str("</p>");
    for (kind, alt) in post.media() {
        let _ = write!(out, "<figure>{kind} · {}</figure>", escape(alt.unwrap_or("no alt text")));
    }
    out.push_str("<footer>");
    time(out, post.created_at());
    match (post.kind(), post.reply_to()) {
        (PostKind::Repost, _) => out.push_str(" · repost"),
        (PostKind::Quote, _) => out.push_str(" · quote"),
        (_, Some(parent)) if on_page.contains(&parent) => {
            let _ = write!(out, " · <a class=\"control\" href=\"#p{parent}\">in reply to this post</a>");
        }
        (PostKind::Reply, _) | (_, Some(_)) => out.push_str(" · in reply to another account"),
        _ => {}
    }
    out.push_str("</footer></article>");
}

/// A time for people, to the second.
fn time(out: &mut String, at: Timestamp) {
    let _ = write!(
        out,
        "<time datetime=\"{}\">{} UTC</time>",
        at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        at.strftime("%Y-%m-%d %H:%M:%S")
    );
}

/// A text whose links and mentions can be followed.
fn linked(out: &mut String, text: &str, addresses: Vec<(Range<usize>, String)>) {
    let mut done = 0;
    for (range, address) in addresses {
        // A post is input from strangers: nothing but the web, whatever the text says.
        if !url::Url::parse(&address).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            continue;
        }
        out.push_str(&escape(&text[done..range.start]));
        let _ = write!(
            out,
            "<a href=\"{}\" target=\"_blank\" rel=\"noopener noreferrer\">{}</a>",
            escape(&address),
            escape(&text[range.clone()])
        );
        done = range.end;
    }
    out.push_str(&escape(&text[done..]));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        let mut out = String::new();
        linked(&mut out, text, crate::x::text::addresses(text));
        out
    }

    #[test]
    fn links_and_mentions_can_be_followed_and_nothing_else() {
        let link = |address: &str, text: &str| {
            format!("<a href=\"{address}\" target=\"_blank\" rel=\"noopener noreferrer\">{text}</a>")
        };
        assert_eq!(
            html("Thanks @HarbourFC, see https://example.com/a?b=1&c=2 #tag"),
            format!(
                "Thanks {}, see {} #tag",
                link("https://x.com/HarbourFC", "@HarbourFC"),
                link("https://example.com/a?b=1&amp;c=2", "https://example.com/a?b=1&amp;c=2")
            )
        );
        assert_eq!(html("example.com/speech"), link("http://example.com/speech", "example.com/speech"));
        for text in ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "ftp://example.org"] {
            assert!(!html(text).contains("href=\"javascript") && !html(text).contains("href=\"data"));
            assert!(!html(text).contains("href=\"vbscript") && !html(text).contains("href=\"ftp"));
        }
    }

    #[test]
    fn no_text_becomes_markup() {
        let text = "<script>x</script> https://example.com/\"onmouseover=\"x <a href=javascript:x>@bob</a>";
        let html = html(text);
        let rest = html.replace("<a href=\"https://", "").replace("</a>", "");
        assert!(!rest.contains('<') && !rest.contains("onmouseover=\""), "{html}");
    }

    #[test]
    fn times_have_no_milliseconds() {
        let mut out = String::new();
        time(&mut out, "2026-11-26T21:00:40.123Z".parse().unwrap());
        assert_eq!(out, "<time datetime=\"2026-11-26T21:00:40Z\">2026-11-26 21:00:40 UTC</time>");
    }
}
