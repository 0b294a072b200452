//! An engine that knows one answer, and the cascade that asks engines.

use std::{
    cell::{Ref, RefCell},
    sync::Arc,
};

use async_trait::async_trait;
use mynah_domain::{
    Language,
    backoff::Backoff,
    breaker::BreakerPolicy,
    ports::{CallShape, Engine, EngineError, Item, Languages, Reply, SystemClock},
    text::{MaskedText, Segment},
};

use super::Gate;
use crate::{stats::Meter, translator::cascade::EngineCascade, upstreams::Upstreams};

/// Translates every text as the same words, followed by what is protected in it, and remembers what it was asked.
pub(crate) struct FixedEngine {
    name: &'static str,
    words: &'static str,
    takes_advice: bool,
    /// Holds every call.
    gate: Option<Gate>,
    items: RefCell<Vec<Item>>,
}

impl FixedEngine {
    pub(crate) fn new(words: &'static str) -> Self {
        Self { name: "test", words, takes_advice: false, gate: None, items: RefCell::default() }
    }

    /// The same under another name. Its revision stays.
    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// The same, but it takes advice.
    pub(crate) fn that_takes_advice(self) -> Self {
        Self { takes_advice: true, ..self }
    }

    /// The same, with a gate before every answer.
    pub(crate) fn behind(self, gate: Gate) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// Lets this many calls pass the gate.
    pub(crate) fn let_pass(&self, calls: usize) {
        self.gate.as_ref().expect("there is a gate").let_pass(calls);
    }

    /// How often it was asked for a text.
    pub(crate) fn asked(&self) -> usize {
        self.items.borrow().len()
    }

    /// What it was asked.
    pub(crate) fn items(&self) -> Ref<'_, Vec<Item>> {
        self.items.borrow()
    }
}

#[async_trait(?Send)]
impl Engine for FixedEngine {
    fn name(&self) -> &'static str {
        self.name
    }

    fn revision(&self) -> String {
        "test".into()
    }

    fn supports(&self, _: Language, _: Language) -> bool {
        true
    }

    fn composition(&self) -> CallShape {
        CallShape::new(10, Languages::Many)
    }

    fn takes_advice(&self) -> bool {
        self.takes_advice
    }

    async fn translate(&self, items: &[Item]) -> Result<Reply, EngineError> {
        self.items.borrow_mut().extend_from_slice(items);
        if let Some(gate) = &self.gate {
            gate.pass().await;
        }
        let answer = |item: &Item| {
            let things = item.text.placeholders().map(Segment::Placeholder);
            Ok(MaskedText::from_segments([Segment::Words(self.words.into())].into_iter().chain(things)))
        };
        Ok(Reply { items: items.iter().map(answer).collect(), calls: 1, ..Reply::default() })
    }
}

/// A cascade without a cache. Its breakers open after this many failures, and `pause` is their pause, too.
pub(crate) fn cascade(failures: u32, pause: Backoff, max_calls: usize) -> EngineCascade {
    EngineCascade {
        cache: None,
        shared: None,
        spender: None,
        upstreams: Upstreams::new(BreakerPolicy { failures, pause, trial: pause.max }, max_calls),
        backoff: pause,
        clock: Arc::new(SystemClock),
        meter: Meter::default(),
    }
}
