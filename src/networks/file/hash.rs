//! Names that follow from content.

use sha2::{Digest as _, Sha256};

/// 128 bits of a hash, in hexadecimal digits.
pub(super) fn name_of(hash: Sha256) -> String {
    let bits = hash.finalize().iter().take(16).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    format!("{bits:032x}")
}
