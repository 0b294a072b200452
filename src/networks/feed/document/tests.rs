use std::fmt::Write as _;

use mynah_domain::MediaKind;

use super::*;

fn address() -> Url {
    "https://paper.example/feeds/all.xml".parse().unwrap()
}

fn read(body: &str) -> Document {
    parse(body.as_bytes(), &address()).unwrap()
}

fn reason(body: &[u8]) -> String {
    parse(body, &address()).unwrap_err()
}

fn rss(items: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\" xmlns:media=\"http://search.yahoo.com/mrss/\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>Paper</title><language>en-us</language><ttl>30</ttl>{items}</channel></rss>"
    )
}

#[test]
fn rss_is_read_with_html_as_text() {
    let document = read(&rss(
        "<item><title>AT&amp;amp;T &amp;lt; 5</title><link>/a</link><guid>1</guid><author>ana@paper.example</author>\
         <description>&lt;p&gt;One.&lt;/p&gt;&lt;p&gt;Two.&lt;/p&gt;</description>\
         <content:encoded><![CDATA[<ul><li>x</li></ul>]]></content:encoded>\
         <pubDate>Fri, 27 Nov 2026 07:12:53 GMT</pubDate></item>",
    ));
    assert_eq!((document.title.as_str(), document.ttl_minutes), ("Paper", Some(30)));
    let [item] = &document.items[..] else { panic!("{document:?}") };
    assert_eq!((item.given_id.as_str(), item.title.as_str()), ("1", "AT&T < 5"));
    assert_eq!((item.summary.as_str(), item.content.as_str()), ("One.\n\nTwo.", "• x"));
    assert_eq!(item.link.as_deref(), Some("https://paper.example/a"));
    assert_eq!(item.author, "ana@paper.example");
    assert_eq!(item.published.unwrap().to_string(), "2026-11-27T07:12:53Z");
    assert_eq!(item.language.as_deref(), Some("en-us"));
}

#[test]
fn every_format_is_read() {
    let item = "<item><title>T</title><link>https://paper.example/a</link></item>";
    let old = |version: &str| format!("<rss {version}><channel><title>P</title>{item}</channel></rss>");
    let rdf = format!(
        "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://purl.org/rss/1.0/\">\
         <channel><title>P</title></channel>{item}</rdf:RDF>"
    );
    let atom = "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>P</title><entry><id>1</id>\
                <title type=\"text\">T</title><link href=\"https://paper.example/a\"/></entry></feed>";
    let json = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "P",
                   "items": [{"id": "1", "title": "T", "url": "https://paper.example/a"}]}"#;
    for body in [
        old("version=\"0.91\""),
        old("version=\"0.92\""),
        old("version='0.93'"),
        old("version=\"2.00\""),
        old(""),
        rss(item),
        rdf,
        atom.to_owned(),
        json.to_owned(),
    ] {
        let document = read(&body);
        let [item] = &document.items[..] else { panic!("{body}: {document:?}") };
        assert_eq!(
            (item.title.as_str(), item.link.as_deref()),
            ("T", Some("https://paper.example/a")),
            "{body}"
        );
    }
}

#[test]
fn a_picture_comes_with_its_description() {
    for (written, kind, url, alt) in [
        ("<enclosure url=\"/a.jpg\" type=\"image/jpeg\" length=\"1\"/>", MediaKind::Photo, "a.jpg", None),
        (
            "<media:content url=\"/s.jpg\" type=\"image/jpeg\" width=\"10\" height=\"10\"><media:description>A dog</media:description></media:content>\
             <media:content url=\"/l.jpg\" type=\"image/jpeg\" width=\"20\" height=\"20\"/>",
            MediaKind::Photo,
            "l.jpg",
            Some("A dog"),
        ),
        ("<enclosure url=\"/v.mp4\" type=\"video/mp4\" length=\"1\"/>", MediaKind::Video, "v.mp4", None),
    ] {
        let document = read(&rss(&format!("<item><guid>1</guid>{written}</item>")));
        let [medium] = &document.items[0].media[..] else { panic!("{document:?}") };
        assert_eq!((&medium.kind, medium.alt.as_deref()), (&kind, alt), "{written}");
        assert_eq!(medium.url.as_deref(), Some(format!("https://paper.example/{url}").as_str()));
    }
    let podcast = "<item><guid>1</guid><enclosure url=\"/a.mp3\" type=\"audio/mpeg\" length=\"1\"/></item>";
    assert!(read(&rss(podcast)).items[0].media.is_empty());
    let json = r#"{"version": "https://jsonfeed.org/version/1", "title": "P", "items": [{"id": "1",
                   "attachments": [{"url": "https://paper.example/a.png", "mime_type": "image/png", "title": "A dog"}]}]}"#;
    assert_eq!(read(json).items[0].media[0].alt.as_deref(), Some("A dog"));
    assert_eq!(read(json).items[0].link, None);
}

#[test]
fn an_item_without_an_id_gets_none_from_the_parser() {
    let body = rss("<item><description>Only words</description></item>");
    let (one, other) = (read(&body), read(&body));
    assert_eq!(one.items[0].given_id, "");
    assert_eq!(one.items[0].id(), other.items[0].id());
}

#[test]
fn what_is_no_feed_is_refused_with_what_it_is() {
    let page = b"<!DOCTYPE html><html><head><link rel='alternate' type='application/rss+xml' href='/rss'></head></html>";
    assert_eq!(reason(page), "this is a web page, not a feed; its feed is at https://paper.example/rss");
    assert_eq!(reason(b"<html><body>Hi</body></html>"), "this is a web page, not a feed");
    assert!(reason(b"").starts_with("the answer is empty"));
    assert!(reason(b" \n").starts_with("the answer is empty"));
    let whole = rss("<item><guid>1</guid><title>T</title></item>");
    assert_eq!(reason(&whole.as_bytes()[..whole.len() - 10]), "the feed is cut off: <rss> has no end");
    for garbage in [&b"no feed"[..], b"{\"a\": 1}", b"<svg/>", &[0xFF; 100], b"<rss", b"{", b"<"] {
        assert!(!reason(garbage).is_empty());
    }
}

#[test]
fn invalid_utf_8_costs_a_character_and_not_the_feed() {
    let mut body = rss("<item><guid>1</guid><title>Caf_ open</title></item>").into_bytes();
    let at = body.iter().position(|byte| *byte == b'_').unwrap();
    body[at] = 0xE9;
    assert_eq!(parse(&body, &address()).unwrap().items[0].title, "Caf\u{FFFD} open");
    let declared = b"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>".to_vec();
    let body = [declared, body[b"<?xml version=\"1.0\"?>".len()..].to_vec()].concat();
    assert_eq!(parse(&body, &address()).unwrap().items[0].title, "Café open");
}

#[test]
fn entities_that_expand_without_end_do_not() {
    let mut laughs = String::from("<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol0 \"lol\">");
    for level in 1..10 {
        let inner = format!("&lol{};", level - 1).repeat(10);
        write!(laughs, "<!ENTITY lol{level} \"{inner}\">").unwrap();
    }
    laughs.push_str("]><rss version=\"2.0\"><channel><title>&lol9;</title></channel></rss>");
    if let Ok(document) = parse(laughs.as_bytes(), &address()) {
        assert!(document.title.len() < 100, "{}", document.title.len());
    }
}

#[test]
fn utf_16_is_read_or_refused_and_never_a_panic() {
    let text = rss("<item><guid>1</guid></item>");
    let wide: Vec<u8> =
        std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let _ = parse(&wide, &address());
}

#[test]
fn deep_nesting_does_no_harm() {
    let (open, close) = ("<div>".repeat(50_000), "</div>".repeat(50_000));
    for body in [
        rss(&"<item>".repeat(100_000)),
        rss(&format!("<item><guid>1</guid><description>{open}x{close}</description></item>")),
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>P</title><entry><id>1</id>\
             <content type=\"xhtml\">{open}x{close}</content></entry></feed>"
        ),
        format!("{{\"version\": {}", "[".repeat(100_000)),
    ] {
        let _ = parse(body.as_bytes(), &address());
    }
}
