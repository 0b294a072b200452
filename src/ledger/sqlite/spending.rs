//! Reads and writes what was spent and what is reserved.

use jiff::civil::Date;
use mynah_domain::{
    TargetId,
    budget::{Charge, OverBudget, Payer, Purpose, Scope},
    ports::ledger::{Reservation, ReservationKey},
};
use rusqlite::{Connection, Row, params, types::Type};

use super::{
    super::spending::{self, Book, Line, Rows, Sum, micros},
    rows::to_integer,
};

/// The columns of a charge, for [`charge`].
const COLUMNS: &str = "day, source, target, service, purpose, micros, units";

impl Rows for Connection {
    type Error = rusqlite::Error;

    fn sum(&self, scope: &Scope, since: Date) -> rusqlite::Result<Sum> {
        let (condition, name) = match scope {
            Scope::Everything => ("", ""),
            Scope::Source(source) => ("AND source = ?2", &**source),
            Scope::Target(target) => ("AND target = ?2", target.as_str()),
            Scope::Service(service) => ("AND service = ?2", &**service),
        };
        let sum = |table| format!("ifnull((SELECT sum(micros) FROM {table} WHERE day >= ?1 {condition}), 0)");
        let sql = format!("SELECT {}, {}", sum("spending"), sum("reservations"));
        let mut statement = self.prepare_cached(&sql)?;
        let read = |row: &Row<'_>| {
            Ok(Sum { spent: row.get::<_, i64>(0)?.into(), reserved: row.get::<_, i64>(1)?.into() })
        };
        match scope {
            Scope::Everything => statement.query_row([since.to_string()], read),
            _ => statement.query_row(params![since.to_string(), name], read),
        }
    }

    fn reservation(&self, key: ReservationKey) -> rusqlite::Result<Vec<Charge>> {
        let mut statement =
            self.prepare_cached(&format!("SELECT {COLUMNS} FROM reservations WHERE key = ?1"))?;
        let mut charges: Vec<Charge> = statement.query_map([key.0], charge)?.collect::<Result<_, _>>()?;
        charges.sort_by_key(spending::order);
        Ok(charges)
    }
}

fn charge(row: &Row<'_>) -> rusqlite::Result<Charge> {
    let target = row.get_ref(2)?.as_str()?;
    let payer = Payer {
        source: row.get_ref(1)?.as_str()?.into(),
        target: (!target.is_empty()).then(|| TargetId::from(target)),
        service: row.get_ref(3)?.as_str()?.into(),
    };
    let line = Line { day: day(row, 0)?, payer, purpose: purpose(row, 4)? };
    Ok(spending::charge(line, row.get(5)?, row.get(6)?))
}

pub(super) fn day(row: &Row<'_>, column: usize) -> rusqlite::Result<Date> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error: jiff::Error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

fn purpose(row: &Row<'_>, column: usize) -> rusqlite::Result<Purpose> {
    let name = row.get_ref(column)?.as_str()?;
    Purpose::from_name(name).ok_or_else(|| {
        let unknown = format!("a charge has an unknown purpose: {name}");
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, unknown.into())
    })
}

pub(super) fn reserve(
    db: &Connection,
    reservation: &Reservation,
) -> rusqlite::Result<Result<(), OverBudget>> {
    let mut book = Book::default();
    let reserved = book.reserve(db, reservation)?;
    write(db, &book)?;
    Ok(reserved)
}

pub(super) fn settle(db: &Connection, key: ReservationKey, charges: &[Charge]) -> rusqlite::Result<()> {
    let mut book = Book::default();
    book.settle(db, key, charges)?;
    write(db, &book)
}

pub(super) fn record(db: &Connection, charges: &[Charge]) -> rusqlite::Result<()> {
    let mut book = Book::default();
    book.charge(charges);
    write(db, &book)
}

/// What was spent and is reserved from a day on.
pub(super) fn charges(db: &Connection, since: Date) -> rusqlite::Result<Vec<Charge>> {
    let sql = format!(
        "SELECT day, source, target, service, purpose, sum(micros), sum(units) FROM (
             SELECT {COLUMNS} FROM spending WHERE day >= ?1
             UNION ALL
             SELECT {COLUMNS} FROM reservations WHERE day >= ?1)
         GROUP BY day, source, target, service, purpose HAVING sum(micros) <> 0 OR sum(units) <> 0"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([since.to_string()], charge)?;
    let mut charges: Vec<Charge> = rows.collect::<Result<_, _>>()?;
    charges.sort_by_key(spending::order);
    Ok(charges)
}

/// Writes what a command changed.
pub(super) fn write(db: &Connection, book: &Book) -> rusqlite::Result<()> {
    for (Line { day, payer, purpose }, by) in book.differences() {
        db.prepare_cached(&format!(
            "INSERT INTO spending ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET micros = micros + excluded.micros, units = units + excluded.units"
        ))?
        .execute(params![
            day.to_string(),
            payer.source,
            payer.target.as_ref().map_or("", TargetId::as_str),
            payer.service,
            purpose.as_str(),
            to_integer(by.micros),
            to_integer(by.units),
        ])?;
    }
    for (key, _, charges) in book.replaced() {
        db.prepare_cached("DELETE FROM reservations WHERE key = ?1")?.execute([key.0])?;
        for Charge { payer, purpose, day, amount, units } in charges {
            db.prepare_cached(&format!(
                "INSERT INTO reservations (key, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
            ))?
            .execute(params![
                key.0,
                day.to_string(),
                payer.source,
                payer.target.as_ref().map_or("", TargetId::as_str),
                payer.service,
                purpose.as_str(),
                micros(*amount),
                to_integer(*units),
            ])?;
        }
    }
    Ok(())
}
