//! Every part fits into one publication.

use super::{Finding, seen::Seen};
use crate::text::weighted_length;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let max = seen.candidate.max_weighted_length;
    let longest = seen.candidate.parts.iter().map(|part| weighted_length(part)).max()?;
    (longest > max).then(|| Finding {
        rule: "fits",
        message: format!(
            "the translation weighs {longest}, more than the {max} that the account may publish"
        ),
    })
}
