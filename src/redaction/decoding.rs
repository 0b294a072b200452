//! Undoes the escapes of JSON, URLs and HTML, so that a secret is found however it was written down. A layer remembers where
//! each of its bytes comes from: what is redacted is the original.

/// A text with one layer of escapes undone.
pub(super) struct Layer {
    text: Vec<u8>,
    /// Places here and in the source, in order: from each on, both advance together.
    marks: Vec<(usize, usize)>,
}

impl Layer {
    /// `None` where there is nothing to undo.
    pub(super) fn decode(source: &[u8]) -> Option<Self> {
        memchr::memchr3(b'%', b'\\', b'&', source)?;
        let mut layer = Self { text: Vec::with_capacity(source.len()), marks: Vec::new() };
        let mut copied = 0;
        for place in memchr::memchr3_iter(b'%', b'\\', b'&', source) {
            // It belongs to the escape before, as the second of two backslashes does.
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

    /// Where a place of this text lies in the source.
    pub(super) fn source(&self, place: usize) -> usize {
        let before = self.marks.partition_point(|(here, _)| *here <= place);
        match before.checked_sub(1) {
            Some(mark) => self.marks[mark].1 + place - self.marks[mark].0,
            None => place,
        }
    }
}

/// The ASCII character that the escape at the start of `text` stands for, and the escape's length. Secrets are ASCII, so
/// escapes for anything else stay as they are.
fn escape(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'%', high, low, ..] => Some((hex(&[*high, *low])?, 3)),
        [b'\\', b'u', code @ ..] => Some((hex(code.get(..4)?)?, 6)),
        [b'\\', b'x', code @ ..] => Some((hex(code.get(..2)?)?, 4)),
        [b'\\', b'n' | b'r' | b't' | b'b' | b'f', ..] => Some((b' ', 2)),
        [b'\\', quoted @ (b'"' | b'\'' | b'\\' | b'/'), ..] => Some((*quoted, 2)),
        [b'&', entity @ ..] => {
            // The longest that stands for ASCII is `&#0000127;`.
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
