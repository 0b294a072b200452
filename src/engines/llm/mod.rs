//! What the engines that are language models share. A model costs money, is at times overloaded, refuses some posts, and its
//! answer is written by a model, not by a program.
//!
//! - `prompt` writes what is asked: the rules as an instruction, and the posts as data that no rule can come from.
//! - `placeholders` is the form in which a model sees what must not change.
//! - `ids` names the items of a request, and `echo` finds translations under the id of another post.
//! - `list` finds the translations in the text that a model wrote, and `body` that text in the service's answer.
//! - `schema` is what an answer looks like, for services that hold a model to it.
//! - `estimate` is how many tokens a request will have at most.
//! - `failure` reads what failed calls of all services have in common.
//! - [`translate`] asks a [`Model`] for items. An answer that is spoiled as a whole (refused, cut off, no list) is often the
//!   fault of one post in it, so the posts are asked for again in halves, until that one is alone. Of an answer with a few
//!   translations under the wrong ids, those are asked for again, each alone, where it cannot be mistaken; with many, all once
//!   more, and then in halves.
//!
//! What is left to an engine's own folder is its wire: how a request is written, what its answers and refusals look like.

pub(crate) mod body;
pub(crate) mod echo;
pub(crate) mod estimate;
pub(crate) mod failure;
pub(crate) mod ids;
pub(crate) mod list;
pub(crate) mod placeholders;
#[cfg(test)]
mod played;
pub(crate) mod prompt;
pub(crate) mod schema;

use futures_util::future::{FutureExt as _, LocalBoxFuture};
use mynah_domain::{
    ports::engine::{EngineError, Item, ItemError, Reply, Usage},
    text::MaskedText,
};

use echo::{Answered, Drift};
use list::Answer;
use placeholders::Brackets;
use prompt::Prompt;

/// Answers one request.
pub(crate) trait Model {
    /// What errors call it, `Gemini`.
    fn name(&self) -> &str;

    /// Makes one request.
    ///
    /// # Errors
    /// Where it failed as a whole.
    async fn ask(&self, prompt: &Prompt<'_>) -> Result<(Outcome, Usage), EngineError>;
}

/// What one request brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// For each item asked for, in order.
    Items(Vec<Result<Answer, ItemError>>),
    /// Nothing for any item, for a reason that may lie with one of them: each is worth asking for alone.
    Spoiled(ItemError),
}

/// Translates items with at most `max_items` in one request.
///
/// # Errors
/// Where a request failed as a whole.
pub(crate) async fn translate(
    model: &impl Model,
    items: &[Item],
    max_items: usize,
) -> Result<Reply, EngineError> {
    // What has no words costs nothing.
    let (asked, silent): (Vec<_>, Vec<_>) =
        items.iter().enumerate().partition(|(_, item)| item.text.has_words());
    let mut translations = vec![Ok(MaskedText::default()); items.len()];
    for (at, item) in silent {
        translations[at] = Ok(item.text.clone());
    }
    let mut reply = Reply::default();
    for batch in asked.chunks(max_items.max(1)) {
        let items: Vec<&Item> = batch.iter().map(|(_, item)| *item).collect();
        match Brackets::absent_from(&items.iter().map(|item| &item.text)) {
            Some(brackets) => ask_more(&mut reply, model, &items, brackets, Attempt::First).await,
            None => reply.append(no_brackets_left(items.len())),
        }
    }
    if reply.calls == 0 {
        // Nothing came back, so nothing is billed.
        reply.stopped.take().map_or(Ok(()), Err)?;
    }
    for ((at, _), answer) in asked.iter().zip(reply.items) {
        translations[*at] = answer;
    }
    Ok(Reply { items: translations, ..reply })
}

fn no_brackets_left(items: usize) -> Reply {
    let why = "the post holds every kind of bracket that could mark a placeholder";
    Reply { items: vec![Err(ItemError::Unusable(why.into())); items], ..Reply::default() }
}

/// Whether an answer for these items was already out of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    First,
    AfterDrift,
}

/// Asks for more items, unless a request failed: then no other is made. What came before is billed, and is not lost.
async fn ask_more(
    reply: &mut Reply,
    model: &impl Model,
    items: &[&Item],
    brackets: Brackets,
    attempt: Attempt,
) {
    if reply.stopped.is_none() {
        match ask(model, items, brackets, attempt).await {
            Ok(more) => return reply.append(more),
            Err(error) => reply.stopped = Some(error),
        }
    }
    reply.append_not_reached(items.len());
}

/// Makes a request, and others for what its answer leaves open.
///
/// # Errors
/// Where the first request failed as a whole.
fn ask<'a, M: Model>(
    model: &'a M,
    items: &'a [&'a Item],
    brackets: Brackets,
    attempt: Attempt,
) -> LocalBoxFuture<'a, Result<Reply, EngineError>> {
    async move {
        let prompt = Prompt::new(items, brackets, attempt == Attempt::AfterDrift, fastrand::u64(..));
        let (outcome, usage) = model.ask(&prompt).await?;
        let mut reply = Reply { calls: 1, usage, ..Reply::default() };
        let answers = match outcome {
            Outcome::Items(answers) => answers,
            Outcome::Spoiled(error) if items.len() <= 1 => {
                reply.items = vec![Err(error)];
                return Ok(reply);
            }
            Outcome::Spoiled(error) => {
                log::debug!(model = model.name(), items = items.len(), reason:% = error; "batch split");
                reply.spoiled = 1;
                let (first, second) = items.split_at(items.len() / 2);
                ask_more(&mut reply, model, first, brackets, attempt).await;
                ask_more(&mut reply, model, second, brackets, attempt).await;
                return Ok(reply);
            }
        };
        let drift = drift_of(&prompt, &answers);
        if drift != Drift::None {
            log::debug!(model = model.name(), items = items.len(), adrift = drift.count(items.len()); "answers out of step");
        }
        let alone = match drift {
            Drift::None => Vec::new(),
            Drift::Some(adrift) => adrift,
            // Models that repeat nothing will not do so the next time either.
            Drift::Unknown => {
                reply.spoiled = 1;
                (0..items.len()).collect()
            }
            Drift::Most(_) => {
                reply.spoiled = 1;
                if attempt == Attempt::First {
                    ask_more(&mut reply, model, items, brackets, Attempt::AfterDrift).await;
                } else {
                    let (first, second) = items.split_at(items.len() / 2);
                    ask_more(&mut reply, model, first, brackets, attempt).await;
                    ask_more(&mut reply, model, second, brackets, attempt).await;
                }
                return Ok(reply);
            }
        };
        let answers = answers.into_iter().zip(items);
        reply.items = answers
            .map(|(answer, item)| answer.map(|answer| brackets.read(&answer.text, &item.text)))
            .collect();
        for at in alone {
            // What the author said before in the same thread goes with it. The items beside it are of other threads.
            ask_more(&mut reply, model, &items[at..=at], brackets, attempt).await;
            if let Some(answer) = reply.items.pop() {
                reply.items[at] = answer;
            }
        }
        Ok(reply)
    }
    .boxed_local()
}

/// Which of a request's answers are of other items' texts.
fn drift_of(prompt: &Prompt<'_>, answers: &[Result<Answer, ItemError>]) -> Drift {
    // Nothing can be mistaken for the answer to a single question.
    let Some(echo) = &prompt.echo else { return Drift::None };
    let answered: Vec<_> = answers
        .iter()
        .map(|answer| {
            let Answer { echo, text } = answer.as_ref().ok()?;
            Some(Answered { echo: echo.as_deref(), text })
        })
        .collect();
    echo.drift(&answered)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use mynah_domain::fixtures::{language, mask};

    use super::*;

    /// A model that answers as `answer` says, and notes which texts each request has.
    struct Fake<F>(F, RefCell<Vec<Vec<String>>>);

    impl<F: Fn(&[String]) -> Outcome> Model for Fake<F> {
        fn name(&self) -> &'static str {
            "The model"
        }

        async fn ask(&self, prompt: &Prompt<'_>) -> Result<(Outcome, Usage), EngineError> {
            let texts: Vec<String> = prompt.items.iter().map(|item| item.text.words().collect()).collect();
            let outcome = (self.0)(&texts);
            self.1.borrow_mut().push(texts);
            Ok((outcome, Usage { input_tokens: Some(1), ..Usage::default() }))
        }
    }

    async fn asked(
        answer: impl Fn(&[String]) -> Outcome,
        texts: &[&str],
        max_items: usize,
    ) -> (Reply, Vec<Vec<String>>) {
        let model = Fake(answer, RefCell::default());
        let item = |text: &&str| Item::new(mask(text).text, language("en"), language("es"));
        let items: Vec<Item> = texts.iter().map(item).collect();
        let reply = translate(&model, &items, max_items).await.unwrap();
        (reply, model.1.into_inner())
    }

    fn sizes(requests: &[Vec<String>]) -> Vec<usize> {
        requests.iter().map(Vec::len).collect()
    }

    /// The right translation.
    fn spanish(text: &str) -> String {
        format!("ES {text}")
    }

    /// Answers whose translations, and the echoes beside them, are of these texts.
    fn of<'a>(texts: impl IntoIterator<Item = Option<&'a String>>) -> Outcome {
        let answer = |text: Option<&String>| match text {
            Some(text) => Ok(Answer { echo: Some(text.clone()), text: spanish(text) }),
            None => Err(ItemError::Unusable("left out".into())),
        };
        Outcome::Items(texts.into_iter().map(answer).collect())
    }

    fn right(texts: &[String]) -> Outcome {
        of(texts.iter().map(Some))
    }

    fn spoiled_but_for_one(texts: &[String]) -> Outcome {
        if texts.len() == 1 { right(texts) } else { Outcome::Spoiled(ItemError::Unusable("cut off".into())) }
    }

    const NINE: [&str; 9] = [
        "The bridge is closed until Monday",
        "Fresh bread again from tomorrow on",
        "Thanks to all who came to the concert",
        "Rain all day, take an umbrella with you",
        "The library opens at noon",
        "Nobody told the mayor about it",
        "The school looks for two cooks",
        "Our team won its first match",
        "Sorry for the noise last night",
    ];

    /// Asserts that each of the nine has its own translation or none, and returns how many have none.
    fn none_of_another(reply: &Reply) -> usize {
        assert_eq!(reply.items.len(), NINE.len());
        let answered =
            NINE.iter().zip(&reply.items).filter_map(|(text, answer)| Some((text, answer.as_ref().ok()?)));
        let right =
            answered.map(|(text, answer)| assert_eq!(answer.words().collect::<String>(), spanish(text)));
        NINE.len() - right.count()
    }

    #[actix_rt::test]
    async fn a_spoiled_answer_is_asked_for_in_halves_and_all_is_counted() {
        let (reply, requests) = asked(spoiled_but_for_one, &["a", "b", "c", "d"], 4).await;
        assert_eq!(sizes(&requests), [4, 2, 1, 1, 2, 1, 1]);
        assert!(reply.items.iter().all(Result::is_ok));
        assert_eq!((reply.calls, reply.spoiled, reply.usage.input_tokens), (7, 3, Some(7)));
    }

    #[actix_rt::test]
    async fn a_request_that_fails_in_the_middle_loses_nothing_that_was_answered_or_billed() {
        /// Answers two requests, and no other.
        struct Failing(Fake<fn(&[String]) -> Outcome>);

        impl Model for Failing {
            fn name(&self) -> &'static str {
                "The model"
            }

            async fn ask(&self, prompt: &Prompt<'_>) -> Result<(Outcome, Usage), EngineError> {
                if self.0.1.borrow().len() == 2 {
                    return Err(EngineError::Unavailable("down".into()));
                }
                self.0.ask(prompt).await
            }
        }

        let item = |text: &str| Item::new(mask(text).text, language("en"), language("es"));
        let items: Vec<Item> = ["a", "b", "c"].map(item).into();
        let spoiled = Failing(Fake(spoiled_but_for_one, RefCell::default()));
        let reply = translate(&spoiled, &items, 3).await.unwrap();
        let open = Err(ItemError::NotReached);
        assert!(reply.items[0].is_ok() && reply.items[1..] == [open.clone(), open.clone()], "{reply:?}");
        assert_eq!((reply.calls, reply.usage.input_tokens), (2, Some(2)));
        assert_eq!(reply.stopped, Some(EngineError::Unavailable("down".into())));
        // In chunks, and where nothing is answered.
        let in_order = Failing(Fake(right, RefCell::default()));
        let reply = translate(&in_order, &items, 1).await.unwrap();
        assert!(reply.items[1].is_ok() && reply.items[2] == open && reply.stopped.is_some(), "{reply:?}");
        assert!(translate(&in_order, &items, 1).await.is_err());
    }

    #[actix_rt::test]
    async fn a_text_with_every_kind_of_bracket_is_unusable_and_costs_no_request() {
        let (reply, requests) = asked(right, &["all of ⟦⟫⦃\u{e001}", "a"], 1).await;
        assert!(matches!(&reply.items[..], [Err(ItemError::Unusable(_)), Ok(_)]));
        assert_eq!((sizes(&requests), reply.calls), (vec![1], 1));
    }

    #[actix_rt::test]
    async fn what_has_no_words_is_answered_in_its_place_and_costs_no_request() {
        let (reply, requests) = asked(right, &["a", "#goal", "b", "c"], 2).await;
        assert_eq!(sizes(&requests), [2, 1]);
        assert_eq!(reply.items[1].as_ref().unwrap().key(), mask("#goal").text.key());
        assert!(reply.items.iter().all(Result::is_ok) && reply.items.len() == 4);
    }

    #[actix_rt::test]
    async fn a_few_translations_of_other_texts_are_asked_for_alone() {
        let swapped = |texts: &[String]| {
            let mut order: Vec<_> = texts.iter().map(Some).collect();
            if order.len() > 6 {
                order.swap(4, 5);
            }
            of(order)
        };
        let doubled = |texts: &[String]| {
            let mut order: Vec<_> = texts.iter().map(Some).collect();
            if order.len() > 6 {
                order[5] = order[4];
            }
            of(order)
        };
        let (reply, requests) = asked(swapped, &NINE, 9).await;
        assert_eq!((none_of_another(&reply), sizes(&requests)), (0, vec![9, 1, 1]));
        assert_eq!((reply.calls, reply.spoiled, reply.usage.input_tokens), (3, 0, Some(3)));
        let (reply, requests) = asked(doubled, &NINE, 9).await;
        assert_eq!((none_of_another(&reply), sizes(&requests)), (0, vec![9, 1]));
    }

    #[actix_rt::test]
    async fn an_answer_that_is_out_of_step_is_asked_for_once_more_and_then_in_halves() {
        // All move up, and the last is left out.
        let shifted = |texts: &[String]| of(texts.iter().skip(1).map(Some).chain([None]));
        let times = RefCell::new(0);
        let once = |texts: &[String]| {
            *times.borrow_mut() += 1;
            if *times.borrow() == 1 { shifted(texts) } else { right(texts) }
        };
        let (reply, requests) = asked(once, &NINE, 9).await;
        assert_eq!((none_of_another(&reply), sizes(&requests)), (0, vec![9, 9]));
        assert_eq!((reply.calls, reply.spoiled), (2, 1));
        let large = |texts: &[String]| if texts.len() > 4 { shifted(texts) } else { right(texts) };
        let (reply, requests) = asked(large, &NINE, 9).await;
        assert_eq!((none_of_another(&reply), sizes(&requests)), (0, vec![9, 9, 4, 5, 2, 3]));
        let always = |texts: &[String]| if texts.len() > 1 { shifted(texts) } else { right(texts) };
        let (reply, _) = asked(always, &NINE, 9).await;
        none_of_another(&reply);
    }

    #[actix_rt::test]
    async fn two_texts_in_one_translation_are_found_with_what_comes_behind_them() {
        let merged = |texts: &[String]| {
            if texts.len() < 6 {
                return right(texts);
            }
            let both = format!("{} {}", texts[1], texts[2]);
            let behind = texts.iter().skip(3).map(Some).chain([None]);
            of([Some(&texts[0]), Some(&both)].into_iter().chain(behind))
        };
        let (reply, _) = asked(merged, &NINE, 9).await;
        assert_eq!(none_of_another(&reply), 0);
    }

    #[actix_rt::test]
    async fn texts_of_a_model_that_repeats_nothing_are_asked_for_alone() {
        let silent = |texts: &[String]| {
            Outcome::Items(
                texts.iter().rev().map(|text| Ok(Answer { echo: None, text: spanish(text) })).collect(),
            )
        };
        let (reply, requests) = asked(silent, &NINE, 9).await;
        assert_eq!((none_of_another(&reply), requests.len()), (0, 10));
        assert_eq!((reply.calls, reply.spoiled), (10, 1), "less is sent at once the next time");
    }
}
