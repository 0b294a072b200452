//! Seals small texts that hold tokens, so that files, the ledger and their backups show none. The key is derived from a
//! secret that is stored elsewhere: what was sealed with another secret cannot be opened.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    rand::{SecureRandom as _, SystemRandom},
};
use secrecy::{ExposeSecret as _, SecretString};

/// What a key is for, with the version of the format: keys for different purposes differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label(pub(crate) &'static str);

/// Seals a text for this account, or whatever else it belongs to. `None` if the system has no randomness.
pub(crate) fn seal(label: Label, text: &str, secret: &SecretString, account: &str) -> Option<String> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).ok()?;
    let mut sealed = text.as_bytes().to_vec();
    // Random nonces may repeat after billions of sessions.
    let (key, aad) = (key(label, secret)?, Aad::from(account));
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).ok()?;
    Some(STANDARD_NO_PAD.encode([&nonce[..], &sealed].concat()))
}

/// Opens what was sealed; `None` if it was sealed with another secret or for another account, or was changed.
pub(crate) fn open(label: Label, sealed: &str, secret: &SecretString, account: &str) -> Option<String> {
    let bytes = STANDARD_NO_PAD.decode(sealed).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
    let (nonce, mut sealed) = (Nonce::try_assume_unique_for_key(nonce).ok()?, sealed.to_vec());
    let text = key(label, secret)?.open_in_place(nonce, Aad::from(account), &mut sealed).ok()?;
    String::from_utf8(text.to_vec()).ok()
}

fn key(label: Label, secret: &SecretString) -> Option<LessSafeKey> {
    let secret = Salt::new(HKDF_SHA256, &[]).extract(secret.expose_secret().as_bytes());
    let info = [label.0.as_bytes()];
    let key = secret.expand(&info, &CHACHA20_POLY1305).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: Label = Label("a test");

    #[test]
    fn only_the_same_secret_opens_what_was_sealed_for_an_account() {
        let password = |text: &str| SecretString::from(text);
        let sealed = seal(LABEL, "{\"access\":\"token\"}", &password("abcd-efgh"), "town.example").unwrap();
        assert!(!sealed.contains("token"));
        assert_eq!(
            open(LABEL, &sealed, &password("abcd-efgh"), "town.example").unwrap(),
            "{\"access\":\"token\"}"
        );
        assert_ne!(
            seal(LABEL, "{\"access\":\"token\"}", &password("abcd-efgh"), "town.example").unwrap(),
            sealed
        );
        assert_eq!(open(Label("another"), &sealed, &password("abcd-efgh"), "town.example"), None);
        assert_eq!(open(LABEL, &sealed, &password("abcd-efgi"), "town.example"), None);
        assert_eq!(open(LABEL, &sealed, &password("abcd-efgh"), "other.example"), None);
        let changed =
            sealed.replace(&sealed[20..24], if &sealed[20..24] == "AAAA" { "BBBB" } else { "AAAA" });
        for wrong in ["", "AAAA", "not base64!", &changed] {
            assert_eq!(open(LABEL, wrong, &password("abcd-efgh"), "town.example"), None, "{wrong}");
        }
    }
}
