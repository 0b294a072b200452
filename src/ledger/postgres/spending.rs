//! Reads what was spent and what is reserved, and prepares what a batch writes of it.
//!
//! Two instances must not both spend the last cent. A batch that a limit allowed something reads the number of a row before
//! it adds anything up, and writes only if the row still has that number; so does no other batch of another instance that
//! spends money under a limit meanwhile. The rows that are added up differ for each scope and period, so none of them could
//! be checked instead. What spends without a limit does not touch the row.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use deadpool_postgres::Object;
use jiff::civil::Date;
use mynah_domain::{
    TargetId,
    budget::{Charge, Limit, Payer, Purpose, Scope},
    ports::ledger::ReservationKey,
};
use tokio_postgres::Row;

use super::{
    super::spending::{self, Book, Line, Rows, Sum, micros},
    errors::{Error, Result},
    pipeline::{Answer, Pipeline, Values},
    rows::{get, storable, to_integer},
};

/// The number that every batch changes which spends money under a limit.
const VERSION: &str = "SELECT version FROM spending_version";

const SUMS: &str = "
    SELECT coalesce((
        SELECT sum(micros) FROM spending WHERE day >= wanted.since AND CASE wanted.scope
            WHEN 'source' THEN source = wanted.name WHEN 'target' THEN target = wanted.name
            WHEN 'service' THEN service = wanted.name ELSE true END
    ), 0)::bigint, coalesce((
        SELECT sum(micros) FROM reservations WHERE day >= wanted.since AND CASE wanted.scope
            WHEN 'source' THEN source = wanted.name WHEN 'target' THEN target = wanted.name
            WHEN 'service' THEN service = wanted.name ELSE true END
    ), 0)::bigint
    FROM UNNEST($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS wanted (scope, name, since, number)
    ORDER BY number";

const RESERVATIONS: &str = "
    SELECT day, source, target, service, purpose, micros, units, key FROM reservations WHERE key = ANY($1::bigint[])";

const CHARGES: &str = "
    SELECT day, source, target, service, purpose, sum(micros)::bigint, sum(units)::bigint FROM (
        SELECT day, source, target, service, purpose, micros, units FROM spending WHERE day >= $1
        UNION ALL
        SELECT day, source, target, service, purpose, micros, units FROM reservations WHERE day >= $1
    ) AS all_charges
    GROUP BY day, source, target, service, purpose HAVING sum(micros) <> 0 OR sum(units) <> 0";

/// Written only if the number is the one that was read.
pub(super) const NEXT_VERSION: &str =
    "UPDATE spending_version SET version = version + 1 WHERE version = coalesce($1::bigint, version)";

/// In the order of the key, as in every batch, so that no two wait for each other.
pub(super) const SPENT: &str = "
    INSERT INTO spending (day, source, target, service, purpose, micros, units)
    SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
    ON CONFLICT (day, source, target, service, purpose) DO UPDATE
        SET micros = spending.micros + excluded.micros, units = spending.units + excluded.units";

pub(super) const RELEASED: &str = "DELETE FROM reservations WHERE key = ANY($1::bigint[])";

pub(super) const RESERVED: &str = "
    INSERT INTO reservations (day, source, target, service, purpose, micros, units, key)
    SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
                         $8::bigint[])";

/// What a batch needs to know.
#[derive(Default)]
pub(super) struct Wanted {
    scopes: BTreeSet<(Scope, Date)>,
    keys: BTreeSet<ReservationKey>,
}

/// What the rows had when the batch read them.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) version: Option<i64>,
    sums: HashMap<(Scope, Date), Sum>,
    reservations: BTreeMap<ReservationKey, Vec<Charge>>,
}

impl Wanted {
    pub(super) fn limits(&mut self, limits: &[Limit]) {
        self.scopes.extend(limits.iter().map(|limit| (limit.scope.clone(), limit.since)));
    }

    pub(super) fn reservation(&mut self, key: ReservationKey) {
        self.keys.insert(key);
    }

    /// Adds the queries to a pipeline; [`Wanted::answered`] reads their answers.
    pub(super) async fn ask(&self, pipeline: &mut Pipeline<'_>) -> Result<()> {
        if !self.scopes.is_empty() {
            // First: if another batch commits in between, the number is an older one than the sums.
            pipeline.query(VERSION, Vec::new()).await?;
            let (mut kinds, mut names, mut days) = (Vec::new(), Vec::new(), Vec::new());
            for (scope, since) in &self.scopes {
                let (kind, name) = match scope {
                    Scope::Everything => ("everything", ""),
                    Scope::Source(source) => ("source", &**source),
                    Scope::Target(target) => ("target", target.as_str()),
                    Scope::Service(service) => ("service", &**service),
                };
                kinds.push(kind);
                names.push(storable(name).into_owned());
                days.push(since.to_string());
            }
            pipeline.query(SUMS, vec![Box::new(kinds), Box::new(names), Box::new(days)]).await?;
        }
        if !self.keys.is_empty() {
            let keys: Vec<i64> = self.keys.iter().map(|key| key.0).collect();
            pipeline.query(RESERVATIONS, vec![Box::new(keys)]).await?;
        }
        Ok(())
    }

    pub(super) fn answered(self, answers: &mut impl Iterator<Item = Answer>) -> Result<Loaded> {
        let mut next = || answers.next().map(|answer| answer.rows).unwrap_or_default();
        let mut loaded = Loaded::default();
        if !self.scopes.is_empty() {
            loaded.version = next().first().map(|row| get(row, 0)).transpose()?;
            for (scope, row) in self.scopes.into_iter().zip(&next()) {
                let (spent, reserved): (i64, i64) = (get(row, 0)?, get(row, 1)?);
                loaded.sums.insert(scope, Sum { spent: spent.into(), reserved: reserved.into() });
            }
        }
        if !self.keys.is_empty() {
            for row in &next() {
                let key = ReservationKey(get(row, 7)?);
                loaded.reservations.entry(key).or_default().push(charge(row)?);
            }
        }
        for charges in loaded.reservations.values_mut() {
            charges.sort_by_key(spending::order);
        }
        Ok(loaded)
    }
}

impl Rows for Loaded {
    type Error = std::convert::Infallible;

    fn sum(&self, scope: &Scope, since: Date) -> std::result::Result<Sum, Self::Error> {
        Ok(self.sums.get(&(scope.clone(), since)).copied().unwrap_or_default())
    }

    fn reservation(&self, key: ReservationKey) -> std::result::Result<Vec<Charge>, Self::Error> {
        Ok(self.reservations.get(&key).cloned().unwrap_or_default())
    }
}

fn charge(row: &Row) -> Result<Charge> {
    let target: &str = get(row, 2)?;
    let payer = Payer {
        source: get::<&str>(row, 1)?.into(),
        target: (!target.is_empty()).then(|| TargetId::from(target)),
        service: get::<&str>(row, 3)?.into(),
    };
    let name: &str = get(row, 4)?;
    let purpose = Purpose::from_name(name)
        .ok_or_else(|| Error::Unreadable(format!("a charge has an unknown purpose: {name}")))?;
    let line = Line { day: day(get(row, 0)?)?, payer, purpose };
    Ok(spending::charge(line, get(row, 5)?, get(row, 6)?))
}

/// A day as it is stored.
pub(super) fn day(text: &str) -> Result<Date> {
    text.parse().map_err(|error: jiff::Error| Error::Unreadable(error.to_string()))
}

/// What was spent and is reserved from a day on.
pub(super) async fn charges(db: &Object, since: Date) -> Result<Vec<Charge>> {
    let statement = db.prepare_cached(CHARGES).await?;
    let rows = db.query(&statement, &[&since.to_string()]).await?;
    let mut charges = rows.iter().map(charge).collect::<Result<Vec<_>>>()?;
    charges.sort_by_key(spending::order);
    Ok(charges)
}

/// The values of [`SPENT`], if anything was spent.
pub(super) fn spent(book: &Book) -> Option<Values> {
    let mut columns = Columns::default();
    for (line, by) in book.differences() {
        columns.push((line.day, &line.payer, line.purpose), to_integer(by.micros), to_integer(by.units));
    }
    (!columns.days.is_empty()).then(|| columns.values())
}

/// The values of a statement, and how many rows it must change.
type Rewritten = (Values, usize);

/// The values of [`RELEASED`] and how many rows it must remove, and those of [`RESERVED`].
pub(super) fn reserved(book: &Book) -> (Option<Rewritten>, Option<Rewritten>) {
    let (mut released, mut stored) = (Vec::new(), 0);
    let (mut columns, mut keys) = (Columns::default(), Vec::new());
    for (key, rows, charges) in book.replaced() {
        if rows > 0 {
            released.push(key.0);
            stored += rows;
        }
        for charge in charges {
            let line = (charge.day, &charge.payer, charge.purpose);
            columns.push(line, micros(charge.amount), to_integer(charge.units));
            keys.push(key.0);
        }
    }
    let released = (stored > 0).then(|| (vec![Box::new(released) as _], stored));
    let rows = keys.len();
    let reserved = (rows > 0).then(|| {
        let mut values = columns.values();
        values.push(Box::new(keys));
        (values, rows)
    });
    (released, reserved)
}

/// Rows of charges, column by column.
#[derive(Default)]
struct Columns {
    days: Vec<String>,
    sources: Vec<String>,
    targets: Vec<String>,
    services: Vec<String>,
    purposes: Vec<&'static str>,
    micros: Vec<i64>,
    units: Vec<i64>,
}

impl Columns {
    fn push(&mut self, (day, payer, purpose): (Date, &Payer, Purpose), micros: i64, units: i64) {
        let target = payer.target.as_ref().map_or("", TargetId::as_str);
        self.days.push(day.to_string());
        self.sources.push(storable(&payer.source).into_owned());
        self.targets.push(storable(target).into_owned());
        self.services.push(storable(&payer.service).into_owned());
        self.purposes.push(purpose.as_str());
        self.micros.push(micros);
        self.units.push(units);
    }

    fn values(self) -> Values {
        let Self { days, sources, targets, services, purposes, micros, units } = self;
        vec![
            Box::new(days),
            Box::new(sources),
            Box::new(targets),
            Box::new(services),
            Box::new(purposes),
            Box::new(micros),
            Box::new(units),
        ]
    }
}
