//! How many tokens a request will have at most. Models cut text differently, so this is an estimate from above: money is
//! reserved by it before the call, and what is not used is free again after it.

use mynah_domain::ports::engine::{Item, Usage};

use super::{
    placeholders::Brackets,
    prompt::{Form, Prompt},
};

/// The fewest bytes that make a token, on average over a request: English has four, Greek and Cyrillic letters have two
/// bytes each and seldom a token of their own, and a Chinese character has three bytes and one token.
const BYTES_PER_TOKEN: u64 = 2;

/// What the schema of the answer and the frame of the request add for each item, and at least.
const FRAME: u64 = 64;

/// What a model may think before it answers a request for translations, in tokens.
const THOUGHT: u64 = 1024;

/// What one request with these items may use at most; `max_output` is the most tokens that the service is asked for.
pub(crate) fn most_usage(items: &[Item], form: Form, max_output: Option<u32>) -> Usage {
    let asked: Vec<&Item> = items.iter().filter(|item| item.text.has_words()).collect();
    if asked.is_empty() {
        return Usage { input_tokens: Some(0), output_tokens: Some(0), billed_characters: None };
    }
    let bytes = |text: &str| text.len() as u64;
    // Without brackets that the posts lack, no request is made.
    let sent = Brackets::absent_from(&asked.iter().map(|item| &item.text)).map_or(0, |brackets| {
        let prompt = Prompt::new(&asked, brackets, false, 0);
        bytes(&prompt.instruction(form)) + bytes(&prompt.data())
    });
    let frame = FRAME * (asked.len() as u64 + 1);
    let texts: u64 = asked.iter().flat_map(|item| item.text.words()).map(bytes).sum();
    // The answer repeats some of each text, and a translation may have twice the tokens of its text.
    let answered = texts * 2 + frame + THOUGHT;
    Usage {
        input_tokens: Some(sent / BYTES_PER_TOKEN + frame),
        output_tokens: Some(max_output.map_or(answered, |most| answered.min(most.into()))),
        billed_characters: None,
    }
}

#[cfg(test)]
mod tests {
    use mynah_domain::fixtures::{language, mask};

    use super::*;

    fn items(texts: &[&str]) -> Vec<Item> {
        texts.iter().map(|text| Item::new(mask(text).text, language("en"), language("es"))).collect()
    }

    #[test]
    fn more_text_may_need_more_tokens_up_to_what_is_asked_for() {
        let most = |texts: &[&str], max| most_usage(&items(texts), Form::Array, max);
        let (one, two) =
            (most(&["Good morning"], None), most(&["Good morning", "Good night, all of you"], None));
        assert!(two.input_tokens > one.input_tokens && two.output_tokens > one.output_tokens);
        // A request for one short text was measured at 650 tokens, and its answer at 30.
        assert!(one.input_tokens > Some(650) && one.output_tokens > Some(30), "{one:?}");
        assert_eq!(most(&["Good morning"], Some(256)).output_tokens, Some(256));
        assert_eq!(most(&["#goal"], None).input_tokens, Some(0), "what has no words is not sent");
    }
}
