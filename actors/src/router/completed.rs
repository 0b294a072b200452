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

#[cfg(test)]
mod tests {
    use mynah_domain::JobEvent;

    use super::*;
    use crate::testing::{es, queued, ready};

    #[test]
    fn finished_jobs_are_counted_by_stage_and_publications_by_target() {
        let ca = TargetId::new("net", "ca");
        let translated = JobReport::new(&queued(1), vec![JobEvent::Untouched]);
        let published = JobReport::new(&ready(1), vec![JobEvent::Published]);
        let elsewhere = JobReport { target: ca.clone(), ..published.clone() };
        let mut completed = Completed::default();
        completed.count(&[translated.clone(), published.clone()]);
        completed.count(&[translated, published, elsewhere]);
        assert_eq!((completed.translation, completed.on(&es()), completed.on(&ca)), (2, 2, 1));
    }
}
