//! An item has a title, a summary, a link and more, but a post is one text. A template says what of the item is
//! published: `{title}\n\n{summary|200}\n\n{link}`.

use std::str::FromStr;

use unicode_segmentation::UnicodeSegmentation as _;

use super::item::Item;

/// The placeholders, for messages.
const VALID: &str =
    "{title}, {summary}, {content}, {link}, {author}, each with or without a length, as in {summary|200}";

/// What is published of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field { field: Field, most: Option<usize> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Title,
    Summary,
    Content,
    Link,
    Author,
}

impl Field {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "title" => Self::Title,
            "summary" => Self::Summary,
            "content" => Self::Content,
            "link" => Self::Link,
            "author" => Self::Author,
            _ => return None,
        })
    }

    fn of(self, item: &Item) -> &str {
        match self {
            Self::Title => &item.title,
            // Many feeds have only one of the two.
            Self::Summary if item.summary.is_empty() => &item.content,
            Self::Content if item.content.is_empty() => &item.summary,
            Self::Summary => &item.summary,
            Self::Content => &item.content,
            Self::Link => item.link.as_deref().unwrap_or_default(),
            Self::Author => &item.author,
        }
    }
}

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("{{{0}}} is not a placeholder; use {VALID}")]
    Unknown(String),
    #[error("the length in {{{0}}} is not a number from 1; use {VALID}")]
    Length(String),
    #[error("a {{ has no }}; use {VALID}")]
    Open,
    #[error("it has no placeholder, so every post would be the same; use {VALID}")]
    Constant,
}

impl FromStr for Template {
    type Err = TemplateError;

    /// Parses a template. `\n` is a line break, because a variable in the environment cannot easily contain one.
    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let text = text.replace("\\n", "\n");
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (inside, behind) = after.split_once('}').ok_or(TemplateError::Open)?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(placeholder(inside)?);
            rest = behind;
        }
        if pieces.is_empty() {
            return Err(TemplateError::Constant);
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }
}

fn placeholder(inside: &str) -> Result<Piece, TemplateError> {
    let (name, most) = match inside.split_once('|') {
        None => (inside, None),
        Some((name, most)) => {
            let most = most.trim().parse().ok().filter(|most| *most > 0);
            (name, Some(most.ok_or_else(|| TemplateError::Length(inside.to_owned()))?))
        }
    };
    let field = Field::named(name.trim()).ok_or_else(|| TemplateError::Unknown(inside.to_owned()))?;
    Ok(Piece::Field { field, most })
}

impl Template {
    /// The text to publish of an item. A field that the item lacks leaves no gap.
    pub(super) fn render(&self, item: &Item) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(between) => text.push_str(between),
                Piece::Field { field, most } => {
                    let value = field.of(item);
                    text.push_str(&most.map_or_else(|| value.to_owned(), |most| cut(value, most)));
                }
            }
        }
        // An absent field leaves the breaks before and after it.
        while text.contains("\n\n\n") {
            text = text.replace("\n\n\n", "\n\n");
        }
        text.trim().to_owned()
    }
}

/// Cuts a text to at most `most` characters, as readers count them, at the end of a word.
fn cut(text: &str, most: usize) -> String {
    let mut characters = text.grapheme_indices(true);
    // The last character that fits is given to the mark.
    let Some((room, _)) = characters.nth(most - 1) else { return text.to_owned() };
    if characters.next().is_none() {
        return text.to_owned();
    }
    let ends_word = text[room..].starts_with(char::is_whitespace);
    let fitting = &text[..room];
    let end = if ends_word { Some(room) } else { fitting.rfind(char::is_whitespace) };
    // A single word that is too long is cut inside, as is a text in a script without spaces.
    let kept = fitting[..end.unwrap_or(room)].trim_end();
    let kept = if kept.is_empty() { fitting } else { kept };
    format!("{}…", kept.trim_end_matches([',', ';', ':', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item {
        Item {
            title: "Bridge closed".into(),
            summary: "The bridge is closed from Monday, says the town.".into(),
            link: Some("https://paper.example/bridge".into()),
            author: "Ana".into(),
            ..Item::default()
        }
    }

    fn rendered(template: &str) -> String {
        template.parse::<Template>().unwrap().render(&item())
    }

    #[test]
    fn placeholders_are_replaced_and_lengths_cut_at_a_word() {
        assert_eq!(rendered("{title}\\n\\n{link}"), "Bridge closed\n\nhttps://paper.example/bridge");
        assert_eq!(rendered("{author}: {title}"), "Ana: Bridge closed");
        assert_eq!(rendered("{summary|24}"), "The bridge is closed…");
        assert_eq!(rendered("{summary|35}"), "The bridge is closed from Monday…");
        assert_eq!(rendered("{summary|500}"), item().summary);
        assert_eq!(rendered("{content|10}"), "The…", "the summary stands in for absent content");
    }

    #[test]
    fn a_text_is_never_cut_inside_a_character_and_never_longer_than_its_length() {
        for text in ["", "a", "日本語の文章です", "👨‍👩‍👧‍👦👨‍👩‍👧‍👦👨‍👩‍👧‍👦", "one two three", "   ", "a  b"]
        {
            for most in 1..20 {
                let cut = cut(text, most);
                assert!(cut.graphemes(true).count() <= most.max(1), "{text:?} to {most}: {cut:?}");
                assert!(cut == text || cut.ends_with('…'));
            }
        }
        assert_eq!(cut("日本語の文章です", 4), "日本語…");
    }

    #[test]
    fn an_absent_field_leaves_no_gap() {
        let item = Item { summary: String::new(), ..item() };
        let template: Template = "{title}\n\n{summary}\n\n{link}".parse().unwrap();
        assert_eq!(template.render(&item), "Bridge closed\n\nhttps://paper.example/bridge");
        let template: Template = "{title}\n\n{link}".parse().unwrap();
        assert_eq!(template.render(&Item { link: None, ..item }), "Bridge closed");
    }

    #[test]
    fn a_wrong_template_is_refused_with_the_valid_placeholders() {
        for wrong in ["{titel}", "{summary|x}", "{summary|0}", "{title", "{}", "no placeholder", ""] {
            let error = wrong.parse::<Template>().unwrap_err().to_string();
            assert!(error.contains("{title}, {summary}, {content}, {link}, {author}"), "{wrong}: {error}");
        }
    }
}
