//! A link in a post: X shortens each, and tells where it leads and what it knows about the page there.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Fields, text};

/// One form of a page's picture. A form that cannot be read costs only itself.
#[derive(Deserialize)]
struct Picture {
    url: String,
    #[serde(default)]
    width: u32,
}

/// A shortened link. Positions count Unicode code points of the escaped text; the end is exclusive.
#[derive(Debug, Clone, Default)]
pub struct Link {
    /// Its start.
    pub start: usize,
    /// Its end.
    pub end: usize,
    /// The short form, `https://t.co/…`.
    pub url: Option<String>,
    /// The target address.
    pub expanded_url: Option<String>,
    /// The medium that the link stands for.
    pub media_key: Option<String>,
    /// The title of the page that it leads to.
    pub title: Option<String>,
    /// The page's description.
    pub description: Option<String>,
    /// The address of the page's picture, in its largest form.
    pub picture: Option<String>,
}

impl Link {
    /// The links in the `entities` of a post or a note.
    pub(super) fn read_all(fields: &Fields<'_>, oddities: &mut Vec<String>) -> Vec<Self> {
        let Some(entities) = fields.object(&["entities"], oddities) else { return Vec::new() };
        let links = entities.list(&["urls"], oddities);
        links.into_iter().filter_map(|raw| Self::read(raw, oddities)).collect()
    }

    fn read(raw: &RawValue, oddities: &mut Vec<String>) -> Option<Self> {
        let fields = match Fields::of(raw) {
            Ok(fields) => fields,
            Err(why) => {
                oddities.push(format!("one of its links cannot be read: {why}"));
                return None;
            }
        };
        let (start, end) = (fields.optional(&["start"], oddities), fields.optional(&["end"], oddities));
        let (Some(start), Some(end)) = (start, end) else {
            oddities.push("one of its links has no position".into());
            return None;
        };
        let url = fields.optional(&["url"], oddities);
        let expanded_url = text(&fields, &["expanded_url"], oddities);
        let media_key = text(&fields, &["media_key"], oddities);
        let title = text(&fields, &["title"], oddities);
        let description = text(&fields, &["description"], oddities);
        let pictures = fields.list(&["images"], oddities).into_iter();
        let pictures = pictures.filter_map(|raw| serde_json::from_str::<Picture>(raw.get()).ok());
        let picture = pictures.max_by_key(|picture| picture.width).map(|picture| picture.url);
        Some(Self { start, end, url, expanded_url, media_key, title, description, picture })
    }
}
