//! The dashboard: one page that shows what the API tells and offers what the API does. It holds no data itself, so it
//! needs no token to be loaded; the browser asks for one where the API does.

use std::future::ready;

use actix_web::{HttpResponse, web};

/// Nothing from anywhere else, nothing inline, nobody may frame it or send forms from it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Path, media type, content.
const FILES: [(&str, &str, &str); 3] = [
    ("/", "text/html; charset=utf-8", include_str!("index.html")),
    ("/dashboard.css", "text/css; charset=utf-8", include_str!("dashboard.css")),
    ("/dashboard.js", "text/javascript; charset=utf-8", include_str!("dashboard.js")),
];

pub(super) fn routes(config: &mut web::ServiceConfig) {
    for (path, kind, content) in FILES {
        let file = move || {
            let mut answer = HttpResponse::Ok();
            answer.content_type(kind).insert_header(("Content-Security-Policy", POLICY));
            ready(answer.insert_header(("Referrer-Policy", "no-referrer")).body(content))
        };
        config.service(web::resource(path).get(file));
    }
}

/// Whether a path is one of the page's own, which tell nothing.
pub(super) fn is_part(path: &str) -> bool {
    FILES.iter().any(|(known, ..)| *known == path)
}
