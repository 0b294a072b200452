//! Decodes the escapes of JSON, URLs and HTML, so that the search finds a secret however it was written. A layer maps
//! each of its bytes to the original text, because the original must be redacted.

/// A text with one layer of escapes decoded.
pub(super) struct Layer {
    text: Vec<u8>,
    /// Pairs of positions here and in the source, in order; after each pair, both advance together.
    marks: Vec<(usize, usize)>,
}

impl Layer {
    /// `None` if there is nothing to decode.
    pub(super) fn decode(source: &[u8]) -> Option<Self> {
        memchr::memchr3(b'%', b'\\', b'&', source)?;
        let mut layer = Self { text: Vec::with_capacity(source.len()), marks: Vec::new() };
        let mut copied = 0;
        for place in memchr::memchr3_iter(b'%', b'\\', b'&', source) {
            // It is part of the previous escape, like the second of two backslashes.
            if place < copied {
                continue;
            }
            if let Some((byte, length)) = escape(&source[place..]) {
                layer.text.extend_from_slice(&source[copied..place]);
                layer.marks.push((layer.text.len(), place));
                layer.text.push(byte);
                copied = place + length;
                layer.marks.push((layer.text.len(), copied));
            }
        }
        if layer.marks.is_empty() {
            return None;
        }
        layer.text.extend_from_slice(&source[copied..]);
        Some(layer)
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The position in the source of a position in this text.
    pub(super) fn source(&self, place: usize) -> usize {
        let before = self.marks.partition_point(|(here, _)| *here <= place);
        match before.checked_sub(1) {
            Some(mark) => self.marks[mark].1 + place - self.marks[mark].0,
            None => place,
        }
    }
}

/// Decodes the escape at the start of `text` to an ASCII character, and returns the escape's length. Secrets are ASCII,
/// so other escapes stay as they are.
fn escape(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'%', high, low, ..] => Some((hex(&[*high, *low])?, 3)),
        [b'\\', b'u', code @ ..] => Some((hex(code.get(..4)?)?, 6)),
        [b'\\', b'x', code @ ..] => Some((hex(code.get(..2)?)?, 4)),
        [b'\\', b'n' | b'r' | b't' | b'b' | b'f', ..] => Some((b' ', 2)),
        [b'\\', quoted @ (b'"' | b'\'' | b'\\' | b'/'), ..] => Some((*quoted, 2)),
        [b'&', entity @ ..] => {
            // The longest for an ASCII character is `&#0000127;`.
            let end = entity.iter().take(10).position(|byte| *byte == b';')?;
            let byte = match &entity[..end] {
                b"amp" => b'&',
                b"lt" => b'<',
                b"gt" => b'>',
                b"quot" => b'"',
                b"apos" => b'\'',
                [b'#', b'x' | b'X', code @ ..] => hex(code)?,
                [b'#', code @ ..] => ascii(str::from_utf8(code).ok()?.parse().ok()?)?,
                _ => return None,
            };
            Some((byte, end + 2))
        }
        _ => None,
    }
}

fn hex(code: &[u8]) -> Option<u8> {
    let are_digits = code.iter().all(u8::is_ascii_hexdigit);
    let code = str::from_utf8(code).ok().filter(|_| are_digits)?;
    ascii(u32::from_str_radix(code, 16).ok()?)
}

fn ascii(code: u32) -> Option<u8> {
    u8::try_from(code).ok().filter(u8::is_ascii)
}
