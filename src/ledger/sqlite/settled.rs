//! Stores how many jobs are done, by target and state.

use rusqlite::{Connection, params};

use super::super::settled::Settled;

/// Adds the counts of a command to the stored ones.
pub(super) fn write(db: &Connection, settled: &Settled) -> rusqlite::Result<()> {
    let differences = settled.differences();
    if differences.len() == 0 {
        return Ok(());
    }
    let mut statement = db.prepare_cached(
        "INSERT INTO settled (target, state, jobs) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs",
    )?;
    for (target, state, jobs) in differences {
        statement.execute(params![target.as_str(), state, jobs])?;
    }
    Ok(())
}
