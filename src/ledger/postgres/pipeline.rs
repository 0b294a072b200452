//! Several statements in one round trip: all are sent before the first answer is awaited, in order.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use deadpool_postgres::Object;
use tokio_postgres::{Row, Statement, types::ToSql};

use super::errors::Result;

/// The values of a statement.
pub(in crate::ledger) type Values = Vec<Box<dyn ToSql + Sync + Send>>;

/// Statements to send together.
pub(super) struct Pipeline<'a> {
    db: &'a Object,
    begins: bool,
    statements: Vec<Order>,
}

struct Order {
    statement: Statement,
    values: Values,
    returns: bool,
}

/// The answer to a statement.
#[derive(Default)]
pub(super) struct Answer {
    /// The rows that it returned.
    pub(super) rows: Vec<Row>,
    /// How many rows it changed.
    pub(super) changed: u64,
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(db: &'a Object) -> Self {
        Self { db, begins: false, statements: Vec::new() }
    }

    /// The same, in a transaction that the caller ends.
    pub(super) fn begin(db: &'a Object) -> Self {
        Self { db, begins: true, statements: Vec::new() }
    }

    /// Adds a statement that returns rows.
    pub(super) async fn query(&mut self, sql: &str, values: Values) -> Result<()> {
        self.add(sql, values, true).await
    }

    /// Adds a statement that changes rows.
    pub(super) async fn execute(&mut self, sql: &str, values: Values) -> Result<()> {
        self.add(sql, values, false).await
    }

    async fn add(&mut self, sql: &str, values: Values, returns: bool) -> Result<()> {
        // A round trip once for each connection. It must not happen between statements that were sent already.
        let statement = self.db.prepare_cached(sql).await?;
        self.statements.push(Order { statement, values, returns });
        Ok(())
    }

    /// Sends all, and returns the answers in the same order, or the first error.
    pub(super) async fn run(self) -> Result<Vec<Answer>> {
        let Self { db, begins, statements } = self;
        let begin = async {
            if begins { db.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await } else { Ok(()) }
        };
        let mut begin: Pin<Box<dyn Future<Output = _> + Send + '_>> = Box::pin(begin);
        let mut running: Vec<Running<'_>> = statements.iter().map(|order| Running::of(db, order)).collect();
        let mut started = None;
        poll_fn(|context| {
            // Each is sent when it is polled for the first time, so the order is theirs.
            if started.is_none()
                && let Poll::Ready(outcome) = begin.as_mut().poll(context)
            {
                started = Some(outcome);
            }
            let mut is_ready = started.is_some();
            for one in &mut running {
                if one.outcome.is_none() {
                    match one.future.as_mut().poll(context) {
                        Poll::Ready(outcome) => one.outcome = Some(outcome),
                        Poll::Pending => is_ready = false,
                    }
                }
            }
            if is_ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        if let Some(outcome) = started {
            outcome?;
        }
        running.into_iter().map(|one| Ok(one.outcome.transpose()?.unwrap_or_default())).collect()
    }
}

type Outcome = std::result::Result<Answer, tokio_postgres::Error>;

struct Running<'a> {
    future: Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>,
    outcome: Option<Outcome>,
}

impl<'a> Running<'a> {
    fn of(db: &'a Object, order: &'a Order) -> Self {
        let future = Box::pin(async move {
            let values: Vec<&(dyn ToSql + Sync)> = order.values.iter().map(|value| &**value as _).collect();
            Ok(if order.returns {
                Answer { rows: db.query(&order.statement, &values).await?, changed: 0 }
            } else {
                Answer { rows: Vec::new(), changed: db.execute(&order.statement, &values).await? }
            })
        });
        Self { future, outcome: None }
    }
}
