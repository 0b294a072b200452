//! Seals a session, so that the ledger, its backups and whoever reads them show no token. The key is derived from the
//! app password, which is never stored: a session that was sealed with another password cannot be opened.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    rand::{SecureRandom as _, SystemRandom},
};
use secrecy::{ExposeSecret as _, SecretString};

/// The version of this format, and what the key is for.
const LABEL: &[u8] = b"mynah bluesky session 1";

/// Seals a text for this account.
pub(super) fn seal(text: &str, password: &SecretString, account: &str) -> Option<String> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).ok()?;
    let mut sealed = text.as_bytes().to_vec();
    // Random nonces may repeat after billions of sessions.
    let (key, aad) = (key(password)?, Aad::from(account));
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).ok()?;
    Some(STANDARD_NO_PAD.encode([&nonce[..], &sealed].concat()))
}

/// Opens what was sealed; `None` if it was sealed with another password or for another account, or was changed.
pub(super) fn open(sealed: &str, password: &SecretString, account: &str) -> Option<String> {
    let bytes = STANDARD_NO_PAD.decode(sealed).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
    let (nonce, mut sealed) = (Nonce::try_assume_unique_for_key(nonce).ok()?, sealed.to_vec());
    let text = key(password)?.open_in_place(nonce, Aad::from(account), &mut sealed).ok()?;
    String::from_utf8(text.to_vec()).ok()
}

fn key(password: &SecretString) -> Option<LessSafeKey> {
    let secret = Salt::new(HKDF_SHA256, &[]).extract(password.expose_secret().as_bytes());
    let key = secret.expand(&[LABEL], &CHACHA20_POLY1305).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_password_opens_what_was_sealed_for_an_account() {
        let password = |text: &str| SecretString::from(text);
        let sealed = seal("{\"access\":\"token\"}", &password("abcd-efgh"), "town.example").unwrap();
        assert!(!sealed.contains("token"));
        assert_eq!(open(&sealed, &password("abcd-efgh"), "town.example").unwrap(), "{\"access\":\"token\"}");
        assert_ne!(seal("{\"access\":\"token\"}", &password("abcd-efgh"), "town.example").unwrap(), sealed);
        assert_eq!(open(&sealed, &password("abcd-efgi"), "town.example"), None);
        assert_eq!(open(&sealed, &password("abcd-efgh"), "other.example"), None);
        let changed =
            sealed.replace(&sealed[20..24], if &sealed[20..24] == "AAAA" { "BBBB" } else { "AAAA" });
        for wrong in ["", "AAAA", "not base64!", &changed] {
            assert_eq!(open(wrong, &password("abcd-efgh"), "town.example"), None, "{wrong}");
        }
    }
}
