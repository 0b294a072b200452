//! Tables for people: columns fit their contents, and the last one has no limit.

use super::print_line;
use crate::telemetry::logging::printable;

/// Prints a table. Its cells may contain text from others, so they are made printable.
pub(super) fn print<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let rows: Vec<[String; N]> =
        rows.into_iter().map(|row| row.map(|cell| printable(&cell).into_owned())).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heads[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        print_line(padded.join("  ").trim_end());
    };
    line(heads);
    for row in &rows {
        line(row.each_ref().map(String::as_str));
    }
}
