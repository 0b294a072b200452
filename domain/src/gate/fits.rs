//! Every part fits into one publication.

use super::{Candidate, Finding};
use crate::text::weighted_length;

pub(super) fn check(candidate: &Candidate<'_>) -> Option<Finding> {
    let max = candidate.max_weighted_length;
    let longest = candidate.parts.iter().map(|part| weighted_length(part)).max()?;
    (longest > max).then(|| Finding {
        rule: "fits",
        message: format!(
            "the translation weighs {longest}, more than the {max} that the account may publish"
        ),
    })
}
