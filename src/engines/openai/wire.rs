//! What a service accepts in a request. Many services speak most of OpenAI's API, and each refuses another part of it: a
//! schema, a temperature, the name of a limit. A request that a service refuses because of such a part is made again without
//! it, and so are all that follow.

use std::sync::{Mutex, PoisonError};

use super::{
    service::{LimitName, Shape},
    settings::OpenAiSettings,
};

/// A part of a request that a service may not accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    ResponseFormat,
    Temperature,
    Limit,
    Effort,
}

impl Part {
    fn as_str(self) -> &'static str {
        match self {
            Self::ResponseFormat => "response_format",
            Self::Temperature => "temperature",
            Self::Limit => "max_tokens",
            Self::Effort => "reasoning_effort",
        }
    }
}

/// The parts that requests have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) shape: Shape,
    pub(super) temperature: bool,
    pub(super) limit: Option<LimitName>,
    /// Whether the limit's other name was refused already.
    renamed: bool,
    pub(super) effort: bool,
}

impl Parts {
    /// These without what a service refused; `None` if they do not have it.
    fn without(self, part: Part) -> Option<Self> {
        Some(match part {
            Part::ResponseFormat => Self {
                shape: match self.shape {
                    Shape::Schema => Shape::Object,
                    Shape::Object => Shape::Words,
                    Shape::Words => return None,
                },
                ..self
            },
            Part::Temperature => Self { temperature: self.temperature.then_some(false)?, ..self },
            Part::Limit => {
                let limit = self.limit?;
                Self { limit: (!self.renamed).then(|| limit.other()), renamed: true, ..self }
            }
            Part::Effort => Self { effort: self.effort.then_some(false)?, ..self },
        })
    }

    /// What takes the place of a part.
    fn instead_of(self, part: Part) -> &'static str {
        match (part, self.shape, self.limit) {
            (Part::ResponseFormat, Shape::Schema | Shape::Object, _) => "json_object",
            (Part::Limit, _, Some(limit)) => limit.as_str(),
            _ => "none",
        }
    }
}

/// What one service accepts, as far as it is known. Shared by all threads.
#[derive(Debug)]
pub(super) struct Wire(Mutex<Parts>);

impl Wire {
    /// What the service of these settings is known to accept.
    pub(super) fn of(settings: &OpenAiSettings) -> Self {
        let defaults = settings.service.defaults();
        Self(Mutex::new(Parts {
            shape: defaults.shape,
            temperature: true,
            limit: Some(defaults.limit),
            renamed: false,
            effort: settings.reasoning_effort.is_some(),
        }))
    }

    /// The parts of the next request.
    pub(super) fn parts(&self) -> Parts {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request with these parts was refused because of one of them. Returns whether to make it again, with
    /// [other parts](Self::parts).
    pub(super) fn refused(&self, upstream: &str, used: Parts, part: Part, reason: &str) -> bool {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *parts != used {
            // Another call has learned something since.
            return true;
        }
        let Some(fewer) = used.without(part) else { return false };
        *parts = fewer;
        log::info!(
            upstream = upstream,
            option = part.as_str(),
            instead = fewer.instead_of(part),
            reason = reason;
            "engine option not accepted"
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Parts = Parts {
        shape: Shape::Schema,
        temperature: true,
        limit: Some(LimitName::MaxTokens),
        renamed: false,
        effort: true,
    };

    /// How often each part can be given up.
    fn steps(part: Part) -> usize {
        let wire = Wire(Mutex::new(ALL));
        (0..10).take_while(|_| wire.refused("model", wire.parts(), part, "no")).count()
    }

    #[test]
    fn a_part_is_given_up_step_by_step_and_never_asked_for_again() {
        assert_eq!(
            [Part::ResponseFormat, Part::Limit, Part::Temperature, Part::Effort].map(steps),
            [2, 2, 1, 1]
        );
        let wire = Wire(Mutex::new(ALL));
        wire.refused("model", ALL, Part::Limit, "use max_completion_tokens");
        assert_eq!(wire.parts().limit, Some(LimitName::MaxCompletionTokens));
        wire.refused("model", wire.parts(), Part::Limit, "no limits here");
        assert_eq!(wire.parts().limit, None);
    }

    #[test]
    fn calls_that_fail_together_give_up_a_part_once() {
        let wire = Wire(Mutex::new(ALL));
        assert!(wire.refused("model", ALL, Part::ResponseFormat, "no"));
        assert!(
            wire.refused("model", ALL, Part::ResponseFormat, "no"),
            "it was made before the first was refused"
        );
        assert_eq!(wire.parts().shape, Shape::Object);
    }
}
