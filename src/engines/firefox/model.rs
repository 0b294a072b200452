//! A model in memory. Its file comes from a network or from a person, and the library that reads it trusts what it reads: a
//! wrong length in the header would end the process, not only the call. So everything about a file is checked before the
//! library sees it, and what the library does afterwards is checked again for panics by the caller.

use std::{fs, io, path::PathBuf};

use super::{line::Vocabulary, store::Installed};

/// A model that translates sentences of one language to another.
pub(super) trait Neural: Vocabulary {
    /// The translation of each sentence, in order. Sentences that do not fit are returned as they are.
    fn translate(&self, sentences: &[&str]) -> Vec<String>;
}

/// A model cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelError {
    /// A file cannot be read.
    #[error("cannot read {path}: {reason}; {fix}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        reason: String,
        /// The command that gets it again.
        fix: String,
    },
    /// A file is not the one that was downloaded.
    #[error("{path} is damaged: {what}; {fix}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// The command that gets it again.
        fix: String,
    },
    /// The library panicked.
    #[error("the model {pair} failed on a text: {reason}")]
    Panicked {
        /// From which language to which.
        pair: String,
        /// The panic's message.
        reason: String,
    },
    /// The engine is not part of this program, or not usable on this processor.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The engine's thread is gone.
    #[error("the thread of the engine firefox is gone; restart Mynah")]
    Gone,
}

/// The engine cannot be used by this program on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The cargo feature is off.
    #[error(
        "this build of Mynah does not contain the engine firefox; build it with `--features firefox`, or remove firefox from \
         engine.order"
    )]
    NotBuilt,
    /// The processor lacks the instructions that the kernels were compiled for.
    #[error(
        "this machine's processor has no {0}, which the engine firefox needs; remove firefox from engine.order"
    )]
    Processor(&'static str),
}

/// Whether the engine can be used at all. Its kernels are compiled for certain instructions and do not ask whether they exist.
///
/// # Errors
/// Says what is missing.
pub(super) fn usable() -> Result<(), Unusable> {
    if cfg!(not(feature = "firefox")) {
        return Err(Unusable::NotBuilt);
    }
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("avx2") {
        return Err(Unusable::Processor("AVX2"));
    }
    #[cfg(target_arch = "aarch64")]
    if !std::arch::is_aarch64_feature_detected!("i8mm") {
        return Err(Unusable::Processor("I8MM"));
    }
    Ok(())
}

/// Reads a model's files, checks them, and makes the model.
///
/// # Errors
/// Names the file and the fix.
pub(super) fn load(installed: &Installed, threads: usize) -> Result<Box<dyn Neural>, ModelError> {
    usable()?;
    let mut contents = Vec::with_capacity(3);
    for file in installed.files() {
        let unreadable = |error: io::Error| ModelError::Unreadable {
            path: file.path.clone(),
            reason: error.to_string(),
            fix: installed.fix(),
        };
        let bytes = fs::read(&file.path).map_err(unreadable)?;
        let damaged =
            |what: String| ModelError::Damaged { path: file.path.clone(), what, fix: installed.fix() };
        file.verify(&bytes).map_err(damaged)?;
        contents.push(bytes);
    }
    let [model, source, target] = contents.as_slice() else { return Err(ModelError::Gone) };
    let [of_model, of_source, of_target] = installed.files();
    let damaged = |path: &PathBuf, what: &str| ModelError::Damaged {
        path: path.clone(),
        what: what.to_owned(),
        fix: installed.fix(),
    };
    check_container(model).map_err(|what| damaged(&of_model.path, what))?;
    for (bytes, file) in [(source, of_source), (target, of_target)] {
        check_vocabulary(bytes).map_err(|what| damaged(&file.path, what))?;
    }
    neural(model, source, target, threads).map_err(|what| damaged(&of_model.path, &what))
}

#[cfg(feature = "firefox")]
fn neural(model: &[u8], source: &[u8], target: &[u8], threads: usize) -> Result<Box<dyn Neural>, String> {
    let engine = fxtranslate::engine::Engine::from_bytes(model, source, target)?;
    Ok(Box::new(Firefox::new(engine.with_threads(threads.max(1)))))
}

#[cfg(not(feature = "firefox"))]
fn neural(_: &[u8], _: &[u8], _: &[u8], _: usize) -> Result<Box<dyn Neural>, String> {
    Err(Unusable::NotBuilt.to_string())
}

/// The library's engine, and what its vocabulary does not know.
#[cfg(feature = "firefox")]
struct Firefox {
    engine: fxtranslate::engine::Engine,
    /// The piece for what has no other; `None` if the vocabulary spells unknown characters in bytes.
    unknown: Option<u32>,
}

#[cfg(feature = "firefox")]
impl Firefox {
    fn new(engine: fxtranslate::engine::Engine) -> Self {
        // A character that stands for nothing, so that no vocabulary has a piece for it. The pieces are: a space, it, the end.
        let ids = engine.src_ids("\u{10fffd}");
        let unknown = match ids.as_slice() {
            [.., unknown, _] if ids.len() <= 3 => Some(*unknown),
            _ => None,
        };
        Self { engine, unknown }
    }
}

#[cfg(feature = "firefox")]
impl Vocabulary for Firefox {
    fn knows(&self, text: &str) -> bool {
        self.unknown.is_none_or(|unknown| !self.engine.src_ids(text).contains(&unknown))
    }

    fn fits(&self, text: &str) -> bool {
        // With the piece that ends a sentence.
        self.engine.src_ids(text).len() <= fxtranslate::segment::CONTEXT_WINDOW
    }
}

#[cfg(feature = "firefox")]
impl Neural for Firefox {
    fn translate(&self, sentences: &[&str]) -> Vec<String> {
        let fitting: Vec<&str> = sentences.iter().copied().filter(|sentence| self.fits(sentence)).collect();
        let mut translated = self.engine.translate_batch(&fitting).into_iter();
        sentences
            .iter()
            .map(|sentence| {
                if self.fits(sentence) {
                    translated.next().unwrap_or_default()
                } else {
                    (*sentence).to_owned()
                }
            })
            .collect()
    }
}

/// Whether a file can be a Marian container of version 1: a header whose lengths add up to the file's.
fn check_container(bytes: &[u8]) -> Result<(), &'static str> {
    /// Firefox's models have some 300 tensors of at most four dimensions.
    const MOST: u64 = 100_000;
    const CUT: &str = "it ends too early";
    let word = |at: u64| -> Result<u64, &'static str> {
        let at = usize::try_from(at).map_err(|_| CUT)?;
        let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).ok_or(CUT)?;
        Ok(u64::from_le_bytes(*word))
    };
    if word(0)? != 1 {
        return Err("it is no Marian model of version 1");
    }
    let tensors = word(8)?;
    if tensors == 0 || tensors > MOST {
        return Err("the number of its tensors makes no sense");
    }
    let (mut names, mut shapes, mut data) = (0_u64, 0_u64, 0_u64);
    for tensor in 0..tensors {
        let header = 16 + tensor * 32;
        let (name, dimensions, length) = (word(header)?, word(header + 16)?, word(header + 24)?);
        if name > MOST || dimensions > MOST {
            return Err("the lengths in its header make no sense");
        }
        names += name;
        shapes += 4 * dimensions;
        data = data.checked_add(length).ok_or("the lengths in its header make no sense")?;
    }
    let gap = 16 + tensors * 32 + names + shapes;
    let end = (gap + 8).checked_add(word(gap)?).and_then(|start| start.checked_add(data));
    match end {
        Some(end) if end <= bytes.len() as u64 => Ok(()),
        _ => Err(CUT),
    }
}

/// Whether a file can be a `SentencePiece` vocabulary: a message that begins with a piece, and has an end of sentences.
fn check_vocabulary(bytes: &[u8]) -> Result<(), &'static str> {
    let has_end = memchr::memmem::find(bytes, b"</s>").is_some();
    if bytes.first() == Some(&0x0a) && has_end { Ok(()) } else { Err("it is no SentencePiece vocabulary") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::firefox::made_up;

    #[test]
    fn a_container_is_checked_before_the_library_sees_it() {
        let model = made_up::model();
        assert_eq!(check_container(&model), Ok(()));
        assert_eq!(check_container(&model[..model.len() - 1]), Err("it ends too early"));
        for length in [0, 7, 8, 15, 40, 100] {
            assert!(check_container(&model[..length]).is_err(), "{length}");
        }
        for (at, value) in
            [(0, 2), (8, u64::MAX), (8, 0), (8, 99_999), (16, u64::MAX), (32, 1 << 40), (40, u64::MAX)]
        {
            let mut wrong = model.clone();
            wrong[at..at + 8].copy_from_slice(&value.to_le_bytes());
            assert!(check_container(&wrong).is_err(), "{value} at {at}");
        }
        assert!(check_vocabulary(&made_up::vocabulary()).is_ok());
        assert!(check_vocabulary(b"<html>").is_err() && check_vocabulary(b"").is_err());
    }
}
