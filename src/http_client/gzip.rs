//! Unpacks answers that a server packed because the request allowed it. A small answer may unpack into gigabytes, so only
//! as much is unpacked as may be read.

use std::io::{self, Read as _};

use actix_web::web::Bytes;
use flate2::bufread::MultiGzDecoder;

/// From this packed size in bytes on, an answer is unpacked on another thread: an arbiter has more to do.
const LARGE: usize = 16 * 1024;

/// Why an answer was not unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unpacking {
    /// It is longer than the limit.
    TooLarge,
    /// It is cut off, or not gzip.
    Broken(String),
}

/// The bytes that `packed` was made of, if they are at most `limit`.
pub(super) async fn unpacked(packed: Bytes, limit: usize) -> Result<Bytes, Unpacking> {
    if packed.len() < LARGE && limit <= LARGE {
        return unpack(&packed, limit);
    }
    let unpacking = actix_rt::task::spawn_blocking(move || unpack(&packed, limit));
    unpacking.await.unwrap_or_else(|error| Err(Unpacking::Broken(error.to_string())))
}

fn unpack(packed: &[u8], limit: usize) -> Result<Bytes, Unpacking> {
    let broken = |error: io::Error| Unpacking::Broken(error.to_string());
    let mut whole = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed).take(most).read_to_end(&mut whole).map_err(broken)?;
    if whole.len() > limit { Err(Unpacking::TooLarge) } else { Ok(whole.into()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_was_packed_comes_out_up_to_the_limit() {
        let text = b"The bridge is open again. ".repeat(40);
        let of = |packed: &[u8], limit| unpack(packed, limit).map(|bytes| bytes.to_vec());
        let two = [packed(&text), packed(b"And so is the harbor.")].concat();
        let both = [&text[..], b"And so is the harbor."].concat();
        assert_eq!(of(&two, both.len()), Ok(both.clone()));
        assert_eq!(of(&two, both.len() - 1), Err(Unpacking::TooLarge));
        assert_eq!(of(&packed(&[]), 0), Ok(vec![]));
    }

    #[test]
    fn bytes_that_are_cut_off_or_no_gzip_are_broken() {
        let whole = packed(&b"The bridge is open again. ".repeat(40));
        for wrong in [&whole[..whole.len() - 9], &whole[..5], b"<rss>", b""] {
            assert!(matches!(unpack(wrong, 10_000), Err(Unpacking::Broken(_))), "{wrong:?}");
        }
    }

    #[actix_rt::test]
    async fn a_bomb_takes_no_more_memory_than_the_limit() {
        // 200 MB of zeros in 900 kB.
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        io::copy(&mut io::repeat(0).take(200 * 1024 * 1024), &mut encoder).unwrap();
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 1024 * 1024);
        assert_eq!(unpacked(bomb.into(), 10 * 1024 * 1024).await, Err(Unpacking::TooLarge));
    }
}
