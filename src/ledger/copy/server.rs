//! A ledger on a server.

use async_trait::async_trait;
use mynah_domain::ports::{
    Leases as _,
    leases::{HeldLeases, InstanceId},
};

use super::{
    End, MARK,
    tables::{Cell, Kind, Row, Table},
};
use crate::ledger::{
    PostgresLedger,
    postgres::{Address, Member, OpenError, Values},
};

pub(super) struct ServerEnd {
    name: String,
    ledger: PostgresLedger,
}

impl ServerEnd {
    pub(super) async fn open(address: &Address) -> Result<Self, OpenError> {
        let instance = InstanceId::from(format!("copy {}", std::process::id()).as_str());
        let member = Member { instance, held: HeldLeases::default() };
        let ledger = PostgresLedger::open_to_copy(address, member).await?;
        Ok(Self { name: address.to_string(), ledger })
    }

    async fn query(&self, sql: String, values: Values, kinds: Vec<Kind>) -> Result<Vec<Row>, String> {
        let rows = self.ledger.query(sql, values).await.map_err(|error| error.to_string())?;
        rows.iter()
            .map(|row| {
                let cells = kinds.iter().enumerate().map(|(column, kind)| {
                    let cell = match kind {
                        Kind::Integer => row.try_get::<_, Option<i64>>(column).map(|n| n.map(Cell::Integer)),
                        Kind::Text | Kind::Json => {
                            row.try_get::<_, Option<String>>(column).map(|text| text.map(Cell::Text))
                        }
                    };
                    cell.map(|cell| cell.unwrap_or(Cell::Null)).map_err(|error| error.to_string())
                });
                cells.collect()
            })
            .collect()
    }

    async fn execute(&self, sql: String, values: Values) -> Result<(), String> {
        self.ledger.query(sql, values).await.map(drop).map_err(|error| error.to_string())
    }
}

fn kinds(table: &Table, columns: usize) -> Vec<Kind> {
    table.columns[..columns].iter().map(|(_, kind)| *kind).collect()
}

#[async_trait(?Send)]
impl End for ServerEnd {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn users(&self) -> Result<Vec<String>, String> {
        let survey = self.ledger.survey().await.map_err(|error| error.to_string())?;
        Ok(survey.instances.iter().map(|one| format!("{} on {}", one.id, one.host)).collect())
    }

    async fn mark(&self) -> Result<Option<String>, String> {
        let sql = "SELECT value FROM facts WHERE key = $1".to_owned();
        let found = self.query(sql, vec![Box::new(MARK)], vec![Kind::Text]).await?;
        Ok(found.into_iter().flatten().find_map(|cell| match cell {
            Cell::Text(from) => Some(from),
            _ => None,
        }))
    }

    async fn set_mark(&self, from: Option<&str>) -> Result<(), String> {
        match from {
            Some(from) => {
                let sql = "INSERT INTO facts (key, value) VALUES ($1, $2)".to_owned();
                self.execute(sql, vec![Box::new(MARK), Box::new(from.to_owned())]).await
            }
            None => self.execute("DELETE FROM facts WHERE key = $1".into(), vec![Box::new(MARK)]).await,
        }
    }

    async fn count(&self, table: &Table) -> Result<u64, String> {
        let count = self.query(table.count_sql(), Vec::new(), vec![Kind::Integer]).await?;
        match count.first().and_then(|row| row.first()) {
            Some(Cell::Integer(count)) => Ok(u64::try_from(*count).unwrap_or_default()),
            _ => Err("the server counts no rows".into()),
        }
    }

    async fn last(&self, table: &Table) -> Result<Option<Row>, String> {
        Ok(self.query(table.last_sql(), Vec::new(), kinds(table, table.key)).await?.pop())
    }

    async fn read(&self, table: &Table, after: Option<&[Cell]>) -> Result<Vec<Row>, String> {
        let sql = table.read_sql(after.map(|_| '$'));
        let values: Values = after.unwrap_or_default().iter().map(boxed).collect();
        self.query(sql, values, kinds(table, table.columns.len())).await
    }

    async fn write(&self, table: &Table, rows: &[Row]) -> Result<(), String> {
        let columns = table.columns.iter().enumerate();
        let (mut arrays, mut values): (Vec<String>, Values) = (Vec::new(), Vec::new());
        for (column, (_, kind)) in columns {
            let cells = rows.iter().map(|row| &row[column]);
            match kind {
                Kind::Integer => {
                    arrays.push(format!("${}::bigint[]", column + 1));
                    let number = |cell: &Cell| match cell {
                        Cell::Integer(number) => Some(*number),
                        _ => None,
                    };
                    values.push(Box::new(cells.map(number).collect::<Vec<_>>()));
                }
                Kind::Text | Kind::Json => {
                    arrays.push(format!("${}::text[]", column + 1));
                    let text = |cell: &Cell| match cell {
                        Cell::Text(text) => Some(text.clone()),
                        _ => None,
                    };
                    values.push(Box::new(cells.map(text).collect::<Vec<_>>()));
                }
            }
        }
        let sql = format!(
            "INSERT INTO {} ({}) SELECT * FROM UNNEST({})",
            table.name,
            table.names(),
            arrays.join(", ")
        );
        self.execute(sql, values).await
    }

    async fn complete(&self) -> Result<(), String> {
        self.ledger.number_on().await.map_err(|error| error.to_string())
    }
}

fn boxed(cell: &Cell) -> Box<dyn tokio_postgres::types::ToSql + Sync + Send> {
    match cell {
        Cell::Integer(number) => Box::new(*number),
        Cell::Text(text) => Box::new(text.clone()),
        // No key is NULL.
        Cell::Null => Box::new(None::<i64>),
    }
}
