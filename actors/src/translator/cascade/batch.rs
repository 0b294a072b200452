//! Decides what goes into one call. The engine specifies how many items and characters it accepts, and whether
//! languages may be mixed ([`CallShape`]).

use mynah_domain::{Language, ports::CallShape};

use super::super::task::Task;
use crate::cache::Lead;

/// A task that needs a call.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The task's number.
    pub(super) task: usize,
    /// The lead on its key, if other tasks may wait for it.
    pub(super) lead: Option<Lead>,
}

impl Wanted {
    pub(super) fn without_lead(task: usize) -> Self {
        Self { task, lead: None }
    }
}

/// The properties of an item that decide which call it may join.
pub(super) trait Content {
    /// The source and target language.
    fn languages(&self) -> (Language, Language);
    /// The number of characters of text.
    fn chars(&self) -> usize;
}

impl Content for Task {
    fn languages(&self) -> (Language, Language) {
        (self.target.source.language, self.target.language)
    }

    fn chars(&self) -> usize {
        self.mask.text.words().map(|words| words.chars().count()).sum()
    }
}

/// Takes the next call's items out of `wanted`: the first item, and those of the others, in order, that may join it, at
/// most `size`. The rest stays in order, so that the next call begins with the first item passed over.
pub(super) fn take_batch<C: Content>(
    wanted: &mut Vec<Wanted>,
    size: usize,
    shape: CallShape,
    contents: &[C],
) -> Vec<Wanted> {
    let Some(first) = wanted.first().map(|first| &contents[first.task]) else { return Vec::new() };
    let languages = first.languages();
    let size = size.clamp(1, shape.max_items());
    let (mut items, mut chars) = (0, 0);
    let fits = |one: &mut Wanted| {
        let content = &contents[one.task];
        if items >= size || !shape.may_mix(languages, content.languages()) {
            return false;
        }
        if let Some(max) = shape.max_chars() {
            let more = content.chars();
            // The first item goes whatever its size.
            if items > 0 && chars + more > max {
                return false;
            }
            chars += more;
        }
        items += 1;
        true
    };
    wanted.extract_if(.., fits).collect()
}

/// How many groups of `wanted` need separate calls because of their languages.
pub(super) fn count_groups<C: Content>(wanted: &[Wanted], shape: CallShape, contents: &[C]) -> usize {
    let mut groups: Vec<(Language, Language)> = Vec::new();
    for one in wanted {
        let languages = contents[one.task].languages();
        if !groups.iter().any(|known| shape.may_mix(*known, languages)) {
            groups.push(languages);
        }
    }
    groups.len()
}

#[cfg(test)]
mod tests {
    use mynah_domain::{fixtures, ports::Languages};
    use proptest::prelude::*;

    use super::*;

    impl Content for (&str, &str, usize) {
        fn languages(&self) -> (Language, Language) {
            (self.0.parse().unwrap(), self.1.parse().unwrap())
        }

        fn chars(&self) -> usize {
            self.2
        }
    }

    /// The calls made for all contents, by number.
    fn calls(size: usize, shape: CallShape, contents: &[(&str, &str, usize)]) -> Vec<Vec<usize>> {
        let mut wanted: Vec<Wanted> = (0..contents.len()).map(Wanted::without_lead).collect();
        let mut calls = Vec::new();
        while !wanted.is_empty() {
            let batch = take_batch(&mut wanted, size, shape, contents);
            calls.push(batch.into_iter().map(|one| one.task).collect());
        }
        calls
    }

    const FIVE: [(&str, &str, usize); 5] =
        [("en", "es", 10), ("en", "fr", 10), ("en", "es", 10), ("de", "es", 10), ("en", "fr", 10)];

    #[test]
    fn an_engine_of_many_languages_gets_them_mixed_and_in_order() {
        let shape = CallShape::new(40, Languages::Many);
        assert_eq!(calls(40, shape, &FIVE), [vec![0, 1, 2, 3, 4]]);
        assert_eq!(calls(3, shape, &FIVE), [vec![0, 1, 2], vec![3, 4]]);
        let wanted: Vec<Wanted> = (0..5).map(Wanted::without_lead).collect();
        assert_eq!(count_groups(&wanted, shape, &FIVE), 1);
    }

    #[test]
    fn an_engine_of_one_language_gets_one_source_and_one_target_language_per_call() {
        let shape = CallShape::new(40, Languages::One);
        assert_eq!(calls(40, shape, &FIVE), [vec![0, 2], vec![1, 4], vec![3]]);
        assert_eq!(calls(1, shape, &FIVE), [[0], [1], [2], [3], [4]]);
        let wanted: Vec<Wanted> = (0..5).map(Wanted::without_lead).collect();
        assert_eq!(count_groups(&wanted, shape, &FIVE), 3);
    }

    #[test]
    fn a_call_has_at_most_the_engines_number_of_characters_unless_one_item_alone_has_more() {
        let shape = CallShape::new(40, Languages::Many).with_max_chars(30);
        let contents =
            [("en", "es", 25), ("en", "es", 10), ("en", "es", 5), ("en", "es", 90), ("en", "es", 1)];
        assert_eq!(calls(40, shape, &contents), [vec![0, 2], vec![1, 4], vec![3]]);
    }

    #[test]
    fn a_call_has_at_least_one_item_and_at_most_the_engines_number_of_items() {
        let shape = CallShape::new(2, Languages::Many);
        assert_eq!(calls(40, shape, &FIVE), [vec![0, 1], vec![2, 3], vec![4]]);
        assert_eq!(calls(0, shape, &FIVE).len(), 5);
        assert_eq!(CallShape::new(0, Languages::Many).max_items(), 1);
    }

    #[test]
    fn a_post_has_as_many_characters_as_its_words_without_what_is_protected() {
        let text = "¡Olé! https://a.example/page @bob";
        let task = Task::new(&fixtures::post(1, text), Vec::new(), fixtures::target());
        assert_eq!(task.chars(), "¡Olé! ".chars().count() + " ".len());
    }

    proptest! {
        #[test]
        fn every_item_goes_into_exactly_one_call_that_obeys_the_shape(
            size in 0..10_usize,
            max_items in 0..10_usize,
            max_chars in proptest::option::of(0..50_usize),
            mixed in any::<bool>(),
            items in proptest::collection::vec((0..3_usize, 0..3_usize, 0..60_usize), 0..30),
        ) {
            let codes = ["es", "fr", "de"];
            let contents: Vec<_> =
                items.into_iter().map(|(from, to, chars)| (codes[from], codes[to], chars)).collect();
            let shape = CallShape::new(max_items, if mixed { Languages::Many } else { Languages::One });
            let shape = max_chars.map_or(shape, |max| shape.with_max_chars(max));
            let calls = calls(size, shape, &contents);
            let mut seen: Vec<usize> = calls.concat();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..contents.len()).collect::<Vec<_>>());
            for call in calls {
                prop_assert!((1..=size.clamp(1, shape.max_items())).contains(&call.len()));
                let of: Vec<_> = call.iter().map(|number| contents[*number]).collect();
                prop_assert!(mixed || of.iter().all(|one| one.languages() == of[0].languages()));
                let chars: usize = of.iter().map(Content::chars).sum();
                prop_assert!(of.len() == 1 || max_chars.is_none_or(|max| chars <= max));
            }
        }
    }
}
