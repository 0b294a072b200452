//! Copies a post's media, or the picture of its card, to the target's network before the post's intent is recorded: the
//! source's side fetches them, the target's side uploads them.

use std::{collections::BTreeMap, time::Instant};

use log::warn;
use mynah_domain::{
    Job, JobEvent, JobId, Media, MediaMissing, MediaPolicy,
    job::HoldKind,
    ports::{DraftCard, MediaId, UploadError, Uploaded},
};

use super::{
    Publisher,
    failure::{Halt, held, kind_of_denial, not_sent},
    payment::Billing,
};
use crate::supervision::shell::Stop;

/// How often to try to copy a medium if a service does not answer, before the post is published without it.
const COPIES: u32 = 3;

/// How often copies of a job's media got no answer. The job's count of attempts does not tell: they fail for other
/// reasons, too.
#[derive(Debug, Default)]
pub(super) struct FailedCopies {
    job: Option<JobId>,
    /// By the medium's number.
    failures: BTreeMap<usize, u32>,
}

impl Publisher {
    /// Counts a copy that got no answer. Only the head of a target's line is copied, so one job per target suffices.
    fn count_failed_copy(&self, job: &Job, number: usize) -> u32 {
        let mut of_targets = self.failed_copies.borrow_mut();
        let copies = of_targets.entry(job.target.clone()).or_default();
        // In the first attempt, or the first after a hold, nothing failed yet.
        if copies.job != Some(job.id) || job.attempt <= 1 {
            *copies = FailedCopies { job: Some(job.id), ..FailedCopies::default() };
        }
        let failures = copies.failures.entry(number).or_default();
        *failures += 1;
        *failures
    }

    /// Copies the post's media to the network, as far as the target wants media and they can be copied.
    pub(super) async fn media(&self, job: &Job, stop: &Stop) -> Result<Vec<MediaId>, Halt> {
        let Some(target) = self.parts.target(job) else { return Ok(Vec::new()) };
        let MediaPolicy::Copy { missing } = target.media else { return Ok(Vec::new()) };
        let most = target.network.limits().media;
        let alts = job.translation.as_ref().map_or(&[][..], |translation| &translation.alts);
        let mut copied = Vec::new();
        for (number, medium) in job.post.media.iter().take(most).enumerate() {
            let alt = alts.get(number).map_or("", String::as_str);
            let name = name_of(medium);
            let reason = match self.copied(job, number, medium, alt, stop).await? {
                Ok(Uploaded { id, undescribed }) => {
                    if let Some(why) = undescribed {
                        let reason = format!("{name} has no alt text: {why}");
                        warn!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason = reason.as_str(); "published without alt text");
                    }
                    copied.push(id);
                    continue;
                }
                Err(reason) => reason,
            };
            if missing == MediaMissing::Hold {
                let reason = format!(
                    "{reason}; retry it, or set media_missing = \"publish\" to publish the post without it"
                );
                return Err(Halt::Event(held(HoldKind::Media, reason, None)));
            }
            warn!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason = reason.as_str(); "published without media");
        }
        if copied.is_empty() && is_nothing_without_media(job) {
            let reason =
                "none of its media can be copied, and it has no text; publish it by hand, or skip it";
            return Err(Halt::Event(held(HoldKind::Media, reason.into(), None)));
        }
        Ok(copied)
    }

    /// The card of a part of a job, with its picture, if the part is published with one. A card whose picture cannot be
    /// copied has none: it leads to the same page.
    pub(super) async fn card(&self, job: &Job, part: u32, stop: &Stop) -> Result<Option<DraftCard>, Halt> {
        let (Some(translation), Some(card)) = (&job.translation, &job.post.card) else { return Ok(None) };
        let Some(words) = translation.card.as_deref().cloned() else { return Ok(None) };
        if card.part_of(&translation.parts) != part as usize {
            return Ok(None);
        }
        let url = card.url.clone();
        let Some(medium) = &card.picture else { return Ok(Some(DraftCard { url, words, picture: None })) };
        let picture = match self.copied(job, job.post.media.len(), medium, "", stop).await? {
            Ok(Uploaded { id, .. }) => Some(id),
            Err(reason) => {
                let reason = format!("the picture of the link's card: {reason}");
                warn!(post = job.post.id.0.as_str(), target = job.target.as_str(), job = job.id.0, reason = reason.as_str(); "published without media");
                None
            }
        };
        Ok(Some(DraftCard { url, words, picture }))
    }

    /// Copies a medium, which has this number among those of its job; says why if it cannot be copied.
    async fn copied(
        &self,
        job: &Job,
        number: usize,
        medium: &Media,
        alt: &str,
        stop: &Stop,
    ) -> Result<Result<Uploaded, String>, Halt> {
        let name = name_of(medium);
        let reserved = self.reserve_alt_text(job, alt).await?;
        let copy = self.copy(job, medium, alt, stop).await;
        let billing = match &copy {
            Some(Ok(Uploaded { undescribed: None, .. })) => Billing::Billed,
            Some(Ok(Uploaded { undescribed: Some(_), .. }) | Err(_)) => Billing::Free,
            None => Billing::Unknown,
        };
        self.settle_alt_text(reserved, billing).await;
        let copy = copy.ok_or(Halt::Event(JobEvent::Untouched))?;
        match copy {
            Ok(uploaded) => Ok(Ok(uploaded)),
            Err(UploadError::Denied(denied)) => Err(self.denied(job, &denied, not_sent)),
            Err(UploadError::Unavailable(why)) if self.count_failed_copy(job, number) < COPIES => {
                let not_before = Some(self.in_a(self.pause_for(job, None)));
                Err(Halt::Event(not_sent(format!("{name}: {why}"), not_before)))
            }
            Err(UploadError::Unavailable(why) | UploadError::Refused(why)) => {
                Ok(Err(format!("{name} cannot be copied: {why}")))
            }
        }
    }

    /// Copies one medium; `None` if a stop was requested meanwhile. A copy publishes nothing, so it is safe to abandon.
    async fn copy(
        &self,
        job: &Job,
        medium: &Media,
        alt: &str,
        stop: &Stop,
    ) -> Option<Result<Uploaded, UploadError>> {
        let started = Instant::now();
        // A video takes time; each of its calls has its own timeout.
        let copy = stop.or(self.fetch_and_upload(job, medium, alt));
        let answer = self.context.heartbeat().at_rest(copy).await?;
        self.context.heartbeat().progress();
        let kind = answer.as_ref().err().map(|error| match error {
            UploadError::Refused(_) => "missing",
            UploadError::Unavailable(_) => "unavailable",
            UploadError::Denied(denied) => kind_of_denial(denied),
        });
        self.parts.meter.called(self.destination.network(), "media", started.elapsed(), kind);
        Some(answer)
    }

    async fn fetch_and_upload(&self, job: &Job, medium: &Media, alt: &str) -> Result<Uploaded, UploadError> {
        let Some(fetcher) = self.fetchers.get(&*job.source) else {
            return Err(UploadError::Refused(format!("its source {} is no longer followed", job.source)));
        };
        let content = fetcher.fetch(medium, &self.destination.media_limits()).await?;
        self.destination.upload(content, alt).await
    }
}

fn name_of(medium: &Media) -> String {
    format!("{} {}", medium.kind, medium.key)
}

/// Whether a job's message would be empty without its media. The network would refuse it.
fn is_nothing_without_media(job: &Job) -> bool {
    job.translation.as_ref().is_some_and(|translation| translation.parts.iter().all(String::is_empty))
}
