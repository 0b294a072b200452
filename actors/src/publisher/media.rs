//! Copies a post's media to the network before the post's intent is written.

use std::time::Instant;

use log::warn;
use mynah_domain::{
    Job, JobEvent, MediaMissing, MediaPolicy,
    job::HoldKind,
    ports::{CopyError, MediaId},
};

use super::{Halt, Publisher, failure::held};

/// How often a medium is tried to be copied where somebody does not answer, before the post is said without it.
const COPIES: u32 = 3;

impl Publisher {
    /// Copies the post's media to the network, as far as the target has them and they can be copied.
    pub(super) async fn media(&self, job: &Job) -> Result<Vec<MediaId>, Halt> {
        let MediaPolicy::Copy { missing } = self.parts.target.media else { return Ok(Vec::new()) };
        let alts = job.translation.as_ref().map_or(&[][..], |translation| &translation.alts);
        let mut copied = Vec::new();
        for (number, medium) in job.post.media.iter().take(self.destination.max_media()).enumerate() {
            let alt = alts.get(number).map_or("", String::as_str);
            let started = Instant::now();
            // A film takes its time; each of its calls has a limit of its own.
            let answer = self.alive.pulse().at_rest(self.destination.copy(medium, alt)).await;
            self.alive.pulse().progress();
            let kind = answer.as_ref().err().map(|error| match error {
                CopyError::Missing(_) => "missing",
                CopyError::Later { .. } => "unavailable",
            });
            self.parts.meter.called(self.destination.network(), "media", started.elapsed(), kind);
            let why = match answer {
                Ok(id) => {
                    copied.push(id);
                    continue;
                }
                Err(CopyError::Later { reason, until }) if until.is_some() || job.attempt < COPIES => {
                    let later = self.in_a(self.backoff(job));
                    let not_before = Some(until.map_or(later, |until| until.max(later)));
                    let reason = format!("{} {}: {reason}", medium.kind, medium.key);
                    return Err(Halt::Event(JobEvent::NotSent { not_before, reason }));
                }
                Err(error) => error.to_string(),
            };
            let reason = format!("{} {} cannot be copied: {why}", medium.kind, medium.key);
            if missing == MediaMissing::Hold {
                let reason =
                    format!("{reason}; retry it, or set media_missing = \"publish\" to say it without");
                return Err(Halt::Event(held(HoldKind::Media, reason, None)));
            }
            warn!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason = reason.as_str(); "said without a medium");
        }
        Ok(copied)
    }
}
