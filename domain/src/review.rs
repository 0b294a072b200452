//! Review by people: some translations are published only after a person has looked at them. A *draft* is what waits for
//! that person, with everything that is wrong with it; a *decision* is what the person made of it.

use serde::{Deserialize, Serialize};

use crate::Translation;

/// The most characters of a hint, a reason or a name that a person gives with a decision.
pub const NOTE_MOST: usize = 500;

/// Which translations a person must approve before they are published. Copies of posts without words need no approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReviewPolicy {
    /// None. A translation that does not pass the gate is held.
    #[default]
    Never,
    /// Those that would otherwise be held, because they did not pass the gate or are too long.
    OnDoubt,
    /// All.
    Always,
}

/// A translation that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Draft {
    /// What would be published. Without parts if no engine made a text that can be shown.
    pub translation: Translation,
    /// What is wrong with it; empty if it passed the gate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<Doubt>,
    /// Why a person accepts it although something is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

impl Draft {
    /// What is wrong with it, as one sentence for people; `None` if nothing is.
    pub fn summary(&self) -> Option<String> {
        let doubts: Vec<String> = self.doubts.iter().map(ToString::to_string).collect();
        (!doubts.is_empty()).then(|| doubts.join("; "))
    }
}

/// Something that is wrong with a draft.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[error("{message} [{rule}]")]
pub struct Doubt {
    /// The text that it is about: `text`, `warning`, `card title`, `card description`, or `alt text 1`.
    pub about: String,
    /// The rule's code ([`Finding::rule`](crate::gate::Finding::rule)), or `engine` if no engine translated the text.
    pub rule: String,
    /// What is wrong.
    pub message: String,
    /// Whether nobody can accept it, because the network would refuse the message.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
}

/// The name of the post's own text in [`Doubt::about`].
pub const TEXT: &str = "text";

/// What a person wants of the next translation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Guidance {
    /// What to do better, for an engine that takes advice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The only engine to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
}

/// What a person decided about a draft.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReviewDecision {
    /// The person, if known.
    pub who: Option<String>,
    /// What they decided.
    pub action: ReviewAction,
    /// Why, or the hint for the next translation.
    pub note: Option<String>,
}

/// The kinds of decisions about a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewAction {
    /// Publish the draft.
    Approve,
    /// Other words.
    Edit,
    /// Translate again.
    Again,
    /// Do not publish it.
    Skip,
}

impl ReviewAction {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Approve, Self::Edit, Self::Again, Self::Skip];

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    /// Its name in the ledger, in the API and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Edit => "edit",
            Self::Again => "again",
            Self::Skip => "skip",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_found_by_its_name_and_by_no_other() {
        for action in ReviewAction::ALL {
            assert_eq!(ReviewAction::from_name(action.as_str()), Some(action));
        }
        assert_eq!(ReviewAction::from_name("publish"), None);
    }

    #[test]
    fn a_draft_is_summed_up_by_what_is_wrong_with_it() {
        let doubt = |rule: &str, message: &str| Doubt {
            about: TEXT.into(),
            rule: rule.into(),
            message: message.into(),
            is_final: false,
        };
        let translation = Translation::by("test", vec!["Hola".into()]);
        let draft = Draft { translation, doubts: vec![], accepted: None };
        assert_eq!(draft.summary(), None);
        let draft = Draft { doubts: vec![doubt("a", "one is missing"), doubt("b", "two")], ..draft };
        assert_eq!(draft.summary().as_deref(), Some("one is missing [a]; two [b]"));
    }
}
