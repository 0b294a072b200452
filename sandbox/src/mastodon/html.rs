//! The HTML that Mastodon makes of a text (`TextFormatter`), and the length that it counts (`StatusLengthValidator`).

use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation;

use super::model::Server;
use crate::marks::{MarkKind, marks};

/// Every link counts this many characters.
pub(super) const LINK_LENGTH: usize = 23;

/// How much of a link is shown.
const SHOWN: usize = 30;

/// The length of a text: a link counts 23 characters, a mention counts without its server.
pub(super) fn length(text: &str) -> usize {
    let mut length = text.graphemes(true).count();
    for mark in marks(text) {
        let words = &text[mark.range];
        let counts = match mark.kind {
            MarkKind::Link => LINK_LENGTH,
            MarkKind::Mention => words[1..].split('@').next().unwrap_or_default().len() + 1,
            MarkKind::Tag => continue,
        };
        length = length + counts - words.graphemes(true).count();
    }
    length
}

/// The tags and the mentioned accounts of a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) tags: Vec<String>,
    pub(super) mentioned: Vec<usize>,
}

/// What of a text is linked to this server.
pub(super) fn found(server: &Server, text: &str) -> Found {
    let mut found = Found::default();
    for mark in marks(text) {
        let name = &text[mark.range][1..];
        match mark.kind {
            MarkKind::Tag if !found.tags.iter().any(|tag| tag.eq_ignore_ascii_case(name)) => {
                found.tags.push(name.to_owned());
            }
            MarkKind::Mention => found.mentioned.extend(server.find(name)),
            MarkKind::Tag | MarkKind::Link => {}
        }
    }
    found
}

/// A text in HTML: links shortened for the eye, mentions and tags linked, paragraphs and line breaks kept.
pub(super) fn format(server: &Server, text: &str) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    let mut html = String::new();
    let mut done = 0;
    for mark in marks(text) {
        html.push_str(&escape(&text[done..mark.range.start]));
        done = mark.range.end;
        let words = &text[mark.range];
        match mark.kind {
            MarkKind::Link => link(&mut html, words),
            MarkKind::Tag => tag(&mut html, server, &words[1..]),
            MarkKind::Mention => mention(&mut html, server, &words[1..]),
        }
    }
    html.push_str(&escape(&text[done..]));
    paragraphs(&html)
}

fn link(html: &mut String, url: &str) {
    let prefix = ["https://www.", "http://www.", "https://", "http://"]
        .into_iter()
        .find(|prefix| url.starts_with(prefix));
    let (prefix, rest) = url.split_at(prefix.map_or(0, str::len));
    let cut = rest.char_indices().nth(SHOWN).map_or(rest.len(), |(at, _)| at);
    let (shown, hidden) = rest.split_at(cut);
    let class = if hidden.is_empty() { "" } else { "ellipsis" };
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        html,
        "<a href=\"{}\" target=\"_blank\" rel=\"nofollow noopener noreferrer\" translate=\"no\"><span \
         class=\"invisible\">{}</span><span class=\"{class}\">{}</span><span class=\"invisible\">{}</span></a>",
        escape(url),
        escape(prefix),
        escape(shown),
        escape(hidden)
    );
}

fn tag(html: &mut String, server: &Server, tag: &str) {
    let url = format!("{}/tags/{}", server.base, url_part(&tag.to_lowercase()));
    let _ = write!(
        html,
        "<a href=\"{url}\" class=\"mention hashtag\" rel=\"tag\">#<span>{}</span></a>",
        escape(tag)
    );
}

/// Only accounts that the server knows are linked.
fn mention(html: &mut String, server: &Server, name: &str) {
    let Some(account) = server.find(name).map(|index| &server.accounts[index]) else {
        let _ = write!(html, "@{}", escape(name));
        return;
    };
    let _ = write!(
        html,
        "<span class=\"h-card\" translate=\"no\"><a href=\"{}\" class=\"u-url mention\">@<span>{}</span></a></span>",
        escape(&profile(server, account)),
        escape(&account.user)
    );
}

/// The address of an account's page. It names its real server, as on the wire.
pub(super) fn profile(server: &Server, account: &super::model::Account) -> String {
    if account.domain == server.domain() {
        format!("{}/@{}", server.base, account.user)
    } else {
        format!("https://{}/@{}", account.domain, account.user)
    }
}

fn url_part(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Rails' `simple_format`: empty lines separate paragraphs, other line breaks become `<br />`.
fn paragraphs(html: &str) -> String {
    let html = html.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::new();
    for paragraph in html.split("\n\n").map(|paragraph| paragraph.trim_matches('\n')) {
        if !paragraph.is_empty() {
            let _ = write!(out, "<p>{}</p>", paragraph.replace('\n', "<br />"));
        }
    }
    out
}

/// Escapes text and quoted attributes as `ERB::Util.h` does.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        let mut server = Server { base: "http://127.0.0.1:1".into(), ..Server::default() };
        server.account_mut("town@a.example");
        server.account_mut("ann@b.example");
        server
    }

    #[test]
    fn a_long_link_is_cut_for_the_eye_only() {
        let url = "https://www.example.com/a/very/long/path/that/is/cut?with=query&b=1";
        assert_eq!(
            format(&server(), url),
            "<p><a href=\"https://www.example.com/a/very/long/path/that/is/cut?with=query&amp;b=1\" target=\"_blank\" \
             rel=\"nofollow noopener noreferrer\" translate=\"no\"><span class=\"invisible\">https://www.</span><span \
             class=\"ellipsis\">example.com/a/very/long/path/t</span><span class=\"invisible\">hat/is/cut?with=query&amp;\
             b=1</span></a></p>"
        );
        assert!(format(&server(), "https://example.com/a").contains("<span class=\"\">example.com/a</span>"));
    }

    #[test]
    fn lines_paragraphs_and_markup_survive() {
        assert_eq!(
            format(&server(), "a <b> & \"c\"\nd\n\n\n'e'"),
            "<p>a &lt;b&gt; &amp; &quot;c&quot;<br />d</p><p>&#39;e&#39;</p>"
        );
        assert_eq!(format(&server(), " \n"), "");
    }

    #[test]
    fn known_accounts_and_tags_are_linked() {
        let html = format(&server(), "@town @ann@b.example @nobody@c.example #Port");
        assert!(
            html.contains(
                "<a href=\"http://127.0.0.1:1/@town\" class=\"u-url mention\">@<span>town</span></a>"
            ),
            "{html}"
        );
        assert!(html.contains("href=\"https://b.example/@ann\""), "{html}");
        assert!(html.contains(" @nobody@c.example "), "{html}");
        assert!(html.contains("<a href=\"http://127.0.0.1:1/tags/port\" class=\"mention hashtag\" rel=\"tag\">#<span>Port</span></a>"));
        let found = found(&server(), "@town #Port #port");
        assert_eq!(found, Found { tags: vec!["Port".into()], mentioned: vec![0] });
    }

    #[test]
    fn links_and_servers_of_mentions_count_little() {
        let url = format!("https://example.com/{}", "x".repeat(500));
        assert_eq!(length(&format!("a {url}")), 2 + LINK_LENGTH);
        assert_eq!(length("http://a.b"), LINK_LENGTH);
        assert_eq!(length("@ann@a.very.long.server.example!"), 5);
        assert_eq!(length("👨‍👩‍👧‍👦é"), 2);
    }
}
