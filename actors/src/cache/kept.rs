//! What the cache keeps: translations by key, those that are used least gone first, each for its time. A translation is
//! packed into one text, because there may be very many and hardly any is asked for at a time.

use std::{fmt::Write as _, sync::Arc};

use jiff::Timestamp;
use mynah_domain::text::{MaskedText, Segment};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter, sync};

use super::Key;

/// A translation and its end.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The translation.
    pub text: Arc<MaskedText>,
    /// From when on it is not said any more.
    pub expires: Timestamp,
}

/// An entry as it lies in memory, with its end in milliseconds since 1970. In the text, words stand behind their length in
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

    /// None of what `of` did not write.
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
        // The end of the calendar is no whole millisecond of it.
        let expires = Timestamp::from_millisecond(self.expires).unwrap_or(Timestamp::MAX);
        Some(Entry { text: Arc::new(text), expires })
    }

    fn is_over(&self) -> bool {
        self.expires <= Timestamp::now().as_millisecond()
    }
}

/// The translations. Clones share them, on any thread.
#[derive(Clone)]
pub struct Kept(Arc<sync::Cache<Key, Packed>>);

impl Kept {
    /// Room for so many.
    pub fn new(max_entries: u64) -> Self {
        // One actor asks, so it is one piece: many would each have room for a part.
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
            // Only a part that is missing would make them none, and none is.
            Err(_) => sync::Cache::new(usize::try_from(max_entries).unwrap_or(usize::MAX)),
        };
        Self(Arc::new(cache))
    }

    /// The translation of a key.
    pub fn get(&self, key: &Key) -> Option<Arc<MaskedText>> {
        let packed = self.0.get(key)?;
        if packed.is_over() {
            self.0.remove(key);
            return None;
        }
        packed.unpack().map(|entry| entry.text)
    }

    /// Keeps one, in the place of another.
    pub fn insert(&self, key: Key, entry: &Entry) {
        self.0.insert(key, Packed::of(entry));
    }

    /// Whether there is one for a key, which does not make it any younger.
    pub fn has(&self, key: &Key) -> bool {
        self.0.peek(key).is_some_and(|packed| !packed.is_over())
    }

    /// Every one whose time is not over, in no order. Nobody waits for longer than one takes to be copied.
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
    fn what_is_kept_comes_back_as_it_was_for_its_time() {
        let kept = Kept::new(10);
        let text = "Read 4:\"this\" 7 times: https://example.com #0; 🎉 niño #now";
        kept.insert(key(1), &entry(text, Duration::from_hours(1)));
        kept.insert(key(2), &entry(text, Duration::ZERO));
        assert_eq!(*kept.get(&key(1)).unwrap(), mask(text).text);
        assert!(kept.has(&key(1)) && !kept.has(&key(2)));
        assert_eq!(kept.iter().count(), 1);
        assert!(kept.get(&key(2)).is_none());
    }

    #[test]
    fn there_are_never_more_than_there_is_room_for_and_what_is_used_stays() {
        let kept = Kept::new(100);
        for number in 0..1000 {
            kept.insert(key(number), &entry("Hello", Duration::from_hours(1)));
            kept.get(&key(0));
        }
        assert!(kept.iter().count() <= 100);
        assert!(kept.has(&key(0)));
    }
}
