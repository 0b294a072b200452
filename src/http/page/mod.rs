//! The dashboard: one page that shows what the API reports and offers what the API can do. The page itself contains no
//! data, so loading it needs no token; it asks for a token if the API does.

use std::future::ready;

use actix_web::{HttpResponse, web};

/// Nothing from other origins, nothing inline, no framing, no forms.
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

/// Whether a path is one of the page's files, which contain no data.
pub(super) fn is_part(path: &str) -> bool {
    FILES.iter().any(|(known, ..)| *known == path)
}
