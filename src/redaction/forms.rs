//! The forms in which a secret may come back, besides those that `decoding` undoes.

use std::collections::BTreeSet;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

use super::{SHORTEST, UNMISTAKABLE, decoding::Layer};

/// A text that gives a secret away.
pub(super) struct Form {
    pub(super) text: String,
    /// It may stand by chance inside a longer word, and does not count there.
    pub(super) whole_word: bool,
}

impl Form {
    /// Whether it begins at that place of a text.
    pub(super) fn is_at(&self, text: &[u8], start: usize) -> bool {
        let is_inside_a_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let before = || start.checked_sub(1).and_then(|before| text.get(before));
        text[start..].starts_with(self.text.as_bytes())
            && !(self.whole_word
                && (is_inside_a_word(before()) || is_inside_a_word(text.get(start + self.text.len()))))
    }
}

/// The secret itself, and its base64 at every place that it can have in a longer encoded text, such as `user:secret`.
pub(super) fn of(secret: &str) -> impl Iterator<Item = Form> {
    let plain = |text: String| Form { text, whole_word: secret.len() < UNMISTAKABLE };
    // A secret may look like an escape in part, which the search undoes with the real ones.
    let undone = Layer::decode(secret.as_bytes())
        .map(|layer| String::from_utf8_lossy(layer.text()).into_owned())
        .filter(|undone| undone.len() >= SHORTEST);
    let encoded: BTreeSet<String> =
        (0..3).flat_map(|offset| [true, false].map(|is_url| base64_inside(secret, offset, is_url))).collect();
    [secret.to_owned()]
        .into_iter()
        .chain(undone)
        .map(plain)
        .chain(encoded.into_iter().map(|text| Form { text, whole_word: false }))
}

/// The base64 characters that hang on the secret alone, where `offset` bytes (modulo 3) stand before it.
fn base64_inside(secret: &str, offset: usize, is_url: bool) -> String {
    let bytes = [&b"\0\0"[..offset], secret.as_bytes()].concat();
    let encoded = if is_url { URL_SAFE_NO_PAD.encode(&bytes) } else { STANDARD_NO_PAD.encode(&bytes) };
    let (first, end) = ((offset * 8).div_ceil(6), bytes.len() * 8 / 6);
    encoded[first..end].to_owned()
}
