//! Finds out which message a post replies to or quotes: what its parent, or the quoted post, became on this account.

use std::collections::HashSet;

use mynah_domain::{Job, JobState, PostId, PostKind, Reply, job::HoldKind};

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

    /// What the post that a job's post quotes became on this account. A quote waits for nothing: if what it quotes is
    /// not on the account, it is published without it.
    pub(super) async fn quoted_by(&self, job: &Job) -> Result<Option<PostId>, Halt> {
        let PostKind::Quote { of } = &job.post.kind else { return Ok(None) };
        let ledger = &self.parts.ledger;
        let Some(Reply { root, parent }) = ledger.publication_of(of, &job.target).await? else {
            return Ok(None);
        };
        // A long post begins with the root of its own thread; a post within a thread is quoted itself.
        let quoted = ledger.post(&job.source, of).await?;
        let begins = quoted.is_some_and(|quoted| quoted.kind.continues().is_none());
        Ok(Some(if begins { root } else { parent }))
    }
}
