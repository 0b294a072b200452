//! The page at `/`: the followed account and its targets side by side, what the calls would cost, and the notice that
//! nothing was really translated. The server renders it and escapes every text; the script only fetches it again.

use std::fmt::Write as _;

use actix_web::{HttpResponse, http::header::ContentType, web};

use crate::{
    control::{self, AccountSnapshot, Snapshot},
    state::State,
    timeline::PostKind,
    world::{StoredPost, UserState},
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Allows nothing from elsewhere and nothing inline, so that a post could not run even if the escaping missed it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes of the page.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(page))
        .route("/_sandbox/page.css", web::get().to(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route(
            "/_sandbox/page.js",
            web::get().to(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }),
        )
        .route("/healthz", web::get().to(|| async { HttpResponse::Ok().body("ok") }));
}

fn asset(content_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type(content_type).body(text)
}

async fn page(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .insert_header(("content-security-policy", POLICY))
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header(("referrer-policy", "no-referrer"))
        .insert_header(("cache-control", "no-store"))
        .body(render(&control::snapshot(&state, control::MAX_SHOWN)))
}

fn render(snapshot: &Snapshot) -> String {
    let mut out = String::with_capacity(32 * 1024);
    let version = snapshot.version;
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Mynah's sandbox</title>\
         <link rel=\"stylesheet\" href=\"/_sandbox/page.css\">\
         <script defer src=\"/_sandbox/page.js\"></script></head>\
         <body data-version=\"{version}\">"
    );
    header(&mut out, snapshot);
    out.push_str("<main>");
    column(&mut out, &snapshot.account, "followed");
    for target in &snapshot.targets {
        column(&mut out, target, target.language.as_deref().unwrap_or_default());
    }
    out.push_str("</main></body></html>");
    out
}

fn header(out: &mut String, snapshot: &Snapshot) {
    let bill = &snapshot.bill;
    let published: usize = snapshot.targets.iter().map(|target| target.post_count).sum();
    let gemini = &snapshot.gemini;
    let calls: u64 = snapshot.endpoints.values().map(|count| count.requests).sum();
    let numbers = [
        ("posts", snapshot.account.post_count.to_string()),
        ("publications", published.to_string()),
        ("calls", calls.to_string()),
        ("Gemini requests", gemini.requests.to_string()),
        ("texts in them", gemini.items.to_string()),
        ("post reads", bill.items.post_reads.to_string()),
        ("user reads", bill.items.user_reads.to_string()),
        ("own reads", bill.items.owned_reads.to_string()),
        ("posts created", bill.items.posts.to_string()),
        ("with a link", bill.items.posts_with_link.to_string()),
        ("X would charge", bill.total.clone()),
    ];
    let _ = write!(
        out,
        "<header><h1>Mynah's sandbox</h1><p class=\"quiet\">X and Gemini on this machine. Nothing leaves \
         it.</p><p class=\"notice\">{}</p><dl>",
        escape(snapshot.notice)
    );
    for (name, number) in numbers {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{number}</dd></div>");
    }
    out.push_str("</dl></header>");
}

fn column(out: &mut String, account: &AccountSnapshot, what: &str) {
    let _ = write!(
        out,
        "<section><h2>@{} <span class=\"quiet\">{} · {}</span>",
        escape(&account.handle),
        escape(what),
        account.post_count
    );
    let state = match (account.state, account.revoked) {
        (UserState::Active, false) => "",
        (UserState::Active, true) => "token revoked",
        (UserState::Suspended, _) => "suspended",
        (UserState::Protected, _) => "protected",
        (UserState::Unknown, _) => "unknown to X",
    };
    if !state.is_empty() {
        let _ = write!(out, " <span class=\"state\">{state}</span>");
    }
    out.push_str("</h2>");
    if account.posts.is_empty() {
        out.push_str("<p class=\"empty\">No posts yet.</p>");
    }
    for shown in account.posts.iter().rev() {
        card(out, &shown.post, &shown.created_at);
    }
    if account.posts.len() < account.post_count {
        let _ = write!(
            out,
            "<p class=\"empty\">and {} earlier posts</p>",
            account.post_count - account.posts.len()
        );
    }
    out.push_str("</section>");
}

fn card(out: &mut String, post: &StoredPost, created_at: &str) {
    let class = if post.reply_to.is_some() { " class=\"reply\"" } else { "" };
    let _ = write!(
        out,
        "<article id=\"p{}\"{class}><p lang=\"{}\" dir=\"auto\">{}</p>",
        post.id,
        escape(&post.lang),
        escape(&post.text)
    );
    for medium in &post.media {
        let alt = medium.alt.as_deref().unwrap_or("no alt text");
        let _ = write!(out, "<figure>{} · {}</figure>", medium.kind.name(), escape(alt));
    }
    let _ = write!(out, "<footer><time>{created_at}</time>");
    match (post.kind, post.reply_to) {
        (PostKind::Repost, _) => out.push_str(" · repost"),
        (PostKind::Quote, _) => out.push_str(" · quote"),
        (_, Some(parent)) => {
            let _ = write!(out, " · in reply to <a href=\"#p{parent}\">{parent}</a>");
        }
        _ => {}
    }
    out.push_str("</footer></article>");
}

/// Escapes text and quoted attributes.
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

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(
            escape("<script>alert(\"x\" + 'y')</script> &"),
            "&lt;script&gt;alert(&quot;x&quot; + &#39;y&#39;)&lt;/script&gt; &amp;"
        );
    }
}
