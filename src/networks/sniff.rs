//! Detects a medium's type from its first bytes. A host's `Content-Type` may be missing, malformed or wrong, and
//! networks go by the bytes, too.

/// The MIME type of a picture.
pub fn picture(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => "image/png",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        // Two letters prove little; the four bytes from the sixth on are reserved, and zero.
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => "image/bmp",
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => "image/tiff",
        _ => return None,
    })
}

/// The MIME type of a video; needs at most 189 bytes.
pub fn video(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', b'q', b't', b' ', b' ', ..] => "video/quicktime",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "video/mp4",
        [0x1A, 0x45, 0xDF, 0xA3, ..] => "video/webm",
        // A transport stream has this byte at the start of every packet of 188.
        [0x47, ..] if bytes.get(188) == Some(&0x47) => "video/mp2t",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_detected_by_their_bytes_and_nothing_else_is() {
        let known: [(&[u8], &str); 8] = [
            (b"\xFF\xD8\xFF\xE0\0\x10JFIF", "image/jpeg"),
            (b"\xFF\xD8\xFF\xE1\0\x10Exif", "image/jpeg"),
            (b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR", "image/png"),
            (b"GIF87a\x01\0", "image/gif"),
            (b"GIF89a\x01\0", "image/gif"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
            (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0", "image/bmp"),
            (b"II*\0\x08\0\0\0", "image/tiff"),
        ];
        for (bytes, kind) in known {
            assert_eq!(picture(bytes), Some(kind));
        }
        let others: [&[u8]; 10] = [
            b"",
            b"\xFF\xD8",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            b"<?xml version=\"1.0\"?><svg/>",
            b"<!DOCTYPE html><html>",
            b"BMW sells cars in Munich",
            b"GIF88a\x01\0",
            b"RIFF\x10\0\0\0WAVEfmt ",
            b"%PDF-1.7",
            &[0; 64],
        ];
        for bytes in others {
            assert_eq!(picture(bytes), None, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn videos_are_detected_by_their_bytes_and_nothing_else_is() {
        let mut stream = vec![0; 400];
        (stream[0], stream[188], stream[376]) = (0x47, 0x47, 0x47);
        let known: [(&[u8], &str); 5] = [
            (b"\0\0\0\x18ftypmp42\0\0\0\0", "video/mp4"),
            (b"\0\0\0\x20ftypisom\0\0\x02\0", "video/mp4"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0", "video/quicktime"),
            (b"\x1A\x45\xDF\xA3\x01\0\0\0", "video/webm"),
            (&stream, "video/mp2t"),
        ];
        for (bytes, kind) in known {
            assert_eq!(video(bytes), Some(kind));
        }
        let others: [&[u8]; 5] =
            [b"", b"#EXTM3U\n", b"<html>", b"Good morning", b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR"];
        for bytes in others {
            assert_eq!(video(bytes), None);
        }
    }
}
