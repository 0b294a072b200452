//! The smallest engine that is one: a dictionary, word for word, from a file with a `word,translation` a line. It is the
//! example of `docs/adding-an-engine.md`; a real one would be a folder in `src/engines/`.

use std::{collections::HashMap, fs, path::PathBuf, rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use mynah::{
    engines::{ConfiguredEngine, EngineFactory, EngineKind, EngineSection},
    http_client::Transport,
    settings::{
        Reader, Vault,
        kinds::{file, language},
    },
};
use mynah_domain::{
    Language,
    ports::{CallShape, Engine, EngineError, Item, ItemError, Languages, Reply},
    text::{MaskedText, Segment},
};

/// In the registry of engines.
#[derive(Debug)]
pub(crate) struct DictionaryKind;

/// `[engine.dictionary]`
#[derive(Debug, Clone)]
pub(crate) struct DictionarySettings {
    pub(crate) name: Arc<str>,
    pub(crate) file: PathBuf,
    pub(crate) to: Language,
}

impl EngineKind for DictionaryKind {
    fn name(&self) -> &'static str {
        "dictionary"
    }

    fn read(
        &self,
        section: &EngineSection<'_>,
        reader: &mut Reader<'_>,
        _: &mut Vault<'_>,
    ) -> Option<Arc<dyn ConfiguredEngine>> {
        let file = reader.or(&section.key("file"), "dictionary.csv", file);
        let to = reader.or(&section.key("language"), "es", language);
        Some(Arc::new(DictionarySettings { name: section.name.into(), file: file?, to: to? }))
    }
}

impl ConfiguredEngine for DictionarySettings {
    fn name(&self) -> &str {
        &self.name
    }

    fn longest_call(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn factory(&self, _: Transport) -> Result<EngineFactory, String> {
        let settings = self.clone();
        Ok(Arc::new(move || Rc::new(Dictionary(settings.clone()))))
    }
}

/// The engine.
pub(crate) struct Dictionary(DictionarySettings);

#[async_trait(?Send)]
impl Engine for Dictionary {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn revision(&self) -> String {
        "dictionary".into()
    }

    fn supports(&self, from: Language, to: Language) -> bool {
        from == Language::english() && to == self.0.to && from != to
    }

    fn composition(&self) -> CallShape {
        CallShape::new(50, Languages::One)
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        if !items.iter().any(|item| item.text.has_words()) {
            return Ok(Reply {
                items: items.iter().map(|item| Ok(item.text.clone())).collect(),
                ..Reply::default()
            });
        }
        // Read for each call, so that a change of the file takes effect at once.
        let lines = fs::read_to_string(&self.0.file)
            .map_err(|error| EngineError::Unavailable(format!("{}: {error}", self.0.file.display())))?;
        let words: HashMap<&str, &str> = lines.lines().filter_map(|line| line.split_once(',')).collect();
        let translate = |item: &Item| {
            if !self.supports(item.from, item.to) {
                return Err(ItemError::Refused(format!("the dictionary has no {}", item.to.name())));
            }
            let segment = |segment: &Segment| match segment {
                Segment::Words(text) => Segment::Words(by_word(text, &words)),
                placeholder @ Segment::Placeholder(_) => placeholder.clone(),
            };
            Ok(MaskedText::from_segments(item.text.0.iter().map(segment)))
        };
        Ok(Reply { items: items.iter().map(translate).collect(), calls: 1, ..Reply::default() })
    }
}

/// Each word as the dictionary has it; one that it does not have, and all that is no word, as it is.
fn by_word(text: &str, words: &HashMap<&str, &str>) -> String {
    let pieces = text.split_inclusive(|c: char| !c.is_alphabetic()).map(|piece| {
        let (word, rest) = piece.split_at(piece.find(|c: char| !c.is_alphabetic()).unwrap_or(piece.len()));
        words
            .get(word.to_lowercase().as_str())
            .map_or_else(|| piece.to_owned(), |known| format!("{known}{rest}"))
    });
    pieces.collect()
}
