//! No publication breaks a rule of the target's network, which would refuse it. The finding has the network's own code.

use super::{Finding, seen::Seen};

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let candidate = seen.candidate;
    let refusal = candidate.parts.iter().find_map(|part| candidate.rules.refusal(part))?;
    Some(Finding { rule: refusal.rule, message: refusal.message })
}

#[cfg(test)]
mod tests {
    use super::super::{Candidate, findings};
    use crate::{
        Language,
        fixtures::{language, mask},
        network::{Limits, NetworkRules, PlainText, Refusal, Repeat},
        text::Entity,
    };

    /// The rules of a network that refuses questions.
    #[derive(Debug)]
    struct NoQuestions(PlainText);

    impl NetworkRules for NoQuestions {
        fn name(&self) -> &'static str {
            self.0.name()
        }

        fn weigh(&self, text: &str) -> usize {
            self.0.weigh(text)
        }

        fn counting(&self) -> &'static str {
            self.0.counting()
        }

        fn entities(&self, text: &str) -> Vec<Entity> {
            self.0.entities(text)
        }

        fn limits(&self) -> &Limits {
            self.0.limits()
        }

        fn repeat(&self) -> Repeat {
            self.0.repeat()
        }

        fn refusal(&self, text: &str) -> Option<Refusal> {
            text.contains('?')
                .then(|| Refusal { rule: "questions", message: "questions are not allowed".into() })
        }
    }

    #[test]
    fn a_text_that_the_network_would_refuse_is_found_in_any_part_under_the_networks_code() {
        let (source, rules) = (mask("Who comes? The mayor"), NoQuestions(PlainText::default()));
        let found = |parts: &[&str]| {
            let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            let (from, to) = (Language::english(), language("es"));
            findings(&Candidate {
                source: &source,
                parts: &parts,
                rules: &rules,
                max_weight: None,
                from,
                to,
                others: &[],
            })
        };
        let finding = &found(&["El alcalde.", "¿Quién viene?"])[0];
        assert_eq!((finding.rule, finding.message.as_str()), ("questions", "questions are not allowed"));
        assert!(found(&["Viene el alcalde"]).is_empty());
    }
}
