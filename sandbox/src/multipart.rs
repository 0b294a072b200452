//! Just enough `multipart/form-data` to accept an upload: parts with a name and bytes. Uploads here are small and
//! already in memory, so this parses a slice.

use std::collections::HashMap;

/// The parts of a body by name, or none if the body does not match its header.
pub(crate) fn parse(content_type: &str, body: &[u8]) -> Option<HashMap<String, Vec<u8>>> {
    let (_, boundary) = content_type.split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
    // The first delimiter has no line break before it. Adding one makes all delimiters alike.
    let body = [b"\r\n", body].concat();
    let mut parts = HashMap::new();
    let mut rest = &body[find(&body, &delimiter)? + delimiter.len()..];
    while !rest.starts_with(b"--") {
        let end = find(rest, &delimiter)?;
        let part = rest[..end].strip_prefix(b"\r\n")?;
        let head_end = find(part, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&part[..head_end]).ok()?;
        let name = head.lines().find_map(|line| {
            let disposition = line.to_ascii_lowercase().starts_with("content-disposition:");
            disposition.then(|| name_of(line)).flatten()
        })?;
        parts.insert(name, part[head_end + 4..].to_vec());
        rest = &rest[end + delimiter.len()..];
    }
    Some(parts)
}

/// The value of `name="…"` in a disposition, but not of `filename="…"`.
fn name_of(line: &str) -> Option<String> {
    line.split(';').find_map(|piece| {
        let value = piece.trim().strip_prefix("name=")?;
        Some(value.trim_matches('"').to_owned())
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_by_name_with_unchanged_bytes() {
        let body = b"--xyz\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.png\"\r\n\
            Content-Type: image/png\r\n\r\n\x89PNG\r\n--not\r\n--xyz\r\n\
            content-disposition: form-data; name=\"media_category\"\r\n\r\ntweet_image\r\n--xyz--\r\n";
        let parts = parse("multipart/form-data; boundary=xyz", body).unwrap();
        assert_eq!(parts["media"], b"\x89PNG\r\n--not");
        assert_eq!(parts["media_category"], b"tweet_image");
    }

    #[test]
    fn a_broken_body_is_none() {
        assert!(parse("multipart/form-data", b"").is_none());
        assert!(parse("multipart/form-data; boundary=xyz", b"--xyz\r\n").is_none());
    }
}
