//! The cache's translations by key. Each expires, and the least used are evicted first. A translation is packed into one text,
//! because there may be very many, and hardly any is asked for at a time.

use std::{fmt::Write as _, sync::Arc};

use jiff::Timestamp;
use mynah_domain::text::{MaskedText, Segment};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter, sync};

use super::Key;

/// A translation and when it expires.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The translation.
    pub text: Arc<MaskedText>,
    /// When it expires.
    pub expires: Timestamp,
}

/// An entry as it lies in memory, with the end in milliseconds since 1970. In the text, words stand behind their length in
/// bytes, `4:Hola`, and placeholders as `#0;`: as JSON, reading them would be most of what a hit costs.
#[derive(Clone)]
struct Packed {
    text: Arc<str>,
    expires: i64,
}

impl Packed {
    fn of(entry: &Entry) -> Self {
        let mut text = String::new();
        for segment in &entry.text.0 {
            // Writing to a string cannot fail.
            let _ = match segment {
                Segment::Words(words) => write!(text, "{}:{words}", words.len()),
                Segment::Placeholder(number) => write!(text, "#{number};"),
            };
        }
        Self { text: text.into(), expires: entry.expires.as_millisecond() }
    }

    /// `None` if `of` did not write this text.
    fn unpack(&self) -> Option<Entry> {
        let mut segments = Vec::with_capacity(3);
        let mut rest = &*self.text;
        while !rest.is_empty() {
            if let Some(placeholder) = rest.strip_prefix('#') {
                let (number, behind) = placeholder.split_once(';')?;
                segments.push(Segment::Placeholder(number.parse().ok()?));
                rest = behind;
            } else {
                let (length, behind) = rest.split_once(':')?;
                let (words, behind) = behind.split_at_checked(length.parse().ok()?)?;
                segments.push(Segment::Words(words.to_owned()));
                rest = behind;
            }
        }
        let text = MaskedText(segments);
        // `Timestamp::MAX` is not a whole number of milliseconds.
        let expires = Timestamp::from_millisecond(self.expires).unwrap_or(Timestamp::MAX);
        Some(Entry { text: Arc::new(text), expires })
    }

    fn is_expired(&self) -> bool {
        self.expires <= Timestamp::now().as_millisecond()
    }
}

/// The translations. Clones share them, on any thread.
#[derive(Clone)]
pub struct Entries(Arc<sync::Cache<Key, Packed>>);

impl Entries {
    /// Room for this many.
    pub fn new(max_entries: u64) -> Self {
        // Only one actor asks, so there is one shard: each of several would have room for a part.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(usize::try_from(max_entries).unwrap_or(usize::MAX))
            .weight_capacity(max_entries)
            .build();
        let cache = match options {
            Ok(options) => sync::Cache::with_options(
                options,
                UnitWeighter,
                DefaultHashBuilder::default(),
                sync::DefaultLifecycle::default(),
            ),
            // Building fails only where an option is missing, and none is.
            Err(_) => sync::Cache::new(usize::try_from(max_entries).unwrap_or(usize::MAX)),
        };
        Self(Arc::new(cache))
    }

    /// The translation of a key.
    pub fn get(&self, key: &Key) -> Option<Arc<MaskedText>> {
        let packed = self.0.get(key)?;
        if packed.is_expired() {
            self.0.remove(key);
            return None;
        }
        packed.unpack().map(|entry| entry.text)
    }

    /// Stores the translation of a key, in place of an earlier one.
    pub fn insert(&self, key: Key, entry: &Entry) {
        self.0.insert(key, Packed::of(entry));
    }

    /// Whether there is one for a key; this does not count as a use.
    pub fn has(&self, key: &Key) -> bool {
        self.0.peek(key).is_some_and(|packed| !packed.is_expired())
    }

    /// Drops all entries.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// All entries that have not expired, in no particular order. Locks only while copying one entry.
    pub fn iter(&self) -> impl Iterator<Item = (Key, Entry)> + '_ {
        let live = self.0.iter().filter(|(_, packed)| !packed.is_expired());
        live.filter_map(|(key, packed)| Some((key, packed.unpack()?)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mynah_domain::{Style, fixtures::mask};

    use super::*;

    fn key(number: usize) -> Key {
        let [en, es] = ["en", "es"].map(|code| code.parse().unwrap());
        Key::new(&number.to_string(), (en, es), &Style::default(), &[], "test")
    }

    fn entry(text: &str, left: Duration) -> Entry {
        Entry { text: Arc::new(mask(text).text), expires: Timestamp::now() + left }
    }

    #[test]
    fn an_entry_comes_back_as_it_was_until_it_expires() {
        let entries = Entries::new(10);
        let text = "Read 4:\"this\" 7 times: https://example.com #0; 🎉 niño #now";
        entries.insert(key(1), &entry(text, Duration::from_hours(1)));
        entries.insert(key(2), &entry(text, Duration::ZERO));
        assert_eq!(*entries.get(&key(1)).unwrap(), mask(text).text);
        assert!(entries.has(&key(1)) && !entries.has(&key(2)));
        assert_eq!(entries.iter().count(), 1);
        assert!(entries.get(&key(2)).is_none());
    }

    #[test]
    fn there_are_never_more_than_there_is_room_for_and_what_is_used_stays() {
        let entries = Entries::new(100);
        for number in 0..1000 {
            entries.insert(key(number), &entry("Hello", Duration::from_hours(1)));
            entries.get(&key(0));
        }
        assert!(entries.iter().count() <= 100);
        assert!(entries.has(&key(0)));
    }
}
