//! What the parts of a thread answer.

use std::collections::HashSet;

use mynah_domain::{Job, JobState, Reply, job::HoldKind};

use super::{
    Publisher, Threads,
    failure::{Halt, held},
};

impl Publisher {
    /// What the first part of a job continues: in a thread, what the parent became on this account.
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
                // From before the account was followed: there is nothing to wait for.
                None => return Ok(None),
                // Never to be published: this one continues what comes before it in the thread.
                Some(JobState::Skipped) => match ledger.post(&job.source, &parent).await? {
                    // A post may answer another version of itself, or of one that answers it.
                    Some(post) if passed.insert(post.id.clone()) => post.kind.continues().cloned(),
                    _ => return Ok(None),
                },
                Some(state) => {
                    // An edit that came late stands behind what answers its first version: to wait for it would be forever.
                    let stands = ledger.post(&job.source, &parent).await?.map(|parent| parent.position);
                    if stands > Some(job.post.position) {
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
