//! What the engines share that are translation services and no language models: a service takes a list of texts in one pair of
//! languages, and answers with a list of translations.
//!
//! - `markup` writes placeholders in a form that the service keeps, and reads them back.
//! - `refusal` reads what is the same in the refusals of all.
//! - [`translate`] asks a [`Service`]. Items go into one request if the service may treat them alike. A request that is too large
//!   is made again in halves, and a text whose marks came back damaged is translated piece by piece: worse, because the service
//!   sees no whole sentence, but nothing can be lost.
//!
//! What is left to an engine's own folder is its wire: how a request is written, what its answers and refusals look like.

pub(crate) mod markup;
pub(crate) mod refusal;

use futures_util::future::{FutureExt as _, LocalBoxFuture};
use mynah_domain::{
    Language,
    ports::engine::{EngineError, Item, ItemError, Reply, Usage},
    text::{MaskedText, Segment},
};

use super::lines::Part;
use markup::{Form, Marked, Plain};

/// The most characters that a number between brackets has.
const BRACKETED: u64 = 8;

/// The most characters that a service counts in a request for these items: their words, and what placeholders become.
pub(crate) fn most_characters(items: &[Item]) -> u64 {
    let count = |text: &str| text.chars().count() as u64;
    let of_item = |item: &Item| {
        let words: u64 = item.text.words().map(count).sum();
        let placeholders = item.text.placeholders().count() as u64 * BRACKETED;
        words + placeholders + item.stands_for.iter().map(|(_, thing)| count(thing)).sum::<u64>()
    };
    items.iter().filter(|item| item.text.has_words()).map(of_item).sum()
}

/// Answers one request.
pub(crate) trait Service {
    /// What errors call it, `DeepL`.
    const NAME: &'static str;

    /// The most texts in one request.
    fn max_texts(&self) -> usize;

    /// The most bytes of texts in one request, written as JSON.
    fn max_bytes(&self) -> usize;

    /// How placeholders are written for a pair of languages.
    fn form(&self, from: Language, to: Language) -> Form;

    /// Cuts an item's text into what is sent as one text each.
    fn parts(&self, text: &MaskedText) -> Vec<Part>;

    /// Whether two items may be in one request.
    fn are_alike(&self, one: &Item, other: &Item) -> bool {
        (one.from, one.to) == (other.from, other.to)
    }

    /// Makes one request for texts in a form. Everything else is as for this item, to which the others are alike.
    ///
    /// # Errors
    /// Where it failed as a whole.
    async fn ask(&self, texts: &[&str], form: Form, like: &Item) -> Result<Outcome, EngineError>;
}

/// What one request brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// For each text, in order.
    Translations(Vec<Result<String, ItemError>>, Usage),
    /// Nothing, for a reason that is the same for each text, however few there are.
    Refused(ItemError),
    /// Nothing, because of one of the texts or because they are too many. The error is that of a text alone.
    Spoiled(ItemError),
}

/// Translates items.
///
/// # Errors
/// Where a request failed as a whole.
pub(crate) async fn translate<S: Service>(service: &S, items: &[Item]) -> Result<Reply, EngineError> {
    let mut reply = Reply::default();
    // What has no words costs nothing.
    let mut answers: Vec<_> = items.iter().map(|item| Ok(item.text.clone())).collect();
    for group in groups(service, items) {
        let of_group: Vec<&Item> = group.iter().map(|at| &items[*at]).collect();
        for (at, answer) in group.into_iter().zip(translate_alike(service, &of_group, &mut reply).await?) {
            answers[at] = answer;
        }
    }
    Ok(Reply { items: answers, ..reply })
}

/// The places of items with words, those that are alike together.
fn groups<S: Service>(service: &S, items: &[Item]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (at, item) in items.iter().enumerate().filter(|(_, item)| item.text.has_words()) {
        let is_for = |group: &&mut Vec<usize>| service.are_alike(&items[group[0]], item);
        match groups.iter_mut().find(is_for) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups
}

/// A part of an item's text that the service translates.
struct Unit {
    segments: Vec<Segment>,
    /// `None` if the text contains every kind of mark already.
    marked: Option<Marked>,
    answer: Result<Vec<Segment>, ItemError>,
}

/// A part of an item's text.
enum Place {
    AsItIs(Vec<Segment>),
    /// The unit with this number.
    Unit(usize),
}

async fn translate_alike<S: Service>(
    service: &S,
    items: &[&Item],
    reply: &mut Reply,
) -> Result<Vec<Result<MaskedText, ItemError>>, EngineError> {
    let Some(like) = items.first() else { return Ok(Vec::new()) };
    let form = service.form(like.from, like.to);
    let mut units = Vec::new();
    let mut places: Vec<Vec<Place>> = Vec::with_capacity(items.len());
    for item in items {
        let places_of_item = service.parts(&item.text).into_iter().map(|part| match part {
            Part::AsItIs(segments) => Place::AsItIs(segments),
            Part::Line(segments) => {
                let marked = Marked::new(&segments, &item.stands_for, form);
                units.push(Unit { segments, marked, answer: Err(unanswered::<S>()) });
                Place::Unit(units.len() - 1)
            }
        });
        places.push(places_of_item.collect());
    }
    let damaged = ask_whole(service, like, form, &mut units, reply).await?;
    if !damaged.is_empty() {
        ask_in_pieces(service, like, form, &mut units, &damaged, reply).await;
    }
    Ok(places.into_iter().map(|places| assembled(places, &units)).collect())
}

fn unanswered<S: Service>() -> ItemError {
    ItemError::Unusable(format!("{} did not answer for the text", S::NAME))
}

/// An item's translation, of its parts.
fn assembled(places: Vec<Place>, units: &[Unit]) -> Result<MaskedText, ItemError> {
    let mut segments = Vec::new();
    for place in places {
        match place {
            Place::AsItIs(own) => segments.extend(own),
            Place::Unit(at) => segments.extend(units[at].answer.clone()?),
        }
    }
    Ok(MaskedText::from_segments(segments))
}

/// Asks for all units, and returns the numbers of those whose marks came back damaged.
async fn ask_whole<S: Service>(
    service: &S,
    like: &Item,
    form: Form,
    units: &mut [Unit],
    reply: &mut Reply,
) -> Result<Vec<usize>, EngineError> {
    let asked: Vec<(usize, &Marked)> =
        units.iter().enumerate().filter_map(|(at, unit)| Some((at, unit.marked.as_ref()?))).collect();
    let texts: Vec<&str> = asked.iter().map(|(_, marked)| marked.text()).collect();
    let translations = ask_all(service, like, form, &texts, reply).await?;
    let read = asked
        .iter()
        .zip(translations)
        .map(|((at, marked), translation)| (*at, translation.map(|translation| marked.read(&translation))));
    let mut damaged: Vec<usize> = (0..units.len()).filter(|at| units[*at].marked.is_none()).collect();
    for (at, answer) in read.collect::<Vec<_>>() {
        units[at].answer = match answer {
            Ok(Ok(segments)) => Ok(segments),
            Ok(Err(error)) => {
                log::debug!(engine = S::NAME, reason:% = error; "text translated in pieces");
                damaged.push(at);
                Err(ItemError::Unusable(format!("{}: {error}", S::NAME)))
            }
            Err(error) => Err(error),
        };
    }
    Ok(damaged)
}

/// Asks for the words between what must not change. If that fails, the units stay unusable: what was translated whole must not
/// be lost with them.
async fn ask_in_pieces<S: Service>(
    service: &S,
    like: &Item,
    form: Form,
    units: &mut [Unit],
    damaged: &[usize],
    reply: &mut Reply,
) {
    let pieces: Vec<Vec<Result<Plain, Segment>>> =
        damaged.iter().map(|at| Plain::pieces(&units[*at].segments, form)).collect();
    let texts: Vec<&str> = pieces.iter().flatten().flatten().map(Plain::text).collect();
    let translations = match ask_all(service, like, form, &texts, reply).await {
        Ok(translations) => translations,
        Err(error) => {
            log::debug!(engine = S::NAME, reason:% = error; "pieces not translated");
            return;
        }
    };
    let mut translations = translations.into_iter();
    for (at, pieces) in damaged.iter().zip(&pieces) {
        let read = |piece: &Result<Plain, Segment>| match piece {
            Err(kept) => Ok(kept.clone()),
            Ok(plain) => {
                let translation = translations.next().unwrap_or_else(|| Err(unanswered::<S>()))?;
                plain.read(&translation).map_err(|error| ItemError::Unusable(format!("{}: {error}", S::NAME)))
            }
        };
        // All are read, even after one that failed, so that the next unit gets its own.
        let segments: Vec<Result<Segment, ItemError>> = pieces.iter().map(read).collect();
        units[*at].answer = segments.into_iter().collect();
    }
}

/// Asks for texts, in as many requests as they need. There is an answer for each.
async fn ask_all<S: Service>(
    service: &S,
    like: &Item,
    form: Form,
    texts: &[&str],
    reply: &mut Reply,
) -> Result<Vec<Result<String, ItemError>>, EngineError> {
    let mut answers = Vec::with_capacity(texts.len());
    let mut rest = texts;
    while !rest.is_empty() {
        let (batch, more) = rest.split_at(fitting(service, rest));
        rest = more;
        match batch {
            [] => break,
            [text] if as_json(text) > service.max_bytes() => {
                answers.push(Err(ItemError::Refused(format!(
                    "the text is too large for {}, which accepts {} bytes in one request",
                    S::NAME,
                    service.max_bytes()
                ))));
            }
            batch => answers.extend(ask(service, like, form, batch, reply).await?),
        }
    }
    Ok(answers)
}

/// How many of these texts, at least one, fit into one request.
fn fitting<S: Service>(service: &S, texts: &[&str]) -> usize {
    let mut bytes = 0_usize;
    let fits = |text: &&&str| {
        bytes = bytes.saturating_add(as_json(text));
        bytes <= service.max_bytes()
    };
    texts.iter().take(service.max_texts().max(1)).take_while(fits).count().max(1)
}

/// The bytes of a text in a list of JSON, at most: a control character takes six.
fn as_json(text: &str) -> usize {
    let escapes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' => 2,
        0..0x20 => 6,
        _ => 1,
    });
    escapes.sum::<usize>() + 3
}

/// Makes a request, and others for what its answer leaves open. After one that failed, no other is made; what came before it is
/// billed, and is not lost.
///
/// # Errors
/// Where the first request of the call failed as a whole.
fn ask<'a, S: Service>(
    service: &'a S,
    like: &'a Item,
    form: Form,
    texts: &'a [&'a str],
    reply: &'a mut Reply,
) -> LocalBoxFuture<'a, Result<Vec<Result<String, ItemError>>, EngineError>> {
    async move {
        if reply.stopped.is_some() {
            return Ok(vec![Err(ItemError::NotReached); texts.len()]);
        }
        let outcome = match service.ask(texts, form, like).await {
            Ok(outcome) => outcome,
            Err(error) if reply.calls == 0 => return Err(error),
            Err(error) => {
                reply.stopped = Some(error);
                return Ok(vec![Err(ItemError::NotReached); texts.len()]);
            }
        };
        reply.calls = reply.calls.saturating_add(1);
        let error = match outcome {
            Outcome::Translations(answers, usage) => {
                reply.usage.add(usage);
                if answers.len() == texts.len() {
                    return Ok(answers);
                }
                // Nobody knows which translation is of which text.
                ItemError::Unusable(format!(
                    "{} answered with {} translations for {} texts",
                    S::NAME,
                    answers.len(),
                    texts.len()
                ))
            }
            Outcome::Refused(error) => return Ok(vec![Err(error); texts.len()]),
            Outcome::Spoiled(error) => error,
        };
        if texts.len() <= 1 {
            return Ok(vec![Err(error); texts.len()]);
        }
        log::debug!(model = S::NAME, items = texts.len(), reason:% = error; "batch split");
        reply.spoiled = reply.spoiled.saturating_add(1);
        let (first, second) = texts.split_at(texts.len() / 2);
        let mut answers = ask(service, like, form, first, reply).await?;
        answers.extend(ask(service, like, form, second, reply).await?);
        Ok(answers)
    }
    .boxed_local()
}

#[cfg(test)]
pub(crate) mod tests;
