//! A small stable hash: ids, short links and fault draws must be the same in every run and every build, which the
//! standard library's hashers do not promise.

/// FNV-1a over the parts, then mixed so that similar inputs give very different hashes.
pub(crate) fn stable(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in *part {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        // A separator that no text contains, so that ("ab", "c") differs from ("a", "bc").
        hash = (hash ^ 0xff).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_have_equal_hashes() {
        assert_eq!(stable(&[b"mynah"]), stable(&[b"mynah"]));
        assert_ne!(stable(&[b"ab", b"c"]), stable(&[b"a", b"bc"]));
    }
}
