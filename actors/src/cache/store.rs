//! The cache's storage: translations by key, each until it expires, with the least used evicted first. There may be
//! very many translations and few are read at a time, so each is packed into one text.

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

/// An entry as it is stored in memory, with its expiry in milliseconds since 1970. In the text, words follow their
/// length in bytes, `4:Hola`, and placeholders are `#0;`. Parsing JSON instead would take most of the time of a hit.
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

    /// Returns `None` for text that `of` did not write.
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
        // The end of the calendar is not a whole millisecond.
        let expires = Timestamp::from_millisecond(self.expires).unwrap_or(Timestamp::MAX);
        Some(Entry { text: Arc::new(text), expires })
    }

    fn is_over(&self) -> bool {
        self.expires <= Timestamp::now().as_millisecond()
    }
}

/// The translations. Clones share them, on any thread.
#[derive(Clone)]
pub struct Store(Arc<sync::Cache<Key, Packed>>);

impl Store {
    /// Creates storage for at most `max_entries` translations.
    pub fn new(max_entries: u64) -> Self {
        // Only one actor uses it, so one shard is enough: with many, each would hold only a part of the entries.
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
            // The builder fails only if an option is missing, and none is.
            Err(_) => sync::Cache::new(usize::try_from(max_entries).unwrap_or(usize::MAX)),
        };
        Self(Arc::new(cache))
    }

    /// Returns the translation of a key.
    pub fn get(&self, key: &Key) -> Option<Arc<MaskedText>> {
        let packed = self.0.get(key)?;
        if packed.is_over() {
            self.0.remove(key);
            return None;
        }
        packed.unpack().map(|entry| entry.text)
    }

    /// Stores a translation, evicting another if there is no room.
    pub fn insert(&self, key: Key, entry: &Entry) {
        self.0.insert(key, Packed::of(entry));
    }

    /// Whether a key has a translation. Does not count as a use.
    pub fn has(&self, key: &Key) -> bool {
        self.0.peek(key).is_some_and(|packed| !packed.is_over())
    }

    /// Iterates over all entries that have not expired, in no order. Blocks others only while one entry is copied.
    pub fn iter(&self) -> impl Iterator<Item = (Key, Entry)> + '_ {
        let live = self.0.iter().filter(|(_, packed)| !packed.is_over());
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
        Key::new(&number.to_string(), (en, es), &Style::default(), &[], 280, "test")
    }

    fn entry(text: &str, left: Duration) -> Entry {
        Entry { text: Arc::new(mask(text).text), expires: Timestamp::now() + left }
    }

    #[test]
    fn an_entry_is_returned_unchanged_until_it_expires() {
        let store = Store::new(10);
        let text = "Read 4:\"this\" 7 times: https://example.com #0; 🎉 niño #now";
        store.insert(key(1), &entry(text, Duration::from_hours(1)));
        store.insert(key(2), &entry(text, Duration::ZERO));
        assert_eq!(*store.get(&key(1)).unwrap(), mask(text).text);
        assert!(store.has(&key(1)) && !store.has(&key(2)));
        assert_eq!(store.iter().count(), 1);
        assert!(store.get(&key(2)).is_none());
    }

    #[test]
    fn the_size_is_bounded_and_entries_in_use_stay() {
        let store = Store::new(100);
        for number in 0..1000 {
            store.insert(key(number), &entry("Hello", Duration::from_hours(1)));
            store.get(&key(0));
        }
        assert!(store.iter().count() <= 100);
        assert!(store.has(&key(0)));
    }
}
