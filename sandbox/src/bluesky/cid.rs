//! Content identifiers (CIDs). Clients compare them, attach them to replies and may compute them, so they are the real
//! ones: a record's is the hash of its DAG-CBOR, a blob's that of its bytes (atproto.com/specs/data-model).

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The multicodec of DAG-CBOR, and of bytes that mean nothing to the network.
const DAG_CBOR: u8 = 0x71;
const RAW: u8 = 0x55;

/// Version 1, and the header of a SHA-256 hash: its code and its length.
const VERSION: u8 = 1;
const SHA_256: [u8; 2] = [0x12, 32];

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The CID of a record.
pub(super) fn of_record(record: &Value) -> String {
    let mut bytes = Vec::new();
    encode(record, &mut bytes);
    text(&binary(DAG_CBOR, &bytes))
}

/// The CID of a blob.
pub(super) fn of_blob(bytes: &[u8]) -> String {
    text(&binary(RAW, bytes))
}

/// Whether a text has the form of a CID of a record, or of a blob if `raw`.
pub(super) fn is_cid(text: &str, raw: bool) -> bool {
    let Some(bytes) = parse(text) else { return false };
    bytes.len() == 36 && bytes[..4] == [VERSION, if raw { RAW } else { DAG_CBOR }, SHA_256[0], SHA_256[1]]
}

fn binary(codec: u8, content: &[u8]) -> Vec<u8> {
    let mut cid = vec![VERSION, codec, SHA_256[0], SHA_256[1]];
    cid.extend_from_slice(&Sha256::digest(content));
    cid
}

/// The text form: multibase `b`, which is base 32 in lower case without padding.
fn text(cid: &[u8]) -> String {
    format!("b{}", base32(cid))
}

/// Base 32 in lower case without padding.
pub(super) fn base32(bytes: &[u8]) -> String {
    let mut encoded = String::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            encoded.push(digit(bits >> count));
        }
    }
    if count > 0 {
        encoded.push(digit(bits << (5 - count)));
    }
    encoded
}

fn digit(bits: u32) -> char {
    char::from(BASE32[(bits & 31) as usize])
}

/// The bytes of a CID; none if it is not one in base 32.
fn parse(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for c in text.strip_prefix('b')?.bytes() {
        let digit = BASE32.iter().position(|digit| *digit == c)?;
        bits = (bits << 5) | u32::try_from(digit).ok()?;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// Appends a value in DAG-CBOR. JSON has two special objects: `{"$link": cid}` and `{"$bytes": base64}`.
fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => head(0, number, out),
            (None, Some(number)) => head(1, number.unsigned_abs() - 1, out),
            // The data model has no fractions; records with some are refused before.
            (None, None) => out.push(0xf7),
        },
        Value::String(text) => {
            head(3, text.len() as u64, out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            head(4, items.len() as u64, out);
            for item in items {
                encode(item, out);
            }
        }
        Value::Object(fields) => {
            if let (1, Some(cid)) =
                (fields.len(), fields.get("$link").and_then(Value::as_str).and_then(parse))
            {
                // Tag 42: a CID, after a zero byte.
                out.extend_from_slice(&[0xd8, 0x2a]);
                head(2, cid.len() as u64 + 1, out);
                out.push(0);
                out.extend_from_slice(&cid);
                return;
            }
            head(5, fields.len() as u64, out);
            let mut sorted: Vec<_> = fields.iter().collect();
            // DAG-CBOR sorts keys by their length first.
            sorted.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
            for (key, value) in sorted {
                head(3, key.len() as u64, out);
                out.extend_from_slice(key.as_bytes());
                encode(value, out);
            }
        }
    }
}

/// Appends the head of an item: its major type and its length or value, in the shortest form.
fn head(major: u8, value: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    let bytes = value.to_be_bytes();
    match value {
        0..=23 => out.push(major | bytes[7]),
        24..=0xff => out.extend_from_slice(&[major | 0x18, bytes[7]]),
        0x100..=0xffff => {
            out.push(major | 0x19);
            out.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 0x1a);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 0x1b);
            out.extend_from_slice(&bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// All CIDs here were given by a real server (PDS of dev-env 0.3.215).
    #[test]
    fn records_have_the_cids_that_a_real_server_gives_them() {
        let post = |text: &str| json!({"text": text, "$type": "app.bsky.feed.post", "createdAt": "2026-11-27T00:00:00.000Z"});
        let cid = of_record(&post("hello"));
        assert_eq!(cid, "bafyreieqvgg44jnmhrucaz7hwml2mwyqq57qgjihimrwis3ehqayt63k5m");
        let cid = of_record(&post("hello changed"));
        assert_eq!(cid, "bafyreid46bqr4exappx562ptqs64bolzjbhy2e2d63jtewdhzgm4xop57i");
        let blob = json!({
            "$type": "blob", "mimeType": "image/png", "size": 70,
            "ref": {"$link": "bafkreiaugldhmxpktv4hcvcfvrz6qpqvrt6d7tuotwknwfrcrsjt552ebm"},
        });
        let mut picture = post("pic");
        picture["embed"] =
            json!({"$type": "app.bsky.embed.images", "images": [{"image": blob, "alt": "alt"}]});
        assert_eq!(of_record(&picture), "bafyreifd2kltosqrijjheacaal24jrb6szxqcisiihvu43lodykkahbmbm");
    }

    #[test]
    fn a_blob_has_the_cid_of_its_bytes() {
        assert_eq!(of_blob(b""), "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
        assert!(is_cid(&of_blob(b"a"), true) && !is_cid(&of_blob(b"a"), false));
        for wrong in ["", "b", "nonsense", "bafy", "Qmabc"] {
            assert!(!is_cid(wrong, true) && !is_cid(wrong, false), "{wrong}");
        }
    }
}
