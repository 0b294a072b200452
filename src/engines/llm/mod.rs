//! What the engines that are language models share. A model costs money, is at times overloaded, refuses some posts, and its
//! answer is written by a model, not by a program.
//!
//! - `prompt` writes what is asked: the rules as an instruction, and the posts as data that no rule can come from.
//! - `placeholders` is the form in which a model sees what must not change.
//! - `list` finds the translations in the text that a model wrote.
//! - [`translate`] asks a [`Model`] for items. An answer that is spoiled as a whole (refused, cut off, no list) is often the
//!   fault of one post in it, so the posts are asked for again in halves, until that one is alone.
//!
//! What is left to an engine's own folder is its wire: how a request is written, what its answers and refusals look like.

pub(crate) mod list;
pub(crate) mod placeholders;
#[cfg(test)]
mod played;
pub(crate) mod prompt;

use futures_util::future::{FutureExt as _, LocalBoxFuture};
use mynah_domain::{
    ports::engine::{EngineError, Item, ItemError, Reply, Usage},
    text::MaskedText,
};

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
    async fn ask(&self, prompt: Prompt<'_>) -> Result<(Outcome, Usage), EngineError>;
}

/// What one request brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// For each item asked for, in order.
    Items(Vec<Result<String, ItemError>>),
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
        reply.append(match Brackets::absent_from(&items.iter().map(|item| &item.text)) {
            Some(brackets) => ask(model, Prompt { items: &items, brackets }).await?,
            None => no_brackets_left(items.len()),
        });
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

/// Makes a request; where its answer is spoiled, one for each half of the items. A request that fails as a whole ends it all:
/// what came before is asked for again with the rest.
fn ask<'a, M: Model>(model: &'a M, prompt: Prompt<'a>) -> LocalBoxFuture<'a, Result<Reply, EngineError>> {
    async move {
        let Prompt { items, brackets } = prompt;
        let (outcome, usage) = model.ask(prompt).await?;
        let mut reply = Reply { calls: 1, usage, ..Reply::default() };
        match outcome {
            Outcome::Items(answers) => {
                let answers = answers.into_iter().zip(items);
                reply.items = answers
                    .map(|(answer, item)| answer.map(|text| brackets.read(&text, &item.text)))
                    .collect();
            }
            Outcome::Spoiled(error) if items.len() <= 1 => reply.items = vec![Err(error)],
            Outcome::Spoiled(error) => {
                log::debug!(model = model.name(), items = items.len(), reason:% = error; "batch split");
                reply.spoiled = 1;
                let (first, second) = items.split_at(items.len() / 2);
                reply.append(ask(model, Prompt { items: first, brackets }).await?);
                reply.append(ask(model, Prompt { items: second, brackets }).await?);
            }
        }
        Ok(reply)
    }
    .boxed_local()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use mynah_domain::fixtures::{language, mask};

    use super::*;

    /// Answers what `outcome` says to a number of items, and notes the numbers.
    struct Fake(fn(usize) -> Outcome, RefCell<Vec<usize>>);

    impl Model for Fake {
        fn name(&self) -> &'static str {
            "The model"
        }

        async fn ask(&self, prompt: Prompt<'_>) -> Result<(Outcome, Usage), EngineError> {
            self.1.borrow_mut().push(prompt.items.len());
            let usage = Usage { input_tokens: Some(1), output_tokens: None };
            Ok((self.0(prompt.items.len()), usage))
        }
    }

    async fn asked(outcome: fn(usize) -> Outcome, texts: &[&str], max_items: usize) -> (Reply, Vec<usize>) {
        let model = Fake(outcome, RefCell::default());
        let item = |text: &&str| Item::new(mask(text).text, language("en"), language("es"));
        let items: Vec<Item> = texts.iter().map(item).collect();
        let reply = translate(&model, &items, max_items).await.unwrap();
        (reply, model.1.into_inner())
    }

    fn hola(items: usize) -> Outcome {
        Outcome::Items(vec![Ok("hola".into()); items])
    }

    fn spoiled_but_for_one(items: usize) -> Outcome {
        if items == 1 { hola(1) } else { Outcome::Spoiled(ItemError::Unusable("cut off".into())) }
    }

    #[actix_rt::test]
    async fn a_spoiled_answer_is_asked_for_in_halves_and_all_is_counted() {
        let (reply, requests) = asked(spoiled_but_for_one, &["a", "b", "c", "d"], 4).await;
        assert_eq!(requests, [4, 2, 1, 1, 2, 1, 1]);
        assert!(reply.items.iter().all(Result::is_ok));
        assert_eq!((reply.calls, reply.spoiled, reply.usage.input_tokens), (7, 3, Some(7)));
    }

    #[actix_rt::test]
    async fn a_text_with_every_kind_of_bracket_is_unusable_and_costs_no_request() {
        let (reply, requests) = asked(hola, &["all of ⟦⟫⦃\u{e001}", "a"], 1).await;
        assert!(matches!(&reply.items[..], [Err(ItemError::Unusable(_)), Ok(_)]));
        assert_eq!((requests, reply.calls), (vec![1], 1));
    }

    #[actix_rt::test]
    async fn what_has_no_words_is_answered_in_its_place_and_costs_no_request() {
        let (reply, requests) = asked(hola, &["a", "#goal", "b", "c"], 2).await;
        assert_eq!(requests, [2, 1]);
        assert_eq!(reply.items[1].as_ref().unwrap().key(), mask("#goal").text.key());
        assert!(reply.items.iter().all(Result::is_ok) && reply.items.len() == 4);
    }
}
