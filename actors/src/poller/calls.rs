//! Calls the source: each call waits until the network may be called, and its result goes to the circuit breaker and the
//! meter.

use std::time::Instant;

use log::warn;
use mynah_domain::{
    PostId,
    breaker::CallOutcome,
    ports::{Lookup, Page, PageRequest, SourceError},
};

use super::{Poller, Trouble};
use crate::{failpoint, supervision::shell::Stop};

impl Poller {
    pub(super) async fn page(&self, request: &PageRequest, stop: &Stop) -> Result<Page, Trouble> {
        self.permit(stop).await?;
        let started = Instant::now();
        failpoint::reach("source.read.before");
        let page = self.source.page(request).await;
        failpoint::reach("source.read.after");
        self.record_call("read", started, &page);
        let page = page?;
        for oddity in &page.oddities {
            warn!(source = self.parts.source.as_str(), reason:% = oddity; "unexpected source answer received");
        }
        Ok(page)
    }

    pub(super) async fn by_id(
        &self,
        id: &PostId,
        stop: &Stop,
    ) -> Result<Result<Lookup, SourceError>, Trouble> {
        self.permit(stop).await?;
        let started = Instant::now();
        failpoint::reach("source.read.before");
        let answer = self.source.by_id(id).await;
        failpoint::reach("source.read.after");
        self.record_call("reread", started, &answer);
        Ok(answer)
    }

    /// Waits until the network may be called.
    async fn permit(&self, stop: &Stop) -> Result<(), Trouble> {
        while let Err(until) = self.parts.upstreams.permit(self.source.network()) {
            let pause = actix_rt::time::sleep_until(until.into());
            stop.or(self.context.heartbeat().at_rest(pause)).await.ok_or(Trouble::Stopped)?;
        }
        Ok(())
    }

    /// Reports the result of a call to the circuit breaker and the meter.
    fn record_call<T>(&self, operation: &'static str, started: Instant, answer: &Result<T, SourceError>) {
        let network = self.source.network();
        let silent = matches!(answer, Err(SourceError::Unavailable(_)));
        self.parts
            .upstreams
            .record(network, if silent { CallOutcome::Silent } else { CallOutcome::Answered });
        self.parts.meter.called(network, operation, started.elapsed(), answer.as_ref().err().map(kind_of));
    }
}

fn kind_of(error: &SourceError) -> &'static str {
    match error {
        SourceError::Account(_) => "account",
        SourceError::Unauthorized(_) => "unauthorized",
        SourceError::RateLimited { .. } => "rate_limited",
        SourceError::Unavailable(_) => "unavailable",
        SourceError::Refused(_) => "refused",
    }
}
