//! The page at `/`: each post of the followed account with its translations beside it, what the calls would cost, and,
//! once the sandbox's Gemini was asked, the notice that it does not translate. The server renders the page and escapes
//! every text; the script only fetches it again.

mod pairs;
mod rows;

use std::fmt::Write as _;

use actix_web::{HttpResponse, http::header::ContentType, web};

use self::rows::Timelines;
use crate::{
    control::{self, AccountSnapshot, Snapshot},
    state::State,
    world::{FOLLOWED, Role, UserState},
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
        .body(render(&control::snapshot(&state, 0), &timelines(&state)))
}

/// Everything that was posted. The posts are shared, so this is short, and the search for pairs holds no lock.
fn timelines(state: &State) -> Timelines {
    let world = state.world();
    let targets = world.accounts().iter().filter(|account| matches!(account.role, Role::Target { .. }));
    Timelines {
        messages: targets.map(|account| account.posts.clone()).collect(),
        posts: world.account(FOLLOWED).posts.clone(),
    }
}

fn render(snapshot: &Snapshot, timelines: &Timelines) -> String {
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
    out.push_str("<main><div class=\"row heads\">");
    column_head(&mut out, &snapshot.account, "followed");
    for target in &snapshot.targets {
        column_head(&mut out, target, target.language.as_deref().unwrap_or_default());
    }
    out.push_str("</div>");
    let accounts: Vec<_> = std::iter::once(&snapshot.account).chain(&snapshot.targets).collect();
    rows::write(&mut out, timelines, &accounts);
    out.push_str("</main></body></html>");
    out
}

fn header(out: &mut String, snapshot: &Snapshot) {
    let bill = &snapshot.bill;
    let published: usize = snapshot.targets.iter().map(|target| target.post_count).sum();
    let gemini = &snapshot.gemini;
    let calls: u64 = snapshot.endpoints.values().map(|count| count.requests).sum();
    let _ = write!(
        out,
        "<header><h1>Mynah's sandbox</h1><p class=\"quiet\">It stands in for X and Gemini on this machine. Nothing \
         leaves it.</p>"
    );
    if gemini.requests > 0 {
        let _ = write!(out, "<p class=\"notice\">{}</p>", escape(snapshot.notice));
    }
    let mut numbers = vec![
        ("posts", snapshot.account.post_count.to_string()),
        ("publications", published.to_string()),
        ("calls", calls.to_string()),
    ];
    if gemini.requests > 0 {
        numbers.push(("Gemini requests", gemini.requests.to_string()));
        numbers.push(("texts in them", gemini.items.to_string()));
    }
    numbers.extend([
        ("post reads", bill.items.post_reads.to_string()),
        ("user reads", bill.items.user_reads.to_string()),
        ("own reads", bill.items.owned_reads.to_string()),
        ("posts created", bill.items.posts.to_string()),
        ("with a link", bill.items.posts_with_link.to_string()),
        ("X would charge", bill.total.clone()),
    ]);
    out.push_str("<dl>");
    for (name, number) in numbers {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{number}</dd></div>");
    }
    out.push_str("</dl></header>");
}

/// The name and the state of an account, above its column.
fn column_head(out: &mut String, account: &AccountSnapshot, what: &str) {
    let _ = write!(
        out,
        "<h2 class=\"cell\">@{} <span class=\"quiet\">{} · {}</span>",
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
