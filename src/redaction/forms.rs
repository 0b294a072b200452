//! The encodings in which an answer may repeat a secret, besides the escapes that `decoding` handles.

use std::collections::BTreeSet;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

use super::{SHORTEST, UNMISTAKABLE, decoding::Layer};

/// A text that reveals a secret.
pub(super) struct Form {
    pub(super) text: String,
    /// Whether it counts only as a whole word, because a longer word may contain it by chance.
    pub(super) whole_word: bool,
}

impl Form {
    /// Whether it occurs at `start` in a text.
    pub(super) fn is_at(&self, text: &[u8], start: usize) -> bool {
        let is_inside_a_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let before = || start.checked_sub(1).and_then(|before| text.get(before));
        text[start..].starts_with(self.text.as_bytes())
            && !(self.whole_word
                && (is_inside_a_word(before()) || is_inside_a_word(text.get(start + self.text.len()))))
    }
}

/// The secret itself, and its base64 at every offset in a longer encoded text, such as `user:secret`.
pub(super) fn of(secret: &str) -> impl Iterator<Item = Form> {
    let plain = |text: String| Form { text, whole_word: secret.len() < UNMISTAKABLE };
    // Part of a secret may look like an escape, which the search decodes with the real ones.
    let decoded = Layer::decode(secret.as_bytes())
        .map(|layer| String::from_utf8_lossy(layer.text()).into_owned())
        .filter(|decoded| decoded.len() >= SHORTEST);
    let encoded: BTreeSet<String> =
        (0..3).flat_map(|offset| [true, false].map(|is_url| base64_inside(secret, offset, is_url))).collect();
    [secret.to_owned()]
        .into_iter()
        .chain(decoded)
        .map(plain)
        .chain(encoded.into_iter().map(|text| Form { text, whole_word: false }))
}

/// The base64 characters that depend on the secret alone, if `offset` bytes (modulo 3) precede it.
fn base64_inside(secret: &str, offset: usize, is_url: bool) -> String {
    let bytes = [&b"\0\0"[..offset], secret.as_bytes()].concat();
    let encoded = if is_url { URL_SAFE_NO_PAD.encode(&bytes) } else { STANDARD_NO_PAD.encode(&bytes) };
    let (first, end) = ((offset * 8).div_ceil(6), bytes.len() * 8 / 6);
    encoded[first..end].to_owned()
}
