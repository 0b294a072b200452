//! The page at `/`: each post of the followed account with its translations beside it, what the calls would cost, and,
//! once an engine was asked, the notice that the sandbox does not translate. The server renders the page and escapes
//! every text; the script only fetches it again.

mod card;
mod pairs;
mod rows;

use std::fmt::Write as _;

use actix_web::{HttpResponse, http::header::ContentType, web};

use self::{card::Card, rows::Timelines};
use crate::{
    control::{self, AccountSnapshot, Snapshot},
    endpoint::{Endpoint, Service},
    message::MessagesOf,
    network::Network,
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
        .body(render_now(&state))
}

fn render_now(state: &State) -> String {
    let mut snapshot = control::snapshot(state, 0);
    // Others are only quoted, reposted or followed.
    snapshot.elsewhere.retain(|account| account.language.is_some());
    let timelines = timelines(state, &snapshot.elsewhere);
    render(&snapshot, &timelines, state.note.as_deref())
}

/// Everything that was posted. The posts of X are shared, so this is short, and the search for pairs holds no lock.
fn timelines(state: &State, elsewhere: &[MessagesOf]) -> Timelines {
    let (posts, mut messages) = {
        let world = state.world();
        let targets = world.accounts().iter().filter(|account| matches!(account.role, Role::Target { .. }));
        let cards = targets.map(|account| account.posts.iter().cloned().map(Card::X).collect::<Vec<_>>());
        (world.account(FOLLOWED).posts.clone(), cards.collect::<Vec<_>>())
    };
    let cards = |account: &MessagesOf| {
        state.messages(&account.handle).into_iter().map(|message| Card::Elsewhere(message.into())).collect()
    };
    messages.extend(elsewhere.iter().map(cards));
    Timelines { posts, messages }
}

/// What stands above a column.
struct Head<'a> {
    handle: &'a str,
    network: Network,
    what: &'a str,
    count: usize,
    state: UserState,
    revoked: bool,
}

impl<'a> Head<'a> {
    fn on_x(account: &'a AccountSnapshot, what: &'a str) -> Self {
        let AccountSnapshot { handle, state, revoked, post_count, .. } = account;
        Self { handle, network: Network::X, what, count: *post_count, state: *state, revoked: *revoked }
    }

    fn elsewhere(account: &'a MessagesOf) -> Self {
        let MessagesOf { handle, network, language, state, revoked, message_count, .. } = account;
        let what = language.as_deref().unwrap_or_default();
        Self { handle, network: *network, what, count: *message_count, state: *state, revoked: *revoked }
    }
}

fn render(snapshot: &Snapshot, timelines: &Timelines, note: Option<&str>) -> String {
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
    header(&mut out, snapshot, note);
    out.push_str("<main><div class=\"row heads\">");
    let targets = snapshot.targets.iter();
    let heads: Vec<Head<'_>> = std::iter::once(Head::on_x(&snapshot.account, "followed"))
        .chain(targets.map(|target| Head::on_x(target, target.language.as_deref().unwrap_or_default())))
        .chain(snapshot.elsewhere.iter().map(Head::elsewhere))
        .collect();
    for head in &heads {
        column_head(&mut out, head, !snapshot.elsewhere.is_empty());
    }
    out.push_str("</div>");
    let handles: Vec<&str> = heads.iter().map(|head| head.handle).collect();
    rows::write(&mut out, timelines, &handles);
    out.push_str("</main></body></html>");
    out
}

fn header(out: &mut String, snapshot: &Snapshot, note: Option<&str>) {
    let bill = &snapshot.bill;
    let on_x: usize = snapshot.targets.iter().map(|target| target.post_count).sum();
    let published = on_x + snapshot.elsewhere.iter().map(|account| account.message_count).sum::<usize>();
    let services =
        if snapshot.elsewhere.is_empty() { "X and Gemini" } else { "X, Bluesky, Mastodon and Gemini" };
    let gemini = &snapshot.gemini;
    let calls: u64 = snapshot.endpoints.values().map(|count| count.requests).sum();
    let _ = write!(
        out,
        "<header><h1>Mynah's sandbox</h1><p class=\"quiet\">It stands in for {services} on this machine. Nothing \
         leaves it.</p>"
    );
    if let Some(note) = note {
        let _ = write!(out, "<p class=\"quiet\">{}</p>", escape(note));
    }
    let is_translator =
        |endpoint: &Endpoint| matches!(endpoint.service(), Service::Deepl | Service::LibreTranslate);
    if gemini.requests > 0 || snapshot.endpoints.keys().any(is_translator) {
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
fn column_head(out: &mut String, account: &Head<'_>, with_network: bool) {
    let network = if with_network { format!("{} · ", account.network.title()) } else { String::new() };
    let _ = write!(
        out,
        "<h2 class=\"cell\">{} <span class=\"quiet\">{network}{} · {}</span>",
        handle(account.handle),
        escape(account.what),
        account.count
    );
    let state = match (account.state, account.revoked) {
        (UserState::Active, false) => "",
        (UserState::Active, true) => "token revoked",
        (UserState::Suspended, _) => "suspended",
        (UserState::Protected, _) => "protected",
        (UserState::Unknown, _) => "unknown",
    };
    if !state.is_empty() {
        let _ = write!(out, " <span class=\"state\">{state}</span>");
    }
    out.push_str("</h2>");
}

/// A handle. A long one may break before its server.
fn handle(handle: &str) -> String {
    format!("@{}", escape(handle).replace('@', "<wbr>@"))
}

/// Escapes text and quoted attributes.
pub(crate) fn escape(text: &str) -> String {
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
