//! What copying a whole ledger needs, beside its port.

use std::sync::Arc;

use mynah_domain::ports::{LedgerError, SystemClock};
use tokio_postgres::{Row, types::ToSql};

use super::{Address, Member, OpenError, PostgresLedger, engine, open, pipeline::Values};

/// Only for a ledger that nothing else uses.
impl PostgresLedger {
    /// Opens a ledger, also one that is an incomplete copy.
    pub(in crate::ledger) async fn open_to_copy(
        address: &Address,
        member: Member,
    ) -> Result<Self, OpenError> {
        Self::open_as(address, member, Arc::new(SystemClock), |_| {}, open::Incomplete::IsFine).await
    }

    /// Runs a statement, and returns its rows.
    pub(in crate::ledger) async fn query(
        &self,
        sql: String,
        values: Values,
    ) -> Result<Vec<Row>, LedgerError> {
        self.call(async move |db| {
            let statement = db.prepare_cached(&sql).await?;
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as _).collect();
            Ok(db.query(&statement, &values).await?)
        })
        .await
    }

    /// Numbers new jobs behind those that were copied.
    pub(in crate::ledger) async fn number_on(&self) -> Result<(), LedgerError> {
        self.call(async move |db| engine::number_on(db).await).await
    }
}
