//! A ledger in a file, which is locked as long as it is copied.

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter, types::Value};

use super::{
    End, MARK,
    tables::{Cell, Row, Table},
};
use crate::ledger::sqlite::{self, Exclusive};

pub(super) struct FileEnd {
    name: String,
    file: Exclusive,
}

impl FileEnd {
    pub(super) fn open(path: &Path) -> Result<Self, sqlite::OpenError> {
        // The same name, from wherever the command is repeated.
        let file = Exclusive::open(path)?;
        let name = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self { name: name.display().to_string(), file })
    }

    fn db(&self) -> &Connection {
        self.file.connection()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn sentence(error: rusqlite::Error) -> String {
    error.to_string()
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) => Value::Integer(*number),
        Cell::Text(text) => Value::Text(text.clone()),
    }
}

#[async_trait(?Send)]
impl End for FileEnd {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn users(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    async fn mark(&self) -> Result<Option<String>, String> {
        let mut fact =
            self.db().prepare_cached("SELECT value FROM facts WHERE key = ?1").map_err(sentence)?;
        fact.query_row([MARK], |row| row.get(0)).optional().map_err(sentence)
    }

    async fn set_mark(&self, from: Option<&str>) -> Result<(), String> {
        let done = match from {
            Some(from) => self.db().execute("INSERT INTO facts (key, value) VALUES (?1, ?2)", [MARK, from]),
            None => self.db().execute("DELETE FROM facts WHERE key = ?1", [MARK]),
        };
        done.map(drop).map_err(sentence)
    }

    async fn count(&self, table: &Table) -> Result<u64, String> {
        let count: i64 = self.db().query_row(&table.count_sql(), [], |row| row.get(0)).map_err(sentence)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn last(&self, table: &Table) -> Result<Option<Row>, String> {
        let row = self.db().query_row(&table.last_sql(), [], |row| row_of(row, table, table.key));
        row.optional().map_err(sentence)
    }

    async fn read(&self, table: &Table, after: Option<&[Cell]>) -> Result<Vec<Row>, String> {
        let sql = table.read_sql(after.map(|_| '?'));
        let mut statement = self.db().prepare_cached(&sql).map_err(sentence)?;
        let values = after.unwrap_or_default().iter().map(value);
        let rows =
            statement.query_map(params_from_iter(values), |row| row_of(row, table, table.columns.len()));
        rows.map_err(sentence)?.collect::<Result<_, _>>().map_err(sentence)
    }

    async fn write(&self, table: &Table, rows: &[Row]) -> Result<(), String> {
        let transaction = self.db().unchecked_transaction().map_err(sentence)?;
        let places = vec!["?"; table.columns.len()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({places})", table.name, table.names());
        let mut insert = transaction.prepare_cached(&sql).map_err(sentence)?;
        for row in rows {
            insert.execute(params_from_iter(row.iter().map(value))).map_err(sentence)?;
        }
        drop(insert);
        transaction.commit().map_err(sentence)
    }

    async fn complete(&self) -> Result<(), String> {
        Ok(())
    }
}

fn row_of(row: &rusqlite::Row<'_>, table: &Table, columns: usize) -> rusqlite::Result<Row> {
    let kinds = table.columns[..columns].iter().enumerate();
    kinds
        .map(|(column, (_, kind))| {
            Ok(match row.get(column)? {
                Value::Null => Cell::Null,
                Value::Integer(number) => Cell::Integer(number),
                Value::Text(text) => kind.stored(text),
                Value::Real(_) | Value::Blob(_) => {
                    let what = "a column has neither a number nor a text".into();
                    return Err(rusqlite::Error::FromSqlConversionFailure(
                        column,
                        rusqlite::types::Type::Blob,
                        what,
                    ));
                }
            })
        })
        .collect()
}
