//! Reads the owner's phrases, which Mynah translates before they are posted.

use std::{collections::HashSet, fs, io::Read as _, path::Path};

/// The maximum size of the file in bytes: some ten thousand phrases.
const LARGEST: u64 = 1024 * 1024;

/// The phrases of a file, one per line, without repeats; blank lines are ignored.
///
/// # Errors
/// A sentence that names the file and the fix.
pub fn phrases(file: &Path) -> Result<Vec<String>, String> {
    let error_for = |why: &dyn std::fmt::Display| {
        format!("cache.warm_up {}: {why}; name a text file with one phrase per line", file.display())
    };
    let mut text = String::new();
    let opened = fs::File::open(file).map_err(|error| error_for(&error))?;
    opened.take(LARGEST + 1).read_to_string(&mut text).map_err(|error| error_for(&error))?;
    if text.len() as u64 > LARGEST {
        return Err(error_for(&"more than 1 MiB"));
    }
    let mut phrases: Vec<String> = Vec::new();
    let mut known = HashSet::new();
    for line in text.trim_start_matches('\u{feff}').lines().map(str::trim).filter(|line| !line.is_empty()) {
        if known.insert(line) {
            phrases.push(line.to_owned());
        }
    }
    Ok(phrases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_unique_lines_and_a_bad_file_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("phrases.txt");
        fs::write(&file, "\u{feff}We are live\r\n\n  #goal for us \nWe are live\n").unwrap();
        assert_eq!(phrases(&file).unwrap(), ["We are live", "#goal for us"]);
        let missing = phrases(&folder.path().join("none.txt")).unwrap_err();
        assert!(missing.contains("none.txt") && missing.contains("one phrase per line"), "{missing}");
        fs::write(&file, [0xff, 0xfe]).unwrap();
        assert!(phrases(&file).is_err());
        fs::write(&file, "x\n".repeat(600_000)).unwrap();
        assert!(phrases(&file).unwrap_err().contains("1 MiB"));
    }
}
