//! Finds out which message each part of a thread replies to.

use std::collections::HashSet;

use mynah_domain::{Job, JobState, Reply, job::HoldKind};

use super::{
    Publisher, Threads,
    failure::{Halt, held},
};

impl Publisher {
    /// The message that a job's first part replies to: in a thread, the parent's publication on this account.
    pub(super) async fn parent_of(&self, job: &Job) -> Result<Option<Reply>, Halt> {
        let (ledger, target) = (&self.parts.ledger, &job.target);
        let mut next = job.post.kind.continues().cloned();
        let mut passed = HashSet::from([job.post.id.clone()]);
        while let Some(parent) = next {
            let known = ledger.publication_of(&parent, target).await?;
            if known.is_some() || self.parts.threads == Threads::Standalone {
                return Ok(known);
            }
            next = match ledger.state_of(&parent, target).await? {
                // The parent is older than the first recorded post: there is nothing to wait for.
                None => return Ok(None),
                // The parent will never be published: this post continues what comes before the parent in the thread.
                Some(JobState::Skipped) => match ledger.post(&job.source, &parent).await? {
                    // A post may reply to another version of itself, or of a post that replies to it.
                    Some(post) if passed.insert(post.id.clone()) => post.kind.continues().cloned(),
                    _ => return Ok(None),
                },
                Some(state) => {
                    // A late edit stands behind the replies to its first version: waiting for it would never end.
                    let position = ledger.post(&job.source, &parent).await?.map(|parent| parent.position);
                    if position > Some(job.post.position) {
                        return Ok(None);
                    }
                    let reason = format!(
                        "it continues post {parent} of its thread, which is {state} on this account; fix that one, then retry \
                         this one, or set publisher.threads = \"standalone\""
                    );
                    return Err(Halt::Event(held(HoldKind::Thread, reason, None)));
                }
            };
        }
        Ok(None)
    }
}
