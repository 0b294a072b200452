//! Copies a post's media to the network before the post's intent is written.

use std::time::Instant;

use log::warn;
use mynah_domain::{
    Job, JobEvent, Media, MediaMissing, MediaPolicy,
    job::HoldKind,
    ports::{Copied, CopyError, MediaId},
};

use super::{
    Publisher,
    failure::{Halt, held, kind_of_denial, not_sent},
};
use crate::supervision::shell::Stop;

/// How often a medium is tried to be copied where somebody does not answer, before the post is said without it.
const COPIES: u32 = 3;

impl Publisher {
    /// Copies the post's media to the network, as far as the target has them and they can be copied.
    pub(super) async fn media(&self, job: &Job, stop: &Stop) -> Result<Vec<MediaId>, Halt> {
        let Some(MediaPolicy::Copy { missing }) = self.parts.target(job).map(|target| target.media) else {
            return Ok(Vec::new());
        };
        let alts = job.translation.as_ref().map_or(&[][..], |translation| &translation.alts);
        let mut copied = Vec::new();
        for (number, medium) in job.post.media.iter().take(self.destination.max_media()).enumerate() {
            let alt = alts.get(number).map_or("", String::as_str);
            let name = format!("{} {}", medium.kind, medium.key);
            let why = match self.copy(medium, alt, stop).await.ok_or(Halt::Event(JobEvent::Untouched))? {
                Ok(Copied { id, undescribed }) => {
                    if let Some(why) = undescribed {
                        let reason = format!("{name} has no alt text: {why}");
                        warn!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason = reason.as_str(); "published without an alt text");
                    }
                    copied.push(id);
                    continue;
                }
                Err(CopyError::Denied(denied)) => return Err(self.denied(job, &denied, not_sent)),
                Err(CopyError::Unavailable(why)) if job.attempt < COPIES => {
                    let not_before = Some(self.in_a(self.pause_for(job, None)));
                    return Err(Halt::Event(not_sent(format!("{name}: {why}"), not_before)));
                }
                Err(CopyError::Unavailable(why) | CopyError::Missing(why)) => why,
            };
            let reason = format!("{name} cannot be copied: {why}");
            if missing == MediaMissing::Hold {
                let reason =
                    format!("{reason}; retry it, or set media_missing = \"publish\" to say it without");
                return Err(Halt::Event(held(HoldKind::Media, reason, None)));
            }
            warn!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason = reason.as_str(); "said without a medium");
        }
        Ok(copied)
    }

    /// Copies one medium; `None` where a stop was asked for meanwhile. Nothing is published by a copy, so it may be given up.
    async fn copy(&self, medium: &Media, alt: &str, stop: &Stop) -> Option<Result<Copied, CopyError>> {
        let started = Instant::now();
        // A film takes its time; each of its calls has a limit of its own.
        let answer = self.context.heartbeat().at_rest(stop.or(self.destination.copy(medium, alt))).await?;
        self.context.heartbeat().progress();
        let kind = answer.as_ref().err().map(|error| match error {
            CopyError::Missing(_) => "missing",
            CopyError::Unavailable(_) => "unavailable",
            CopyError::Denied(denied) => kind_of_denial(denied),
        });
        self.parts.meter.called(self.destination.network(), "media", started.elapsed(), kind);
        Some(answer)
    }
}
