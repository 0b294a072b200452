//! Counts the jobs that workers have finished so far, by stage.

use std::collections::BTreeMap;

use mynah_domain::TargetId;

use super::messages::JobReport;

/// How many jobs workers have reported.
#[derive(Debug, Default)]
pub(super) struct Completed {
    pub(super) translation: u64,
    publication: BTreeMap<TargetId, u64>,
}

impl Completed {
    /// Counts the reports of workers.
    pub(super) fn count(&mut self, reports: &[JobReport]) {
        for report in reports {
            if report.is_of_translation() {
                self.translation += 1;
            } else if let Some(completed) = self.publication.get_mut(&report.target) {
                *completed += 1;
            } else {
                self.publication.insert(report.target.clone(), 1);
            }
        }
    }

    /// How many were publications on this target.
    pub(super) fn on(&self, target: &TargetId) -> u64 {
        self.publication.get(target).copied().unwrap_or_default()
    }
}
