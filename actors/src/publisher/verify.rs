//! Verifies that the credentials belong to the target's account before anything is published with them.

use std::time::Instant;

use mynah_domain::{Job, ports::PublishError};

use super::{
    Publisher,
    failure::{Halt, PutBack, not_sent, outcome_lost},
};

impl Publisher {
    /// Verifies the credentials, once per incarnation: new credentials come with a new publisher.
    pub(super) async fn verify(&self, job: &Job) -> Result<(), Halt> {
        if self.verified.get() {
            return Ok(());
        }
        let unanswered = job.publications.iter().any(|publication| publication.remote_id.is_none());
        let put_back: PutBack = if unanswered { outcome_lost } else { not_sent };
        self.permit(put_back)?;
        let started = Instant::now();
        let answer = self.destination.verify().await;
        self.record_call("verify", started, answer.as_ref().err());
        match answer {
            Ok(()) => {
                self.verified.set(true);
                Ok(())
            }
            Err(PublishError::Denied(denied)) => Err(self.denied(job, &denied, put_back)),
            Err(error) => {
                let reason = format!("nothing is published until the credentials are verified: {error}");
                Err(Halt::Event(put_back(reason, Some(self.in_a(self.pause_for(job, None))))))
            }
        }
    }
}
