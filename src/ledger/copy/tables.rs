//! What is copied: the tables, which both kinds of ledgers have, in an order in which each row refers only to earlier ones.

use sha2::{Digest as _, Sha256};

use super::PIECE;
use crate::ledger::postgres::{storable, storable_json};

/// A value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Text(String),
}

pub(super) type Row = Vec<Cell>;

impl Cell {
    pub(super) fn hash(&self, hash: &mut Sha256) {
        match self {
            Self::Null => hash.update([0]),
            Self::Integer(number) => {
                hash.update([1]);
                hash.update(number.to_be_bytes());
            }
            Self::Text(text) => {
                hash.update([2]);
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
        }
    }
}

/// What a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Text,
    Json,
}

impl Kind {
    /// A text as both kinds of ledgers can store it.
    pub(super) fn stored(self, text: String) -> Cell {
        let stored = match self {
            Self::Json => storable_json(&text),
            Self::Integer | Self::Text => storable(&text),
        };
        Cell::Text(match stored {
            std::borrow::Cow::Borrowed(_) => text,
            std::borrow::Cow::Owned(changed) => changed,
        })
    }
}

/// A table: its key is its first columns.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) key: usize,
    pub(super) columns: &'static [(&'static str, Kind)],
    /// Which rows are copied.
    pub(super) condition: &'static str,
}

impl Table {
    pub(super) fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    fn key_names(&self) -> String {
        self.columns[..self.key].iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// Counts the rows that are copied.
    pub(super) fn count_sql(&self) -> String {
        format!("SELECT count(*) FROM {} WHERE {}", self.name, self.condition)
    }

    /// Selects the key of the last row.
    pub(super) fn last_sql(&self) -> String {
        let key = self.key_names();
        let descending = key.replace(", ", " DESC, ");
        format!("SELECT {key} FROM {} WHERE {} ORDER BY {descending} DESC LIMIT 1", self.name, self.condition)
    }

    /// Selects the first [`PIECE`] rows, or the first behind a key, whose values are parameters with this sign.
    pub(super) fn read_sql(&self, behind: Option<char>) -> String {
        let (names, key) = (self.names(), self.key_names());
        let behind = behind.map_or_else(
            || "true".to_owned(),
            |sign| {
                let places: Vec<String> = (1..=self.key).map(|number| format!("{sign}{number}")).collect();
                format!("({key}) > ({})", places.join(", "))
            },
        );
        format!(
            "SELECT {names} FROM {} WHERE {} AND {behind} ORDER BY {key} LIMIT {PIECE}",
            self.name, self.condition
        )
    }

    pub(super) fn key_of(&self, row: &Row) -> Row {
        row[..self.key].to_vec()
    }
}

use Kind::{Integer as I, Json as J, Text as T};

pub(super) static TABLES: [Table; 12] = [
    Table {
        name: "posts",
        key: 2,
        columns: &[
            ("source", T),
            ("id", T),
            ("position", I),
            ("body", J),
            ("recorded_at", I),
            ("raw", T),
            ("forgotten_at", I),
        ],
        condition: "true",
    },
    Table { name: "versions", key: 2, columns: &[("source", T), ("id", T), ("post", T)], condition: "true" },
    Table {
        name: "jobs",
        key: 1,
        columns: &[
            ("id", I),
            ("source", T),
            ("post", T),
            ("target", T),
            ("position", I),
            ("state", T),
            ("stand", I),
            ("token", I),
            ("attempt", I),
            ("not_before", I),
            ("kind", T),
            ("reason", T),
            ("translation", J),
            ("engine", T),
            ("rejected", J),
            ("before_skip", J),
            ("draft", J),
            ("guidance", J),
            ("last_change", I),
            ("created_at", I),
            ("updated_at", I),
        ],
        condition: "true",
    },
    Table {
        name: "draft_decisions",
        key: 2,
        columns: &[("job", I), ("token", I), ("at", I), ("who", T), ("action", T), ("note", T)],
        condition: "true",
    },
    Table {
        name: "publications",
        key: 2,
        columns: &[
            ("job", I),
            ("part", I),
            ("account", T),
            ("text", T),
            ("intent_at", I),
            ("remote_id", T),
            ("sent_at", I),
            ("after", T),
            ("key", T),
            ("reply_root", T),
            ("reply_parent", T),
            ("cost", I),
            ("cost_day", T),
            ("cost_service", T),
        ],
        condition: "true",
    },
    Table {
        name: "spending",
        key: 5,
        columns: &[
            ("day", T),
            ("source", T),
            ("target", T),
            ("service", T),
            ("purpose", T),
            ("micros", I),
            ("units", I),
        ],
        condition: "true",
    },
    Table {
        name: "reservations",
        key: 6,
        columns: &[
            ("key", I),
            ("day", T),
            ("source", T),
            ("target", T),
            ("service", T),
            ("purpose", T),
            ("micros", I),
            ("units", I),
        ],
        condition: "true",
    },
    Table {
        name: "settled",
        key: 2,
        columns: &[("target", T), ("state", T), ("jobs", I)],
        condition: "true",
    },
    Table {
        name: "facts",
        key: 1,
        columns: &[("key", T), ("value", T)],
        // What concerns one place: the mark of a copy, and what is due in a file.
        condition: "key NOT IN ('ledger:copied_from', 'ledger:compact')",
    },
    // Sessions are not copied: everybody logs in again.
    Table {
        name: "users",
        key: 1,
        columns: &[("key", T), ("name", T), ("role", T), ("token", T), ("since", I)],
        condition: "true",
    },
    Table {
        name: "decisions",
        key: 1,
        columns: &[
            ("id", I),
            ("at", I),
            ("who", T),
            ("action", T),
            ("job", I),
            ("subject", T),
            ("detail", T),
        ],
        condition: "true",
    },
    // Last: a ledger without checkpoints has no posts yet for most queries.
    Table { name: "checkpoints", key: 1, columns: &[("source", T), ("body", J)], condition: "true" },
];
