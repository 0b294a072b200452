//! Finds tags in HTML of any quality, and their attributes.

use super::text::decoded;

/// How far the end of a tag is searched with regard to quotation marks, in bytes.
const LONGEST_TAG: usize = 1024;

/// A tag, comment or declaration.
pub struct Tag<'a> {
    /// Its name in lower case; empty if it is no element's.
    pub name: String,
    /// Whether it ends its element.
    pub is_end: bool,
    /// Whether it has no content, `<br/>`.
    pub is_empty: bool,
    /// Its length in bytes.
    pub length: usize,
    /// What it has after its name.
    attributes: &'a str,
}

impl<'a> Tag<'a> {
    /// The tag with which `html` begins; `None` if the `<` is only a sign.
    pub fn at_start_of(html: &'a str) -> Option<Self> {
        let other = |length| {
            Some(Self { name: String::new(), is_end: false, is_empty: true, length, attributes: "" })
        };
        if let Some(comment) = html.strip_prefix("<!--") {
            return other(comment.find("-->").map_or(html.len(), |end| "<!--".len() + end + "-->".len()));
        }
        if html.starts_with("<!") || html.starts_with("<?") {
            return other(html.find('>').map_or(html.len(), |end| end + 1));
        }
        let is_end = html.starts_with("</");
        let inside = &html[if is_end { 2 } else { 1 }..];
        if !inside.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let name_end = inside.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inside.len());
        let length = end_of_tag(html)?;
        let is_empty = html[..length].ends_with("/>");
        let attributes = &html[html.len() - inside.len() + name_end..length - 1];
        Some(Self { name: inside[..name_end].to_ascii_lowercase(), is_end, is_empty, length, attributes })
    }

    /// The value of an attribute, with its entities decoded; the first if there are several.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '/')).unwrap_or(rest.len());
            if rest.is_empty() {
                return None;
            }
            let found = &rest[..end];
            rest = rest[end..].trim_start();
            let mut value = "";
            if let Some(after) = rest.strip_prefix('=') {
                let after = after.trim_start();
                let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
                let start = usize::from(quote.is_some());
                let end = match quote {
                    Some(quote) => after[1..].find(quote).map(|end| end + 1),
                    None => after.find(char::is_whitespace),
                };
                let end = end.unwrap_or(after.len());
                value = &after[start..end];
                rest = after[end..].strip_prefix(['"', '\'']).unwrap_or(&after[end..]);
            } else if end == 0 {
                // Nothing that an attribute could begin with.
                return None;
            }
            if found.eq_ignore_ascii_case(name) {
                return Some(decoded(value));
            }
        }
    }

    /// Whether its element has this class.
    pub fn has_class(&self, class: &str) -> bool {
        self.attribute("class").is_some_and(|classes| classes.split_whitespace().any(|one| one == class))
    }
}

/// The length of the tag at the start; `None` if it has no end. A `>` within quotes does not end it.
fn end_of_tag(html: &str) -> Option<usize> {
    let mut quote = None;
    let mut before = '<';
    for (at, c) in html[..html.floor_char_boundary(LONGEST_TAG)].char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at + 1),
            // Only the value of an attribute is quoted; any other quotation mark is a mistake.
            (None, '"' | '\'') if before == '=' => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    // The quotation mark may have been a mistake, too.
    html.find('>').map(|end| end + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes_are_found_however_they_are_written() {
        let tag = |html: &'static str| Tag::at_start_of(html).unwrap();
        let link = tag("<a href=\"https://a.example/?b=1&amp;c=2\" class='u-url  mention' rel=me download>");
        assert_eq!(link.attribute("href").unwrap(), "https://a.example/?b=1&c=2");
        assert_eq!(link.attribute("REL").unwrap(), "me");
        assert_eq!(link.attribute("download").unwrap(), "");
        assert_eq!(link.attribute("title"), None);
        assert!(link.has_class("mention") && link.has_class("u-url") && !link.has_class("url"));
        for html in
            ["<br/>", "<br />", "</a>", "<a>", "<a =>", "<a ==>", "<a href=>", "<a href=\">", "<a / / x>"]
        {
            let tag = tag(html);
            assert!(tag.attribute("class").is_none() && tag.attribute("href").unwrap_or_default().len() < 3);
        }
    }

    proptest! {
        #[test]
        fn any_tag_is_read(attributes in any::<String>(), name in "[a-z]{1,5}") {
            let html = format!("<a {attributes}>");
            if let Some(tag) = Tag::at_start_of(&html) {
                tag.attribute(&name);
            }
        }
    }
}
