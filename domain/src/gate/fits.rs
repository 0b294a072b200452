//! Every part fits in one publication.

use super::{Finding, seen::Seen};

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let max = seen.candidate.max_weight?;
    let longest = seen.candidate.parts.iter().map(|part| seen.candidate.rules.weigh(part)).max()?;
    (longest > max).then(|| Finding {
        rule: "fits",
        message: format!(
            "the translation has a length of {longest}, more than the {max} that the account may publish"
        ),
    })
}
