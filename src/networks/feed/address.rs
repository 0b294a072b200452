//! The name of a feed is its address.

use config::ValueKind;
use url::Url;

use crate::settings::kinds::{Read, quoted, refuse, text_of};

const EXAMPLE: &str = "write the address of the feed, such as \"https://paper.example/feed.xml\"";

/// Reads an address.
pub(super) fn read(value: &ValueKind) -> Read<String> {
    let text = text_of(value)?;
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return refuse(format!("{} is not an address: {error}", quoted(value)), EXAMPLE),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return refuse(
            format!("{} begins with {}:, not https: or http:", quoted(value), url.scheme()),
            EXAMPLE,
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        // Without the value: it may contain a password.
        return refuse("a feed's address cannot have a user name or password", EXAMPLE);
    }
    Ok(text.split('#').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_over_http_or_https_and_shows_no_password() {
        let of = |text: &str| read(&ValueKind::from(text));
        assert_eq!(of("https://paper.example/?feed=rss2#top").unwrap(), "https://paper.example/?feed=rss2");
        assert_eq!(of("http://127.0.0.1:80/f").unwrap(), "http://127.0.0.1:80/f");
        for wrong in
            ["paper.example/feed", "ftp://paper.example/", "@paper", "", "https://ana:secret@paper.example/"]
        {
            let refusal = of(wrong).unwrap_err();
            assert!(
                !refusal.what.contains("secret") && refusal.fix.contains("feed.xml"),
                "{wrong}: {refusal:?}"
            );
        }
    }
}
