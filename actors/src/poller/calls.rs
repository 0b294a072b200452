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
        let page = self.call("read", self.source.page(request), stop).await??;
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
        self.call("reread", self.source.by_id(id), stop).await
    }

    async fn call<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, SourceError>>,
        stop: &Stop,
    ) -> Result<Result<T, SourceError>, Trouble> {
        let network = self.source.network();
        // If only this source does not answer, the others and all publishers should go on.
        let upstream = if self.parts.company.is_alone() { network } else { self.parts.source.as_str() };
        while let Err(until) = self.parts.upstreams.permit(upstream) {
            let pause = actix_rt::time::sleep_until(until.into());
            stop.or(self.context.heartbeat().at_rest(pause)).await.ok_or(Trouble::Stopped)?;
        }
        let started = Instant::now();
        failpoint::reach("source.read.before");
        let answer = call.await;
        failpoint::reach("source.read.after");
        let silent = matches!(answer, Err(SourceError::Unavailable(_)));
        self.parts
            .upstreams
            .record(upstream, if silent { CallOutcome::Silent } else { CallOutcome::Answered });
        self.parts.meter.called(network, operation, started.elapsed(), answer.as_ref().err().map(kind_of));
        Ok(answer)
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
